"""Rows are pulled out of a database once each, whatever commits late, stops half-way or happens twice."""

from __future__ import annotations

import json
import traceback
import uuid
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from jobs.context import Context
from jobs.pull import pull, pull_all
from lakehouse import pulls
from lakehouse.database import FETCH_ROWS, SESSION, Start, snapshot
from lakehouse.errors import ConfigurationError, DataError, InfrastructureError
from lakehouse.ledger import State
from lakehouse.ops.runs import Run
from lakehouse.ops.store import OpsWriter
from lakehouse.pulls import Pulled, Pulls
from lakehouse.settings import USER_FILE, Settings
from lakehouse.sources import Source
from lakehouse.store import list_objects, s3_client
from tests.postgres import Database
from tests.pulling import CONNECTION, DAY, INSERT, example, insert, landed, landed_ids, landed_lines, prepare, row

STEPS = """
select status, rows_read, rows_inserted, rows_duplicate, rows_quarantined, files_written, checks_warned, error_class
from ops.run_log where asset = 'landing.app_customers' order by started_at
"""
WARNED = "select check_name, rows_failed from ops.check_results where outcome = 'warned' order by recorded_at, check_name"


@pytest.fixture
def context(settings: Settings) -> Context:
    OpsWriter(settings).create_tables()
    return Context(settings, Run(str(uuid.uuid4())))


def pulled(context: Context, source: Source, **again: Any) -> Pulled:
    done = pull(context, source, **again)
    assert done
    return done


def steps(context: Context) -> list[tuple[Any, ...]]:
    return [tuple(step.values()) for step in context.reader.rows(STEPS)]


def warned(context: Context) -> list[tuple[str, int]]:
    return [(found["check_name"], found["rows_failed"]) for found in context.reader.rows(WARNED)]


def test_a_pull_takes_what_is_above_the_last_one(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "08:00"), row("b", "10:00"), row("c", "09:00", "globex"))
    first = pulled(context, example())
    assert landed_ids(context.settings) == [(1, "acme", "a"), (1, "acme", "b"), (1, "globex", "c")]
    assert (first.after, first.upto, first.more) == (None, f"{DAY} 10:00:00+00", False)
    insert(database, row("d", "10:05"), row("e", "11:00", "globex"))
    second = pulled(context, example())
    assert landed_ids(context.settings)[3:] == [(2, "acme", "d"), (2, "globex", "e")]
    assert (second.after, second.upto) == (f"{DAY} 10:00:00+00", f"{DAY} 11:00:00+00")
    assert steps(context) == [
        ("SUCCEEDED", 3, 3, 0, 0, 2, 0, None),
        ("SUCCEEDED", 3, 2, 1, 0, 2, 0, None),
    ], "b lies within the overlap: it is read again, and known"


def test_where_nothing_is_new_nothing_is_landed(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "10:00"))
    assert [pulled(context, example()).landed for _ in range(3)] == [1, 0, 0]
    assert len(landed(context.settings)) == 1


def test_an_empty_table_is_no_mistake(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch)
    assert (pulled(context, example()).upto, landed(context.settings)) == (None, {})
    insert(database, row("a", "10:00"))
    assert pulled(context, example()).upto == f"{DAY} 10:00:00+00"
    assert landed_ids(context.settings) == [(2, "acme", "a")]


def test_an_updated_row_is_landed_anew(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "08:00", balance=1), row("b", "08:01", balance=2))
    pulled(context, example())
    database.run(f"update billing.customers set balance = 7, updated_at = '{DAY} 12:00+00' where id = 'a'")
    pulled(context, example())
    states = sorted((key.rsplit("pull-", 1)[1][:10], r["id"], r["balance"]) for key, rows in landed(context.settings).items() for r in rows)
    assert [state for state in states if state[1] == "a"] == [("0000000001", "a", 1), ("0000000002", "a", 7)]


def commit_late(context: Context, database: Database, time: str) -> Pulled:
    """Pull while a transaction is open that has written a row with a cursor of its own, let it commit, and pull again."""
    with database.session() as slow:
        slow.exec_driver_sql("begin")
        slow.exec_driver_sql(f"{INSERT} {row('late', time)}")
        insert(database, row("z", "10:00"))
        pulled(context, example())
        assert "late" not in {one for _, _, one in landed_ids(context.settings)}
        slow.exec_driver_sql("commit")
    return pulled(context, example())


