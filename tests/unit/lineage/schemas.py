"""OpenLineage's own schemas, and what an event breaks of them.

Does not belong here: events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).resolve().parents[2] / "data" / "openlineage"
SCHEMAS = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.rglob("*.json")]
REGISTRY: Registry[Any] = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS)


def broken(event: dict[str, Any]) -> list[str]:
    """What a run event and its facets break, each of the schema that it names; a schema that is not here raises."""
    return [
        f"{'.'.join(map(str, problem.absolute_path))}: {problem.message}"
        for url, part in ((event["schemaURL"], event), *((facet["_schemaURL"], facet) for facet in facets(event)))
        for problem in Draft202012Validator({"$ref": url}, registry=REGISTRY).iter_errors(part)
    ]


def facets(part: Any) -> Iterator[dict[str, Any]]:
    """Every facet within an event."""
    if isinstance(part, dict):
        if "_schemaURL" in part:
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from facets(one)
