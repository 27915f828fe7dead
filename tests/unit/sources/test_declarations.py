"""Source declarations: the shipped ones are right, and mistakes are told with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.settings import SHIPPED_SOURCES
from lakehouse.sources import Format, read_source

SHIPPED = sorted(SHIPPED_SOURCES.glob("*.yaml"))

GOOD = """\
name: probe
description: A source for tests.
format: json_lines
earliest: 2020-01-01
fields:
  id: string
  at: string
derived:
  short: left(id, 3)
event_id: id
event_time: try_to_timestamp(at)
silver:
  table: silver.billing_customers
  version: 1
  columns:
    customer_id: id
    as_of: event_time
"""


def _read(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "probe.yaml"
    path.write_text(text, encoding="utf-8")
    source, mistakes = read_source(path)
    assert (source is None) is bool(mistakes)
    return [str(mistake) for mistake in mistakes]


def test_all_sources_of_this_release_are_shipped() -> None:
    assert [path.stem for path in SHIPPED] == [
        "aws_cloudtrail", "okta_system_log", "provider_events", "stripe_accounts", "stripe_balance_transactions", "stripe_cards",
        "stripe_charges", "stripe_coupons", "stripe_credit_note_lines", "stripe_credit_notes", "stripe_customers",
        "stripe_discounts", "stripe_disputes", "stripe_fees", "stripe_invoice_lines", "stripe_invoices", "stripe_payment_intents",
        "stripe_payment_method_cards", "stripe_payment_methods", "stripe_payout_balance_transactions", "stripe_payouts",
        "stripe_plans", "stripe_prices", "stripe_products", "stripe_refunds", "stripe_subscription_discounts",
        "stripe_subscription_history", "stripe_subscription_items", "stripe_subscriptions", "stripe_transfers",
        "windows_security",
    ]  # fmt: skip


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_declaration_has_no_mistake(path: Path) -> None:
    assert read_source(path)[1] == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_declaration_reads_scalars_as_text(path: Path) -> None:
    source, _ = read_source(path)
    assert source is not None
    scalars = {"boolean", "int", "bigint", "long", "float", "double", "decimal", "date", "timestamp"}
    words = {word for kind in source.fields.values() for word in kind.replace("<", " ").replace(">", " ").replace(",", " ").split()}
    assert words & scalars - set(source.fields) == set()
    assert source.format is not Format.CSV or set(source.fields.values()) == {"string"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_declaration_reads_times_only_where_a_day_stands_first(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("try_to_timestamp(") == text.count("like '____-__-___%'") > 0


def test_a_right_declaration_is_read(tmp_path: Path) -> None:
    assert _read(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong", "mistake"),
    [
        ("format: json_lines", "format: json_line", "probe.yaml:3: format: Input should be 'json_lines', 'json_wrapped' or 'csv'"),
        ("earliest: 2020-01-01", "earliest: long ago", "probe.yaml:4: earliest: Input should be a valid date or datetime"),
        ("event_id: id\n", "", "probe.yaml:1: event_id: Field required"),
        ("event_id: id", "event_id: ''", "probe.yaml:10: event_id: String should have at least 1 character"),
        ("event_id: id", "event_id: 5", "probe.yaml:10: event_id: Input should be a valid string"),
        ("event_id: id", "evnt_id: id\nevent_id: id", "probe.yaml:10: evnt_id: Extra inputs are not permitted"),
        ("  version: 1", "  version: 0", "probe.yaml:14: silver.version: Input should be greater than or equal to 1"),
        ("    customer_id: id", "    customer_id: null", "probe.yaml:16: silver.columns.customer_id: Input should be a valid string"),
        ("    customer_id: id\n", "", "probe.yaml:12: silver: Value error, silver.billing_customers requires the columns customer_id"),
        ("    as_of:", "    as_off: id\n    as_of:", "probe.yaml:12: silver: Value error, silver.billing_customers has no columns as_off"),
        ("silver.billing_customers", "gold.auth_daily", "probe.yaml:12: silver: Value error, 'gold.auth_daily' is not a silver table"),
        ("format: json_lines", "format: json_wrapped", "probe.yaml:1: declaration: Value error, records_field belongs to format"),
        ("  at: string", "  at: string\n  AT: string", "probe.yaml:1: declaration: Value error, Spark does not tell upper from lower case"),
        ("  short: left", "  ID: left", "probe.yaml:9: derived.ID.[key]: String should match pattern"),
        ("  short: left", "  id: left", "probe.yaml:1: declaration: Value error, Spark does not tell upper from lower case"),
        ("  short: left", "  tenant_id: left", "probe.yaml:1: declaration: Value error, Spark does not tell upper from lower case"),
        ("fields:", "fields: [", "probe.yaml:7: YAML: "),
        ("name: probe", "name: other", "probe.yaml:1: name: must be the file's name, 'probe'"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, right: str, wrong: str, mistake: str) -> None:
    assert right in GOOD
    (told,) = _read(tmp_path, GOOD.replace(right, wrong, 1))
    assert told.startswith(mistake)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("earliest: 2020-01-01", "earliest: x").replace("version: 1", "version: x")
    assert [m.split(": ")[0] for m in _read(tmp_path, text)] == ["probe.yaml:4", "probe.yaml:14"]
