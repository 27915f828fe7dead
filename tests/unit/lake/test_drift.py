"""Changes of fields, told from samples worked out by hand."""

from __future__ import annotations

import json
from typing import Any

from lakehouse.drift import LEAST_RECORDS, MAX_FIELDS, Change, Kind, Known, Sample, changes, is_declared, members

DECLARED = {
    "id": "string",
    "who": "struct<name: string, at struct<`city` string, tags array<struct<a int>>>, n decimal(10,2)>",
    "x": "string",
}
Told = tuple[str, str, tuple[str, ...], str | None]


def sample(*records: Any) -> Sample:
    seen = Sample()
    seen.take((json.dumps(record).encode() for record in records), DECLARED)
    return seen


def known(*records: Any) -> dict[str, Known]:
    found: list[Change] = changes(sample(*records), {}, DECLARED)
    return {c.path: Known(frozenset(c.types), c.is_always) for c in found}


def told(found: list[Change]) -> list[Told]:
    return [(c.path, c.kind.value, c.types, c.detail) for c in found]


def test_the_first_sample_tells_what_there_is_and_nothing_has_changed() -> None:
    found = changes(sample({"id": "1", "new": [1]}, {"id": 2, "who": {"name": None, "odd": 1.5}}), {}, DECLARED)
    assert [(c.path, c.kind, c.types, c.is_always, c.is_declared) for c in found] == [
        ("id", Kind.FIRST_SEEN, ("integer", "string"), True, True),
        ("new", Kind.FIRST_SEEN, ("array",), False, False),
        ("who", Kind.FIRST_SEEN, ("object",), False, True),
        ("who.name", Kind.FIRST_SEEN, (), False, True),
        ("who.odd", Kind.FIRST_SEEN, ("number",), False, False),
    ]


def test_only_declared_structures_are_looked_into() -> None:
    assert set(sample({"x": {"inner": 1}, "who": {"at": {"city": "B", "tags": [{"a": 1}]}}}).fields) == {
        "x", "who", "who.at", "who.at.city", "who.at.tags",
    }  # fmt: skip
    assert members(DECLARED["who"]) == {"name": "string", "at": "struct<`city` string, tags array<struct<a int>>>", "n": "decimal(10,2)"}
    assert [is_declared(p, DECLARED) for p in ("id", "id.x", "who.at.city", "who.at.town", "y")] == [True, False, True, False, False]


def test_a_field_that_is_added_is_told_once_it_is_seen() -> None:
    before = known({"id": "1"})
    assert told(changes(sample({"id": "1", "device": {"os": "x"}}), before, DECLARED)) == [("device", "added", ("object",), None)]
    assert changes(sample({"id": "2"}), before, DECLARED) == []


def test_a_type_that_widens_narrows_or_turns_is_told_and_null_is_none() -> None:
    before = known({"id": 1, "x": "1"})
    assert told(changes(sample({"id": 1.5, "x": None}), before, DECLARED)) == [("id", "type_added", ("integer", "number"), "was integer")]
    assert told(changes(sample({"id": 1, "x": 7}), before, DECLARED)) == [("x", "type_added", ("integer", "string"), "was string")]
    assert changes(sample({"id": 1, "x": "z"}), known({"id": 1, "x": None}), DECLARED) == []


def test_a_field_is_dropped_only_if_all_had_it_and_enough_were_looked_at() -> None:
    before = known({"id": "1", "x": "1"}, {"id": "2", "x": "2", "y": 1})
    few, many = [{"id": "3"}] * (LEAST_RECORDS - 1), [{"id": "3"}] * LEAST_RECORDS
    assert changes(sample(*few), before, DECLARED) == []
    assert told(changes(sample(*many), before, DECLARED)) == [("x", "dropped", ("string",), None)]
    gone = {**before, "x": Known(frozenset({"string"}), is_always=True, is_dropped=True)}
    assert changes(sample(*many), gone, DECLARED) == []
    assert told(changes(sample({"id": "3", "x": "4"}), gone, DECLARED)) == [("x", "returned", ("string",), None)]


def test_what_is_within_a_field_that_is_missing_is_not_dropped_as_well() -> None:
    before = known({"id": "1", "who": {"name": "n"}})
    assert [c.path for c in changes(sample(*[{"id": "1"}] * LEAST_RECORDS), before, DECLARED)] == ["who"]


def test_one_dropped_and_one_added_are_perhaps_a_rename() -> None:
    before = known({"id": "1", "x": "1"})
    assert told(changes(sample(*[{"id": "1", "X": "1"}] * LEAST_RECORDS), before, DECLARED)) == [
        ("X", "added", ("string",), "perhaps the new name of x"),
        ("x", "dropped", ("string",), "perhaps renamed to X"),
    ]
    two = changes(sample(*[{"id": "1", "X": "1", "Y": "1"}] * LEAST_RECORDS), before, DECLARED)
    assert [c.detail for c in two] == [None, None, None]


def test_a_thousand_fields_are_told_and_no_more() -> None:
    wild = sample({f"f{n}": n for n in range(MAX_FIELDS + 500)})
    assert len(wild.fields) == MAX_FIELDS


def test_what_is_no_object_is_passed_over() -> None:
    seen = Sample()
    seen.take([b"[1]", b"{", b"", b"null", b'{"id": 1}'], DECLARED)
    assert (seen.records, seen.fields) == (1, {"id": (1, ["integer"])})


def test_samples_of_several_files_add_up() -> None:
    seen = sample({"id": 1})
    seen.add(sample({"id": "x", "y": 1}))
    assert (seen.records, seen.fields) == (2, {"id": (2, ["integer", "string"]), "y": (1, ["integer"])})
