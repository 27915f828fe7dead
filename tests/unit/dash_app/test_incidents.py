"""Incidents: which are shown in what order, what one tells, and what people can do about it.

Does not belong here: how incidents come about (the evaluator), or a browser (tests/browser).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dash import Dash
from flask.testing import FlaskClient

from dash_app import links
from dash_app.incident_actions import LONGEST_NOTE
from dash_app.incident_queries import Incidents, alarming, chosen
from dash_app.pages import incident, incidents
from tests.unit.dash_app.asking import callback, everything, given, in_app, words
from tests.unit.dash_app.facts import NOON, FakeReader
from tests.unit.dash_app.troubles import edges, event, opened
from tests.unit.dash_app.troubles import incidents as bad_day

ACT = "..action-answer.children...owner.value...note.value.."


@pytest.fixture
def day(own_reader: FakeReader) -> FakeReader:
    """A reader of the incidents of a bad day."""
    own_reader.put("ops.incident_events", bad_day(NOON))
    own_reader.put("ops.lineage_edges", edges())
    return own_reader


def listed(reader: FakeReader) -> list[dict[str, Any]]:
    """All incidents as the pages list them."""
    return Incidents(reader).all().value or []


def test_what_is_worst_comes_first_then_what_is_expected_then_what_is_over(day: FakeReader):
    ids = [row["incident_id"] for row in listed(day)]
    assert ids[:4] == ["inc-0412", "inc-0411", "inc-0410", "inc-0409"]
    assert ids[4:] == [f"inc-0{400 - n}" for n in range(7)]


def test_an_incident_that_is_marked_as_expected_does_not_alarm(day: FakeReader):
    assert [row["incident_id"] for row in alarming(listed(day))] == ["inc-0412", "inc-0411", "inc-0410"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"state": "active"}, {"inc-0412", "inc-0411", "inc-0410", "inc-0409"}),
        ({"state": "acknowledged"}, {"inc-0411"}),
        ({"severity": "minor", "state": "open"}, {"inc-0410"}),
        ({"table": "gold.auth_daily", "state": "active"}, {"inc-0412", "inc-0409"}),
        ({"tenant": "globex", "state": "active"}, {"inc-0411", "inc-0410", "inc-0409"}),
        ({"owner": "mara"}, {"inc-0411"}),
        ({"cause": "out_of_memory"}, {"inc-0400"}),
        ({"scope": "tenant", "state": "active"}, {"inc-0412"}),
        ({"cause": "nothing of the kind"}, set()),
    ],
)
def test_filters_leave_what_has_all_of_them(day: FakeReader, asked: dict[str, str], found: set[str]):
    assert {row["incident_id"] for row in chosen(listed(day), asked)} == found


def test_the_address_holds_the_filters_and_every_filter_is_an_address(own_app: Dash, day: FakeReader):
    page = everything(in_app(own_app, lambda: incidents.layout(state="active", severity="minor", utm_source="x")))
    assert "1 of 11" in page
    assert '"/incidents?state=active"' in page, "the chosen severity's link takes it away"
    assert '"/incidents?state=active&severity=minor&scope=tenant"' in page
    assert "utm_source" not in page


def test_the_list_looks_again_and_draws_only_what_changed(own_app: Dash, own_client: FlaskClient, day: FakeReader):
    output = next(k for k in own_app.callback_map if "incidents-grid.rowData" in k)
    seen = in_app(own_app, lambda: incidents.knowledge_of_this_app().incidents.all().fingerprint)
    tick = given({"incidents-every.n_intervals": 1})
    asked = {"incidents-asked.data": {"state": "open"}}
    assert set(callback(own_client, output, tick, given({"incidents-seen.data": seen, **asked}))) == {"incidents-looked"}
    rows = callback(own_client, output, tick, given({"incidents-seen.data": "older", **asked}))["incidents-grid"]["rowData"]
    assert {row["id"] for row in rows} == {"inc-0412", "inc-0410", "inc-0409"}


def page_of(app: Dash, incident_id: str) -> Any:
    """One incident's page."""
    return in_app(app, lambda: incident.layout(incident_id))


def test_an_incident_tells_what_why_where_since_when_and_who(own_app: Dash, day: FakeReader):
    page = page_of(own_app, "inc-0412")
    said = words(page)
    for text in (
        "Tenant acme: events of okta fell by 94 %", "Critical", "Open", "Theirs",
        "131 events between 9:00 and 10:00", "1,980 to 2,640 events",
        "Tenant acme fell silent while the 41 others are well", "93%", "Files of acme are late", "activity=login", "5 tables", "1 client",
        "4m 00s", "still open", "nobody yet", "evaluator",
    ):  # fmt: skip
        assert text in said, text
    assert said.index("fell silent") < said.index("Files of acme are late")


