"""By what names, values and words the meaning of a field is known.

Does not belong here: looking for them in records (lakehouse.scaffold.meanings), or how times are written (lakehouse.scaffold.times).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SHARE = 0.8
"""Of the values that must be of a shape."""


@dataclass(frozen=True)
class Meaning:
    """By what a column's value is known.

    Args:
        names: regular expressions of the words of a name, the likelier first.
        values: regular expression of a value; any where empty.
        sql: Spark SQL with `{f}` for the field with null for what stands for nothing, `{raw}` for the field as it is.
        decide: what is left to decide where it is found.
        anywhere: whether values of that shape are enough, whatever the name.
        share: of the values that must be of that shape.
        never: regular expression of the words of names that mean something else.
    """

    names: tuple[str, ...]
    values: str = ""
    sql: str = "{f}"
    decide: str = ""
    anywhere: bool = False
    share: float = SHARE
    never: str = "(?!)"


IPV4 = r"(\d{1,3}\.){3}\d{1,3}"
IP = rf"{IPV4}|[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"
IP_SQL = "case when {raw} rlike '^([0-9]{1,3}[.]){3}[0-9]{1,3}$' or {raw} rlike '^[0-9A-Fa-f]*:[0-9A-Fa-f:.]+$' then {raw} end"
IP_WITHIN_SQL = "nullif(regexp_extract({f}, '(?:^|[^0-9.])((?:[0-9]{1,3}[.]){3}[0-9]{1,3})(?![0-9.]*[0-9])', 1), '')"
USER_WITHIN_SQL = "nullif(regexp_extract({f}, '(?:invalid user|for user|user|for) [\"]?([^ \",]+)', 1), '')"
PROSE_NAMES = ("message|msg|text|description",)
EMAIL = r"[^@\s]+@[^@\s]+"
CLIENT = "(source|src|client|c|remote|caller|user|actor|peer|request|requester|id_orig)"

SERVER = "(s|dst|dest(ination)?|target|server|local|host|resp|listen|id_resp)_.*"

MEANINGS: Mapping[str, tuple[Meaning, ...]] = {
    "request_id": (Meaning(("(x_)?request_?id|req_?id|correlation_?id|trace_?id", ".*_request_id|.*correlation_id")),),
    "flow_id": (Meaning(("flow_?id|transaction_?id|.*(sign_?in|log_?in|auth)_(flow|attempt|session)_id", "code_id")),),
    "user_id": (
        Meaning(("user_?(id|key)|uid|sub",
                 "(actor|principal|subject|account|member|identity|profile)_?(user_)?id|(.*_)?(user|actor|member)_?uuid|user_identity_principal_id",
                 "(actor_|user_)?(user_?name|login|account_name)|user|username|.*user_principal_name",
                 "actor|principal|subject|login|account|identity|(.*_)?user_id|(.*_)?user_?name|remote_user|(.*_)?user")),
        Meaning(PROSE_NAMES, r".*\b(for|user) [^ ]+.*", USER_WITHIN_SQL, "the word behind `user` or `for` in the text", share=0.1),
    ),
    "user_email": (
        Meaning(("(user_|actor_)?e?_?mail(_?address)?|.*user_principal_name|upn|(user_?)?name|login|username",
                 ".*e?mail.*|.*user.*|.*login.*|.*alternate_id|actor.*|principal.*"), EMAIL, "lower({f})"),
    ),
    "session_id": (Meaning(("(auth_|user_|login_)?session_?id|sid|session", ".*session_?id|jti")),),
    "organization_id": (Meaning(("org(ani[sz]ation)?(_?id)?|company(_?id)?|workspace(_?id)?|team(_?id)?",)),),
    "ip": (
        Meaning((f"{CLIENT}_?ip(_?addr(ess)?)?|ip(_?addr(ess)?)?",
                 f"{CLIENT}(_?addr(ess)?|_?host|_h)?|client|.*_ip|.*ip_?addr(ess)?|.*_addr(ess)?"),
                IP, IP_SQL, anywhere=True, never=SERVER),
        Meaning((f"({CLIENT}_?)?(ip|addr(ess)?|host|connection_from).*|connection_from",), rf"{IPV4}:\d+|\[.*\]:\d+", IP_WITHIN_SQL),
        Meaning(PROSE_NAMES, rf".*\b{IPV4}\b.*", IP_WITHIN_SQL, "the first address that the text names", share=0.1),
    ),
    "country": (Meaning((".*country(_?(iso_)?code)?",), "[A-Za-z]{2}", "case when {raw} rlike '^[A-Za-z]{2}$' then upper({raw}) end"),),
    "user_agent": (
        Meaning((".*user_?agent(_raw|_original)?|agent|ua|.*raw_user_agent|.*browser",), r".*[/ ].*"),
        Meaning((), r"Mozilla/.*", anywhere=True),
    ),
    "http_status": (Meaning(("(http_|sc_|response_)?status(_?code)?|response_?code|code",), r"[1-5]\d\d", "try_cast({f} as int)"),),
    "latency_ms": (
        Meaning(("(latency|duration|elapsed|response_time|time_taken)(_?ms|_?millis.*)?",), r"\d+(\.\d+)?",
                "try_cast(try_cast({f} as double) as bigint)", "the number is taken to be milliseconds"),
    ),
}  # fmt: skip
"""Columns that are named alike in many logs."""

EVENT_ID = re.compile(
    r"(data_|event_|log_|record_|metadata_|meta_)?"
    r"((event|log|record|message|audit|entry|doc(ument)?|alert|insert|unique|trace|req(uest)?|row)_?)?(u|uu|gu)?id(_unique_qualifier)?"
    r"|unique_?qualifier|tid|tx_?id|event_?record_?id|sequence(_?number)?|seq"
)
"""Words of a name that says of a record which one it is."""

PROJECT = (
    "project(_?id)?|account_?id|realm(_?(id|name))?|customer_?id|subscription_?id|(application|app)_?(id|key)",
    "client_?id|application|app(_?name)?",
)
ACTION = (
    "event_?type|event_?name|action(_?name)?|operation(_?name)?|activity(_?display_?name)?|event_?action|request_operation",
    "event|type|verb|op|command(_tag)?|name|category|.*action|.*operation|.*event_?(name|type)",
    "method|msg|message|program|kind|task",
)
"""Names of the field that says what happened; `message` and the like only where their values are few."""
PROSE = (*PROSE_NAMES, "path|request(_?uri)?|uri(_?stem)?|url|cs_uri_stem")
"""Names of fields whose words may say what happened where no other field does."""
FEW_VALUES = 40
LONGEST_ACTION = 80

Words = Mapping[str, tuple[tuple[str, ...], ...]]
"""What a text is taken for that holds some words: for each meaning the alternatives, each of them words that follow each other; the
first meaning of which an alternative fits counts. A declaration is given the words only that were seen."""

CHANGE = "chang|reset|updat|enrol|remov|add|creat|delet|activat|unlink|link|set|rotat|regist"
FACTOR = "password|passwd|mfa|otp|2fa|2sv|factor|credential|passkey|webauthn|access.?key|api.?key|recovery"
ACCOUNT = "user|account|member|profile"
ACTIVITIES: Words = {
    "sign_out": (("log.?out|log.?off|sign.?out|sign.?off|disconnect",), ("session", "end|clos|revok|terminat|expir")),
    "sign_up": (("sign.?up|self.?regist|^regist",),),
    "factor_change": ((FACTOR, CHANGE), (CHANGE, FACTOR)),
    "challenge": (("mfa|2fa|two.?factor|second.?factor|otp|challenge|verif|push",),),
    "authorization": (("authori[sz]|consent|grant|access.?denied|permission.?denied",),),
    "admin": (("(?<![a-z])role|polic|privilege|impersonat|elevat",),),
    "account_change": ((ACCOUNT, f"{CHANGE}|lock|suspend|disabl|enabl|invit"), (CHANGE, ACCOUNT), ("lock.?out|invit",)),
    "sign_in": (("log.?in|log.?on|sign.?in|sign.?on|auth|accepted|failed.password|invalid.user|sso|saml|kerberos",),),
    "session": (("session|token|refresh|cookie",),),
}

METHOD = (
    "auth(entication)?_?(method|type|mechanism)s?|credential_?type|factor(_?type)?|mechanism|grant_?type|login_?type|second_factor|.*mfa_?(type|method|factor)",
    "strategy|connection(_?name)?|provider|protocol|method|.*auth_?method.*|identity_provider|mount_type",
)
METHODS: Words = {
    "magic_link": (("magic",),),
    "passkey": (("webauthn|passkey|fido|u2f|security.?key",),),
    "push": (("push",),),
    "otp_sms": (("sms|phone|voice|call",),),
    "otp_email": (("mail", "otp|code"), ("otp|code", "mail")),
    "recovery_code": (("recovery|backup.?code",),),
    "totp": (("totp|otp|authenticator|time.based",),),
    "access_key": (("api.?key|access.?key|public.?key|client.?secret|certificate|x509|approle",),),
    "sso": (("saml|sso|federat|ldap|kerberos|oidc|openid|gssapi|radius",),),
    "oauth": (("oauth|google|github|facebook|social|authorization.code",),),
    "session": (("refresh|cookie|session",),),
    "password": (("passw|pwd|basic|userpass|credentials|scram|md5",),),
    "biometric": (("biometr|face|fingerprint",),),
}

OUTCOME = (
    "outcome(_?result)?|result(_?type)?|(auth(entication)?_?|login_?)?(success(ful)?|result|status)|auth_success|allowed|is_success|succeeded",
    ".*outcome|.*result|.*success|.*status|decision|verdict|keywords",
)
FAILURE = "fail|err|denied|deny|reject|invalid|block|refus|unauth|forbid|unsuccess|expir|locked|wrong|fraud|^false$|^f$|^no$|^0$|^ko$"
ENDINGS: Words = {
    "failure": ((FAILURE,),),
    "success": (("succ|allow|grant|accept|pass|complete|authenticated|approved|^ok$|^true$|^t$|^yes$|^1$",),),
    "pending": (("start|pending|challenge|progress|request|sent|init",),),
}
ERRORS = (
    "error(_?code)?|err|error_?(type|name)",
    "(error|failure|fail)_?(message|reason|detail|description)|.*failure_reason|.*error_?(code|message)",
    "outcome_reason|reason|status_reason|sub_?status",
)
NO_ERROR = ("0", "false", "none", "no_error", "0x0", "s_ok")
"""What a field of errors says where there is none, in lower case."""

AGENT = "agent"
DEVICE_SQL = f"""\
case
when {AGENT} is null then 'unknown'
when lower({AGENT}) rlike 'bot[/;) ]|crawler|spider' then 'bot'
when lower({AGENT}) rlike 'ipad|tablet' then 'tablet'
when lower({AGENT}) rlike 'iphone|android|mobile' then 'mobile'
when lower({AGENT}) like 'mozilla/%' then 'desktop'
when lower({AGENT}) rlike 'curl|wget|python|java|go-http|node|sdk|okhttp|axios' then 'server'
else 'unknown' end"""
