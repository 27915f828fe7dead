"""One real row of each of Stripe's silver tables, field by field, and what is peculiar to a connector's exports: headers, metadata, keys.

Does not belong here: how many rows the demo data have (tests/data/expected), or what holds for every source (test_mappings).
"""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.silver import APPLICABLE
from tests.spark.mappings.landed import DATA, demo_records, parsed, silver_rows

NETSUITE = (
    '{"netsuite_credit_memo_id":"3324234","netsuite_credit_memo_link":"https://en.wikipedia.org/wiki/Brave_New_World",'
    '"netsuite_customer_refund_id":"3524872","netsuite_customer_refund_link":"https://en.wikipedia.org/wiki/Aldous_Huxley"}'
)
EXTERNAL = '{"external_id":"80755622-45b3-40a6-9544-25af39e0e50c"}'

ROWS: dict[str, dict[str, Any]] = {
    "stripe_charges": {
        "charge_id": "ch_0IMDAfig6peNXzgDJYQKfT3B",
        "customer_id": "cus_IRb688lkE0TnTM",
        "invoice_id": None,
        "payment_intent_id": "pi_0IMDAfig6peNXzgDnE8UotlM",
        "payment_method_id": "pm_0Hr3Oyig6peNXzgDkOfs9Dqm",
        "balance_transaction_id": "xyz_0IV4rIig6peNXzgDK3XAFbaN",
        "status": "failed",
        "currency": "usd",
        "amount": 3293232,
        "amount_refunded": 0,
        "is_paid": False,
        "is_captured": False,
        "is_refunded": False,
        "failure_code": "card_declined",
        "failure_message": "Your card was declined.",
        "outcome_type": "issuer_declined",
        "outcome_reason": "do_not_honor",
        "network_status": "declined_by_network",
        "risk_level": "normal",
        "risk_score": None,
        "receipt_email": "32beaaeef4e37a5d19f8bafc1a1631c2",
        "is_live": True,
        "created_at": "2021-02-18T14:07:57.000000",
        "metadata": EXTERNAL,
        "as_of": "2021-02-18T14:21:50.000000",
    },
    "stripe_invoices": {
        "invoice_id": "si8jo54",
        "customer_id": "dfd54654",
        "subscription_id": "dghisd165748",
        "payment_intent_id": None,
        "number": "2",
        "status": "paid",
        "billing_reason": "reason",
        "currency": "usd",
        "subtotal": 1000,
        "tax": 0,
        "total": 1000,
        "amount_due": 1000,
        "amount_paid": 0,
        "amount_remaining": 1000,
        "attempt_count": 1,
        "is_paid": True,
        "is_deleted": False,
        "is_live": False,
        "created_at": None,
        "period_start": "2021-02-18T14:16:37.000000",
        "period_end": "2021-02-19T14:16:37.000000",
        "due_at": None,
        "metadata": '{"external_id":"1111111-2222-3333-4444-55555555"}',
        "as_of": "2021-02-18T14:16:37.000000",
    },
    "stripe_invoice_lines": {
        "invoice_id": "ab1111",
        "line_id": "ad1111",
        "subscription_id": "sdgfs4536",
        "subscription_item_id": "sdm99",
        "price_id": "sg555",
        "type": None,
        "description": "description_here",
        "currency": "usd",
        "amount": 21,
        "unit_amount_excluding_tax": 4.2,
        "quantity": 5,
        "is_proration": True,
        "is_discountable": False,
        "is_live": True,
        "period_start": "2021-02-18T14:16:37.000000",
        "period_end": "2021-02-19T14:16:37.000000",
        "metadata": None,
        "as_of": "2021-02-18T14:16:37.000000",
    },
    "stripe_refunds": {
        "refund_id": "re_0INhCiig6peNXzgDWw7VVan8",
        "charge_id": "ch_0IMD9sig6peNXzgDoUawu0L1",
        "payment_intent_id": None,
        "balance_transaction_id": "txn_0INhCiig6peNXzgDZSsC5kGs",
        "status": "succeeded",
        "reason": "requested_by_customer",
        "failure_reason": None,
        "receipt_number": "5555-555",
        "currency": "usd",
        "amount": 13650,
        "created_at": "2021-02-22T16:24:12.000000",
        "metadata": EXTERNAL,
        "as_of": "2021-02-22T20:21:22.000000",
    },
    "stripe_disputes": {
        "dispute_id": "du_0MmTsrig6peNXzgD4bsS3XWF",
        "charge_id": "ch_2MZdKRig6peNXzgD0EygIk7l",
        "balance_transaction_id": "txn_0MmTt4ig6peNXzgDDEp8wsKh",
        "status": "won",
        "reason": "product_unacceptable",
        "currency": "usd",
        "amount": 1234,
        "is_charge_refundable": True,
        "has_evidence": True,
        "is_evidence_past_due": False,
        "evidence_submissions": 1,
        "evidence_due_at": "2023-04-26T23:59:59.000000",
        "is_live": True,
        "created_at": "2023-03-17T03:23:13.000000",
        "metadata": NETSUITE,
        "as_of": "2023-06-02T08:23:57.000000",
    },
    "stripe_prices": {
        "price_id": "price_4",
        "kind": "price",
        "product_id": "prod_003",
        "nickname": "Quarterly Plan",
        "type": "recurring",
        "currency": "eur",
        "unit_amount": 8000,
        "unit_amount_decimal": 8000.0,
        "billing_scheme": "per_unit",
        "tiers_mode": None,
        "interval": "month",
        "interval_count": 3,
        "usage_type": "licensed",
        "aggregate_usage": None,
        "trial_period_days": None,
        "lookup_key": None,
        "is_active": True,
        "is_deleted": False,
        "is_live": True,
        "created_at": "2023-08-20T09:15:00.000000",
        "metadata": None,
        "as_of": "2024-01-15T10:30:00.000000",
    },
    "stripe_plans": {
        "price_id": "5gh",
        "kind": "plan",
        "product_id": "prod_BTzAZ8EnmwNUqW",
        "nickname": None,
        "type": "recurring",
        "currency": "usd",
        "unit_amount": 150000,
        "unit_amount_decimal": 150000.0,
        "billing_scheme": "per_unit",
        "tiers_mode": None,
        "interval": "month",
        "interval_count": 6,
        "usage_type": "licensed",
        "aggregate_usage": None,
        "trial_period_days": None,
        "lookup_key": None,
        "is_active": True,
        "is_deleted": False,
        "is_live": True,
        "created_at": "2017-05-15T18:53:55.000000",
        "metadata": None,
        "as_of": "2021-03-15T14:21:13.000000",
    },
    "stripe_products": {
        "product_id": "prod_two",
        "name": "Test Product OG",
        "type": "good",
        "description": "Test Description",
        "unit_label": None,
        "statement_descriptor": None,
        "url": "example.com",
        "is_active": True,
        "is_shippable": True,
        "is_deleted": False,
        "is_live": True,
        "created_at": "2024-01-30T06:18:03.000000",
        "updated_at": "2024-01-30T06:22:27.000000",
        "metadata": None,
        "as_of": "2024-01-30T12:31:51.809000",
    },
    "stripe_subscription_items": {
        "subscription_item_id": "bea81c1795a612d8fc3a232b15646703",
        "subscription_id": "sdfg5637",
        "price_id": "5gh",
        "quantity": 1,
        "current_period_start": "2024-07-03T11:00:00.000000",
        "current_period_end": "2024-08-03T11:00:00.000000",
        "created_at": "2024-07-03T11:00:00.000000",
        "metadata": '{"tag":"tag03","source":"fake03"}',
        "as_of": "2025-08-26T14:30:00.000000",
    },
    "stripe_balance_transactions": {
        "object": "balance_transaction",
        "object_id": "xyz_0IV4rIig6peNXzgDK3XAFbaN",
        "customer_id": None,
        "related_id": "po_0IV4rIig6peNXzgD51VFKdaB",
        "amount": -18759,
        "currency": "usd",
        "status": "pending",
        "is_deleted": None,
        "is_live": None,
        "created_at": "2021-03-15T01:04:36.000000",
        "attributes": {
            "type": "payout",
            "fee": "0",
            "net": "-18759",
            "available_on": "2021-03-16 00:00:00",
            "payout_id": "po_0IV4rIig6peNXzgD51VFKdaB",
        },
        "as_of": "2021-03-15T02:21:18.000000",
    },
    "stripe_fees": {
        "object": "fee",
        "object_id": "txn_0IC7txig6peNXzgD0BI1c5fq/0",
        "customer_id": None,
        "related_id": "txn_0IC7txig6peNXzgD0BI1c5fq",
        "amount": 9281,
        "currency": "usd",
        "status": None,
        "is_deleted": None,
        "is_live": None,
        "created_at": None,
        "attributes": {"type": "a63a12921d2c16182f640ee7d2875ec4", "description": "5648134d1ebad69e0037d22cb76a8a6a"},
        "as_of": "2021-01-24T20:21:24.000000",
    },
    "stripe_payout_balance_transactions": {
        "object": "payout_balance_transaction",
        "object_id": "po_0IB8cXig6peNXzgDJWLvHBB7/xyz_0IV4rIig6peNXzgDK3XAFbaN",
        "customer_id": None,
        "related_id": "po_0IB8cXig6peNXzgDJWLvHBB7",
        "amount": None,
        "currency": None,
        "status": None,
        "is_deleted": None,
        "is_live": None,
        "created_at": None,
        "attributes": {"balance_transaction_id": "xyz_0IV4rIig6peNXzgDK3XAFbaN"},
        "as_of": "2021-01-24T20:21:25.000000",
    },
    "stripe_transfers": {
        "object": "transfer",
        "object_id": "po_0Njtvzig6peNXzgD6RPBasht",
        "customer_id": None,
        "related_id": "txn_0Njtw0ig6peNXzgDXY3mJGwC",
        "amount": 1447318,
        "currency": "usd",
        "status": None,
        "is_deleted": None,
        "is_live": True,
        "created_at": "2023-08-28T01:08:03.000000",
        "attributes": {
            "source_type": "card",
            "amount_reversed": "0",
            "reversed": "false",
            "description": "STRIPE PAYOUT",
            "destination": "ba_0MkB7Nig6peNXzgDBFL0SIgk",
            "metadata": '{"netsuite_deposit_id":"3975560","netsuite_deposit_link":"https://en.wikipedia.org/wiki/Beyonc%C3%A9"}',
        },
        "as_of": "2023-08-29T02:19:08.000000",
    },
}

