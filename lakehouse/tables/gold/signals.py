"""Gold for security: what looks like an attack.

Does not belong here: what anybody does about it.
"""

from __future__ import annotations

import math
from datetime import timedelta

from lakehouse.tables.bronze import TENANT_ID
from lakehouse.tables.gold.common import IS_ATTEMPT, MEASURED, PROJECT_ID, count, same
from lakehouse.tables.model import Column, Definition, Reach, Reads, Table

BRUTE_FORCE_FAILURES = 10
BRUTE_FORCE_WINDOW = timedelta(minutes=10)
"""Who has forgotten a password tries some five times and then asks for a new one; ten failures in ten minutes are somebody who goes on."""

STUFFING_USERS = 10
STUFFING_WINDOW = timedelta(hours=1)
"""Behind the one address of an office or a school people mistype too: of a hundred who sign in there in an hour some five fail."""

TRAVEL_KMH = 1000
"""Airliners fly at some 900 km/h over the ground. It is also the default of Airlock IAM's impossible journeys and of Rupt's."""
TRAVEL_KM = 100
"""Databases of addresses place most within so much of where they are; what is closer is no journey."""
EARTH_RADIUS_KM = 6371.0
"""The mean radius, for great circles by the haversine formula."""
TRAVEL_WINDOW = timedelta(hours=math.ceil(math.pi * EARTH_RADIUS_KM / TRAVEL_KMH))
"""In so long, half way round the earth is no journey too fast."""
BORDER_WINDOW = timedelta(hours=1)
"""Where only countries are known: no flight takes anybody from the sign-in in one to the sign-in in another in less. By car or train over
a border it can be."""

BURST_WINDOW = max(BRUTE_FORCE_WINDOW, STUFFING_WINDOW)
DAY_WINDOW = timedelta(days=1)
"""A device is new on a day of the tenant's, and the first success from it on that day counts."""

WHEN_AND_WHERE = ("event_time", "ip", "country", "latitude", "longitude")
"""What an event's place in time and on earth is told from."""

EVENT_IDS_KEPT = 20
"""Enough to look at; an attack has thousands."""

RULE_VERSION = 1
"""Raised when one of these numbers, or what is made of them, changes; the whole table is then computed anew."""


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
        Column("distance_km", "double", "Of `impossible_travel`: how far apart, on a great circle, the fastest journey's ends are; null of "
               "others.", unit="km"),
        Column("speed_kmh", "double", "Of `impossible_travel`: the speed of the fastest journey; null of others.", unit="km/h"),
        Column("speed_reason", "string", "Why an `impossible_travel` has no speed; null where it has one, and of others.",
               values=("no_coordinates",)),
        count("evidence", "Events behind it.", "events"),
        Column("window_start", "timestamp", "Time of the first of them (UTC).", required=True),
        Column("window_end", "timestamp", "Time of the last of them (UTC).", required=True),
        Column("event_ids", "array<string>", f"Ids of the first {EVENT_IDS_KEPT} of them by time, as in `silver.auth_events`.",
               required=True),
        Column("rule_version", "int", "Version of the rules that made it.", unit="version", required=True),
    ),
    key=("tenant_id", "project_id", "signal", "subject", "event_date"),
    recomputed_by="event_date",
    reads={
        "silver.auth_events": Reads(
            columns={
                **same("tenant_id", "project_id"),
                **dict.fromkeys(("event_date", "detected_at", "severity"), ("outcome", *WHEN_AND_WHERE)),
                **dict.fromkeys(("distance_km", "speed_kmh", "speed_reason"), WHEN_AND_WHERE),
                "subject": ("user_key", "ip"),
                **dict.fromkeys(("evidence", "window_start", "window_end"), ("event_time", "outcome")),
                "event_ids": ("source", "event_id", "event_time", "outcome"),
            },
            rows=(
                *IS_ATTEMPT, *WHEN_AND_WHERE, "tenant_id", "source", "event_id", "project_id", "event_date", "user_key", "device",
                "user_agent",
            ),
        ),
        "gold.user_features_daily": Reads(
            columns={}, rows=("tenant_id", "project_id", "day", "user_key", "days_since_first_success", "new_devices")
        ),
    },
    reach=Reach(before=BURST_WINDOW, after=max(2 * BURST_WINDOW, TRAVEL_WINDOW, DAY_WINDOW)),
    definition=Definition(
        formula=f"{MEASURED} All times are event times in UTC, whatever the order of arrival; *within* a time means less than it apart. "
        f"`brute_force`: a user's failure is hot if it is the {BRUTE_FORCE_FAILURES}th or a later one within "
        f"{_minutes(BRUTE_FORCE_WINDOW)} minutes. `credential_stuffing`: a failure from an address is hot if, itself among them, at least "
        f"{STUFFING_USERS} distinct users failed from the address within {_minutes(STUFFING_WINDOW)} minutes up to it. Evidence of both "
        "are the failures that a hot one follows within that time, or that are hot; each counts once, on the day of the first hot one that "
        "follows. Severity is medium, and high if a success of the user, or from the address, follows a hot failure within that time. "
        "The two are told apart as OWASP's cheat sheet on credential stuffing does, as far as events without passwords can tell: many "
        "tries at one account, or one origin that tries many accounts, of which password spraying is another kind. "
        "`impossible_travel`: a success of a user and their success before, of those whose place is known, that are at least "
        f"{TRAVEL_KM} km apart and further than {TRAVEL_KMH} km/h reach in the time between them (high); where the coordinates of one of "
        f"them are not known, that are from two countries and within {_minutes(BORDER_WINDOW)} minutes (medium; people who live at a "
        "border are found too). Evidence are both. Coordinates and country are the source's own, else those of the operator's GeoIP "
        "database; the distance is on a sphere (haversine), a time under a second counts as one, and what is shown is rounded to one "
        "decimal. Networks that come out elsewhere (VPN, roaming) look like journeys. `new_device` (low): the first success from a device "
        "that is in the user's `new_devices` of `gold.user_features_daily`, not on the day of the user's first success.",
        late_data=f"A late event recomputes the days (UTC) from {_minutes(BURST_WINDOW)} minutes before it to "
        f"{max(2 * BURST_WINDOW, TRAVEL_WINDOW, DAY_WINDOW) // timedelta(hours=1)} hours after it, and those around the days on which "
        "`gold.user_features_daily` changes.",
        example="U fails at 23:50, 23:51, ... 23:59 (ten times) and at 00:01, and succeeds at 00:05. The failure of 23:59 is hot: it is "
        "the 10th, and the first is 9 minutes before it. That of 00:01 is not, since the 9th before it, of 23:51, is 10 minutes away. One "
        "row: brute_force, detected_at 23:59, evidence 10, window 23:50 to 23:59, severity high. V signs in in Stockholm (59.3, 18.1) at "
        "10:00 and in New York (40.7, -74.0) at 15:00: 6,323.8 km in five hours. One row: impossible_travel, distance_km 6323.8, speed_kmh "
        "1264.8, evidence 2, severity high.",
        version=RULE_VERSION,
        is_located=True,
    ),
)  # fmt: skip
