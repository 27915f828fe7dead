"""Records for the mapping tests, in groups; all groups of a source are mapped in one query, which is what takes time."""

from __future__ import annotations

import json
from typing import Any

from jobs.simulator.scripts import ACTIONS
from lakehouse.patterns import compiled
from lakehouse.sources import Format
from tests.spark.mappings.landed import CHECKED_SOURCES, declaration, demo_records, expected, samples

VERDICT = {
    "silver.auth_events": ("activity", "auth_method", "phase", "outcome"),
    "silver.web_requests": ("method", "path", "query", "protocol", "device"),
}
"""Which columns say what a record means, by table."""
Verdict = tuple[str | None, ...] | None
"""Their values; None where the record is no row of the table."""

PROVIDER_ACTIONS: dict[tuple[str, str], Verdict] = {
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

OKTA_EVENTS: dict[tuple[str, str], Verdict] = {
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

CLOUDTRAIL_EVENTS: dict[tuple[str, str, str | None], Verdict] = {
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

BAD_VALUES: tuple[Any, ...] = (
    None, "", "n/a", "1e400", 1e308, -1, 0, True, [], {}, [1, "x"], {"a": None}, "9999-12-31T23:59:59Z", "12:30",
    2**63, "\u0000", "%", "😀",
)  # fmt: skip

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

PROVIDER_NUMBERS = {
    ("timestamp", 1752177801810): "2025-07-10T20:03:21.810000",
    ("timestamp", "1752177801810"): "2025-07-10T20:03:21.810000",
    ("_timestamp", 1752177801810001): "2025-07-10T20:03:21.810001",
    ("timestamp", 9 * 10**18): None,
    ("timestamp", 10**30): None,
    ("timestamp", -1): None,
    ("timestamp", 1e300): None,
    ("_timestamp", 9 * 10**18): None,
}

SIMULATED = [(method, action) for methods in ACTIONS.values() for method, actions in methods.items() for action in sorted(actions)]
"""What the simulator writes: method of the flow, and action."""

_LOGIN = {"eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin"}
_JANE = {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "123456789012", "userName": "jane"}
NOBODY = {
    **_LOGIN,
    "errorMessage": "No username found in supplied account",
    "responseElements": {"ConsoleLogin": "Failure"},
    "userIdentity": {"type": "IAMUser", "accountId": "123456789012", "accessKeyId": "", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
}
JANE_SUCCEEDS = {**_LOGIN, "userIdentity": {**_JANE, "arn": "arn:aws:iam::123456789012:user/jane"}}
JANE_FAILS = {**_LOGIN, "userIdentity": _JANE, "errorMessage": "Failed authentication"}

PASSWORD = "Tr0ub4dor&3"
_FTP = {"connection": {"protocol": "ftpd"}, "ftp": {"commands": {"command": ["USER", "PASS"], "arguments": ["ada", PASSWORD]}}}
TELLING = [
    {**_FTP, "credentials": {"username": ["ada"], "password": [PASSWORD]}},
    {**_FTP, "credentials": [{"username": "ada", "password": PASSWORD}, {"username": "eve", "password": PASSWORD}]},
    {**_FTP, "credentials": {"password": PASSWORD}},
    {**_FTP, "credentials": PASSWORD},
]
"""Records of a honeypot that tell a password."""

ENOUGH = 400


def bent_records(name: str) -> list[str]:
    """Right records, from the fifth on, with each declared field and each member of an object in it replaced by every bad value."""
    bent: list[str] = []
    for record in samples(name)[4:] if name in CHECKED_SOURCES else demo_records(name):
        if len(bent) <= ENOUGH:
            bent += _bent_line(name, record) if declaration(name).format is Format.TEXT else _bent_object(name, json.loads(record))
    return bent


def _bent_object(name: str, base: dict[str, Any]) -> list[str]:
    fields = [{**base, field: bad} for field in declaration(name).fields for bad in BAD_VALUES]
    members = [{**base, k: bent} for k, v in base.items() if isinstance(v, dict) for bent in _bent_members(v)]
    return [json.dumps(record) for record in fields + members]


def _bent_line(name: str, line: str) -> list[str]:
    found = compiled(declaration(name).pattern).fullmatch(line)
    spans = [found.span(field) for field in declaration(name).fields if found.group(field) is not None]
    return [line[:start] + str(bad) + line[end:] for start, end in spans for bad in BAD_VALUES]


def _bent_members(found: dict[str, Any]) -> list[dict[str, Any]]:
    here = [{**found, k: bad} for k in found for bad in BAD_VALUES]
    return here + [{**found, k: bent} for k, v in found.items() if isinstance(v, dict) for bent in _bent_members(v)]


def kinds(name: str) -> list[dict[str, Any]]:
    """Records of one kind each, with what they mean."""
    return expected(name).get("kinds", [])


def composed(name: str) -> list[dict[str, Any]]:
    """Records made up from the documented shape where no real one has it, with their silver rows."""
    return expected(name).get("composed", [])


def _nested(path: list[str], value: Any) -> Any:
    return {path[0]: _nested(path[1:], value)} if path else value


def groups(name: str) -> dict[str, list[str]]:
    """All records to map for a source, as text; the samples first, since the ids of records without one are their numbers."""
    records: dict[str, list[Any]] = {"times": [], "kinds": [kind["record"] for kind in kinds(name)]}
    records["composed"] = [case["record"] for case in composed(name)]
    if path := expected(name).get("time_field"):
        records["times"] = [_nested(path.split("."), text) for text in TIMES]
    if name == "provider_events":
        records["kinds"] = [{"action": action, "status": status} for action, status in PROVIDER_ACTIONS]
        records["numbers"] = [{field: value} for field, value in PROVIDER_NUMBERS]
        records["simulated"] = [{"action": action, "status": "Success"} for _, action in SIMULATED]
    if name == "okta_system_log":
        records["kinds"] = [{"eventType": kind, "outcome": {"result": result}} for kind, result in OKTA_EVENTS]
        mfa = "user.authentication.auth_via_mfa"
        records["factors"] = [{"eventType": mfa, "debugContext": {"debugData": {"factor": factor}}} for factor in OKTA_FACTORS]
    if name == "dionaea_connections":
        records["passwords"] = TELLING
    if name == "aws_cloudtrail":
        records["kinds"] = [{"eventSource": f"{s}.amazonaws.com", "eventName": n, "errorCode": e} for s, n, e in CLOUDTRAIL_EVENTS]
        records["console"] = [NOBODY, JANE_SUCCEEDS, JANE_FAILS]
    texts = {group: [r if isinstance(r, str) else json.dumps(r) for r in members] for group, members in records.items()}
    checked = samples(name) if name in CHECKED_SOURCES else []
    return {"samples": checked, **texts, "bent": bent_records(name), "demo": demo_records(name)}