METADATA = {
    '{"external_id":"x"}': '{"external_id":"x"}',
    '"{\\"external_id\\":\\"x\\"}"': '{"external_id":"x"}',
    '"{"external_id":"x"}"': '{"external_id":"x"}',
    "{}": None,
    '"{}"': None,
    "": None,
    '"': '"',
    "not JSON": "not JSON",
    '{"external_id":': '{"external_id":',
}

KEYS = {
    "stripe_invoice_lines": ({"invoice_id": "in_1", "id": "sub_1"}, "in_1/sub_1@2021-02-18 14:16:37"),
    "stripe_fees": ({"balance_transaction_id": "txn_1", "index": "0"}, "txn_1/0@2021-02-18 14:16:37"),
    "stripe_payout_balance_transactions": ({"payout_id": "po_1", "balance_transaction_id": "txn_1"}, "po_1/txn_1@2021-02-18 14:16:37"),
    "stripe_payment_method_cards": ({"payment_method_id": "pm_1"}, "pm_1@2021-02-18 14:16:37"),
    "stripe_subscription_history": (
        {"id": "sub_1", "_fivetran_start": "2021-01-01 00:00:00"},
        "sub_1/2021-01-01 00:00:00@2021-02-18 14:16:37",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_real_row_maps_field_by_field(spark: SparkSession, name: str) -> None:
    wanted = ROWS[name]
    ids = [column for column in wanted if column.endswith("_id") or column == "object"][:2]
    found = [row for row in silver_rows(spark, name, demo_records(name)) if all(row[column] == wanted[column] for column in ids)]
    assert found == [wanted | {APPLICABLE: True}]


def _of_table(stem: str, variant: str) -> list[str]:
    text = (DATA / "headers" / "stripe" / f"{stem}_data{variant}.csv").read_text(encoding="utf-8")
    return [json.dumps({k: v for k, v in row.items() if v}) for row in csv.DictReader(text.splitlines())]


@pytest.mark.parametrize(
    ("name", "stem", "ends"),
    [
        ("stripe_discounts", "discount", {"": [], "_postgres": ["2022-09-27 05:50:07.000000"], "_snowflake": []}),
        (
            "stripe_subscription_discounts",
            "subscription_discount",
            {variant: ["2023-09-19 05:50:07.000000"] for variant in ("", "_postgres", "_snowflake")},
        ),
    ],
)
def test_a_header_of_another_warehouse_reads_alike(spark: SparkSession, name: str, stem: str, ends: dict[str, list[str]]) -> None:
    rows = {variant: silver_rows(spark, name, _of_table(stem, variant)) for variant in ends}
    first_ends = {variant: [row["attributes"]["end"] for row in found[:1] if "end" in row["attributes"]] for variant, found in rows.items()}
    assert first_ends == ends
    assert {row["attributes"]["start"] for row in rows["_snowflake"]} >= {"2022-09-19 05:50:07.000000"}
    for found in rows.values():
        for row in found:
            row["attributes"].pop("end", None)
    assert rows[""] == rows["_postgres"] == rows["_snowflake"]


def test_a_discount_without_time_of_reading_has_that_of_its_start(spark: SparkSession) -> None:
    start = {"id": "di_1", "start": "2022-09-19 05:50:07"}
    records = [start, {**start, "_fivetran_synced": "2022-10-01 00:00:00"}, {"id": "di_1"}]
    rows = silver_rows(spark, "stripe_discounts", [json.dumps(record) for record in records])
    assert [row["as_of"] for row in rows] == ["2022-09-19T05:50:07.000000", "2022-10-01T00:00:00.000000", None]


def test_metadata_are_read_as_json_as_text_of_json_and_in_bare_quotes(spark: SparkSession) -> None:
    rows = silver_rows(spark, "stripe_refunds", [json.dumps({"id": "re_1", "metadata": text}) for text in METADATA])
    assert dict(zip(METADATA, (row["metadata"] for row in rows), strict=True)) == METADATA


def test_the_id_of_a_customer_elsewhere_is_found_in_either_form_of_metadata(spark: SparkSession) -> None:
    rows = silver_rows(spark, "stripe_customers", [json.dumps({"id": "cus_1", "metadata": text}) for text in METADATA])
    assert [row["external_id"] for row in rows] == ["x"] * 3 + [None] * 6


@pytest.mark.parametrize("name", KEYS)
def test_a_table_without_id_is_keyed_by_what_names_its_rows(spark: SparkSession, name: str) -> None:
    key, wanted = KEYS[name]
    whole = {**key, "_fivetran_synced": "2021-02-18 14:16:37"}
    part = {**whole, next(iter(key)): ""}
    found = parsed(spark, name, [json.dumps(whole), json.dumps(part)]).orderBy("_row").collect()
    assert [row.event_id for row in found] == [wanted, None]
