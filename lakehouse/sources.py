"""What a source declaration is, and how declarations are read and judged.

Does not belong here: reading a source's data (lakehouse.landing, jobs), or any particular source (assets/sources/*.yaml).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from lakehouse.errors import ConfigurationError
from lakehouse.mistakes import Location, Misplaced, Mistake, Text, Wrong, hint, in_model, in_yaml
from lakehouse.patterns import groups
from lakehouse.settings import Settings
from lakehouse.tables import SPARK_LAYERS, TABLES, Layer, Sla, Table, bronze_table
from lakehouse.tables.bronze import BRONZE_COLUMNS
from lakehouse.tenants import TENANT_ID

COPY = "copy"
"""Which of the rows that a record expands to a row is, from 1."""

IDENTIFIER = r"[a-z][a-z0-9_]{0,62}"
"""What a source, a derived value or a column may be called."""
Identifier = Annotated[str, StringConstraints(pattern=rf"^{IDENTIFIER}$")]
SqlExpression = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Format(StrEnum):
    """How records lie in a file; each also packed with gzip or zstd."""

    JSON_LINES = "json_lines"
    JSON_ARRAY = "json_array"
    JSON_WRAPPED = "json_wrapped"
    CSV = "csv"
    PARQUET = "parquet"
    TEXT = "text"


class Drift(StrEnum):
    """What becomes of records with fields that are not declared, or with types that a field did not have before.

    evolve: they load, and the value stays in `raw`. freeze: the tenant's slice of the batch is held back until somebody releases it.
    quarantine: each record with an undeclared field of the first level is quarantined.
    """

    EVOLVE = "evolve"
    FREEZE = "freeze"
    QUARANTINE = "quarantine"


class Declared(BaseModel):
    """Base of all parts of a declaration: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SilverMapping(Declared):
    """How a bronze record becomes silver rows.

    Expressions are Spark SQL over the source's `fields` and `derived`, and the columns of bronze.
    """

    table: str = Field(description="silver table that the records go to")
    version: int = Field(ge=1, description="raised when the mapping changes")
    applicable: SqlExpression = Field(default="true", description="false for records that are not rows of the table; they are counted")
    expand: SqlExpression | None = Field(default=None, description="number of rows that one record stands for; default 1")
    columns: Mapping[Identifier, SqlExpression] = Field(description="silver column to expression")
    filled: Mapping[Identifier, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict,
        description="silver column to the least share of rows with a value; a batch below it makes the run one with warnings",
    )

    @model_validator(mode="after")
    def _columns_exist(self) -> SilverMapping:
        declared = TABLES.get(self.table)
        if declared is None or declared.layer is not Layer.SILVER:
            silver = [name for name, known in TABLES.items() if known.layer is Layer.SILVER]
            raise Misplaced((("table",), f"{self.table!r} is not a silver table{hint(self.table, silver)}"))
        names = declared.column_names
        unknown = [(part, name) for part in ("columns", "filled") for name in getattr(self, part) if name not in names]
        missing = [c for c in declared.columns if c.required and c.name not in self.columns and c.name not in FILLED_BY_THE_LAKE]
        problems: list[tuple[Location, str]] = [
            ((part, name), f"{self.table} has no column {name!r}{hint(name, names)}") for part, name in unknown
        ]
        problems += [(("columns",), f"{self.table} requires the column {c.name}: {c.description.rstrip('.')}") for c in missing]
        if problems:
            raise Misplaced(*problems)
        return self


FILLED_BY_THE_LAKE = frozenset(
    (
        "tenant_id",
        "source",
        "event_id",
        "event_time",
        "event_date",
        "time_quality",
        "user_key",
        "mapping_version",
        "_source_file",
        "_row",
        "_batch_id",
        "_ingested_at",
    )
)
"""Silver columns that come from bronze's own columns unless the mapping says otherwise."""


def _known_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError(f"{zone!r} is no IANA zone, such as Europe/Berlin")
    return zone


Zone = Annotated[str, AfterValidator(_known_zone)]


