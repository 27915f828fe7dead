"""Places out of a database in MaxMind's format: what it knows, what it does not, and a file that is none.

Does not belong here: what gold makes of places (tests/spark).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import ConfigurationError
from lakehouse.geoip import Place, kind_of_database, look_up
from lakehouse.settings import Settings
from tests.geoip import KIND, write_database


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("geoip") / "places.mmdb")


def test_an_address_has_the_country_and_the_point_of_its_network(database: Path) -> None:
    assert list(look_up(database, ["192.0.2.1", "192.0.2.130", "2001:db8::7"])) == [
        Place("192.0.2.1", "SE", 59.3, 18.1),
        Place("192.0.2.130", "US", 40.7, -74.0),
        Place("2001:db8::7", "FI", 60.2, 24.9),
    ]


def test_a_country_without_a_point_is_known_and_a_point_beyond_the_pole_is_not(database: Path) -> None:
    assert list(look_up(database, ["198.51.100.1", "203.0.113.1"])) == [Place("198.51.100.1", "NO", None, None)]


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db9::1", "no address", "", "1.2.3"])
def test_what_the_database_does_not_know_has_no_place(database: Path, address: str) -> None:
    assert list(look_up(database, [address])) == []


def test_the_kind_of_database_is_told_and_none_is_none(database: Path, tmp_path: Path) -> None:
    assert kind_of_database(Settings(home=tmp_path, geoip_database=database)) == KIND
    assert kind_of_database(Settings(home=tmp_path)) is None


def test_a_file_that_is_missing_or_no_database_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "text.mmdb").write_text("no database", encoding="utf-8")
    for name in ("text.mmdb", "missing.mmdb"):
        with pytest.raises(ConfigurationError, match=r"the GeoIP database .* cannot be read.*LAKEHOUSE_GEOIP_DATABASE"):
            kind_of_database(Settings(home=tmp_path, geoip_database=tmp_path / name))
