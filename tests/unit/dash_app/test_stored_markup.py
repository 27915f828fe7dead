"""Text from data is text on every page: no component takes it for HTML, no link leads where it says, no figure reads it as markup.

Does not belong here: what a browser makes of it (tests/browser).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask_login import UserMixin, login_user

from dash_app import frame
from dash_app.operations import create_app
from dash_app.pages import alerts, broken, incident, incidents, overview, pipelines, quality, quarantine, rows, run, table, tables
from lakehouse.settings import Settings
from tests.unit.dash_app import markup
from tests.unit.dash_app.facts import FakeReader, FakeWriter
from tests.unit.dash_app.lake_facts import FakeLake
from tests.unit.dash_app.troubles import Heart

TEXT_ELEMENTS = (
    "A", "B", "Button", "Code", "Dd", "Details", "Div", "Dl", "Dt", "Em", "Form", "H1", "H2", "H3", "Header", "I", "Img", "Label", "Li",
    "Main", "Nav", "Ol", "P", "Pre", "Section", "Span", "Strong", "Summary", "Table", "Tbody", "Td", "Th", "Thead", "Time", "Tr", "Ul",
)  # fmt: skip
PLAIN = frozenset(
    (
        *TEXT_ELEMENTS, "AgGrid", "ColorSchemeToggle", "Graph", "Input", "Interval", "Link", "Location", "MantineProvider", "Select",
        "Store", "Textarea",
    )
)  # fmt: skip
"""Components that show what they are given as text, or as nothing. Markdown, Iframe, Script and the like are not among them."""
ADDRESS = re.compile(r"^(/(?!/)|#)[\w/.~%?=&+#-]*$")
PAGES: dict[str, Callable[[], Any]] = {
    "overview": overview.layout,
    "incidents": incidents.layout,
    "filtered": lambda: incidents.layout(**dict.fromkeys(("cause", "table", "tenant", "owner"), markup.STRINGS[0])),
    "incident": lambda: incident.layout("i-1"),
    "marked incident": lambda: incident.layout(markup.STRINGS[0]),
    "unknown incident": lambda: incident.layout(markup.STRINGS[4]),
    "alerts": alerts.layout,
    "filtered alerts": lambda: alerts.layout(channel=markup.STRINGS[0], incident=markup.STRINGS[4]),
    "rows": lambda: rows.layout("ops.incident_events", note=markup.STRINGS[0]),
    "rows of the lake": lambda: rows.layout(markup.STRINGS[0], **{markup.STRINGS[4]: markup.STRINGS[5]}),
    "pipelines": pipelines.layout,
    "run": lambda: run.layout(markup.STRINGS[0]),
    "broken": broken.layout,
    "quality": quality.layout,
    "quality of a table": lambda: quality.layout(table=markup.TABLE, check=markup.STRINGS[0]),
    "quarantine": quarantine.layout,
    "filtered quarantine": lambda: quarantine.layout(source=markup.STRINGS[0], reason=markup.STRINGS[4]),
    "tables": tables.layout,
    "table": lambda: table.layout(markup.TABLE),
    "unknown table": lambda: table.layout(markup.STRINGS[0]),
    "frame": lambda: frame.frame(frame.html.Div()),
}


class Somebody(UserMixin):
    """Who looks at the pages."""

    name = id = "admin"


def components(value: Any) -> Iterator[dict[str, Any]]:
    """Every component within a value, as it is sent to the browser."""
    if hasattr(value, "to_plotly_json"):
        value = value.to_plotly_json()
        yield value
        yield from components(list(value["props"].values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from components(item)
    elif isinstance(value, dict):
        yield from components(list(value.values()))


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text within plain values, with the key that it has."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from strings(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item, key)
    elif isinstance(value, str):
        yield key, value


@pytest.fixture
def page(settings: Settings, own_reader: FakeReader, own_writer: FakeWriter, heart: Heart) -> Callable[[str], list[dict[str, Any]]]:
    """The components of a page over facts that are full of markup."""
    now = datetime.now(UTC)
    for name, table_rows in markup.facts(now).items():
        own_reader.put(name, table_rows)
    heart.body = markup.heartbeat(now)
    own_app = create_app(settings, own_reader, own_writer, heart, lake=FakeLake(markup.quarantine(now)))

    def made(name: str) -> list[dict[str, Any]]:
        with own_app.server.test_request_context("/"):
            login_user(Somebody())
            return list(components(PAGES[name]()))

    return made


def test_there_are_fifty_strings():
    assert len(set(markup.STRINGS)) == 50


@pytest.mark.parametrize("name", PAGES)
def test_no_component_takes_text_for_markup(page: Callable[[str], list[dict[str, Any]]], name: str):
    shown = page(name)
    assert len(shown) > 3
    assert {component["type"] for component in shown} <= PLAIN
    assert not [c for c in shown if any("dangerous" in prop.lower() and c["props"][prop] for prop in c["props"])]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_page_of_this_app(page: Callable[[str], list[dict[str, Any]]], name: str):
    keys = ("href", "table_href", "incident_href", "src", "action")
    addresses = [text for c in page(name) for key, text in strings(c["props"]) if key in keys and text not in keys]
    assert [address for address in addresses if not ADDRESS.match(address)] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_figure_reads_text_as_markup(page: Callable[[str], list[dict[str, Any]]], name: str):
    figures = [c["props"]["data"] for c in page(name) if c["type"] == "Store" and isinstance(c["props"].get("data"), dict)]
    ours = re.compile(r"<extra>\w*</extra>|</?b>|<span style=\"font-size:11px\">[\d,]+ rows</span>")
    drawn = [f for f in figures if "layout" in f]
    assert [text for figure in drawn for _, text in strings(figure) if "<" in ours.sub("", text)] == []
