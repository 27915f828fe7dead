"""Events as the provider writes them: JSON lines in the public shape of its event log, every one marked synthetic.

Fields follow the provider's published samples: three fields of time, `user_agent` an array, an empty string for absent, errors
nested in `stytch_api_error`, no project name or HTTP status on a Start. The mark is a field (`synthetic`), a tag
(`ddtags`) and, where a record names its project, the project's name.

Does not belong here: what happens when (flows), or files (history).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import orjson

from jobs.simulator.attacks import stranger_numbers
from jobs.simulator.flows import Cast, Events, Flows, known
from jobs.simulator.population import UNKNOWN_USER, Numbers, Population, email_addresses
from jobs.simulator.randomness import Keys, mix, unit, uuids
from jobs.simulator.scripts import BACKEND, INTERNAL, SESSION, ApiError, Origin, Script, Status, Step, book_of
from jobs.simulator.tenants import TENANT_BY_ID, SimTenant, Vertical
from jobs.simulator.world import DEVICES, NETWORKS

Record = dict[str, Any]

TAGS = "service:stytch.auth,stytch-env:prod,synthetic:true"
ENVIRONMENTS = ("live", "test")
BY_CODE = ("otp_email", "otp_sms")

_SALT_SESSION, _SALT_OAUTH, _SALT_SAML, _SALT_METHOD, _SALT_VERDICT = 201, 202, 203, 204, 205
_ERRORS_URL = "https://stytch.com/docs/api/errors"


def error_fields(error: ApiError, request_id: str) -> Record:
    """The nested error of a record."""
    return {
        "status_code": error.status_code,
        "error_type": error.error_type,
        "error_message": error.error_message,
        "error_url": f"{_ERRORS_URL}/{error.status_code}#{error.error_type}",
        "request_id": request_id,
    }


class FlowTexts:
    """Everything that the events of a flow have in common, one entry per flow."""

    def __init__(self, cast: Cast, flows: Flows) -> None:
        tenant, people, users = cast.tenant, cast.people, known(flows)
        self.environments = [ENVIRONMENTS[t] for t in flows.test.tolist()]
        self.recognised = (flows.user != UNKNOWN_USER).tolist()
        identities = people.identities(users, flows.test)
        sessions = mix(identities, _SALT_SESSION + flows.start_ms // 86_400_000)
        devices = [mix(flows.device, salt) for salt in range(1, 5)]
        networks = mix(flows.network.astype(np.uint64), flows.host)
        self.users, self.sessions, self.organizations, *fingerprints = _texts(
            identities, sessions, people.organizations(users), *devices, networks
        )
        self.emails = self._emails(people, flows, users)
        self.phones = people.phone_numbers(users)
        self.addresses = _addresses(flows)
        self.devices = [DEVICES[kind] for kind in flows.device_kind.tolist()]
        self.fingerprints = self._fingerprints(flows, fingerprints) if tenant.fingerprints else [{}] * len(flows)

    @staticmethod
    def _emails(people: Population, flows: Flows, users: Numbers) -> list[str]:
        emails = people.emails(users)
        strangers = np.flatnonzero(flows.user == UNKNOWN_USER)
        numbers = stranger_numbers(flows)[strangers]
        for at, email in zip(strangers.tolist(), email_addresses(flows.key[strangers], numbers), strict=True):
            emails[at] = email
        return emails

    @staticmethod
    def _fingerprints(flows: Flows, ids: list[list[str]]) -> list[Record]:
        challenged = (unit(flows.key, _SALT_VERDICT) < 0.012).tolist()
        return [
            {
                "verdict_action": "CHALLENGE" if suspicious else "ALLOW",
                "verdict_reasons": "SMART_RATE_LIMIT_EXCEEDED" if suspicious else "",
                "visitor_id": f"visitor-{visitor}",
                "visitor_fingerprint": f"visitor-fingerprint-{visitor}",
                "browser_id": f"browser-id-{browser}",
                "browser_fingerprint": f"browser-fingerprint-{fingerprint}",
                "hardware_fingerprint": f"hardware-fingerprint-{hardware}",
                "network_fingerprint": f"network-fingerprint-{network_id}",
                "detected_device_type": DEVICES[kind].detected,
                "is_authentic_device": True,
                "dfp_protected_auth_mode": "decisioning",
                **_GEO[network],
            }
            for suspicious, visitor, browser, fingerprint, hardware, network_id, kind, network in zip(
                challenged, *ids, flows.device_kind.tolist(), flows.network.tolist(), strict=True
            )
        ]


_GEO: list[Record] = [
    {
        "ip_geo_city": network.city,
        "ip_geo_region": network.region,
        "ip_geo_country": network.country,
        "asn": str(network.asn),
        "asn_name": network.asn_name,
        "asn_network": str(network.block),
    }
    for network in NETWORKS
]


def _texts(*keys: Keys) -> list[list[str]]:
    """UUID texts of several columns of keys at once: most of the cost is in the call."""
    text, count = uuids(np.concatenate(keys)), len(keys[0])
    return [text[at * count : (at + 1) * count] for at in range(len(keys))]


def _addresses(flows: Flows) -> list[str]:
    return [
        f"2001:db8:{network:x}:{host:x}::1" if v6 else NETWORKS[network].address(host)
        for network, host, v6 in zip(flows.network.tolist(), flows.host.tolist(), flows.ipv6.tolist(), strict=True)
    ]


@cache
def _fixed_records(tenant_id: str) -> dict[str, list[Record]]:
    """Per environment and step of a tenant's script book, the fields that never vary."""
    tenant, book = TENANT_BY_ID[tenant_id], book_of(tenant_id)
    projects = {environment: tenant.project_id(environment) for environment in ENVIRONMENTS}
    return {
        environment: [_fixed_fields(tenant, step, script, project) for step, script in zip(book.steps, book.step_script, strict=True)]
        for environment, project in projects.items()
    }