def test_a_late_commit_within_the_overlap_is_caught(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "09:50"), row("b", "09:50", "globex"))
    second = commit_late(context, database, "09:46")
    assert [one for one in landed_ids(context.settings) if one[0] == 2] == [(2, "acme", "a"), (2, "acme", "late"), (2, "acme", "z")]
    assert (second.rows, second.landed) == (4, 3), "what the other tenant has in the overlap is as it was"
    assert warned(context) == []


def test_a_late_commit_below_the_overlap_is_told_and_can_be_fetched(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "09:50"))
    assert commit_late(context, database, "09:44").landed == 0
    assert warned(context) == [("committed.too_late", 1)]
    assert pulled(context, example()).landed == 0
    assert warned(context) == [("committed.too_late", 1)], "told once"
    pulled(context, example(), since=f"{DAY} 09:44")
    assert [one for one in landed_ids(context.settings) if one[0] == 4] == [(4, "acme", "a"), (4, "acme", "late"), (4, "acme", "z")]
    assert pulled(context, example()).rows == 2, "a and z: pulls go on as before"


def test_a_pull_that_dies_before_it_is_recorded_is_done_again(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "10:00"), row("b", "10:00", "globex"))
    with monkeypatch.context() as patch:
        patch.setattr(Pulls, "put", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pull(context, example())
    left = landed(context.settings)
    insert(database, row("c", "10:01"))
    assert (pulled(context, example()).number, pulled(context, example()).rows) == (1, 3)
    now = landed(context.settings)
    assert left.items() <= now.items()
    assert sorted(len(rows) for rows in now.values()) == [1, 1, 2], "globex has the same rows, and so the same file; acme has one more"
    assert steps(context)[0] == ("FAILED", 2, None, 0, 0, None, 0, "ZeroDivisionError"), "what was landed is told by who finds it"


def test_of_two_pulls_at_once_one_is_recorded_and_no_row_is_lost(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "10:00"))
    put = Pulls.put
    other = Context(context.settings, Run(str(uuid.uuid4())))

    def overtaken(self: Pulls, late: Pulled) -> bool:
        monkeypatch.setattr(Pulls, "put", put)
        insert(database, row("b", "10:10"))
        assert pulled(other, example()).upto == f"{DAY} 10:10:00+00"
        return put(self, late)

    monkeypatch.setattr(Pulls, "put", overtaken)
    assert pull(context, example()) is None
    assert {one for _, _, one in landed_ids(context.settings)} == {"a", "b"}
    third = pulled(context, example())
    assert (third.number, third.after, third.landed) == (2, f"{DAY} 10:10:00+00", 0)


def test_a_cut_pull_ends_with_the_last_row_of_a_cursor(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"a": "08:00", "b": "09:00", "c": "09:00", "d": "09:00", "e": "10:00"}
    prepare(database, monkeypatch, *(row(one, time) for one, time in times.items()))
    done = pull_all(context, example(max_rows=2))
    assert [(one.upto, one.more, one.landed) for one in done] == [(f"{DAY} 09:00:00+00", True, 4), (f"{DAY} 10:00:00+00", False, 1)]
    assert [one for _, _, one in landed_ids(context.settings)] == ["a", "b", "c", "d", "e"]


def test_an_overlap_with_more_rows_than_a_pull_holds_nothing_up(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch)
    database.run(
        "alter table billing.customers add number bigint",
        f"{INSERT[:-7]} select n, now(), 'acme', 0 from generate_series(1, 9) n",
    )
    database.run("update billing.customers set number = id::bigint")
    done = pull_all(context, example(cursor="number", overlap=100, max_rows=2))
    assert [one.upto for one in done] == ["2", "4", "6", "8", "9"]
    assert [one for _, _, one in landed_ids(context.settings)] == list("123456789"), "each once: the overlap was as it had been"


def test_rows_without_a_cursor_or_ahead_of_it_are_told_and_hold_up_nothing(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "10:00"))
    database.run(f"{INSERT} ('never', null, 'acme', 0), ('ahead', now() + interval '1 day', 'acme', 0), ('far', 'infinity', 'acme', 0)")
    assert pulled(context, example()).upto == f"{DAY} 10:00:00+00"
    assert [one for _, _, one in landed_ids(context.settings)] == ["a"]
    assert warned(context) == [("cursor.is_ahead", 2), ("cursor.is_null", 1)]
    assert steps(context) == [("SUCCEEDED_WITH_WARNINGS", 1, 1, 0, 0, 1, 2, None)]


def test_a_number_is_never_ahead(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "10:00"), row("b", "10:00", balance=2**63 - 1))
    database.run("update billing.customers set balance = null where id = 'a'")
    assert pulled(context, example(cursor="balance", overlap=0)).landed == 1
    assert warned(context) == [("cursor.is_null", 1)]


