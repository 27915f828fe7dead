"""What is guessed from a file: worked out by hand from its bytes, for every format, and for files that are odd."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse.errors import ConfigurationError
from lakehouse.patterns import PATTERNS, groups
from lakehouse.scaffold import scaffold_of, write_scaffold
from lakehouse.settings import Settings
from lakehouse.sources import Source, read_source
from tests.unit.sources.files import DATED, EVENTS, FORMATS, MILLIS, SYSLOG, TIMES, Made, lines, time_text

HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "add-a-source.md"


def text_of(folder: Path, body: bytes | str, name: str = "probe.log", table: str = "silver.auth_events") -> str:
    """The scaffold of a file, which has no mistakes."""
    file = folder / name
    file.write_bytes(body.encode() if isinstance(body, str) else body)
    made = scaffold_of(file, "probe", table)
    declared = folder / "probe.yaml"
    declared.write_text(made.text, encoding="utf-8")
    assert read_source(declared)[1] == []
    return made.text


def made_of(folder: Path, body: bytes | str, name: str = "probe.log", table: str = "silver.auth_events") -> Made:
    return dict(yaml.safe_load(text_of(folder, body, name, table)))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_is_guessed_from_the_bytes(tmp_path: Path, kind: str) -> None:
    body, wanted = FORMATS[kind]
    found = made_of(tmp_path, body)
    assert {k: v for k, v in found.items() if k in ("format", "records_field", "delimiter", "pattern")} == wanted


UNUSABLE = {
    "": "holds no records",
    "\n \n": "holds no records",
    "\x00\x01\x02\x03" * 50: "neither text nor Parquet",
    '{\n "a": 1\n}\n{\n "a": 2\n}\n': "JSON objects over several lines",
    "{}\n{}\n": "no field that an expression can name",
}


@pytest.mark.parametrize("body", UNUSABLE, ids=list(UNUSABLE.values()))
def test_a_file_that_cannot_be_read_is_told_why(tmp_path: Path, body: str) -> None:
    with pytest.raises(ConfigurationError, match=UNUSABLE[body]) as told:
        made_of(tmp_path, body)
    assert told.value.next_step


def test_an_archive_is_told_to_be_one(tmp_path: Path) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.jsonl", lines(*EVENTS))
    with pytest.raises(ConfigurationError, match="a zip archive"):
        made_of(tmp_path, body.getvalue())


def test_nested_fields_are_declared_with_text_in_them(tmp_path: Path) -> None:
    first = {"id": 1, "ok": True, "who": {"name": "x", "age": 3}, "tags": ["a"], "to": [{"id": "t"}], "none": None, "empty": [], "bare": {}}
    second = {"id": 2, "who": {"first-name": "y"}, "extra": 1.5}
    assert made_of(tmp_path, lines(first, second))["fields"] == {
        "id": "string",
        "ok": "string",
        "who": "struct<name string, age string, `first-name` string>",
        "tags": "array<string>",
        "to": "array<struct<id string>>",
        "none": "string",
        "empty": "string",
        "bare": "string",
        "extra": "string",
    }


def test_a_field_of_several_types_is_text_and_says_so(tmp_path: Path) -> None:
    text = text_of(tmp_path, lines({"a": {"b": 1}, "c": [1]}, {"a": "x", "c": [{"d": 1}]}))
    assert yaml.safe_load(text)["fields"] == {"a": "string", "c": "array<string>"}
    assert "# a is a text or an object: as text" in text
    assert "# c[] is a number or an object: as text" in text


def test_what_nests_deep_or_has_many_members_is_text_and_says_so(tmp_path: Path) -> None:
    deep = {"a": {"b": {"c": {"d": {"e": 1}}}}}
    text = text_of(tmp_path, lines({**deep, "m": {f"k{n}": n for n in range(61)}}))
    assert yaml.safe_load(text)["fields"] == {"a": "struct<b struct<c struct<d string>>>", "m": "string"}
    assert "# a.b.c.d nests deeper than 4" in text
    assert "# m has 61 members" in text


def test_at_most_200_fields_are_declared_and_the_others_named(tmp_path: Path) -> None:
    text = text_of(tmp_path, lines({f"f{n}": n for n in range(203)}))
    assert len(yaml.safe_load(text)["fields"]) == 200
    assert "only 200 fields are declared: f200, f201, f202" in text


def test_a_field_in_two_spellings_is_read_in_both(tmp_path: Path) -> None:
    found = made_of(tmp_path, lines({"eventType": "login", "ID": "1"}, {"eventtype": "logout", "ID": "2"}))
    assert found["fields"] == {"eventType": "string", "ID": "string"}
    assert found["derived"]["event_type"] == "coalesce(eventType, get_json_object(raw, '$.eventtype'))"
    assert found["silver"]["columns"]["action"] == "nullif(event_type, '')"


def test_names_that_no_expression_can_hold_are_left_out_and_the_others_quoted(tmp_path: Path) -> None:
    text = text_of(tmp_path, lines({"sel`ect": 1, "": 2, "user": "ada", "a.b": "x", "no": "y", "null": "z", "日": "w"}))
    found = yaml.safe_load(text)
    assert list(found["fields"]) == ["user", "a.b", "no", "null", "日"]
    assert "no expression can name it: sel`ect, ''" in text
    assert found["user"] == "nullif(`user`, '')"


def test_titles_of_a_table_become_names(tmp_path: Path) -> None:
    found = made_of(tmp_path, "Event ID,Source IP (client),ok,OK-\nx1,203.0.113.9,y,z\nx2,203.0.113.8,y,z\n")
    assert list(found["fields"]) == ["event_id", "source_ip_client", "ok", "OK-"]
    assert found["event_id"] == "coalesce(nullif(event_id, ''), sha2(raw, 256))"


def test_a_column_that_is_empty_in_the_first_records_is_declared_too(tmp_path: Path) -> None:
    assert list(made_of(tmp_path, "id,note,user\n1,,Ada\n2,,Bob\n")["fields"]) == ["id", "note", "user"]


IDS: dict[str, tuple[tuple[Made, ...], str | None]] = {
    "unique": (({"uuid": "a"}, {"uuid": "b"}), "coalesce(nullif(uuid, ''), sha2(raw, 256))"),
    "nested": (({"data": {"log_id": "a"}}, {"data": {"log_id": "b"}}), "coalesce(nullif(data.log_id, ''), sha2(raw, 256))"),
    "the same record twice": (({"id": "a"}, {"id": "a"}, {"id": "b"}), "coalesce(nullif(id, ''), sha2(raw, 256))"),
    "repeated in another record": (({"id": "a", "n": 1}, {"id": "a", "n": 2}), None),
    "missing in one": (({"id": "a"}, {"n": 2}), None),
    "of one record only": (({"id": "a"},), None),
    "of a user": (({"user_id": "a"}, {"user_id": "b"}), None),
    "of an actor": (({"actor": {"id": "a"}}, {"actor": {"id": "b"}}), None),
}


@pytest.mark.parametrize("kind", IDS)
def test_an_event_id_is_named_like_one_and_different_in_each_record(tmp_path: Path, kind: str) -> None:
    records, wanted = IDS[kind]
    text = text_of(tmp_path, lines(*records))
    assert yaml.safe_load(text).get("event_id") == wanted
    assert ("# No event_id: " in text) is (wanted is None)


def test_why_there_is_no_event_id_is_said(tmp_path: Path) -> None:
    assert "id is missing or repeated in 1 of 2 records" in text_of(tmp_path, lines({"id": "a", "n": 1}, {"id": "a", "n": 2}))


@pytest.mark.parametrize("value", TIMES, ids=str)
def test_a_time_is_known_by_how_it_is_written(tmp_path: Path, value: Any) -> None:
    found = made_of(tmp_path, lines({"ts": value}, {"ts": value}))
    wanted, year, _ = TIMES[value]
    assert (found["event_time"], found["earliest"]) == (wanted, date(year or date.today().year - 5, 1, 1))


def test_of_several_times_the_event_s_own_counts(tmp_path: Path) -> None:
    record = {"expires_at": "2031-01-01T00:00:00Z", "session": {"created": "2024-01-01T00:00:00Z"}, "timestamp": "2024-08-15T15:05:09Z"}
    text = text_of(tmp_path, lines(record, record))
    found = yaml.safe_load(text)
    assert found["event_time"] == "try_to_timestamp(case when `timestamp` like '____-__-___%' then `timestamp` end)"
    assert found["earliest"] == date(2024, 1, 1)
    assert "also times: session.created, expires_at" in text


def test_a_time_in_two_forms_is_read_in_both_and_records_without_it_by_another(tmp_path: Path) -> None:
    records = [{"ts": 1723734309154}, {"ts": "2024-08-15T15:05:09Z"}, {"ts": 1723734309155}, {"created_at": "2023-08-15T15:05:09Z"}]
    found = made_of(tmp_path, lines(*records))
    assert found["event_time"].split() == f"coalesce({MILLIS}, {DATED}, {DATED.replace('ts ', 'created_at ')})".split()
    assert found["earliest"] == date(2023, 1, 1)


def test_a_day_and_a_time_of_day_are_put_together(tmp_path: Path) -> None:
    found = made_of(tmp_path, "date,time,user\n2026-03-01,10:00:00,ada\n2026-03-02,10:00:01,bob\n")
    together = "concat(`date`, ' ', `time`)"
    assert found["event_time"] == f"try_to_timestamp(case when {together} like '____-__-___%' then {together} end)"


def test_a_number_that_no_name_calls_a_time_is_none(tmp_path: Path) -> None:
    assert made_of(tmp_path, lines({"account": 1723734309154}))["event_time"] == "cast(landed_on as timestamp)"


LOGIN = {
    "id": "1", "eventType": "user.login", "result": "SUCCESS", "actor": {"id": "u1", "email": "Ada@example.org"}, "country": "SE",
    "sourceIPAddress": "203.0.113.9", "destIp": "10.0.0.1", "userAgent": "Mozilla/5.0 (X11)", "sessionId": "s1", "requestId": "r1",
    "authMethod": "webauthn",
}  # fmt: skip
FAILED = {**LOGIN, "id": "2", "result": "DENIED", "error": "bad_password", "authMethod": "password", "sourceIPAddress": "2001:db8::1"}
CREATED = {**LOGIN, "id": "3", "eventType": "file.download"}


def test_columns_are_known_by_names_and_values(tmp_path: Path) -> None:
    found = made_of(tmp_path, lines(LOGIN, FAILED, CREATED))
    columns = found["silver"]["columns"]
    assert {name: columns[name] for name in ("request_id", "action", "user_id", "user_email", "session_id", "user_agent", "outcome")} == {
        "request_id": "nullif(requestId, '')",
        "action": "nullif(eventType, '')",
        "user_id": "nullif(actor.id, '')",
        "user_email": "lower(nullif(actor.email, ''))",
        "session_id": "nullif(sessionId, '')",
        "user_agent": "agent",
        "outcome": "ended",
    }
    assert columns["ip"].startswith("case when sourceIPAddress rlike")
    assert columns["country"] == "case when country rlike '^[A-Za-z]{2}$' then upper(country) end"
    assert found["user"] == "coalesce(nullif(actor.id, ''), nullif(actor.email, ''))"
    assert found["derived"]["agent"] == "nullif(userAgent, '')"


def on_one_line(text: str) -> str:
    return " ".join(text.split())


def test_events_and_results_are_taken_for_what_their_words_say(tmp_path: Path) -> None:
    text = text_of(tmp_path, lines(LOGIN, FAILED, CREATED))
    found = yaml.safe_load(text)
    silver = found["silver"]
    assert on_one_line(silver["applicable"]) == "nullif(eventType, '') is null or lower(eventType) rlike 'log.?in'"
    assert on_one_line(silver["columns"]["activity"]) == "case when lower(eventType) rlike 'log.?in' then 'sign_in' end"
    assert on_one_line(silver["columns"]["auth_method"]) == (
        "case when lower(authMethod) rlike 'webauthn' then 'passkey' when lower(authMethod) rlike 'passw' then 'password' "
        "else 'unknown' end"
    )
    assert on_one_line(found["derived"]["ended"]) == (
        "case when lower(result) in ('denied') then 'failure' when lower(result) in ('success') then 'success' end"
    )
    assert found["silver"]["columns"]["failure_reason"] == "case when ended = 'failure' then nullif(error, '') end"
    assert "no rows are, so far: file.download (1)" in text


def test_a_word_within_another_is_none(tmp_path: Path) -> None:
    records = ({"path": "auth/approle/login"}, {"path": "sys/role/add"}, {"path": "auth/userpass/login/ada"})
    activity = made_of(tmp_path, lines(*records))["silver"]["columns"]["activity"]
    assert on_one_line(activity) == (
        "case when lower(path) rlike '(?<![a-z])role' then 'admin' when lower(path) rlike 'log.?in|auth' then 'sign_in' end"
    )


ENDINGS: dict[str, tuple[tuple[Made, ...], str]] = {
    "by an error": (({"error": "x"}, {"n": 1}), "case when nullif(error, '') is not null then 'failure' else 'success' end"),
    "by an error code": (
        ({"errorCode": "0"}, {"errorCode": "50126"}),
        "case when nullif(errorCode, '') is not null and errorCode not in ('0') then 'failure' else 'success' end",
    ),
    "by a status": (
        ({"statusCode": 200}, {"statusCode": 401}),
        "case when try_cast(nullif(statusCode, '') as int) >= 400 then 'failure' when try_cast(nullif(statusCode, '') as int) >= 100 "
        "then 'success' else 'pending' end",
    ),
    "by the event": (
        ({"event": "LOGIN_ERROR"}, {"event": "LOGIN"}),
        "case when lower(event) rlike 'err' then 'failure' else 'success' end",
    ),
    "by nothing": (({"n": 1}, {"n": 2}), "'pending'"),
    "by a truth value": (
        ({"success": True}, {"success": False}),
        "case when lower(success) in ('false') then 'failure' when lower(success) in ('true') then 'success' end",
    ),
    "where some have none": (
        ({"result": "ok"}, {"result": "ok"}, {"n": 1}),
        "case when nullif(result, '') is null then 'pending' when lower(result) in ('ok') then 'success' end",
    ),
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_how_it_ended_is_told_by_what_there_is(tmp_path: Path, kind: str) -> None:
    records, wanted = ENDINGS[kind]
    assert made_of(tmp_path, lines(*records))["derived"]["ended"].split() == wanted.split()


def test_what_stands_for_nothing_is_null(tmp_path: Path) -> None:
    found = made_of(tmp_path, lines({"user": "-"}, {"user": "ada"}, {"user": "bob"}))
    assert found["user"] == "nullif(nullif(`user`, ''), '-')"


def test_what_is_required_and_cannot_be_guessed_is_a_placeholder_that_says_so(tmp_path: Path) -> None:
    text = text_of(tmp_path, lines({"colour": "red"}, {"colour": "blue"}))
    columns = yaml.safe_load(text)["silver"]["columns"]
    assert columns == {
        "project_id": "tenant_id", "environment": "'live'", "action": "'event'", "activity": "'sign_in'", "auth_method": "'unknown'",
        "phase": "'completed'", "outcome": "ended", "device": "'unknown'",
    }  # fmt: skip
    above = dict(zip(text.splitlines()[1:], text.splitlines(), strict=False))
    for column in ("environment", "action", "activity", "auth_method", "phase"):
        (line,) = (one for one in above if one.startswith(f"    {column}: "))
        assert "decide: " in above[line]


def test_another_table_is_filled_by_the_names_of_its_columns(tmp_path: Path) -> None:
    body = "id,currency,balance,is_deleted\nc1,SEK,5,false\nc2,EUR,6,true\n"
    columns = made_of(tmp_path, body, table="silver.billing_customers")["silver"]["columns"]
    assert columns == {
        "customer_id": "event_id",
        "currency": "nullif(currency, '')",
        "balance": "try_cast(nullif(balance, '') as long)",
        "is_deleted": "try_cast(nullif(is_deleted, '') as boolean)",
        "as_of": "event_time",
    }


def test_what_stands_in_angle_brackets_is_told_without_them(tmp_path: Path) -> None:
    body = "".join(
        f"Jun 12 09:14:0{number} mx dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip=203.0.113.{number}, session=<a{number}>\n"
        for number, user in enumerate(("jane@example.org", "bob@example.org", ""))
    )
    derived = made_of(tmp_path, body)["derived"]
    assert derived["user"] == "nullif(regexp_extract(message, '(?:^|[ ,;({\\\\[])user=<([^>]*)>', 1), '')"
    assert derived["method"].endswith("method=([^ ,;)}\\\\]]*)', 1), '')")


def test_pairs_within_a_text_are_derived(tmp_path: Path) -> None:
    body = (
        '2026-03-01 10:00:00,123 INFO  [events] (task-1) type="LOGIN", userId="null", ip=203.0.113.9, client="my app"\n'
        '2026-03-01 10:00:01,456 WARN  [events] (task-2) type="LOGIN_ERROR", userId="u1", ip=203.0.113.8, client=web\n'
    )
    found = made_of(tmp_path, body)
    assert found["pattern"].endswith(r" +\[(?<word>[A-Za-z_][A-Za-z0-9_.$/-]*)\] \((?<word_2>[A-Za-z_][A-Za-z0-9_.$/-]*)\) (?<message>.*)")
    assert found["derived"]["type"] == """nullif(regexp_extract(message, '(?:^|[ ,;({\\\\[])type="([^"]*)"', 1), '')"""
    assert found["derived"]["ip"] == """nullif(regexp_extract(message, '(?:^|[ ,;({\\\\[])ip=([^ ,;)}\\\\]]*)', 1), '')"""
    assert found["derived"]["client"].startswith("nullif(trim(both '\"' from regexp_extract(message")
    assert found["user"] == "nullif(nullif(user_id, ''), 'null')"
    assert found["event_time"] == time_text("yyyy-MM-dd HH:mm:ss[,SSSSSSSSS]", "replace(`time`, 'T', ' ')")


def test_json_within_a_text_is_derived(tmp_path: Path) -> None:
    body = "".join(f'Mar  1 10:00:0{n} web app[7]: {{"event":"login","user":{{"id":"u{n}"}}}}\n' for n in range(3))
    assert made_of(tmp_path, body)["derived"]["user_id"] == "get_json_object(message, '$.user.id')"


def test_sentences_are_not_repeated_in_the_comments_since_they_name_people(tmp_path: Path) -> None:
    body = "".join(SYSLOG.replace("ada", name) for name in ("ada", "bob", "kim", "joe"))
    text = text_of(tmp_path, body)
    assert [name for name in ("ada", "bob", "kim", "joe") if name in text] == []
    assert "sign_in: 4 records" in text


def test_lines_that_are_not_of_the_pattern_are_counted(tmp_path: Path) -> None:
    body = SYSLOG * 9 + "-- MARK --\n"
    assert "1 of 10 lines are not of this pattern and would go to quarantine" in text_of(tmp_path, body)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("okta_system_log.jsonl", "okta_system"),
        ("218007301253_CloudTrail_us-east-1_20230710T1145Z_7xgoc.json.gz", "cloudtrail_us_east"),
        ("auth0.2026-03-01.log", "auth0"),
        ("2026-03-01.log", "my_source"),
    ],
)
def test_a_source_is_named_after_the_words_of_the_file(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_bytes(gzip.compress(lines(*EVENTS).encode()) if file.endswith(".gz") else lines(*EVENTS).encode())
    assert scaffold_of(tmp_path / file, None, "silver.auth_events").name == name


def test_a_name_or_table_that_is_none_is_a_mistake_in_the_call(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(lines(*EVENTS))
    with pytest.raises(ConfigurationError, match="'My Log' is no name"):
        scaffold_of(file, "My Log", "silver.auth_events")
    with pytest.raises(ConfigurationError, match="not a silver table"):
        scaffold_of(file, "mine", "gold.auth_daily")


def test_a_scaffold_is_written_once_and_never_over_another_source(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(lines(*EVENTS))
    instance = Settings(home=tmp_path / "home")
    made = scaffold_of(file, "mine", "silver.auth_events")
    assert write_scaffold(instance, made) == tmp_path / "home" / "sources" / "mine.yaml"
    assert (tmp_path / "home" / "sources" / "mine.yaml").read_text() == made.text
    for name in ("mine", "okta_system_log"):
        with pytest.raises(ConfigurationError, match=f"there is a source '{name}' already"):
            write_scaffold(instance, scaffold_of(file, name, "silver.auth_events"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_the_how_to_shows_what_is_guessed_of_its_example(tmp_path: Path) -> None:
    blocks = HOW_TO.read_text(encoding="utf-8").split("```")[1::2]
    sample = next(block for block in blocks if block.startswith('\n{"txid"'))
    shown = next(block for block in blocks if "decide: which events" in block).removeprefix("yaml\n")
    text = text_of(tmp_path, sample.lstrip(), "duo.jsonl")
    assert [line for line in shown.splitlines() if line and not line.endswith("...") and line not in text.splitlines()] == []
    assert [on_one_line(yaml.safe_load(text)[key]) for key in ("event_id", "event_time", "user")] == [
        "coalesce(nullif(txid, ''), sha2(raw, 256))",
        "try_to_timestamp(case when isotimestamp like '____-__-___%' then isotimestamp end)",
        "coalesce(nullif(`user`.key, ''), nullif(email, ''))",
    ]


def test_the_how_to_names_the_groups_of_each_named_pattern() -> None:
    rows = [
        line.split("|")[1:3] for line in HOW_TO.read_text(encoding="utf-8").splitlines() if line.startswith(("| `syslog`", "| `combined"))
    ]
    told = {name: re.findall("`([a-z_]+)`", groups_told) for names, groups_told in rows for name in re.findall("`([a-z_]+)`", names)}
    assert {name: sorted(found) for name, found in told.items()} == {name: sorted(groups(name)) for name in PATTERNS}


KNOWN = ("time", "user", "id", "event_type", "message", "error", "ip", "user_agent", "raw", "event_id")
NAMES = st.text(max_size=12) | st.sampled_from(KNOWN)
PRINTABLE = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))


@settings(max_examples=40, deadline=None)
@example([{"\x85": None, "a\u2028b": "x", "\xa0": 1, "a\n\u2029 c": "2026-03-01T10:00:00Z"}])
@given(st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=6), min_size=1, max_size=4))
def test_whatever_the_records_the_scaffold_is_a_declaration(tmp_path_factory: pytest.TempPathFactory, records: list[Made]) -> None:
    more_than_any_list = {"a": "x" * 5000}
    found = made_of(tmp_path_factory.mktemp("any"), lines(*({**record, **more_than_any_list} for record in records)))
    assert Source.model_validate(found).format == "json_lines"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(PRINTABLE, min_size=1, max_size=60), min_size=1, max_size=5))
def test_whatever_the_text_the_scaffold_is_a_declaration(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    assert made_of(tmp_path_factory.mktemp("any"), "\n".join(["line", *texts]))["format"]