def _fixed_fields(tenant: SimTenant, step: Step, script: Script, project_id: str) -> Record:
    record: Record = {
        "ddsource": "stytch",
        "ddtags": TAGS,
        "synthetic": True,
        "service": "stytch.auth",
        "project_id": project_id,
        "action": step.action,
        "status": step.status.value,
    }
    if step.status is Status.START:
        return record
    record["http_status_code"] = step.error.status_code if step.error else 200
    if step.origin is Origin.MESSAGING:
        delivery = {"message_status": step.message_status, "message_status_description": step.message_status_description}
        return {**record, **delivery, "member_id": "", "organization_id": ""}
    record |= {
        "project_name": tenant.project_name,
        "severity": "error" if step.error else "info",
        "session_duration_minutes": 0 if step.error or not step.signs_in else 60,
        "session_jwt_hash": "",
        "session_token_hash": "",
    }
    if step.origin is Origin.BACKEND:
        return {**record, "user_agent": [tenant.backend_user_agent]}
    record |= {
        "oauth_provider": script.provider,
        "external_metadata_user_action": f"SDK{step.action}",
        "external_metadata_organization_id": "",
        "external_metadata_external_id": "",
    }
    return record


class RecordWriter:
    """Writes a tenant's events as JSON lines."""

    def __init__(self, cast: Cast) -> None:
        self._cast, self._tenant, self._book = cast, cast.tenant, cast.book
        self._fixed = _fixed_records(cast.tenant.tenant_id)

    def lines(self, flows: Flows, events: Events, event_keys: Keys) -> list[bytes]:
        """One JSON line, with its newline, for each event."""
        texts = FlowTexts(self._cast, flows)
        event_ids, request_ids = _texts(event_keys, mix(flows.key[events.flow], self._book.request[events.step]))
        columns = (
            events.flow.tolist(),
            events.step.tolist(),
            events.time_ms.tolist(),
            np.datetime_as_string(events.time_ms.astype("datetime64[ms]")).tolist(),
            events.after_ms.tolist(),
            event_ids,
            request_ids,
        )
        # The sum is a copy of the right size: what orjson returns keeps 8 KB for a line of 1.2 KB.
        return [orjson.dumps(self._record(texts, *event)) + b"\n" for event in zip(*columns, strict=True)]

    def _record(self, texts: FlowTexts, flow: int, number: int, time_ms: int, time_text: str, after_ms: int,
                event: str, request: str) -> Record:  # fmt: skip
        step, script, environment = self._book.steps[number], self._book.step_script[number], texts.environments[flow]
        record = self._fixed[environment][number].copy()
        request_id = f"request-id-{environment}-{request}"
        record["event_id"] = f"event-{environment}-{event}"
        record["request_id"] = request_id
        record["time"] = f"{time_text}Z"
        record["timestamp"] = time_ms
        record["_timestamp"] = time_ms * 1000
        if step.identified:
            record["phone_number" if script.by_phone else "email_address"] = texts.phones[flow] if script.by_phone else texts.emails[flow]
        if step.origin is Origin.MESSAGING:
            self._delivery(record, texts, flow, script, after_ms)
            return record
        if step.origin is Origin.CLIENT:
            self._client(record, texts, flow, step, request)
        if step.status is not Status.START:
            self._identity(record, texts, flow, step, script)
        if script.method in BY_CODE and not step.identified:
            record["method_id"] = _method_id(texts, flow, script)
        if step.error:
            record["stytch_api_error"] = error_fields(step.error, request_id)
            if step.error is INTERNAL:
                del record["request_id"]
        return record

    @staticmethod
    def _delivery(record: Record, texts: FlowTexts, flow: int, script: Script, after_ms: int) -> None:
        record["method_id"] = _method_id(texts, flow, script)
        record["delivery_latency_seconds"] = round(after_ms / 1000)

    def _client(self, record: Record, texts: FlowTexts, flow: int, step: Step, request: str) -> None:
        device = texts.devices[flow]
        record["user_agent"] = [device.user_agent]
        record["browser_user_agent"] = device.browser_user_agent
        record["network_ip_address"] = texts.addresses[flow]
        if step.status is not Status.START and texts.fingerprints[flow]:
            record |= texts.fingerprints[flow]
            record["telemetry_id"] = request

    def _identity(self, record: Record, texts: FlowTexts, flow: int, step: Step, script: Script) -> None:
        if script.method == BACKEND:
            return
        environment = texts.environments[flow]
        user = texts.users[flow] if texts.recognised[flow] and script.known_user else ""
        session = texts.sessions[flow] if user and step.signs_in else ""
        if self._tenant.vertical is Vertical.B2B:
            record["member_id"] = user and f"member-{environment}-{user}"
            record["organization_id"] = user and f"organization-{environment}-{texts.organizations[flow]}"
            record["member_session_id"] = record["session_id"] = session and f"member-session-{environment}-{session}"
            record["email_address"] = record.get("email_address", texts.emails[flow] if user else "")
        else:
            record["user_id"] = user and f"user-{environment}-{user}"
            record["session_id"] = session and f"session-{environment}-{session}"
        if script.method == SESSION and session:
            record["session_jwt_hash"] = f"{session.replace('-', '')}AAAAAAAAAAA="
        if script.provider:
            record["oauth_config_id"] = f"oauth-config-{environment}-{record['project_id'][-36:]}"
        if script.method == "sso" and user:
            record["sso_connection_id"] = f"saml-connection-{environment}-{texts.organizations[flow]}"


def _method_id(texts: FlowTexts, flow: int, script: Script) -> str:
    """The address that a message went to, as its id."""
    return f"{'phone-number' if script.by_phone else 'email'}-{texts.environments[flow]}-{texts.users[flow]}"