def test_a_cursor_without_zone_is_judged_in_the_declared_one(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch)
    database.run("alter table billing.customers alter updated_at type timestamp")
    database.run(f"{INSERT} ('a', now() at time zone 'Pacific/Kiritimati', 'acme', 0)")
    assert pulled(context, example(zone="UTC")).landed == 0, "14 hours ahead of UTC"
    assert pulled(context, example(zone="Pacific/Kiritimati")).landed == 1


def test_a_cursor_that_has_gone_back_stops_the_pull_until_a_person_says_so(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "09:00"), row("b", "10:00"))
    pulled(context, example())
    database.run("truncate billing.customers")
    assert pulled(context, example()).upto == f"{DAY} 10:00:00+00", "an empty table tells nothing"
    insert(database, row("c", "09:45"))
    with pytest.raises(DataError, match=r"the greatest updated_at is 2020-03-02 09:45:00\+00, and 2020-03-02 10:00:00\+00 was pulled"):
        pull(context, example())
    assert pulled(context, example(), whole=True).upto == f"{DAY} 09:45:00+00"
    assert [one for _, _, one in landed_ids(context.settings)] == ["a", "b", "c"]


def test_a_newest_row_that_is_deleted_takes_the_pulls_not_back(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "09:50"), row("b", "10:00"))
    pulled(context, example())
    database.run("delete from billing.customers where id = 'b'")
    assert pulled(context, example()).upto == f"{DAY} 10:00:00+00"


def test_rows_of_no_tenant_are_kept_where_the_ledger_lists_them(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "10:00"), row("b", "10:00", "Not a tenant"), row("c", "10:00", "../acme"))
    database.run(f"{INSERT} ('d', '{DAY} 10:00+00', null, 0)")
    pulled(context, example())
    assert landed_ids(context.settings) == [(1, "acme", "a"), *((1, "without-tenant", one) for one in "bcd")]
    assert warned(context) == [("tenant.is_none", 3)]
    assert steps(context) == [("SUCCEEDED_WITH_WARNINGS", 4, 1, 0, 3, 2, 1, None)]
    batch = context.ledger(example()).claim()
    assert batch
    assert [file.tenant_id for file in batch.files] == ["acme"]
    (rejected,) = context.reader.rows("select records, path from ctl.files where state = ?", [State.REJECTED])
    assert rejected["records"] == 3
    assert "/without-tenant/pull-0000000001-" in rejected["path"]


def test_rows_of_one_tenant_need_no_column_of_it(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "10:00", "someone"))
    pulled(context, example(tenant="globex", tenant_column=None))
    assert landed_ids(context.settings) == [(1, "globex", "a")]


EVERY_TYPE = """
select * from (values (
    9223372036854775807::bigint, 'NaN'::float8, '-Infinity'::float8, 0.1::float8, 12345678901234567890.1234567890::numeric, 'NaN'::numeric,
    '2026-03-01 10:00:00.1234+02'::timestamptz, '2026-03-01 10:00:00'::timestamp, 'infinity'::timestamptz, '0044-03-15 BC'::date,
    '\\xdeadbeef'::bytea, E'{"a":\\n 1.10,\\r\\n "b": [1e400]}'::json, '{"z": 1, "a": 2.50}'::jsonb, array[1, null, 3],
    array['a,b', '"'], '1 day 02:00'::interval, E'one\\ntwo\\u2028 "50%" \\\\', true, null::text, '12:30'::time,
    '{5b0b1c6e-0000-4000-8000-00000000000a}'::uuid, '[2020-01-01,2020-01-02)'::tstzrange
)) as t (
    big, nan, minus, tenth, exact, none, at, local, ever, ides, bytes, json, jsonb, ints, texts, span, text, yes, nil, clock, uuid, range
)
-- the last line may be a comment
"""
EVERY_TEXT = (
    '{"big":9223372036854775807,"nan":"NaN","minus":"-Infinity","tenth":0.1,"exact":12345678901234567890.1234567890,"none":"NaN",'
    '"at":"2026-03-01T08:00:00.1234+00:00","local":"2026-03-01T10:00:00","ever":"infinity","ides":"0044-03-15 BC",'
    '"bytes":"\\\\xdeadbeef","json":{"a":  1.10,   "b": [1e400]},"jsonb":{"a": 2.50, "z": 1},"ints":[1,null,3],'
    '"texts":["a,b","\\""],"span":"P1DT2H","text":"one\\ntwo\u2028 \\"50%\\" \\\\","yes":true,"nil":null,"clock":"12:30:00",'
    '"uuid":"5b0b1c6e-0000-4000-8000-00000000000a","range":"[\\"2020-01-01 00:00:00+00\\",\\"2020-01-02 00:00:00+00\\")"}'
)


