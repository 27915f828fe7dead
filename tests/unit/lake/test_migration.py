"""What may be done to a stored table, what may not, and why."""

from __future__ import annotations

import pytest

from lakehouse.tables.migration import Migration, StoredColumn, StoredTable
from lakehouse.tables.model import Column, Table


def column(name: str, type_: str = "string", **more: object) -> Column:
    return Column(name, type_, "what it holds", **more)  # type: ignore[arg-type]


def migration(stored: dict[str, str], *declared: Column, name: str = "silver.t", partition_by: tuple[str, ...] = ()) -> Migration:
    columns = tuple(StoredColumn(n, t, "what it holds") for n, t in stored.items())
    return Migration(Table(name, "", declared, partition_by=partition_by), StoredTable(columns, ("day",) if "day" in stored else ()))


@pytest.mark.parametrize(
    ("stored", "declared"),
    [("int", "long"), ("smallint", "int"), ("tinyint", "short"), ("float", "double"), ("int", "double"), ("smallint", "float")],
)
def test_a_type_that_holds_every_value_of_the_old_one_is_a_widening(stored: str, declared: str) -> None:
    found = migration({"a": stored}, column("a", declared))
    assert found.refusals == ()
    assert found.rewrites


@pytest.mark.parametrize(
    ("stored", "declared"),
    [
        ("bigint", "int"), ("double", "float"), ("bigint", "double"), ("int", "float"), ("date", "timestamp"), ("int", "string"),
        ("string", "int"), ("array<int>", "array<long>"),
    ],
)  # fmt: skip
def test_any_other_type_is_refused(stored: str, declared: str) -> None:
    (reason,) = migration({"a": stored}, column("a", declared)).refusals
    assert reason.startswith(f"column a is stored as {stored} and declared as ")


@pytest.mark.parametrize(("stored", "declared"), [("bigint", "long"), ("map<string,bigint>", "map<string, long>"), ("int", "integer")])
def test_another_name_of_the_same_type_is_no_change(stored: str, declared: str) -> None:
    found = migration({"a": stored}, column("a", declared))
    assert (found.refusals, found.rewrites, found.added, found.commented) == ((), False, (), ())


def test_a_former_name_that_is_stored_is_renamed_and_one_that_is_not_means_nothing() -> None:
    found = migration({"a": "int"}, column("b", "long", was=("z", "a")), column("c", was=("y",)))
    assert found.refusals == ()
    assert found.renamed == {"a": "b"}
    assert [c.name for c in found.added] == ["c"]


def test_a_former_name_that_is_declared_again_belongs_to_its_own_column() -> None:
    found = migration({"a": "int"}, column("b", "int", was=("a",)), column("a", "int"))
    assert (found.refusals, found.renamed, [c.name for c in found.added]) == ((), {}, ["b"])


def test_of_two_stored_former_names_the_other_would_be_lost() -> None:
    (reason,) = migration({"a": "int", "z": "int"}, column("b", "int", was=("a", "z"))).refusals
    assert reason.startswith("column z is no longer declared")


def test_every_reason_is_told() -> None:
    found = migration({"gone": "int", "a": "bigint", "day": "date"}, column("a", "int"), column("date", "date", was=("day",)))
    told = "\n".join(found.refusals)
    assert len(found.refusals) == 2
    for words in ("gone is no longer", "a is stored as bigint"):
        assert words in told


def test_other_partitions_are_a_rewriting_but_of_facts() -> None:
    stored, declared = {"day": "date", "a": "int"}, (column("day", "date"), column("a", "int"))
    found = migration(stored, *declared)
    assert (found.refusals, found.rewrites) == ((), True)
    assert not migration(stored, *declared, partition_by=("day",)).rewrites
    (reason,) = migration(stored, *declared, name="ops.t").refusals
    assert "their files stay" in reason


def test_facts_only_get_columns_more() -> None:
    assert migration({"a": "int"}, column("a", "int"), column("b"), name="ops.t").refusals == ()
    for declared in (column("a", "long"), column("b", "int", was=("a",))):
        (reason,) = migration({"a": "int"}, declared, name="ops.t").refusals
        assert "only added" in reason


def test_a_column_that_is_stored_as_never_null_stays_so() -> None:
    stored = StoredTable((StoredColumn("a", "int", nullable=False),))
    (reason,) = Migration(Table("ops.t", "", (column("a", "int"),)), stored).refusals
    assert "never null" in reason
    assert Migration(Table("ops.t", "", (column("a", "int", required=True),)), stored).refusals == ()
