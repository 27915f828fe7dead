"""What the watch tells has words on the pages."""

from __future__ import annotations

from dash_app.incident_words import CAUSES, EVENTS, SEVERITIES
from lakehouse.incidents.causes import OF_KIND, TITLES
from lakehouse.incidents.grouping import NEARNESS
from lakehouse.incidents.signatures import PATTERNS
from lakehouse.monitoring.symptoms import Kind
from lakehouse.tables import table


def test_each_cause_has_a_title_and_words_on_the_pages() -> None:
    causes = {name for name, _ in OF_KIND.values()} | {name for name, _ in PATTERNS} | {"code_change", "contract_change"}
    assert causes <= TITLES.keys()
    assert TITLES.keys() == CAUSES.keys()


def test_each_kind_of_symptom_has_its_place_between_cause_and_consequence() -> None:
    assert NEARNESS.keys() == set(Kind)


def test_the_pages_know_each_event_and_severity_that_the_tables_do() -> None:
    columns = table("ops.incident_events")
    assert set(columns.column("event").values) == EVENTS.keys()
    assert set(columns.column("severity").values) == SEVERITIES.keys()
