"""From a record's text to the fields that its source declares.

Does not belong here: reading files (jobs.records), or what the fields mean (jobs.silver).
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.patterns import expression
from lakehouse.sources import COPY, Source

CORRUPT = "_corrupt"
UNPARSEABLE = "unparseable"
"""The text is not one JSON object and nothing else, or not of the source's pattern."""
TYPE_CONFLICT = "type_conflict"
"""A declared field holds another type than declared, so that its value could not be read."""

_OPTIONS = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "_malformed", "allowNonNumericNumbers": "false"}


def parse_fields(bronze: DataFrame, source: Source) -> DataFrame:
    """Add the source's fields and derived values, `copy` (1), and `_corrupt`: why a record cannot be used, else null.

    Needs a column `raw`; for CSV and Parquet that is a JSON object of column to value. A field that is called like a column of `bronze` is
    left out: what the lake has established (`tenant_id`, later `event_id`) is never replaced by what a record claims.
    """
    taken = {name.lower() for name in bronze.columns}
    read = bronze.withColumn("_read", _matched(source) if source.pattern else _from_json(source))
    record = F.col("_read").getField("record")
    reason = F.when(record.isNull(), UNPARSEABLE).when(F.col("_read").getField("_malformed").isNotNull(), TYPE_CONFLICT)
    fields = [record.getField(name).alias(name) for name in source.fields if name.lower() not in taken]
    parsed = read.select(*bronze.columns, *fields, reason.alias(CORRUPT))
    return derive(parsed.withColumn(COPY, F.lit(1)), source)


def derive(parsed: DataFrame, source: Source) -> DataFrame:
    """Add the source's derived values, or compute them again."""
    # One select, in which each may use those before it. A select for each would nest the plan deeper than its message may be: some
    # thirty derived values were too many.
    return parsed.drop(*source.derived).select("*", *(F.expr(derived).alias(name) for name, derived in source.derived.items()))


def _from_json(source: Source) -> Column:
    """`record`, the declared fields, and `_malformed`, the text of what could not be read in full.

    The record is read as a member of an object: read by itself, all that follows its closing brace would be ignored, and with it
    every further record on the line.
    """
    schema = f"record struct<{source.fields_ddl}>, _malformed string"
    return F.from_json(F.concat(F.lit('{"record":'), F.col("raw"), F.lit("}")), schema, _OPTIONS)


GROUP_END = "\x01"


def _matched(source: Source) -> Column:
    """The same from the groups of a pattern, which is matched once: the groups are set side by side, and cut apart again."""
    text = F.translate("raw", GROUP_END, "\ufffd")
    count = len(source.fields)
    side_by_side = "".join(f"{GROUP_END}${number}" for number in range(1, count + 1))
    cut = F.split(F.regexp_replace(text, F.lit(rf"(?s)\A(?:{expression(source.pattern or '')})\z"), F.lit(side_by_side)), GROUP_END)
    fields = [F.nullif(F.get(cut, F.lit(number)), F.lit("")).alias(name) for number, name in enumerate(source.fields, 1)]
    record = F.when(F.size(cut) == count + 1, F.struct(*fields))
    return F.struct(record.alias("record"), F.lit(None).cast("string").alias("_malformed"))


EARLIEST_TIME = "0001-01-01 00:00:00"
LATEST_TIME = "9999-12-31 23:59:59.999999"


def to_type(value: Column, type_: str) -> Column:
    """A value as a Spark SQL type; null where it is none, or a time outside the years that readers other than Spark can represent."""
    cast = value.try_cast(type_)
    if type_ != "timestamp":
        return cast
    return F.when(cast.between(F.lit(EARLIEST_TIME).cast(type_), F.lit(LATEST_TIME).cast(type_)), cast)
