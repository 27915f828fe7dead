"""Source declarations: the shipped ones are right, and mistakes are told with their line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakehouse.patterns import PATTERNS, groups
from lakehouse.settings import SHIPPED_SOURCES
from lakehouse.sources import TimeText, read_source

SHIPPED = sorted(SHIPPED_SOURCES.glob("*.yaml"))

GOOD = """\
name: probe
description: A source for tests.
format: json_lines
earliest: 2020-01-01
fields:
  id: string
  at: string
derived:
  short: left(id, 3)
event_id: id
event_time: try_to_timestamp(at)
silver:
  table: silver.billing_customers
  version: 1
  columns:
    customer_id: id
    as_of: event_time
"""


def _read(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "probe.yaml"
    path.write_text(text, encoding="utf-8")
    source, mistakes = read_source(path)
    assert (source is None) is bool(mistakes)
    return [str(mistake) for mistake in mistakes]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_declaration_has_no_mistake(path: Path) -> None:
    assert read_source(path)[1] == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_declaration_reads_scalars_as_text(path: Path) -> None:
    source, _ = read_source(path)
    assert source is not None
    scalars = {"boolean", "int", "bigint", "long", "float", "double", "decimal", "date", "timestamp"}
    types = {word for kind in source.fields.values() for word in re.findall(r"(\w+) *(?=[,>(]|$)", kind)}
    assert types & scalars == set()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_declaration_reads_times_only_where_a_day_stands_first(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    with_pattern = len(re.findall(r"try_to_timestamp\([^()]*, '", text))
    assert text.count("try_to_timestamp(") - with_pattern == text.count("like '____-__-___%'")


def test_a_right_declaration_is_read(tmp_path: Path) -> None:
    assert _read(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong", "mistake"),
    [
        (
            "format: json_lines",
            "format: json_line",
            "probe.yaml:3: format: 'json_line' is none of json_lines, json_array, json_wrapped, csv, parquet, text; the nearest is",
        ),
        ("earliest: 2020-01-01", "earliest: long ago", "probe.yaml:4: earliest: 'long ago' is no day, such as 2020-01-31"),
        ("event_time: try_to_timestamp(at)\n", "", "probe.yaml:1: event_time: is missing: when it happened, as a timestamp in UTC"),
        ("event_time: try_to_timestamp(at)", "event_time: 5", "probe.yaml:11: event_time: must be a text, and 5 is none: put it in quotes"),
        (
            "event_time: try_to_timestamp(at)",
            "event_time:\n  text: at\n  format: HH:mm\n  zone: Mars",
            "probe.yaml:14: event_time.zone: 'Mars' is no IANA zone, such as Europe/Berlin",
        ),
        (
            "event_time: try_to_timestamp(at)",
            "event_time:\n  text: at\n  format: HH:mm\n  time_zone: UTC",
            "probe.yaml:14: event_time.time_zone: there is no such key; the nearest is 'zone'",
        ),
        ("format: json_lines", "format: text", "probe.yaml:3: format: text needs pattern: for text: the shape of a line"),
        ("format: json_lines", "delimiter: ;\nformat: json_lines", "probe.yaml:3: delimiter: belongs to format csv; here it is json_lines"),
        ("fields:\n  id: string\n  at: string\n", "", "probe.yaml:1: fields: at least one is needed"),
        ("fields:\n  id: string\n", "fields:\n  id: string\n  no: string\n", "probe.yaml:7: fields.False: YAML reads this key as False"),
        ("event_id: id", "event_id: ''", "probe.yaml:10: event_id: is empty"),
        ("event_id: id", "event_id: 5", "probe.yaml:10: event_id: must be a text, and 5 is none: put it in quotes"),
        ("event_id: id", "evnt_id: id\nevent_id: id", "probe.yaml:10: evnt_id: there is no such key; the nearest is 'event_id'"),
        ("event_id: id", "event_id: id\nevent_id: at", "probe.yaml:11: event_id: stands here a second time"),
        ("    as_of: event_time", "    as_of: event_time\n    as_of: at", "probe.yaml:18: silver.columns.as_of: stands here a second time"),
        ("  version: 1", "  version: 0", "probe.yaml:14: silver.version: Input should be greater than or equal to 1"),
        ("    customer_id: id", "    customer_id: null", "probe.yaml:16: silver.columns.customer_id: is empty"),
        (
            "    customer_id: id\n",
            "",
            "probe.yaml:15: silver.columns: silver.billing_customers requires the column customer_id: Id in the billing system",
        ),
        (
            "    as_of:",
            "    as_off: id\n    as_of:",
            "probe.yaml:17: silver.columns.as_off: silver.billing_customers has no column 'as_off'; the nearest is 'as_of'",
        ),
        (
            "silver.billing_customers",
            "silver.auth_event",
            "probe.yaml:13: silver.table: 'silver.auth_event' is not a silver table; the nearest is 'silver.auth_events'",
        ),
        ("silver.billing_customers", "gold.auth_daily", "probe.yaml:13: silver.table: 'gold.auth_daily' is not a silver table"),
        ("format: json_lines", "format: json_wrapped", "probe.yaml:3: format: json_wrapped needs records_field: for json_wrapped: the"),
        ("  at: string", "  at: string\n  AT: string", "probe.yaml:8: fields.AT: 'AT' means two things"),
        ("  short: left", "  ID: left", "probe.yaml:9: derived.ID: 'ID' is no name: a name is lower-case letters"),
        ("  short: left", "  id: left", "probe.yaml:9: derived.id: 'id' means two things"),
        ("  short: left", "  tenant_id: left", "probe.yaml:9: derived.tenant_id: is a column of the lake's own"),
        ("fields:", "fields: [", "probe.yaml:7: YAML: "),
        ("event_id: id", "event_id: `id`", "probe.yaml:10: YAML: found character that cannot start any token: a text that begins with `"),
        ("event_id: id", "event_id: 'a' || id", "probe.yaml:10: YAML: did not find expected comment or line break: what"),
        ("A source for tests.", "A source: for tests", "probe.yaml:2: YAML: mapping values are not allowed in this context: a text"),
        ("name: probe", "name: other", "probe.yaml:1: name: must be the file's name, 'probe'"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, right: str, wrong: str, mistake: str) -> None:
    assert right in GOOD
    (told,) = _read(tmp_path, GOOD.replace(right, wrong, 1))
    assert told.startswith(mistake)


PULLED = GOOD.replace(
    "fields:",
    """\
