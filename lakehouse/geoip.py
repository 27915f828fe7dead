"""Where addresses are, from a database in MaxMind's format that the operator has brought.

Does not belong here: which addresses are looked up, or what an event's own source says of its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import maxminddb

from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings


class Place(NamedTuple):
    """Where an address is: an ISO 3166-1 alpha-2 country, and a point; each null where the database does not tell."""

    ip: str
    country: str | None
    latitude: float | None
    longitude: float | None


def kind_of_database(settings: Settings) -> str | None:
    """What kind of database the operator has brought, e.g. `GeoLite2-City`; None for none.

    Raises ConfigurationError where the setting names no such database.
    """
    if settings.geoip_database is None:
        return None
    with _opened(settings.geoip_database) as reader:
        return str(reader.metadata().database_type)


def look_up(path: Path, addresses: Iterable[str]) -> Iterator[Place]:
    """The places of those of the addresses that the database knows."""
    with _opened(path) as reader:
        for address in addresses:
            place = _place(address, _record(reader, address))
            if place.country is not None or place.latitude is not None:
                yield place


@contextmanager
def _opened(path: Path) -> Iterator[maxminddb.Reader]:
    try:
        reader = maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigurationError(
            f"the GeoIP database {path} cannot be read: {error}",
            next_step="let LAKEHOUSE_GEOIP_DATABASE name a .mmdb file, or unset it",
        ) from error
    with reader:
        yield reader


def _record(reader: maxminddb.Reader, address: str) -> dict[str, Any]:
    """What the database says of an address; nothing of what is no address, or one of IPv6 in a database of IPv4."""
    try:
        found = reader.get(address)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _place(address: str, record: dict[str, Any]) -> Place:
    country, location = record.get("country") or {}, record.get("location") or {}
    code, north, east = country.get("iso_code"), location.get("latitude"), location.get("longitude")
    if not (_is_within(north, 90) and _is_within(east, 180)):
        north = east = None
    return Place(address, code if isinstance(code, str) and len(code) == 2 else None, north, east)


def _is_within(degrees: Any, most: float) -> bool:
    return isinstance(degrees, float | int) and math.isfinite(degrees) and abs(degrees) <= most