def test_each_piece_of_evidence_links_to_its_rows(own_app: Dash, day: FakeReader):
    page = everything(page_of(own_app, "inc-0412"))
    assert '"/rows?table=ops.metrics&tenant_id=acme&metric=rows"' in page
    assert '"/rows?table=ops.metrics&tenant_id=&metric=rows"' in page, "rows of no tenant"
    assert '"/rows?table=ctl.files&source=okta&tenant_id=acme"' in page


def test_time_to_resolve_and_the_verdict_on_messages_are_told(own_app: Dash, day: FakeReader):
    said = words(page_of(own_app, "inc-0399"))
    assert "1h 09m" in said
    assert "Resolved" in said
    assert "useful" in said


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"score": 1}]', '[{"name": "x", "score": "no number"}]', '[{"name":1}]', "null"])
def test_findings_that_cannot_be_read_do_not_break_the_page(own_app: Dash, own_reader: FakeReader, text: str):
    own_reader.put("ops.incident_events", [opened("i", NOON, causes=text, symptoms=text, hit_tables=None, hit_tenants=None)])
    assert "Tenant acme" in words(page_of(own_app, "i"))


def test_evidence_whose_place_is_no_plain_value_has_no_link(own_app: Dash, own_reader: FakeReader):
    causes = [{"name": "x", "evidence": [{"text": "between two days", "table": "ops.metrics", "where": {"recorded_at": {"from": 1}}}]}]
    own_reader.put("ops.incident_events", [opened("i", NOON, causes=json.dumps(causes))])
    page = everything(page_of(own_app, "i"))
    assert "between two days" in page
    assert "/rows" not in page


def test_an_incident_of_which_little_is_known_has_a_page(own_app: Dash, own_reader: FakeReader):
    own_reader.put("ops.incident_events", [event("i", "opened", NOON)])
    assert "Cause not known" in words(page_of(own_app, "i"))
    assert "Cause not known" in everything(in_app(own_app, incidents.layout))


def test_an_id_is_read_as_it_stands_in_the_address(own_app: Dash, own_reader: FakeReader):
    own_reader.put("ops.incident_events", [opened("a/b 100%", NOON)])
    assert "Tenant acme" in words(page_of(own_app, links.incident("a/b 100%").removeprefix("/incidents/")))


def test_an_unknown_incident_is_said_so(own_app: Dash, day: FakeReader):
    assert "No incident with this id" in words(page_of(own_app, "inc-9999"))


def test_a_store_that_does_not_answer_leaves_what_was_known(own_app: Dash, day: FakeReader, monkeypatch: pytest.MonkeyPatch):
    page_of(own_app, "inc-0412")
    day.down = True
    in_app(own_app, lambda: incident.knowledge_of_this_app().incidents.look_anew("inc-0412"))
    said = words(page_of(own_app, "inc-0412"))
    assert "The store does not answer." in said
    assert "Tenant acme: events of okta fell by 94 %" in said
    assert "Nothing has been read yet." in words(page_of(own_app, "inc-0411"))


def act(
    client: FlaskClient, pressed: str, incident_id: str = "inc-0412", owner: str = "", note: str = "", **headers: str
) -> dict[str, Any]:
    """Press one of the buttons."""
    buttons = {f"{name}.n_clicks": 1 if name == pressed else None for name in incident.BUTTONS}
    state = given({"incident-id.data": incident_id, "owner.value": owner, "note.value": note})
    answer = callback(client, ACT, given(buttons, f"{pressed}.n_clicks"), state, **headers)
    assert answer
    return answer


def said(answer: dict[str, Any]) -> str:
    """What the page answers."""
    return str(answer["action-answer"]["children"]["props"]["children"])


def added(reader: FakeReader, before: list[Any]) -> list[dict[str, Any]]:
    """Events that came since, without their time, which is checked to be now."""
    rows = reader.facts["ops.incident_events"][len(before) :]
    assert all(abs(row["happened_at"] - datetime.now(UTC)) < timedelta(minutes=5) for row in rows)
    return [{k: v for k, v in row.items() if k != "happened_at"} for row in rows]