OTHER_SETTINGS = (
    "timezone = 'Asia/Tokyo'", "intervalstyle = 'postgres'", "bytea_output = 'escape'", "extra_float_digits = -5",
    "datestyle = 'SQL, DMY'",
)  # fmt: skip


def test_a_row_is_the_same_text_whatever_the_session_is_set_to(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch)
    source = example(table=None, query=EVERY_TYPE, cursor="local", tenant="acme", tenant_column=None)
    pulled(context, source)
    name = database.url.database
    for setting in OTHER_SETTINGS:
        database.run(f"alter database {name} set {setting}")
    assert pulled(context, source).landed == 0
    assert [line for lines in landed_lines(context.settings).values() for line in lines] == [EVERY_TEXT]


@pytest.mark.parametrize(
    ("kind", "overlap", "values"),
    [
        ("timestamp", "15 minutes", ("2020-03-02 10:00:00.000001", "2020-03-02 10:00:00.000002")),
        ("date", "1 day", ("2020-03-02", "2020-03-03")),
        ("smallint", 0, ("1", "2")),
        ("bigint", 10, ("-9223372036854775808", "9223372036854775807")),
    ],
)
def test_a_cursor_is_a_time_or_a_whole_number(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch, kind: str, overlap: str | int, values: tuple[str, str]
) -> None:
    prepare(database, monkeypatch)
    database.run(f"alter table billing.customers add position {kind}")
    put = "insert into billing.customers (id, tenant, position) values ('{0}', 'acme', '{0}')"
    for number, value in enumerate(values, 1):
        database.run(put.format(value))
        done = pulled(context, example(cursor="position", overlap=overlap))
        assert (done.number, done.upto, done.more) == (number, value, False)
    assert pulled(context, example(cursor="position", overlap=overlap)).landed == 0
    assert [one for _, _, one in landed_ids(context.settings)] == list(values)


def test_rows_are_fetched_as_they_are_asked_for(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch)
    database.run(f"{INSERT[:-7]} select n, now(), 'acme', n from generate_series(1, {4 * FETCH_ROWS}) n")
    fetched: list[int] = []
    fetch = psycopg.ServerCursor.fetchmany
    monkeypatch.setattr(psycopg.ServerCursor, "fetchmany", lambda self, size=0: fetched.append(size) or fetch(self, size))
    with snapshot(context.settings, example(cursor="balance", overlap=0)) as opened:
        rows = opened.rows(Start("5", at=True), str(4 * FETCH_ROWS))
        first = [next(rows) for _ in range(FETCH_ROWS + 1)]
    assert max(fetched) <= FETCH_ROWS
    assert sum(fetched) <= 2 * FETCH_ROWS
    assert [json.loads(one.text)["balance"] for one in first] == list(range(5, FETCH_ROWS + 6))


def test_another_cursor_has_no_position_yet(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "10:00"), row("b", "11:00"))
    database.run("alter table billing.customers add changed timestamptz", f"update billing.customers set changed = '{DAY} 00:00+00'")
    pulled(context, example())
    assert (pulled(context, example(cursor="changed")).after, len(landed_ids(context.settings))) == (None, 4)


def test_a_pull_is_due_in_time_and_at_once_where_more_is_left(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "10:00"), row("b", "11:00"))
    source = example(max_rows=1, every_minutes=5)
    done = Pulls(context.settings, source)
    first = pulled(context, source)
    assert (first.more, done.is_due(first.started_at)) == (True, True)
    second = pulled(context, source)
    assert not done.is_due(second.started_at + timedelta(minutes=4, seconds=59))
    assert done.is_due(second.started_at + timedelta(minutes=5))


def test_old_records_of_pulls_are_removed(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch)
    monkeypatch.setattr(pulls, "KEPT", 2)
    for _ in range(4):
        pulled(context, example())
    kept = [found.key for found in list_objects(s3_client(context.settings), context.settings.lake_bucket, "ctl/pulls/app_customers/")]
    assert [key.rsplit("/", 1)[1] for key in kept] == ["0000000003.json", "0000000004.json"]


def test_the_url_may_stand_in_the_instances_file(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "10:00"))
    monkeypatch.delenv(CONNECTION)
    with pytest.raises(ConfigurationError, match=f"pull.connection: {CONNECTION} is not set"):
        pull(context, example())
    (context.settings.home / USER_FILE).write_text(f"{CONNECTION}={database.address}\n")
    assert pulled(context, example()).landed == 1


