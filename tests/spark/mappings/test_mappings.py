"""Each source's mapping to silver: hand-checked records, every kind of event, and records that are bent out of shape."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.silver import APPLICABLE, map_to_silver
from lakehouse.tables import TABLES
from tests.spark.mappings.landed import (
    EVENT_SOURCES,
    IDENTITY,
    LINEAGE,
    SOURCES,
    declaration,
    demo_records,
    expected,
    parsed,
    samples,
    silver,
)

CHECKED = 20
ALWAYS = ("project_id", "environment", "activity", "auth_method", "phase", "outcome", "device")
EVENT_COLUMNS = [c.name for c in TABLES["silver.auth_events"].columns if c.name not in LINEAGE and c.name != "user_key"]


def _as_text(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f") if isinstance(value, datetime) else value


@pytest.mark.parametrize("name", EVENT_SOURCES)
def test_hand_checked_records_map_field_by_field(spark: SparkSession, name: str) -> None:
    found = silver(spark, name, samples(name))
    cases = expected(name)
    assert [case["line"] for case in cases] == list(range(1, CHECKED + 1)) and len(found) == CHECKED
    for case, row in zip(cases, found, strict=True):
        assert row.pop(APPLICABLE) is case.get("applicable", True), case["what"]
        if "row" in case:
            wanted = {column: None for column in (*EVENT_COLUMNS, IDENTITY)} | {k: _as_text(v) for k, v in case["row"].items()}
            assert row == wanted, f"line {case['line']}: {case['what']}"


@pytest.mark.parametrize("name", SOURCES)
def test_silver_has_the_declared_columns_in_order_and_type(spark: SparkSession, name: str) -> None:
    source = declaration(name)
    table = TABLES[source.silver.table]
    mapped = map_to_silver(parsed(spark, name, ["{}"]), source)
    assert mapped.columns == [*table.column_names, APPLICABLE]
    types = {"long": "bigint"}
    assert [kind for _, kind in mapped.dtypes[:-1]] == [types.get(c.type, c.type) for c in table.columns]


PROVIDER_ACTIONS = {
    ("PasswordsAuthenticate", "Start"): ("sign_in", "password", "started", "pending"),
    ("PasswordsAuthenticate", "Success"): ("sign_in", "password", "completed", "success"),
    ("PasswordsAuthenticate", "Error"): ("sign_in", "password", "completed", "failure"),
    ("PasswordsCreate", "Success"): ("sign_up", "password", "completed", "success"),
    ("PasswordsEmailResetStart", "Success"): ("factor_change", "password", "started", "success"),
    ("PasswordsEmailReset", "Success"): ("factor_change", "password", "completed", "success"),
    ("B2BPasswordsAuthenticate", "Success"): ("sign_in", "password", "completed", "success"),
    ("MagicLinksEmailLoginOrCreate", "Success"): ("sign_in", "magic_link", "started", "success"),
    ("MagicLinksEmailLoginOrCreate", "Error"): ("sign_in", "magic_link", "started", "failure"),
    ("B2BMagicLinksEmailLoginOrSignup", "Start"): ("sign_in", "magic_link", "started", "pending"),
    ("B2BMagicLinksEmailInvite", "Success"): ("sign_in", "magic_link", "started", "success"),
    ("MagicLinksCreate", "Success"): ("sign_in", "magic_link", "started", "success"),
    ("B2BMagicLinksAuthenticate", "Success"): ("sign_in", "magic_link", "completed", "success"),
    ("OTPsEmailLoginOrCreate", "Success"): ("sign_in", "otp_email", "started", "success"),
    ("OTPsSMSSend", "Success"): ("sign_in", "otp_sms", "started", "success"),
    ("B2BOTPsSMSSend", "Success"): ("sign_in", "otp_sms", "started", "success"),
    ("OTPsWhatsAppLoginOrCreate", "Success"): ("sign_in", "otp_whatsapp", "started", "success"),
    ("OTPsAuthenticate", "Success"): ("sign_in", "unknown", "completed", "success"),
    ("B2BOTPsEmailAuthenticate", "Error"): ("sign_in", "otp_email", "completed", "failure"),
    ("B2BOTPsSMSAuthenticate", "Success"): ("sign_in", "otp_sms", "completed", "success"),
    ("OAuthGoogleStart", "Success"): ("sign_in", "oauth", "started", "success"),
    ("OAuthGoogleOneTapStart", "Success"): ("sign_in", "oauth", "started", "success"),
    ("OAuthAuthenticate", "Success"): ("sign_in", "oauth", "completed", "success"),
    ("WebAuthnRegisterStart", "Success"): ("factor_change", "passkey", "started", "success"),
    ("WebAuthnRegister", "Success"): ("factor_change", "passkey", "completed", "success"),
    ("WebAuthnAuthenticateStart", "Success"): ("sign_in", "passkey", "started", "success"),
    ("WebAuthnAuthenticate", "Error"): ("sign_in", "passkey", "completed", "failure"),
    ("B2BSSOStart", "Success"): ("sign_in", "sso", "started", "success"),
    ("B2BSSOAuthenticate", "Success"): ("sign_in", "sso", "completed", "success"),
    ("TOTPsCreate", "Success"): ("factor_change", "totp", "started", "success"),
    ("TOTPsAuthenticate", "Error"): ("sign_in", "totp", "completed", "failure"),
    ("TOTPsRecover", "Success"): ("sign_in", "recovery_code", "completed", "success"),
    ("B2BRecoveryCodesRecover", "Success"): ("sign_in", "recovery_code", "completed", "success"),
    ("BiometricsAuthenticateStart", "Success"): ("sign_in", "biometric", "started", "success"),
    ("BiometricsAuthenticate", "Success"): ("sign_in", "biometric", "completed", "success"),
    ("SessionsAuthenticate", "Success"): ("session", "session", "completed", "success"),
    ("MultiTenantSessionsAuthenticate", "Error"): ("session", "session", "completed", "failure"),
    ("SessionsRevoke", "Success"): ("sign_out", "session", "completed", "success"),
    ("MultiTenantSessionsRevoke", "Success"): ("sign_out", "session", "completed", "success"),
    ("B2BDiscoveryIntermediateSessionsExchange", "Success"): ("session", "session", "completed", "success"),
    ("EmailDelivery", "Success"): ("sign_in", "unknown", "delivered", "pending"),
    ("SMSDelivery", "Error"): ("sign_in", "otp_sms", "delivered", "failure"),
    ("WhatsAppDelivery", "Success"): ("sign_in", "otp_whatsapp", "delivered", "pending"),
    ("CreateUser", "Success"): ("account_change", "unknown", "completed", "success"),
    ("DeleteUserTOTP", "Success"): ("factor_change", "totp", "completed", "success"),
    ("GetUser", "Success"): None,
    ("SearchUsersExternal", "Success"): None,
    ("SessionsJwks", "Success"): None,
    ("SessionsGet", "Success"): None,
    ("CreatePublicToken", "Success"): None,
    ("PasswordsStrengthCheck", "Success"): None,
    ("B2BSSOCreateConnection", "Success"): None,
    ("TOTPsRecoveryCodes", "Success"): None,
}

OKTA_EVENTS = {
    ("user.session.start", "SUCCESS"): ("sign_in", "unknown", "completed", "success"),
    ("user.session.end", "SUCCESS"): ("sign_out", "session", "completed", "success"),
    ("user.session.impersonation.initiate", "SUCCESS"): ("admin", "session", "completed", "success"),
    ("user.session.access_admin_app", "SUCCESS"): ("authorization", "session", "completed", "success"),
    ("user.authentication.sso", "SUCCESS"): ("sign_in", "sso", "completed", "success"),
    ("user.authentication.auth_via_social", "SUCCESS"): ("challenge", "oauth", "completed", "success"),
    ("user.authentication.auth_via_inbound_SAML", "FAILURE"): ("challenge", "sso", "completed", "failure"),
    ("user.authentication.auth_via_AD_agent", "SUCCESS"): ("challenge", "password", "completed", "success"),
    ("user.mfa.okta_verify.deny_push", "SUCCESS"): ("challenge", "push", "completed", "failure"),
    ("user.mfa.factor.activate", "SUCCESS"): ("factor_change", "unknown", "completed", "success"),
    ("user.account.reset_password", "SUCCESS"): ("factor_change", "password", "completed", "success"),
    ("user.account.lock", "FAILURE"): ("account_change", "unknown", "completed", "failure"),
    ("user.lifecycle.create", "SUCCESS"): ("account_change", "unknown", "completed", "success"),
    ("user.registration.create", "SUCCESS"): ("sign_up", "unknown", "completed", "success"),
    ("system.sms.send_factor_verify_message", "SUCCESS"): ("challenge", "otp_sms", "started", "success"),
    ("system.email.send_factor_verify_message", "FAILURE"): ("challenge", "otp_email", "started", "failure"),
    ("system.push.send_factor_verify_push", "SUCCESS"): ("challenge", "push", "started", "success"),
    ("policy.evaluate_sign_on", "ALLOW"): ("challenge", "unknown", "completed", "success"),
    ("policy.evaluate_sign_on", "DENY"): ("challenge", "unknown", "completed", "failure"),
    ("policy.evaluate_sign_on", "CHALLENGE"): ("challenge", "unknown", "started", "pending"),
    ("app.oauth2.as.token.grant.access_token", "SUCCESS"): ("authorization", "oauth", "completed", "success"),
    ("app.generic.unauth_app_access_attempt", "FAILURE"): ("authorization", "unknown", "completed", "failure"),
    ("app.oauth2.client.lifecycle.create", "SUCCESS"): None,
    ("group.user_membership.add", "SUCCESS"): None,
    ("security.threat.detected", "DENY"): None,
    ("policy.rule.update", "SUCCESS"): None,
    ("system.org.rate_limit.warning", "SUCCESS"): None,
}

OKTA_FACTORS = {
    "OKTA_VERIFY_PUSH": "push",
    "SMS_FACTOR": "otp_sms",
    "CALL_FACTOR": "otp_sms",
    "EMAIL_FACTOR": "otp_email",
    "OKTA_SOFT_TOKEN": "unknown",
    "TOKEN:SOFTWARE:TOTP": "totp",
    "GOOGLE_OTP": "totp",
    "FIDO2_WEBAUTHN": "passkey",
    "SIGNED_NONCE": "passkey",
    "PASSWORD_AS_FACTOR": "password",
}

CLOUDTRAIL_EVENTS = {
    ("signin", "CheckMfa", None): ("challenge", "totp", "completed", "success"),
    ("signin", "UserAuthentication", None): ("sign_in", "unknown", "completed", "success"),
    ("signin", "CredentialChallenge", None): ("challenge", "unknown", "started", "pending"),
    ("signin", "PasswordRecoveryRequested", None): ("factor_change", "password", "started", "pending"),
    ("signin", "SwitchRole", None): ("session", "assume_role", "completed", "success"),
    ("signin", "ExitRole", None): ("sign_out", "assume_role", "completed", "success"),
    ("sts", "AssumeRoleWithSAML", None): ("sign_in", "sso", "completed", "success"),
    ("sts", "AssumeRoleWithWebIdentity", "AccessDenied"): ("sign_in", "oauth", "completed", "failure"),
    ("sts", "GetFederationToken", None): ("session", "access_key", "completed", "success"),
    ("sso", "Federate", None): ("session", "sso", "completed", "success"),
    ("sso", "Authenticate", None): ("sign_in", "sso", "completed", "success"),
    ("iam", "CreateLoginProfile", None): ("factor_change", "password", "completed", "success"),
    ("iam", "EnableMFADevice", None): ("factor_change", "totp", "completed", "success"),
    ("iam", "DeleteAccessKey", "NoSuchEntity"): ("factor_change", "access_key", "completed", "failure"),
    ("iam", "DeleteUser", None): ("account_change", "unknown", "completed", "success"),
    ("iam", "UpdateOpenIDConnectProviderThumbprint", None): ("admin", "unknown", "completed", "success"),
    ("sts", "GetCallerIdentity", None): None,
    ("iam", "ListAccessKeys", None): None,
    ("iam", "GetLoginProfile", None): None,
    ("iam", "AttachUserPolicy", None): None,
    ("sso", "ListApplications", None): None,
    ("kms", "Decrypt", None): None,
}


def _verdicts(spark: SparkSession, name: str, records: list[dict[str, Any]]) -> list[tuple[str, ...] | None]:
    rows = silver(spark, name, [json.dumps(record) for record in records])
    return [tuple(r[c] for c in ("activity", "auth_method", "phase", "outcome")) if r[APPLICABLE] else None for r in rows]


def test_every_kind_of_provider_action_is_told_apart(spark: SparkSession) -> None:
    records = [{"action": action, "status": status} for action, status in PROVIDER_ACTIONS]
    assert dict(zip(PROVIDER_ACTIONS, _verdicts(spark, "provider_events", records), strict=True)) == PROVIDER_ACTIONS


def test_every_kind_of_okta_event_is_told_apart(spark: SparkSession) -> None:
    records = [{"eventType": kind, "outcome": {"result": result}} for kind, result in OKTA_EVENTS]
    assert dict(zip(OKTA_EVENTS, _verdicts(spark, "okta_system_log", records), strict=True)) == OKTA_EVENTS


def test_okta_names_the_factor_of_a_challenge(spark: SparkSession) -> None:
    kind = "user.authentication.auth_via_mfa"
    records = [{"eventType": kind, "debugContext": {"debugData": {"factor": factor}}} for factor in OKTA_FACTORS]
    methods = [verdict and verdict[1] for verdict in _verdicts(spark, "okta_system_log", records)]
    assert dict(zip(OKTA_FACTORS, methods, strict=True)) == OKTA_FACTORS


def test_every_kind_of_cloudtrail_event_is_told_apart(spark: SparkSession) -> None:
    records = [{"eventSource": f"{s}.amazonaws.com", "eventName": n, "errorCode": e} for s, n, e in CLOUDTRAIL_EVENTS]
    assert dict(zip(CLOUDTRAIL_EVENTS, _verdicts(spark, "aws_cloudtrail", records), strict=True)) == CLOUDTRAIL_EVENTS


def test_a_failed_console_sign_in_of_nobody_known_has_no_identity(spark: SparkSession) -> None:
    hidden = {"type": "IAMUser", "accountId": "123456789012", "accessKeyId": "", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    record = {
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "errorMessage": "No username found in supplied account",
        "responseElements": {"ConsoleLogin": "Failure"},
        "userIdentity": hidden,
    }
    (row,) = silver(spark, "aws_cloudtrail", [json.dumps(record)])
    assert (row[IDENTITY], row["user_id"], row["user_email"]) == (None, None, None)
    assert (row["outcome"], row["failure_reason"]) == ("failure", "No username found in supplied account")


def test_an_iam_user_has_one_identity_whether_the_sign_in_succeeds_or_not(spark: SparkSession) -> None:
    who = {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "123456789012", "userName": "jane"}
    base = {"eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin"}
    succeeded = {**base, "userIdentity": {**who, "arn": "arn:aws:iam::123456789012:user/jane"}}
    failed = {**base, "userIdentity": who, "errorMessage": "Failed authentication"}
    rows = silver(spark, "aws_cloudtrail", [json.dumps(succeeded), json.dumps(failed)])
    assert {row[IDENTITY] for row in rows} == {"AIDAEXAMPLE"}


BAD_SCALARS = (None, "", "n/a", "1e400", 1e308, -1, 0, True, [], {}, [1, "x"], {"a": None}, "9999-12-31T23:59:59Z", "12:30", 2**63, "\u0000", "%", "😀")
TIMES = {
    "2022-03-22 14:21:53.225": "2022-03-22T14:21:53.225000",
    "2020-11-25 21:27:03.496000000": "2020-11-25T21:27:03.496000",
    "2024-08-15T15:05:09.154Z": "2024-08-15T15:05:09.154000",
    "2024-08-15T15:05:09.154123456Z": "2024-08-15T15:05:09.154123",
    "2024-08-15T15:05:09+02:00": "2024-08-15T13:05:09.000000",
    "9999-12-31T23:59:59Z": "9999-12-31T23:59:59.000000",
    "12:30": None,
    "T12:30": None,
    "2024": None,
    "2024-08": None,
    "2024-02-30T00:00:00Z": None,
    "99999-01-01T00:00:00Z": None,
    "-2024-01-01T00:00:00Z": None,
    "now": None,
    "redacted": None,
    "...": None,
    "n/a": None,
    "": None,
    "1e400": None,
}
TIME_FIELDS = {
    "aws_cloudtrail": "eventTime",
    "okta_system_log": "published",
    "provider_events": "time",
    "stripe_customers": "_fivetran_synced",
    "stripe_subscriptions": "_fivetran_synced",
}


@pytest.mark.parametrize("name", SOURCES)
def test_times_are_utc_and_what_is_no_time_is_null(spark: SparkSession, name: str) -> None:
    column = "event_time" if name in EVENT_SOURCES else "as_of"
    rows = silver(spark, name, [json.dumps({TIME_FIELDS[name]: text}) for text in TIMES])
    assert dict(zip(TIMES, (row[column] for row in rows), strict=True)) == TIMES


def test_provider_times_in_numbers_are_read_and_never_overflow(spark: SparkSession) -> None:
    wanted = {
        ("timestamp", 1752177801810): "2025-07-10T20:03:21.810000",
        ("timestamp", "1752177801810"): "2025-07-10T20:03:21.810000",
        ("_timestamp", 1752177801810001): "2025-07-10T20:03:21.810001",
        ("timestamp", 9 * 10**18): None,
        ("timestamp", 10**30): None,
        ("timestamp", -1): None,
        ("timestamp", 1e300): None,
        ("_timestamp", 9 * 10**18): None,
    }
    rows = silver(spark, "provider_events", [json.dumps({field: value}) for field, value in wanted])
    assert [row["event_time"] for row in rows] == list(wanted.values())


@pytest.mark.parametrize("name", SOURCES)
def test_no_value_in_any_field_makes_the_query_fail(spark: SparkSession, name: str) -> None:
    base = json.loads(samples(name)[4]) if name in EVENT_SOURCES else json.loads(demo_records(name)[0])
    bent = [{**base, field: bad} for field in declaration(name).fields for bad in BAD_SCALARS]
    nested = [{**base, k: {**v, inner: bad}} for k, v in base.items() if isinstance(v, dict) for inner in v for bad in BAD_SCALARS]
    rows = silver(spark, name, [json.dumps(record) for record in (*bent, *nested)])
    assert len(rows) == len(bent) + len(nested)
    if name in EVENT_SOURCES:
        missing = [(bent + nested)[at] for at, row in enumerate(rows) if row[APPLICABLE] and any(row[c] is None for c in ALWAYS)]
        assert missing == []


@pytest.mark.parametrize("name", EVENT_SOURCES)
def test_enumerations_are_closed(spark: SparkSession, name: str) -> None:
    closed = {c.name: set(c.values) for c in TABLES["silver.auth_events"].columns if c.values and c.name not in LINEAGE}
    for row in silver(spark, name, [*samples(name), *demo_records(name)]):
        if row[APPLICABLE]:
            assert {c for c, values in closed.items() if row[c] not in values} == set()


def test_a_record_cannot_choose_its_tenant(spark: SparkSession) -> None:
    frame = parsed(spark, "provider_events", [json.dumps({"tenant_id": "other", "event_id": "e1"})])
    assert [(row.tenant_id, row.event_id) for row in frame.collect()] == [("acme", "e1")]


FILLED = {
    "aws_cloudtrail": {"request_id": 1.0, "ip": 0.6, "user_agent": 1.0, IDENTITY: 0.6, "user_email": 0.6, "event_time": 1.0},
    "okta_system_log": {"event_time": 0.8, "action": 1.0, IDENTITY: 0.85, "ip": 0.85, "session_id": 0.7, "user_agent": 0.85},
    "provider_events": {"event_time": 1.0, "request_id": 1.0, IDENTITY: 1.0, "http_status": 1.0, "user_agent": 0.6},
    "stripe_customers": {"customer_id": 1.0, "external_id": 1.0, "created_at": 1.0, "as_of": 1.0, "balance": 1.0, "is_live": 1.0},
    "stripe_subscriptions": {"subscription_id": 1.0, "customer_id": 1.0, "status": 1.0, "current_period_end": 1.0, "as_of": 1.0},
}
APPLICABLE_ROWS = {"aws_cloudtrail": 25, "okta_system_log": 19, "provider_events": 3, "stripe_customers": 12, "stripe_subscriptions": 2}


@pytest.mark.parametrize("name", SOURCES)
def test_the_demo_data_fills_the_columns_that_matter(spark: SparkSession, name: str) -> None:
    rows = [row for row in silver(spark, name, demo_records(name)) if row[APPLICABLE]]
    assert len(rows) == APPLICABLE_ROWS[name]
    shares = {column: sum(row[column] is not None for row in rows) / len(rows) for column in FILLED[name]}
    assert {column: share for column, share in shares.items() if share < FILLED[name][column]} == {}


def test_a_stripe_customer_maps_to_the_billing_tables(spark: SparkSession) -> None:
    row = next(r for r in silver(spark, "stripe_customers", demo_records("stripe_customers")) if r["customer_id"] == "cus_IuKuZJLG9mNRn2")
    assert row == {
        "customer_id": "cus_IuKuZJLG9mNRn2",
        "external_id": "80755622-45b3-40a6-9544-25af39e0e50c",
        "name": "37a6259cc0c1dae299a7866489dff0bd",
        "email": None,
        "currency": None,
        "balance": 0,
        "is_delinquent": False,
        "is_deleted": True,
        "is_live": True,
        "created_at": "2021-02-08T09:40:39.000000",
        "as_of": "2021-02-08T14:21:18.000000",
        APPLICABLE: True,
    }


def test_a_stripe_subscription_maps_to_the_billing_tables(spark: SparkSession) -> None:
    row = silver(spark, "stripe_subscriptions", demo_records("stripe_subscriptions"))[1]
    assert row == {
        "subscription_id": "sfjytkyu876",
        "customer_id": "123fsdf",
        "status": "active",
        "quantity": 5,
        "tax_percent": 6.0,
        "is_live": True,
        "cancels_at_period_end": True,
        "created_at": "2021-02-18T14:16:37.000000",
        "started_at": "2021-02-18T14:16:37.000000",
        "current_period_start": "2021-02-18T14:16:37.000000",
        "current_period_end": "2021-02-19T14:16:37.000000",
        "canceled_at": "2021-02-18T14:16:37.000000",
        "ended_at": "2021-02-19T14:16:37.000000",
        "as_of": "2021-02-18T14:16:37.000000",
        APPLICABLE: True,
    }


@pytest.mark.parametrize("name", ["stripe_customers", "stripe_subscriptions"])
def test_each_reading_of_a_stripe_row_is_a_record_of_its_own(spark: SparkSession, name: str) -> None:
    row = {"id": "x1", "_fivetran_synced": "2021-02-18 14:16:37"}
    found = parsed(spark, name, [json.dumps(row), json.dumps({**row, "_fivetran_synced": "2021-02-19 00:00:00"}), '{"id": ""}']).orderBy("_row")
    assert [r.event_id for r in found.collect()] == ["x1@2021-02-18 14:16:37", "x1@2021-02-19 00:00:00", None]