pull:
  connection: SHOP_DATABASE_URL
  table: shop.customers
  cursor: changed
  overlap: 15 minutes
  tenant: acme
  every_minutes: 5
fields:""",
)


def test_a_source_that_is_pulled_is_read(tmp_path: Path) -> None:
    assert _read(tmp_path, PULLED) == []
    for other in ("overlap: 1 day", "overlap: 0", "overlap: 1000"):
        assert _read(tmp_path, PULLED.replace("overlap: 15 minutes", other)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "mistake"),
    [
        ("SHOP_DATABASE_URL", "postgresql://u:hunter2@h/d", "probe.yaml:6: pull.connection: must be the name of a variable"),
        ("SHOP_DATABASE_URL", "[postgresql://u:hunter2@h/d]", "probe.yaml:6: pull.connection: must be the name of a variable"),
        ("connection: SHOP_DATABASE_URL", "url: postgresql://u:hunter2@h/d", "probe.yaml:6: pull.url: there is no such key"),
        ("shop.customers", "customers", "probe.yaml:7: pull.table: must be schema.table"),
        ("  cursor: changed\n", "", "probe.yaml:5: pull.cursor: is missing: column of times or whole numbers"),
        ("15 minutes", "a while", "probe.yaml:9: pull.overlap: 'a while' is no overlap: a duration such as 15 minutes"),
        ("15 minutes", "-5", "probe.yaml:9: pull.overlap: -5 is no overlap"),
        ("15 minutes", "yes", "probe.yaml:9: pull.overlap: True is no overlap"),
        ("tenant: acme", "tenant: Acme", "probe.yaml:10: pull.tenant: must be a tenant id"),
        ("every_minutes: 5", "every_minutes: 0", "probe.yaml:11: pull.every_minutes: Input should be greater than or equal to 1"),
        ("  tenant: acme\n", "", "probe.yaml:5: pull: either tenant or tenant_column, and not both"),
        (
            "  tenant: acme",
            "  tenant: acme\n  tenant_column: t",
            "probe.yaml:11: pull.tenant_column: either tenant or tenant_column, and not both",
        ),
        ("  table:", "  query: select 1\n  table:", "probe.yaml:7: pull.query: either table or query, and not both"),
        ("event_id: id\n", "", "probe.yaml:1: event_id: is missing: rows are read again within the overlap"),
        ("format: json_lines", "format: csv", "probe.yaml:3: format: rows that are pulled are landed as json_lines"),
    ],
)
def test_a_mistake_in_a_pull_is_told_with_its_line_and_without_a_secret(tmp_path: Path, right: str, wrong: str, mistake: str) -> None:
    assert right in PULLED
    told = _read(tmp_path, PULLED.replace(right, wrong, 1))
    assert any(one.startswith(mistake) for one in told), told
    assert "hunter2" not in str(told)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("earliest: 2020-01-01", "earliest: x").replace("version: 1", "version: x")
    assert [m.split(": ")[0] for m in _read(tmp_path, text)] == ["probe.yaml:4", "probe.yaml:14"]


TEXT = """\
name: probe
description: A source for tests.
format: text
pattern: {pattern}
earliest: 2020-01-01
event_time: {{text: time, format: 'MMM d HH:mm:ss', zone: Europe/Berlin, year: landed}}
silver:
  table: silver.billing_customers
  version: 1
  columns:
    customer_id: host
    as_of: event_time