@pytest.mark.parametrize(
    ("pressed", "fields", "row"),
    [
        ("acknowledge", {}, {"event": "acknowledged"}),
        ("assign", {"owner": "  the  identity team "}, {"event": "assigned", "owner": "the identity team"}),
        ("assign", {}, {"event": "assigned", "owner": "admin"}),
        ("comment", {"note": " Asked them.\n"}, {"event": "commented", "note": "Asked them."}),
        ("mark-expected", {}, {"event": "marked", "mark": "expected"}),
        ("mark-not-expected", {}, {"event": "marked", "mark": "not_expected"}),
        ("mark-useful", {}, {"event": "marked", "mark": "useful"}),
        ("mark-not-useful", {}, {"event": "marked", "mark": "not_useful"}),
    ],
)
def test_what_a_person_does_is_an_event_and_an_action_with_who_and_when(
    own_client: FlaskClient, day: FakeReader, pressed: str, fields: dict[str, str], row: dict[str, str]
):
    before = list(day.facts["ops.incident_events"])
    act(own_client, pressed, **fields)
    assert added(day, before) == [{"incident_id": "inc-0412", "actor": "admin", **row}]
    (recorded,) = day.facts["ops.actions"]
    assert (recorded["actor"], recorded["action"], recorded["target"]) == ("admin", row["event"], "inc-0412")
    assert json.loads(recorded["detail"] or "{}") == {k: v for k, v in row.items() if k != "event"}


def test_what_was_done_is_seen_at_the_next_look(own_app: Dash, own_client: FlaskClient, day: FakeReader):
    assert "nobody yet" in words(page_of(own_app, "inc-0412"))
    assert said(act(own_client, "acknowledge")) == "You are on it."
    page = words(page_of(own_app, "inc-0412"))
    assert "Acknowledged" in page
    assert "admin is on it" in page.replace("  ", " ")


@pytest.mark.parametrize(
    ("pressed", "incident_id", "fields", "why"),
    [
        ("acknowledge", "inc-0411", {}, "mara is on it already."),
        ("acknowledge", "inc-0400", {}, "It is resolved already."),
        ("acknowledge", "inc-9999", {}, "No incident with this id is known."),
        ("comment", "inc-0412", {"note": "  \n "}, "Write something first."),
        ("comment", "inc-0412", {"note": "x" * (LONGEST_NOTE + 1)}, "A comment has at most 2,000 characters; this one has 2,001."),
        ("assign", "inc-0412", {"owner": "x" * 81}, "A name has at most 80 printable characters."),
        ("assign", "inc-0412", {"owner": "a\u202eb"}, "A name has at most 80 printable characters."),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_recorded(
    own_client: FlaskClient, day: FakeReader, pressed: str, incident_id: str, fields: dict[str, str], why: str
):
    before = list(day.facts["ops.incident_events"])
    assert said(act(own_client, pressed, incident_id, **fields)) == why
    assert day.facts["ops.incident_events"] == before
    assert day.facts["ops.actions"] == []


def test_a_refused_comment_stays_in_its_field_and_a_kept_one_leaves_it(own_client: FlaskClient, day: FakeReader):
    assert "note" not in act(own_client, "comment", note="x" * (LONGEST_NOTE + 1))
    kept = act(own_client, "comment", note="Asked them.")
    assert kept["note"]["value"] == ""
    assert "owner" not in kept


def test_an_action_while_the_store_is_down_is_kept_and_said_so(own_app: Dash, own_client: FlaskClient, day: FakeReader):
    page_of(own_app, "inc-0412")
    day.down = True
    assert said(act(own_client, "acknowledge")) == "You are on it. It is kept here and shows as soon as the store answers."
    assert day.facts["ops.incident_events"][-1]["event"] == "acknowledged"


def test_an_action_that_nothing_takes_is_not_said_to_be_done(own_client: FlaskClient, day: FakeReader, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(day, "append", lambda name, rows: False)
    assert said(act(own_client, "acknowledge")).startswith("It could not be recorded")


def test_strangers_and_other_sites_can_do_nothing(own_app: Dash, own_client: FlaskClient, day: FakeReader):
    before = list(day.facts["ops.incident_events"])
    body = {"output": ACT, "outputs": [], "inputs": [], "state": [], "changedPropIds": ["acknowledge.n_clicks"]}
    assert own_app.server.test_client().post("/_dash-update-component", json=body).status_code == 401
    crossed = own_client.post("/_dash-update-component", json=body, headers={"Sec-Fetch-Site": "cross-site"})
    assert crossed.status_code == 403
    assert day.facts["ops.incident_events"] == before


def test_an_id_stays_within_its_place_in_the_address():
    assert links.incident("a/../b?x=1#y") == "/incidents/a%2F..%2Fb%3Fx%3D1%23y"
    assert links.table("gold.x/../../logout") == "/tables/gold.x%2F..%2F..%2Flogout"
    assert links.table("files/okta&table=x") == "/pipelines?pipeline=okta%26table%3Dx"
