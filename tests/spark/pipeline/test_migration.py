"""Tables of an older declaration become those of a newer one, with their rows and what was committed to them; or nothing is touched."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

import jobs.catalog
from jobs.catalog import make_tables
from lakehouse.delta import DeltaLog
from lakehouse.delta_rs import open_table
from lakehouse.errors import ConfigurationError
from lakehouse.ops.store import OpsWriter
from lakehouse.tables import Column, Table
from tests.lake import TestLake
from tests.measured import MIGRATED, NEW, OLD, filled, write

pytestmark = pytest.mark.long

FACTS = Table(
    "ops.t",
    "Facts.",
    (
        Column("n", "int", "Its number.", required=True),
        Column("recorded_at", "timestamp", "When it was recorded.", required=True),
        Column("recorded_date", "date", "Day of it.", required=True),
    ),
    partition_by=("recorded_date",),
)

Made = Callable[[Table], Table]


@dataclass(frozen=True)
class Upgraded:
    """A table of the newer declaration that was of the older one up to version `before`."""

    table: Table
    before: int
    log: DeltaLog


@pytest.fixture(scope="module")
def upgraded(lake: TestLake) -> Iterator[Upgraded]:
    """A table with rows of the older declaration, migrated; only read by tests."""
    table = filled(lake, replace(OLD, name=f"silver.upgraded_{uuid.uuid4().hex[:8]}"))
    before = version(lake, table)
    make_tables(lake.context, [newer(table)])
    yield Upgraded(newer(table), before, DeltaLog(lake.settings, table))
    lake.context.session.sql(f"drop table {table.name}").collect()


@pytest.fixture
def own(lake: TestLake) -> Iterator[Made]:
    """Gives a declaration a name that no other test uses, the same one for the same old name."""
    suffix, named = uuid.uuid4().hex[:8], set()

    def rename(declared: Table) -> Table:
        name = f"{declared.name}_{suffix}"
        named.add(name)
        return replace(declared, name=name)

    yield rename
    for name in named:
        lake.context.session.sql(f"drop table if exists {name}").collect()


@pytest.fixture
def old(lake: TestLake, own: Made) -> Table:
    """A table of the older declaration with two rows, committed under the transaction `first`."""
    return filled(lake, own(OLD))


def rows(lake: TestLake, declared: Table) -> list[dict[str, Any]]:
    """Rows as delta-rs reads them, in their first column's order."""
    found = open_table(lake.settings, declared).to_pyarrow_table().select(list(declared.column_names)).to_pylist()
    return sorted(found, key=lambda row: row[declared.column_names[0]])


def version(lake: TestLake, declared: Table) -> int:
    return DeltaLog(lake.settings, declared).version


def newer(old: Table, like: Table = NEW) -> Table:
    return replace(like, name=old.name)


def test_rows_are_kept_under_added_widened_and_renamed_columns(lake: TestLake, upgraded: Upgraded) -> None:
    assert rows(lake, upgraded.table) == MIGRATED
    names = ", ".join(NEW.column_names)
    assert lake.rows(f"select {names} from {upgraded.table.name} order by thing") == MIGRATED
    assert dict(lake.context.session.table(upgraded.table.name).dtypes) == {
        "thing": "string", "day": "date", "pieces": "bigint", "share": "double", "mark": "int", "colour": "string", "mail": "string",
    }  # fmt: skip


def test_it_is_one_commit_that_keeps_layout_and_says_everything_anew(upgraded: Upgraded) -> None:
    assert upgraded.log.version == upgraded.before + 1
    assert (stored := upgraded.log.stored()) is not None
    assert (stored.partition_by, stored.description) == (("day",), NEW.description)
    assert {c.name: c.comment for c in stored.columns} == {c.name: c.comment for c in NEW.columns}
    assert stored.properties["delta.dataSkippingStatsColumns"] == "thing,pieces,share,mark,colour"
    assert (len(upgraded.log.crowded(0) or ()), upgraded.log.crowded(1)) == (2, ())


def test_readers_need_no_feature_of_delta_for_it(lake: TestLake, upgraded: Upgraded) -> None:
    protocol = open_table(lake.settings, upgraded.table).protocol()
    assert (protocol.min_reader_version, protocol.reader_features) == (1, None)


def test_what_changed_across_new_columns_cannot_be_told_by_files(upgraded: Upgraded) -> None:
    assert upgraded.log.changes_since(upgraded.before) is None
    assert upgraded.log.changes_since(upgraded.before + 1) is not None


def test_what_was_committed_once_stays_committed_once(lake: TestLake, old: Table) -> None:
    make_tables(lake.context, [newer(old)])
    assert DeltaLog(lake.settings, old).transaction("first") == 1
    again = [("c", date(2026, 1, 3), 1, 1.0, 1, "red", None)]
    write(lake, newer(old), again, "first")
    assert rows(lake, newer(old)) == MIGRATED
    write(lake, newer(old), again, "second")
    assert [row["thing"] for row in rows(lake, newer(old))] == ["a", "b", "c"]


def test_the_second_time_nothing_moves(lake: TestLake, old: Table, own: Made) -> None:
    tables = [newer(old), own(FACTS)]
    make_tables(lake.context, tables)
    before = [version(lake, t) for t in tables]
    make_tables(lake.context, tables)
    assert [version(lake, t) for t in tables] == before


def test_a_table_gets_other_partitions_and_keeps_its_rows(lake: TestLake, old: Table) -> None:
    before = rows(lake, old)
    flat = replace(old, partition_by=())
    make_tables(lake.context, [flat])
    assert (stored := DeltaLog(lake.settings, flat).stored()) is not None
    assert (stored.partition_by, rows(lake, flat)) == ((), before)
    make_tables(lake.context, [old])
    assert (stored := DeltaLog(lake.settings, old).stored()) is not None
    assert (stored.partition_by, rows(lake, old)) == (("day",), before)


