"""The rules of the house, kept by tests: each prints the offenders and the fix."""

from __future__ import annotations

import ast
import importlib.util
import os
from functools import cache
from pathlib import Path

import pytest

from lakehouse.dictionary import render
from lakehouse.patterns import PATTERNS
from lakehouse.settings import SHIPPED_SOURCES, Settings
from lakehouse.sources import Format, Pull, SilverMapping, Source, SourceSla, TimeText, load_sources
from lakehouse.tables import TABLES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lakehouse", "jobs", "dq_checks", "assets", "dash_app", "infra")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_resolves_inside_this_checkout(package: str) -> None:
    found = importlib.util.find_spec(package)
    assert found
    assert found.origin
    assert Path(found.origin).is_relative_to(ROOT), f"{package} is {found}; install the checkout, not a copy"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_module_opens_by_saying_what_does_not_belong_in_it(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert "oes not belong here" in text or not path.read_text(encoding="utf-8").strip(), f"add 'Does not belong here: ...' to {path.name}"


def test_the_data_dictionary_is_in_step_with_the_declarations(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, sources_dirs=(SHIPPED_SOURCES,))
    written = (ROOT / "docs" / "data_dictionary.md").read_text(encoding="utf-8")
    assert written == render(load_sources(settings).values()), "run `make docs` and commit docs/data_dictionary.md"


def test_the_how_to_names_every_key_of_a_declaration() -> None:
    for name, models in (("add-a-source.md", (Source, SilverMapping, SourceSla, TimeText)), ("pull-from-a-database.md", (Pull,))):
        text = (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
        keys = {key for model in models for key in model.model_fields} - {"format"}
        missing = sorted(key for key in keys if f"\n| `{key}` | " not in text)
        assert not missing, f"add {missing} to the tables of docs/how-to/{name}"
    text = (ROOT / "docs" / "how-to" / "add-a-source.md").read_text(encoding="utf-8")
    named = [*Format, *PATTERNS]
    assert [name for name in named if f"`{name}`" not in text] == []


def test_every_column_is_described() -> None:
    bare = [f"{t.name}.{c.name}" for t in TABLES.values() for c in t.columns if len(c.description) < 8]
    assert not bare, f"describe {bare}"


def test_every_gold_table_has_formula_late_rule_and_example() -> None:
    bare = [t.name for t in TABLES.values() if t.layer == "gold" and not (t.definition and t.definition.example and t.inputs)]
    assert not bare, f"complete {bare}"


def test_every_gold_table_promises_how_fresh_it_is_but_that_of_signals_whose_silence_is_good() -> None:
    bare = [t.name for t in TABLES.values() if t.layer == "gold" and not t.sla]
    assert bare == ["gold.security_signals"]


def test_keys_and_partitions_are_columns() -> None:
    wrong = [f"{t.name}: {n}" for t in TABLES.values() for n in (*t.key, *t.partition_by) if n not in t.column_names]
    assert not wrong, wrong


def test_gold_is_recomputed_by_a_column_and_what_is_read_in_parts_is_partitioned_by_it() -> None:
    gold = {t.name: t for t in TABLES.values() if t.layer == "gold"}
    read_in_parts = {name for t in gold.values() for name in t.inputs if name in gold}
    assert read_in_parts
    for name, declared in gold.items():
        assert declared.recomputed_by in declared.column_names, name
        assert declared.partition_by == ((declared.recomputed_by,) if name in read_in_parts else ()), name


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return named | {f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}


def _is_of(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def test_the_product_knows_nothing_of_its_yardstick() -> None:
    offenders = [f"{path.relative_to(ROOT)}: {name}" for path in MODULES for name in _imports(path) if _is_of(name, "tests")]
    assert not offenders, f"no module of the product may import tests: {offenders}"


def test_the_scorecards_injector_and_judge_know_nothing_of_the_detector() -> None:
    yardstick = [path for path in (ROOT / "tests" / "scorecard").glob("*.py") if path.stem not in SCORECARD_DETECTORS]
    assert len(yardstick) > 10
    judged = ("lakehouse.monitoring", "lakehouse.incidents", *(f"tests.scorecard.{name}" for name in SCORECARD_DETECTORS))
    offenders = [f"{path.name}: {name}" for path in yardstick for name in _imports(path) if any(_is_of(name, one) for one in judged)]
    assert not offenders, f"the injector must not know what it judges: {offenders}"


def test_a_detector_is_plugged_into_the_scorecard_without_knowing_the_injector() -> None:
    plugs = [ROOT / "tests" / "scorecard" / f"{name}.py" for name in SCORECARD_DETECTORS]
    found = {f"{path.name}: {name}" for path in plugs if path.exists() for name in _imports(path) if name.startswith("tests.")}
    offenders = sorted(one for one in found if not one.partition(": ")[2].startswith("tests.scorecard.protocol."))
    assert not offenders, f"of the scorecard a plug needs tests.scorecard.protocol alone: {offenders}"


SCORECARD_DETECTORS = ("trivial", "product")
"""Modules of tests/scorecard that plug a detector in."""


@pytest.mark.parametrize("word", ["pypi.org", "files.pythonhosted", "repo1.maven", "proxy.golang.org", "/work/shared", "/root/"])
def test_the_project_names_no_registry_host_and_no_machine(word: str) -> None:
    offenders = [path for path, text in _our_texts().items() if word in text]
    assert not offenders, f"remove {word!r} from {offenders}"


@cache
def _our_texts() -> dict[str, str]:
    """Text of the project's files by their path below the root."""
    found = {}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        for path in (Path(folder) / name for name in files):
            if (path.suffix in TEXTS or path.name == "Makefile") and path != Path(__file__):
                found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8", errors="ignore")
    return found


NOT_OURS = frozenset(
    (".git", ".venv", "__pycache__", "demo_data", "data", ".drill", ".bench", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")
)
TEXTS = frozenset((".py", ".toml", ".md", ".yaml", ".yml", ".sh", ".txt", ".lock", ".sql", ".css", ".js", ".in"))
