"""How a declaration and the contract files become one contract.

Does not belong here: running one (tests/spark/contracts).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from dq_checks import Severity, Stage, contract_for, rendering
from lakehouse.errors import ConfigurationError
from lakehouse.tables import TABLES, Column, Layer, Sla, Table, bronze_table

BRONZE = bronze_table("okta", "data-team")
CONTRACTED = [BRONZE, *(t for t in TABLES.values() if t.layer in (Layer.BRONZE, Layer.SILVER, Layer.GOLD))]
SILVER = TABLES["silver.auth_events"]
every_table = pytest.mark.parametrize("table", CONTRACTED, ids=lambda t: t.name)


@every_table
def test_what_the_declaration_states_is_rendered_from_it(table: Table) -> None:
    batch = yaml.safe_load(contract_for(table).text[Stage.BATCH])
    names = {c.name for c in contract_for(table).checks}
    assert [c["name"] for c in batch["columns"]] == list(table.column_names)
    assert {f"{c.name}.missing" for c in table.columns if c.required} == {n for n in names if n.endswith(".missing")}
    assert {f"{c.name}.invalid" for c in table.columns if c.values} == {n for n in names if n.endswith(".invalid")}
    assert ("key.duplicate" in names) == bool(table.key)
    assert any(n.endswith(".freshness") for n in names) == bool(table.sla)
    assert contract_for(table).checks[0].name == "schema"


@every_table
def test_contract_files_repeat_nothing_of_the_declaration(table: Table) -> None:
    for path in rendering._files(table):
        for entry in yaml.safe_load(path.read_text())["checks"]:
            assert not {"schema", "missing", "invalid", "duplicate", "freshness"} & set(entry), path.name


def test_every_file_belongs_to_a_contract() -> None:
    used = {path.name for table in CONTRACTED for path in rendering._files(table)}
    assert {path.name for path in rendering.CONTRACTS.iterdir()} == used


@every_table
def test_only_rows_out_of_files_are_quarantined_and_only_their_slices_held_back(table: Table) -> None:
    contract = contract_for(table)
    assert bool(contract.row_rules) == bool(contract.slice_rules) == rendering.lands_rows(table)
    assert contract.variables(Stage.BATCH) == ({"max_rejected_share"} if contract.slice_rules else set())
    assert contract.variables(Stage.TABLE) == set()
    assert all(c.severity is Severity.WARN for c in contract.at(Stage.TABLE))


def test_the_version_follows_the_declaration() -> None:
    version = contract_for(SILVER).version
    assert len(version) == 12
    assert contract_for(replace(SILVER, description="other words")).version == version
    assert contract_for(replace(SILVER, sla=Sla(61))).version != version
    assert contract_for(replace(SILVER, columns=(*SILVER.columns, Column("more", "string", "More.")))).version != version


def test_values_are_quoted_in_rules() -> None:
    (rule,) = (
        r
        for r in contract_for(replace(BRONZE, columns=(*BRONZE.columns, Column("c", "string", "C.", values=("it's", "a\\b"))))).row_rules
        if r.name == "c.invalid"
    )
    assert rule.violated == r"`c` is not null and `c` not in ('it\'s', 'a\\b')"


def test_a_slice_rule_fills_its_view_and_variables_only() -> None:
    (rule,) = contract_for(SILVER).slice_rules
    filled = replace(rule, query=rule.query + " and x rlike '[a-z]{2}'").sql("staged", {"max_rejected_share": "0.5", "unused": "1"})
    assert "from staged group" in filled
    assert "> 0.5 * count(*) and x rlike '[a-z]{2}'" in filled


def test_tables_of_ops_have_no_contract() -> None:
    with pytest.raises(ConfigurationError, match=r"ops\.check_results has no contract"):
        contract_for(TABLES["ops.check_results"])


def test_an_sla_needs_a_time() -> None:
    with pytest.raises(ConfigurationError, match="has an sla but none of the columns"):
        contract_for(replace(TABLES["silver.billing_customers"], sla=Sla(5)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("checks: [", "cannot be read"),
        ("checks: []\ncolumns: []", "nothing else"),
        ("checks: [{failed_rows: {name: a, expression: x}}]", "severity"),
        ("checks: [{failed_rows: {name: a, expression: x, attributes: {severity: fatal}}}]", "fatal"),
        ("checks: [{failed_rows: {expression: x, attributes: {severity: warn}}}]", "name"),
        ("checks: [{failed_rows: {name: a, expression: x, attributes: {severity: row}}}]", "not a check"),
        ("checks: [{failed_rows: {name: a, expression: x, attributes: {severity: slice}}}]", "not a check"),
        ("checks: [{schema: {name: a, attributes: {severity: block}}}]", "not a check"),
        ("checks: [{row_count: {name: schema, attributes: {severity: warn}}}]", "several checks named schema"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    monkeypatch.setattr(rendering, "CONTRACTS", tmp_path)
    (tmp_path / "gold.user_days.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=problem):
        rendering.checks_of(TABLES["gold.user_days"])


def test_a_table_without_a_file_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "CONTRACTS", tmp_path)
    with pytest.raises(ConfigurationError, match=r"gold\.user_days\.yml cannot be read"):
        rendering.checks_of(TABLES["gold.user_days"])
