"""The declarations that Dagster works with: a copy of what was right when its definitions were loaded.

Definitions, sensor and runs all read the copy, so that a declaration put into the instance's folder later changes nothing until it is
applied, and one with mistakes stops nobody.

Does not belong here: what a declaration is and whether it is right (lakehouse.sources), or reloading Dagster (infra.orchestrator).
"""

from __future__ import annotations

from pathlib import Path

from lakehouse.mistakes import Mistake
from lakehouse.settings import Settings
from lakehouse.sources import read_source, source_files


def folder(home: Path) -> Path:
    """Where the copy is."""
    return home / "etc" / "dagster" / "sources"


def with_loaded_sources(settings: Settings) -> Settings:
    """The settings as Dagster's processes have them: their sources are those of the copy."""
    return settings.model_copy(update={"loaded_sources": folder(settings.home)})


def take(settings: Settings) -> list[Mistake]:
    """Bring the copy up to the instance's declarations; one with mistakes stays as it was in the copy, or out.

    Returns the mistakes.
    """
    wanted: dict[str, str] = {}
    mistakes: list[Mistake] = []
    target = folder(settings.home)
    for path in source_files(settings):
        _, wrong = read_source(path)
        if path.name in wanted:
            wrong = [Mistake(path=path, line=1, where="name", problem=f"{path.stem!r} is declared twice")]
        mistakes += wrong
        if not wrong:
            wanted[path.name] = path.read_text(encoding="utf-8")
        elif path.name not in wanted and (target / path.name).exists():
            wanted[path.name] = (target / path.name).read_text(encoding="utf-8")
    _replace(target, wanted)
    return mistakes


def _replace(target: Path, wanted: dict[str, str]) -> None:
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in wanted.items():
        if not (target / name).exists() or (target / name).read_text(encoding="utf-8") != text:
            partial = target / f"{name}.part"
            partial.write_text(text, encoding="utf-8")
            partial.replace(target / name)
    for path in target.glob("*.yaml"):
        if path.name not in wanted:
            path.unlink()