"""


def test_a_pattern_gives_text_its_fields(tmp_path: Path) -> None:
    path = tmp_path / "probe.yaml"
    for pattern, fields in (("syslog", groups("syslog")), ("'(?<time>.{15}) (?<host>[a-z]+).*'", ("time", "host"))):
        path.write_text(TEXT.format(pattern=pattern), encoding="utf-8")
        source, mistakes = read_source(path)
        assert source is not None, mistakes
        assert tuple(source.fields) == fields
        assert set(source.fields.values()) == {"string"}


@pytest.mark.parametrize(
    ("pattern", "mistake"),
    [
        ("sysdog", "there is no pattern 'sysdog'; the nearest is 'syslog'"),
        ("'sys.*'", "'sys.*': all groups are named, as (?<field>...), and there is at least one; others are (?:...)"),
        ("'(?<time>.*) (x)'", "'(?<time>.*) (x)': all groups are named"),
        ("'(?<time>.*'", "neither a named pattern (syslog, syslog_iso, combined_log) nor a regular expression: missing )"),
    ],
)
def test_a_wrong_pattern_is_told(tmp_path: Path, pattern: str, mistake: str) -> None:
    (told,) = _read(tmp_path, TEXT.format(pattern=pattern))
    assert told.startswith(f"probe.yaml:4: pattern: {mistake}")


def test_every_named_pattern_has_its_fields() -> None:
    assert {name: "time" in groups(name) for name in PATTERNS} == dict.fromkeys(PATTERNS, True)


def test_a_year_that_stands_in_the_declaration_is_put_before_the_text() -> None:
    told = TimeText(text="at", format="MMM d", year=2024)
    assert told.sql == "to_utc_timestamp(try_to_timestamp(concat(2024, ' ', regexp_replace(trim(at), ' +', ' ')), 'yyyy MMM d'), 'UTC')"