class TimeText(Declared):
    """A time as text that lacks its year or zone, which the declaration supplies."""

    text: SqlExpression = Field(description="the text, over the fields")
    format: str = Field(description="its datetime pattern in Spark's words, without the year where `year` supplies it")
    zone: Zone = Field(default="UTC", description="IANA zone of the times")
    year: int | Literal["landed"] | None = Field(
        default=None,
        description="the year of all times; or `landed`: the latest one in which a time is not after the day that follows the landing",
    )

    @property
    def sql(self) -> str:
        """The time as a timestamp in UTC, over the fields and `landed_on`."""
        text = f"regexp_replace(trim({self.text}), ' +', ' ')"
        if self.year is None:
            return self._in_utc(f"try_to_timestamp({text}, {self._quoted(self.format)})")
        if isinstance(self.year, int):
            return self._in_utc(self._with_year(str(self.year), text))
        # Four years back, since a 29 February is in one year of four.
        latest = "cast(date_add(landed_on, 2) as timestamp)"
        candidates = [self._in_utc(self._with_year(f"(year(landed_on) - {ago})", text)) for ago in (-1, 0, 1, 2, 3, 4)]
        return f"coalesce({', '.join(f'case when {one} < {latest} then {one} end' for one in candidates)})"

    def _with_year(self, year: str, text: str) -> str:
        return f"try_to_timestamp(concat({year}, ' ', {text}), {self._quoted(f'yyyy {self.format}')})"

    @staticmethod
    def _quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"

    def _in_utc(self, time: str) -> str:
        return f"to_utc_timestamp({time}, '{self.zone}')"


EventTime = Annotated[
    Annotated[TimeText, Tag("TimeText")] | Annotated[SqlExpression, Tag("SQL")],
    Discriminator(lambda told: "TimeText" if isinstance(told, dict | TimeText) else "SQL"),
]


def _spelled(pattern: str, meant: str) -> BeforeValidator:
    """A text of a pattern; what is none is told without itself, since it may hold a password."""

    def judged(told: Any) -> str:
        if not isinstance(told, str) or not re.fullmatch(pattern, told):
            raise ValueError(f"must be {meant}")
        return told

    return BeforeValidator(judged)