def test_an_added_column_writes_no_row_anew(lake: TestLake, old: Table) -> None:
    before, files = version(lake, old), set(open_table(lake.settings, old).file_uris())
    wider = replace(old, columns=(*OLD.columns, Column("colour", "string", "Its colour.")))
    make_tables(lake.context, [wider])
    assert set(open_table(lake.settings, old).file_uris()) == files
    assert {row["colour"] for row in rows(lake, wider)} == {None}
    assert (changes := DeltaLog(lake.settings, old).changes_since(before)) is not None
    assert changes.files == ()


def test_comments_follow_the_declaration(lake: TestLake, old: Table) -> None:
    said = replace(old, description="It's other.", columns=tuple(replace(c, description=f"{c.description} Indeed.") for c in OLD.columns))
    make_tables(lake.context, [said])
    shown = {row["col_name"]: row["comment"] for row in lake.rows(f"describe table {old.name}")}
    assert {name: shown[name] for name in OLD.column_names} == {c.name: c.comment for c in said.columns}
    assert lake.rows(f"describe detail {old.name}")[0]["description"] == "It's other."


def test_a_column_that_becomes_personal_leaves_the_statistics(lake: TestLake, old: Table) -> None:
    make_tables(lake.context, [replace(old, columns=(replace(OLD.columns[0], pii=True), *OLD.columns[1:]))])
    assert (stored := DeltaLog(lake.settings, old).stored()) is not None
    assert stored.properties["delta.dataSkippingStatsColumns"] == "pieces,share,old_mark"


def test_all_that_cannot_be_done_is_told_at_once_and_nothing_is_done(lake: TestLake, old: Table, own: Made) -> None:
    facts, other = own(FACTS), filled(lake, own(replace(OLD, name="gold.t")))
    make_tables(lake.context, [facts])
    fine = filled(lake, own(replace(OLD, name="bronze.t")))
    wanted = [
        newer(fine),
        newer(old, replace(OLD, columns=tuple(c for c in OLD.columns if c.name != "mail"))),
        newer(other, replace(OLD, columns=(OLD.columns[0], Column("day", "timestamp", "When."), *OLD.columns[2:]))),
        replace(facts, columns=(Column("n", "long", "Its number.", required=True), *FACTS.columns[1:])),
        own(replace(OLD, name="silver.new")),
    ]
    before = [version(lake, t) for t in wanted]
    with pytest.raises(ConfigurationError) as refused:
        make_tables(lake.context, wanted)
    for words in (
        f"{old.name}: column mail is no longer declared",
        f"{other.name}: column day is stored as date and declared as timestamp",
        f"{facts.name}: columns of the append-only facts",
    ):
        assert words in refused.value.message
    assert fine.name not in refused.value.message
    assert "`was`" in refused.value.next_step
    assert [version(lake, t) for t in wanted] == before


def test_what_an_interrupted_migration_left_the_next_one_does(
    lake: TestLake, old: Table, own: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = filled(lake, own(replace(OLD, name="gold.t")))
    wanted = [newer(old), newer(other)]
    whole = jobs.catalog.migrate_table

    def dies(session: Any, settings: Any, migration: Any) -> None:
        if migration.declared.name == other.name:
            raise KeyboardInterrupt
        whole(session, settings, migration)

    monkeypatch.setattr(jobs.catalog, "migrate_table", dies)
    with pytest.raises(KeyboardInterrupt):
        make_tables(lake.context, wanted)
    monkeypatch.undo()
    done = version(lake, old)
    make_tables(lake.context, wanted)
    assert version(lake, old) == done
    assert [rows(lake, t) for t in wanted] == [MIGRATED, MIGRATED]


def test_a_table_that_the_catalog_has_lost_is_registered_and_migrated(lake: TestLake, old: Table) -> None:
    lake.context.session.sql(f"drop table {old.name}").collect()
    make_tables(lake.context, [newer(old)])
    assert lake.rows(f"select {', '.join(NEW.column_names)} from {old.name} order by thing") == MIGRATED


def test_facts_get_their_added_column_and_old_ones_read_as_null(lake: TestLake, own: Made) -> None:
    facts = own(FACTS)
    make_tables(lake.context, [facts])
    writer = OpsWriter(lake.settings)
    record(lake, facts, writer, {"n": 1})
    wider = replace(
        facts,
        description="Facts with a remark.",
        columns=(*FACTS.columns, Column("remark", "string", "What was said.", required=True), Column("m", "long", "More.")),
    )
    make_tables(lake.context, [wider])
    record(lake, wider, writer, {"n": 2, "remark": "fine", "m": 3})
    found = [(row["n"], row["remark"], row["m"]) for row in rows(lake, wider)]
    assert found == [(1, None, None), (2, "fine", 3)]
    assert lake.rows(f"select n, remark from {facts.name} order by n") == [{"n": 1, "remark": None}, {"n": 2, "remark": "fine"}]
    assert (stored := DeltaLog(lake.settings, facts).stored()) is not None
    assert {c.name: c.comment for c in stored.columns} == {c.name: c.comment for c in wider.columns}
    assert stored.description == "Facts with a remark."


def record(lake: TestLake, declared: Table, writer: OpsWriter, row: dict[str, Any]) -> None:
    """Append as `OpsWriter.append_now` does to a table of the registry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lakehouse.ops.store.table", lambda _name: declared)
        writer.append_now(declared.name, [row])
