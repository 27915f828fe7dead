"""What errors say of their cause: patterns in the words of the servers.

Does not belong here: causes that are told from anything else than an error (lakehouse.incidents.causes).
"""

from __future__ import annotations

import re

from lakehouse.monitoring.symptoms import Kind, Symptom

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "out_of_memory",
        re.compile(
            r"OutOfMemory|Java heap space|GC overhead limit|MemoryError|Cannot allocate memory|exit code 137|UNABLE_TO_ACQUIRE_MEMORY", re.I
        ),
    ),
    (
        "credential_expired",
        re.compile(
            r"Expired ?Token|token (has |is )?expired|InvalidAccessKeyId|InvalidToken|SignatureDoesNotMatch|AccessDenied"
            r"|status code:? 40[13]|\b40[13] (Forbidden|Unauthorized)|password authentication failed|Invalid credentials",
            re.I,
        ),
    ),
    (
        "store_unavailable",
        re.compile(
            r"SlowDown|Service ?Unavailable|\b503\b|the store did not answer|EndpointConnectionError|Could not connect to the endpoint",
            re.I,
        ),
    ),
    (
        "server_down",
        re.compile(r"went away|Connection refused|failed to connect to all addresses|UNAVAILABLE|did not answer|is gone\b", re.I),
    ),
)
"""In this order, since an outage that is told with its reason is told by its reason."""


def infrastructure_of(symptom: Symptom) -> str | None:
    """The cause outside the data and the code that a failure's error names; None where it names none."""
    if symptom.kind is Kind.SERVER_DOWN:
        return "store_unavailable" if symptom.table == "store" else "server_down"
    if symptom.kind not in (Kind.FAILED, Kind.DIED):
        return None
    text = f"{symptom.facts.get('error_class')}: {symptom.facts.get('error_message')}"
    return next((name for name, pattern in PATTERNS if pattern.search(text)), None)
