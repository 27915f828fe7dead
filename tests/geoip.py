"""A small database of places in MaxMind's format.

Does not belong here: addresses of anybody; these are of the ranges for documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

KIND = "Test-City"
PLACES: Mapping[str, dict[str, Any]] = {
    "192.0.2.0/28": {"country": {"iso_code": "SE"}, "location": {"latitude": 59.3, "longitude": 18.1}},
    "192.0.2.128/28": {"country": {"iso_code": "US"}, "location": {"latitude": 40.7, "longitude": -74.0}},
    "198.51.100.0/28": {"country": {"iso_code": "NO"}},
    "203.0.113.0/28": {"location": {"latitude": 91.0, "longitude": 0.0}},
    "2001:db8::/64": {"country": {"iso_code": "FI"}, "location": {"latitude": 60.2, "longitude": 24.9}},
}


def write_database(path: Path, kind: str = KIND, places: Mapping[str, dict[str, Any]] = PLACES) -> Path:
    """Write a database of networks and what is known of them; returns the path."""
    writer = MMDBWriter(6, kind, languages=["en"], description="for tests", ipv4_compatible=True, float_type="f64")
    for network, record in places.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
