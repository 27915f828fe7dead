"""Gold for security: what looks like an attack.

Does not belong here: what anybody does about it.
"""

from __future__ import annotations

from datetime import timedelta

from lakehouse.tables.bronze import TENANT_ID
from lakehouse.tables.gold.common import MEASURED, PROJECT_ID, count
from lakehouse.tables.model import Column, Definition, Reach, Table

BRUTE_FORCE_FAILURES = 10
BRUTE_FORCE_WINDOW = timedelta(minutes=10)
"""Who has forgotten a password tries some five times and then asks for a new one; ten failures in ten minutes are somebody who goes on."""

STUFFING_USERS = 10
STUFFING_WINDOW = timedelta(hours=1)
"""Behind the one address of an office or a school people mistype too: of a hundred who sign in there in an hour some five fail."""

TRAVEL_WINDOW = timedelta(hours=1)
"""No flight takes anybody from the sign-in in one country to the sign-in in another in less. By car or train over a border it can be."""

LONGEST_WINDOW = max(BRUTE_FORCE_WINDOW, STUFFING_WINDOW, TRAVEL_WINDOW)

EVENT_IDS_KEPT = 20
"""Enough to look at; an attack has thousands."""


def _minutes(length: timedelta) -> int:
    return int(length / timedelta(minutes=1))


SECURITY_SIGNALS = Table(
    name="gold.security_signals",
    description="What looks like an attack: one row per kind of signal, user or address, and day (UTC).",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        Column("signal", "string", "What it looks like.", required=True,
               values=("brute_force", "credential_stuffing", "impossible_travel", "new_device")),
        Column("event_date", "date", "Day of `detected_at` (UTC).", required=True),
        Column("detected_at", "timestamp", "Time of the first event on that day with which the condition was met (UTC).", required=True),
        Column("subject_kind", "string", "What the subject is.", required=True, values=("user", "address")),
        Column("subject", "string", "User key of the user, or address (IPv4 or IPv6) of the client.", required=True, pii=True),
        Column("severity", "string", "How much it matters.", required=True, values=("low", "medium", "high")),
        count("evidence", "Events behind it.", "events"),
        Column("window_start", "timestamp", "Time of the first of them (UTC).", required=True),
        Column("window_end", "timestamp", "Time of the last of them (UTC).", required=True),
        Column("event_ids", "array<string>", f"Ids of the first {EVENT_IDS_KEPT} of them by time, as in `silver.auth_events`.",
               required=True),
    ),
    key=("tenant_id", "project_id", "signal", "subject", "event_date"),
    partition_by=("event_date",),
    inputs=("silver.auth_events", "gold.user_features_daily"),
    reach=Reach(before=LONGEST_WINDOW, after=2 * LONGEST_WINDOW),
    definition=Definition(
        formula=f"{MEASURED} All times are event times in UTC, whatever the order of arrival; *within* a time means less than it apart. "
        f"`brute_force`: a user's failure is hot if it is the {BRUTE_FORCE_FAILURES}th or a later one within "
        f"{_minutes(BRUTE_FORCE_WINDOW)} minutes. `credential_stuffing`: a failure from an address is hot if, itself among them, at least "
        f"{STUFFING_USERS} distinct users failed from the address within {_minutes(STUFFING_WINDOW)} minutes up to it. Evidence of both "
        "are the failures that a hot one follows within that time, or that are hot; each counts once, on the day of the first hot one that "
        "follows. Severity is medium, and high if a success of the user, or from the address, follows a hot failure within that time. "
        "`impossible_travel` (high): a success of a user from another country than their success before, within "
        f"{_minutes(TRAVEL_WINDOW)} minutes; evidence are both. Only countries are known, no distances: people who live at a border, and "
        "networks that come out in another country (VPN, roaming), are found too, and a journey over an ocean that takes too few hours is "
        "not. `new_device` (low): the first success from a device that is in the user's `new_devices` of `gold.user_features_daily`, "
        "not on the day of the user's first success.",
        late_data=f"A late event recomputes the days (UTC) within {_minutes(LONGEST_WINDOW)} minutes before it and twice that after it, "
        "and for new devices the days on which `gold.user_features_daily` changes.",
        example="U fails at 23:50, 23:51, ... 23:59 (ten times) and at 00:01, and succeeds at 00:05. The failure of 23:59 is hot: it is "
        "the 10th, and the first is 9 minutes before it. That of 00:01 is not, since the 9th before it, of 23:51, is 10 minutes away. One "
        "row: brute_force, detected_at 23:59, evidence 10, window 23:50 to 23:59, severity high.",
    ),
)  # fmt: skip