def _clock(told: Any) -> time:
    """A time of day; YAML reads 06:00 as a number of base 60."""
    if type(told) is int and 0 <= told < 24 * 60:
        return time(told // 60, told % 60)
    try:
        return time.fromisoformat(str(told))
    except ValueError as error:
        raise ValueError(f"{told!r} is no time of day such as '06:00'") from error


def _overlap(told: Any) -> int | str:
    """A whole number, or a duration as PostgreSQL and people both write it."""
    if type(told) is int and told >= 0:
        return told
    if isinstance(told, str) and re.fullmatch(r"[0-9]{1,6} (second|minute|hour|day)s?", told):
        return told
    raise ValueError(f"{told!r} is no overlap: a duration such as 15 minutes for a cursor of times, a whole number for one of numbers")


class Pull(Declared):
    """How the records of a source are pulled out of a table of a PostgreSQL database, instead of being landed by others."""

    connection: Annotated[
        str, _spelled(r"[A-Z][A-Z0-9_]*", "the name of a variable, such as BILLING_DATABASE_URL, never the URL itself")
    ] = Field(description="name of the variable, of the environment or of the instance's config.env, that holds the database's URL")
    table: Annotated[str, _spelled(r"[^.]+[.][^.]+", "schema.table")] | None = Field(default=None, description="schema.table")
    query: SqlExpression | None = Field(default=None, description="a select in the place of a table")
    cursor: str = Field(min_length=1, description="column of times or whole numbers that grows with each new or changed row")
    overlap: Annotated[int | str, BeforeValidator(_overlap)] = Field(
        description="how far below the last pull's end the next one reads again, since transactions commit later than their cursor says: "
        "`15 minutes` for times, a whole number for numbers"
    )
    zone: Zone = Field(default="UTC", description="IANA zone of a cursor whose type has none")
    tenant: Annotated[str, _spelled(TENANT_ID.pattern, "a tenant id: lower-case letters, digits, _ and -")] | None = Field(
        default=None, description="tenant of all rows"
    )
    tenant_column: str | None = Field(
        default=None, min_length=1, description="the provider's own column of tenant ids; never one that a client fills in"
    )
    every_minutes: int = Field(ge=1, description="how long after the start of one pull the next one is due")
    max_rows: int = Field(default=200_000, ge=1, description="new rows of one pull, rounded up to whole values of the cursor")

    @model_validator(mode="after")
    def _one_of_each(self) -> Pull:
        problems: list[tuple[Location, str]] = []
        for pair in (("table", "query"), ("tenant", "tenant_column")):
            given = [name for name in pair if getattr(self, name) is not None]
            if len(given) != 1:
                problems.append((tuple(given[1:]), f"either {' or '.join(pair)}, and not both"))
        if problems:
            raise Misplaced(*problems)
        return self


class SourceSla(Declared):
    """What is promised of a source's rows in bronze, over 30 days."""

    fresh_within_minutes: int | None = Field(
        default=None, ge=1, description="how old the newest event may be, beyond the time between two files"
    )
    complete_by: Annotated[time, BeforeValidator(_clock)] | None = Field(
        default=None, description="HH:MM (UTC): by when the day before has all its rows"
    )
    success_rate: float = Field(default=Sla.success_rate, gt=0, le=1, description="least share of attempts that succeed")
    check_pass_rate: float = Field(default=Sla.check_pass_rate, gt=0, le=1, description="least share of checks that pass")
    kept_share: float = Field(
        default=Sla.kept_share, gt=0, le=1, description="least share of the time in which freshness and completeness are kept"
    )


class Source(Declared):
    """One source of records: where they land, how they read, what identifies them, and how they map to silver."""

    name: Identifier = Field(description="what the source is called: the file's name, and of its table in bronze")
    description: str = Field(description="what the records are, in a sentence")
    owner: str = Field(default="data-team", description="who answers for it")
    format: Format = Field(description=f"how records lie in a file: {', '.join(Format)}")
    records_field: str | None = Field(default=None, description="for json_wrapped: the field that holds the array of records")
    pattern: str | None = Field(
        default=None,
        description="for text: the shape of a line, by a name of lakehouse.patterns or as a regular expression with named groups",
    )
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(default=",", description="for csv")
    fields: Mapping[str, str] = Field(
        default_factory=dict,
        description="field to Spark SQL type; declare a scalar as string unless its type is certain. For csv every field is a string, but "
        "for cells that hold an object or an array as JSON or as a Python literal. For text the pattern's groups are the fields",
    )
    derived: Mapping[Identifier, SqlExpression] = Field(
        default_factory=dict,
        description="values that several expressions need, over `raw`, the fields, the derived ones above, and `copy`: which of the rows "
        "that a record expands to it is for, from 1",
    )
    event_id: SqlExpression | None = Field(
        default=None,
        description="identity of a record within tenant and source, over `raw`, fields and derived; without one, the SHA-256 of the file's "
        "content and the record's place in it",
    )
    event_time: EventTime = Field(description="when it happened, as a timestamp in UTC, over the fields; or as TimeText")
    earliest: date = Field(description="earliest plausible day; older event times are kept, flagged and left out of gold")
    user: SqlExpression | None = Field(default=None, description="identity of the user, as text; bronze keeps only its HMAC")
    expected_every_minutes: int | None = Field(
        default=None, ge=1, description="how often each tenant's files should come; one that is overdue is told, and freshness is judged"
    )
    sla: SourceSla | None = Field(default=None, description="what is promised of its rows in bronze")
    drift: Drift = Field(
        default=Drift.EVOLVE, description="what becomes of records whose fields or types were not there before; it is recorded in any case"
    )
    max_rejected_share: float = Field(default=0.2, ge=0, le=1, description="a tenant's slice with more rejected rows is held back")
    pull: Pull | None = Field(default=None, description="the database table that the records are pulled from")
    silver: SilverMapping = Field(description="how a record becomes rows of a silver table")

    @model_validator(mode="before")
    @classmethod
    def _text_has_the_fields_of_its_pattern(cls, told: Any) -> Any:
        if not isinstance(told, dict) or told.get("format") != Format.TEXT or not isinstance(told.get("pattern"), str) or "fields" in told:
            return told
        try:
            return {**told, "fields": dict.fromkeys(groups(told["pattern"]), "string")}
        except ValueError as error:
            raise Misplaced((("pattern",), str(error))) from error

    @model_validator(mode="after")
    def _each_format_has_its_own(self) -> Source:
        problems: list[tuple[Location, str]] = []
        for name, format_ in (("records_field", Format.JSON_WRAPPED), ("pattern", Format.TEXT), ("delimiter", Format.CSV)):
            if name in self.model_fields_set and getattr(self, name) is not None and self.format is not format_:
                problems.append(((name,), f"belongs to format {format_}; here it is {self.format}"))
            elif self.format is format_ and getattr(self, name) is None:
                problems.append((("format",), f"{format_} needs {name}: {type(self).model_fields[name].description}"))
        if not self.fields:
            problems.append((("fields",), "at least one is needed"))
        elif self.pattern is not None and self.format is Format.TEXT and tuple(self.fields) != groups(self.pattern):
            problems.append((("fields",), "for text they are the groups of the pattern; leave them out"))
        if problems:
            raise Misplaced(*problems)
        return self

    @model_validator(mode="after")
    def _pulled_rows_have_an_identity(self) -> Source:
        problems: list[tuple[Location, str]] = []
        if self.pull and self.format is not Format.JSON_LINES:
            problems.append((("format",), f"rows that are pulled are landed as {Format.JSON_LINES}"))
        if self.pull and self.event_id is None:
            problems.append((("event_id",), "is missing: rows are read again within the overlap, and each reading would be another record"))
        if problems:
            raise Misplaced(*problems)
        return self

    @model_validator(mode="after")
    def _names_are_clear(self) -> Source:
        seen: set[str] = set()
        problems: list[tuple[Location, str]] = []
        taken = {*(column.name for column in BRONZE_COLUMNS), COPY}
        for part, names in (("fields", self.fields), ("derived", self.derived)):
            for name in names:
                if part == "derived" and name in taken:
                    problems.append(((part, name), "is a column of the lake's own; choose another name"))
                elif name.lower() in seen:
                    problems.append(((part, name), f"{name!r} means two things, since Spark does not tell upper from lower case"))
                seen.add(name.lower())
        if problems:
            raise Misplaced(*problems)
        return self

    @property
    def derives_by_copy(self) -> bool:
        """Whether derived values differ between the rows that a record expands to."""
        return any(re.search(rf"\b{COPY}\b", expression) for expression in self.derived.values())

    @property
    def event_time_sql(self) -> str:
        """The event time as Spark SQL over the fields and `landed_on`."""
        return self.event_time.sql if isinstance(self.event_time, TimeText) else self.event_time

    @property
    def bronze(self) -> Table:
        """The declaration of the source's bronze table."""
        return bronze_table(self.name, self.owner, Sla(**self.sla.model_dump()) if self.sla else None)

    @property
    def landing(self) -> str:
        """What the source's landed files are called among the steps of a run, and their pool."""
        return f"landing.{self.name}"

    @property
    def fields_ddl(self) -> str:
        """The declared fields as a Spark SQL schema string."""
        return ", ".join(f"`{name}` {type_}" for name, type_ in self.fields.items())


MODELS: Mapping[Location, type[BaseModel]] = {
    (): Source,
    ("silver",): SilverMapping,
    ("event_time",): TimeText,
    ("pull",): Pull,
    ("sla",): SourceSla,
}


def read_source(path: Path) -> tuple[Source | None, list[Mistake]]:
    """Read one declaration; returns it, or the list of its mistakes with their lines."""
    try:
        text = Text(path, path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        return None, [in_yaml(path, error)]
    except UnicodeDecodeError as error:
        return None, [Mistake(path=path, line=1, where="YAML", problem=f"is no UTF-8: {error}")]
    mistakes = text.repeated()
    try:
        source = Source.model_validate(text.content)
        if source.name != path.stem:
            mistakes += text.mistakes([Wrong(("name",), f"must be the file's name, {path.stem!r}")])
    except ValidationError as error:
        mistakes += text.mistakes(in_model(error, MODELS))
    return (None, mistakes) if mistakes else (source, [])


def mistakes_at(path: Path, wrong: Sequence[Wrong]) -> list[Mistake]:
    """Mistakes that were found in a declaration once it was read, with their lines."""
    return Text(path, path.read_text(encoding="utf-8")).mistakes(wrong)


def source_files(settings: Settings) -> Iterator[Path]:
    """Every declaration file of the instance: the shipped ones and its own under `home/sources`; in Dagster those that were loaded."""
    for directory in (settings.loaded_sources,) if settings.loaded_sources else (*settings.sources_dirs, settings.home / "sources"):
        yield from sorted(directory.glob("*.yaml"))


def load_sources(settings: Settings) -> dict[str, Source]:
    """All sources by name. Raises ConfigurationError with every mistake of every file at once."""
    found: dict[str, Source] = {}
    mistakes: list[str] = []
    for path in source_files(settings):
        source, problems = read_source(path)
        mistakes += map(str, problems)
        if source and source.name in found:
            mistakes.append(f"{path.name}:1: name: {source.name!r} is declared twice")
        elif source:
            found[source.name] = source
    if mistakes:
        raise ConfigurationError("source declarations have mistakes:\n  " + "\n  ".join(mistakes), next_step="mend the lines named above")
    return found


def declared_tables(sources: Mapping[str, Source]) -> list[Table]:
    """Every table of an instance with these sources: their bronze ones, and all others."""
    return [*(source.bronze for source in sources.values()), *TABLES.values()]


def spark_tables(sources: Mapping[str, Source]) -> list[Table]:
    """Those of them that Spark writes."""
    return [declared for declared in declared_tables(sources) if declared.layer in SPARK_LAYERS]


def pools(sources: Mapping[str, Source]) -> list[str]:
    """What one step at a time may write: each table of Spark's, and the landed files of each source that is pulled."""
    return [*(declared.name for declared in spark_tables(sources)), *(s.landing for s in sources.values() if s.pull)]


LANDED_ON = r"/date=(\d{4}-\d\d-\d\d)/"
"""The day of landing, within a landing key or address."""
LANDING_KEY = re.compile(
    r"^(?P<source>[a-z][a-z0-9_]*)/date=(?P<date>\d{4}-\d\d-\d\d)/tenant=(?P<tenant>[a-z0-9][a-z0-9_-]{0,62})/(?P<name>[^/].*)$"
)
"""Layout of the landing bucket. The tenant is part of the path, which only an operator's credentials can write."""
