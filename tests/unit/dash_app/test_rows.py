"""The rows behind a number: found by bound values, of tables that may be read, and of no others.

Does not belong here: the numbers.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from dash import Dash

from dash_app.pages import rows
from dash_app.row_queries import MOST_ROWS, Found, Rows
from tests.unit.dash_app.asking import everything, in_app, words
from tests.unit.dash_app.facts import NOON, FakeReader
from tests.unit.dash_app.troubles import event, opened


@pytest.fixture
def few(own_reader: FakeReader) -> FakeReader:
    """Three events of two incidents."""
    own_reader.put(
        "ops.incident_events",
        [
            opened("i-1", NOON),
            event("i-1", "marked", NOON + timedelta(hours=1), "jo", mark="useful"),
            opened("i-2", NOON, title="it's \"quoted\" -- and'; drop table x"),
        ],
    )
    return own_reader


def found(reader: FakeReader, where: dict[str, str], relation: str = "ops.incident_events") -> Found:
    """Rows with these values."""
    return Rows(reader).of(relation, where).value or Found()


@pytest.mark.parametrize(
    ("where", "n"),
    [
        ({}, 3),
        ({"incident_id": "i-1"}, 2),
        ({"incident_id": "i-1", "event": "marked"}, 1),
        ({"mark": ""}, 2),
        ({"title": "it's \"quoted\" -- and'; drop table x"}, 1),
        ({"title": "' or true --"}, 0),
        ({"hit_tenants": "acme"}, 2),
        ({"happened_at": "2026-11-12T12:00:00+00:00"}, 2),
        ({"happened_at": "2026-11-12T13:00:00"}, 1),
        ({"happened_at": "yesterday"}, 0),
    ],
)
def test_rows_have_all_the_values(few: FakeReader, where: dict[str, str], n: int):
    seen = found(few, where)
    assert (len(seen.rows), seen.total) == (n, n)


def test_views_can_be_read_and_numbers_compared(few: FakeReader):
    assert found(few, {"state": "open"}, "ops.incidents").total == 2
    assert found(few, {"detected_after_s": "240"}, "ops.incidents").total == 2
    assert found(few, {"detected_after_s": "many"}, "ops.incidents").total == 0


@pytest.mark.parametrize("name", ["nothing", 'title" = title or "title', "1=1 or title"])
def test_a_column_that_is_not_there_is_said_so_and_never_run(few: FakeReader, own_app: Dash, name: str):
    assert found(few, {name: "x"}) == Found(columns=found(few, {}).columns, unknown=[name])
    assert "has no column" in words(in_app(own_app, lambda: rows.layout("ops.incident_events", **{name: "x"})))


@pytest.mark.parametrize(
    "relation", ["silver.auth_events", "ops.incident_events; drop table x", "duckdb_settings()", "", "read_csv('/etc/passwd')"]
)
def test_only_ops_and_ctl_tables_are_read(few: FakeReader, own_app: Dash, relation: str):
    before = few.queries
    assert found(few, {}, relation) == Found()
    in_app(own_app, lambda: rows.layout(relation, a="b"))
    assert few.queries == before


def test_for_rows_of_the_lake_the_page_gives_the_sql(own_app: Dash):
    page = in_app(own_app, lambda: rows.layout("quarantine.okta", tenant_id="o'hara", batch_id="", **{'a"b': "1"}))
    assert "select * from quarantine.okta where tenant_id = 'o''hara' and batch_id is null and \"a\"\"b\" = '1' limit 100" in words(page)
    assert '"/tables/quarantine.okta"' in everything(page)


def test_many_rows_are_cut_and_said_so(own_app: Dash, own_reader: FakeReader):
    own_reader.put("ops.actions", [{"actor": "jo", "action": "x", "acted_at": NOON}] * (MOST_ROWS + 1))
    assert "the newest 1,000 of 1,001 rows" in words(in_app(own_app, lambda: rows.layout("ops.actions", actor="jo")))


def test_the_page_says_so_where_there_is_nothing(own_app: Dash, own_reader: FakeReader):
    assert "No row has these values now." in words(in_app(own_app, lambda: rows.layout("ops.actions", actor="jo")))
    assert "The address names no table." in words(in_app(own_app, rows.layout))
    own_reader.down = True
    assert "The store does not answer." in words(in_app(own_app, lambda: rows.layout("ops.actions", actor="mara")))