@pytest.mark.parametrize(
    ("changed", "kind", "told"),
    [
        ({"table": "billing.clients"}, ConfigurationError, 'pull.table: relation "billing.clients" does not exist'),
        ({"cursor": "changed"}, ConfigurationError, "pull.cursor: there is no column 'changed'"),
        ({"cursor": "name"}, ConfigurationError, "pull.cursor: 'name' is of type text"),
        ({"tenant_column": "client"}, ConfigurationError, "pull.tenant_column: there is no column 'client'"),
        ({"overlap": 5}, ConfigurationError, "pull.overlap: 'updated_at' is of type timestamp with time zone"),
        ({"cursor": "balance"}, ConfigurationError, "pull.overlap: 'balance' is of type bigint"),
        (
            {"table": None, "query": "select a.*, b.name from billing.customers a join billing.customers b using (id)"},
            ConfigurationError,
            "pull.query: several columns are called name",
        ),
        ({"table": None, "query": "selec"}, ConfigurationError, "pull.query: syntax error"),
        (
            {"table": None, "query": "delete from billing.customers returning *"},
            ConfigurationError,
            "pull.query: syntax error",
        ),
        ({"table": None, "query": "select *, nextval('s') from billing.customers"}, ConfigurationError, "in a read-only transaction"),
        ({"table": None, "query": "select *, name::int as n from billing.customers"}, DataError, r"fails for a value: InvalidTextRepr"),
    ],
)
def test_a_mistake_in_the_declaration_is_told_with_its_setting(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], kind: type[Exception], told: str
) -> None:
    prepare(database, monkeypatch, row("a", "10:00"))
    database.run("create sequence s", "update billing.customers set name = 'Jane Doe'")
    with pytest.raises(kind, match=told) as raised:
        pull(context, example(**changed))
    assert "Jane" not in str(raised.value)
    assert landed(context.settings) == {}


@pytest.mark.parametrize(
    ("address", "kind", "told"),
    [
        (
            "postgresql://owner:correct-horse%40battery@/{database}?host={host}",
            ConfigurationError,
            "the database refuses: .*authentication",
        ),
        ("postgresql://owner:correct-horse%40battery@/nowhere?host={host}", ConfigurationError, "the database refuses: .*authentication"),
        ("postgresql://owner:correct-horse%40battery@/x?host=/nowhere", InfrastructureError, "the database does not answer"),
        ("postgresql://owner:correct-horse@battery@127.0.0.1:9/x", ConfigurationError, f"{CONNECTION} holds no URL"),
        ("owner:correct-horse@battery:x", ConfigurationError, f"{CONNECTION} holds no URL"),
        ("mysql://owner:correct-horse%40battery@127.0.0.1:9/x", ConfigurationError, "of no PostgreSQL database"),
        ("postgresql://owner:correct-horse%40battery@127.0.0.1:9/x", InfrastructureError, "the database does not answer"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    address: str, kind: type[Exception], told: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(CONNECTION, address.format(database=database.url.database, host=database.url.query["host"]))
    with pytest.raises(kind, match=told) as raised:
        pull(context, example())
    kept = [context.reader.rows(f"select * from {name}") for name in ("ops.run_events", "ops.event_log", "ops.check_results")]
    everywhere = "".join((*traceback.format_exception(raised.value), str(kept), caplog.text))
    assert CONNECTION in everywhere
    assert not {"correct-horse", "battery"} & set(everywhere.replace("@", " ").replace("%40", " ").replace(":", " ").split())


def test_a_table_that_stays_locked_holds_no_pull_for_ever(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "10:00"))
    monkeypatch.setitem(SESSION, "lock_timeout", "100ms")
    with database.session() as other:
        other.exec_driver_sql("begin")
        other.exec_driver_sql("lock table billing.customers")
        with pytest.raises(InfrastructureError, match=r"the database broke off: LockNotAvailable"):
            pull(context, example())
    assert pulled(context, example()).landed == 1


def test_a_database_that_goes_away_meanwhile_is_tried_again(context: Context, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "10:00"))
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"

    def break_off() -> None:
        with snapshot(context.settings, example()) as opened:
            assert opened.kind == "timestamp with time zone"
            database.run(kill)
            list(opened.rows(Start(), f"{DAY} 12:00+00"))

    with pytest.raises(InfrastructureError, match=f"pull.connection: {CONNECTION}"):
        break_off()
    assert pulled(context, example()).landed == 1
