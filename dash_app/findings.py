"""The causes and symptoms of an incident, as the evaluator wrote them down in JSON.

Does not belong here: proposing causes (the evaluator), or showing them (incident_parts).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, TypeAdapter, ValidationError

Scalar = str | int | float | bool | None


def _words(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else str(value)


Words = Annotated[str | None, BeforeValidator(_words)]


class Evidence(BaseModel):
    """One fact that speaks for a cause, and the values by which its rows are found."""

    text: str
    table: Words = None
    where: dict[str, Any] | None = None

    def place(self) -> dict[str, Scalar] | None:
        """The values that its rows have, where they can be asked for one by one."""
        if not self.table:
            return None
        values = self.where or {}
        return values if all(v is None or isinstance(v, str | int | float | bool) for v in values.values()) else None


class Cause(BaseModel):
    """One possible cause; `score` is from 0 to 1."""

    name: str
    title: Words = None
    score: float | None = None
    evidence: list[Evidence] = []


class Symptom(BaseModel):
    """One thing that is seen of an incident."""

    kind: str
    pipeline: Words = None
    table: Words = None
    tenant: Words = None
    since: Words = None
    observed: Words = None
    expected: Words = None
    metric: Words = None
    dimension: Words = None

    @property
    def since_ms(self) -> int | None:
        """When it began, in milliseconds since 1970, UTC."""
        try:
            moment = datetime.fromisoformat(self.since or "")
        except ValueError:
            return None
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


M = TypeVar("M", bound=BaseModel)


def causes_in(text: str | None) -> list[Cause] | None:
    """The causes, the most likely first; None where the text cannot be understood."""
    return _read(Cause, text)


def symptoms_in(text: str | None) -> list[Symptom] | None:
    """The symptoms; None where the text cannot be understood."""
    return _read(Symptom, text)


def _read(model: type[M], text: str | None) -> list[M] | None:
    try:
        return TypeAdapter(list[model]).validate_json(text or "[]")  # type: ignore[valid-type]
    except ValidationError:
        return None
