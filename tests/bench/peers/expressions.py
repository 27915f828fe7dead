"""The Spark SQL of a source's declaration as polars expressions, and as DuckDB SQL: other tools compute the same columns from it.

Only what declarations use is rendered; anything else is refused by name. A hash of the raw record, which stands in for a missing id,
is rendered as null: simulated events have ids, and the digests would tell if one had not.
Does not belong here: reading, writing, or any particular source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, TypeVar

import polars as pl
from sqlglot import exp, parse_one

from lakehouse.sources import FILLED_BY_THE_LAKE, Source

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.fZ"
POLARS_TYPES = {"INT": pl.Int32, "BIGINT": pl.Int64, "DOUBLE": pl.Float64}
T = TypeVar("T")
MATCHES = {"%": ".*", "_": "."}


def silver_value(column: str, source: Source, made: Mapping[str, T], rendered: Callable[[str], T]) -> T:
    """A silver column's value: what is mapped to it, else what the tool makes for it, else bronze's own column or null."""
    if mapped := source.silver.columns.get(column):
        return rendered(mapped)
    return made[column] if column in made else rendered(column if column in FILLED_BY_THE_LAKE else "null")


def to_polars(spark_sql: str) -> pl.Expr:
    """A Spark SQL expression over text columns as a polars expression. Raises NotImplementedError for what it does not know."""
    return _expr(parse_one(spark_sql, read="spark"))


def to_duckdb(spark_sql: str) -> str:
    """A Spark SQL expression as DuckDB SQL."""
    tree = parse_one(spark_sql, read="spark")
    return tree.transform(_for_duckdb).sql("duckdb")


def _for_duckdb(node: exp.Expression) -> exp.Expression:
    """What sqlglot leaves as it is though DuckDB calls it otherwise."""
    if isinstance(node, exp.SHA2):
        return exp.Null()
    if not isinstance(node, exp.Anonymous):
        return node
    name, arguments = node.name.lower(), node.expressions
    if name == "try_to_timestamp":
        return exp.TryCast(this=arguments[0], to=exp.DataType.build("timestamp"))
    if name in ("timestamp_millis", "timestamp_micros"):
        factor = {"timestamp_millis": 1000, "timestamp_micros": 1}[name]
        return exp.Anonymous(this="make_timestamp", expressions=[exp.Mul(this=arguments[0], expression=exp.Literal.number(factor))])
    if name == "map_filter":
        key, value = arguments[1].expressions
        inside = arguments[1].this.sql("duckdb").replace(value.name, "e.value").replace(f"{key.name} ", "e.key ")
        entries = arguments[0].sql("duckdb")
        return parse_one(f"map_from_entries(list_filter(map_entries({entries}), lambda e: {inside}))", read="duckdb")
    raise NotImplementedError(name)


def _expr(node: Any) -> pl.Expr:
    known = RENDERED.get(type(node))
    if known is None:
        raise NotImplementedError(f"{type(node).__name__}: {node.sql('spark')}")
    return known(node)


def _literal(node: exp.Literal) -> pl.Expr:
    return pl.lit(node.name if node.is_string else float(node.name) if "." in node.name else int(node.name))


def _case(node: exp.Case) -> pl.Expr:
    otherwise = _expr(node.args["default"]) if node.args.get("default") else pl.lit(None)
    return reduce(
        lambda rest, one: pl.when(_expr(one.this)).then(_expr(one.args["true"])).otherwise(rest), reversed(node.args["ifs"]), otherwise
    )


def _nullif(node: exp.Nullif) -> pl.Expr:
    value = _expr(node.this)
    return pl.when(value != _expr(node.expression)).then(value)


def _like(node: exp.Like) -> pl.Expr:
    patterns = node.expression.this.expressions if isinstance(node.expression, exp.Any) else [node.expression]
    return reduce(pl.Expr.or_, (_like_one(_expr(node.this), pattern.name) for pattern in patterns))


def _like_one(text: pl.Expr, pattern: str) -> pl.Expr:
    inner = pattern.strip("%")
    if not set(inner) & set(MATCHES):
        if pattern == f"%{inner}%":
            return text.str.contains(inner, literal=True)
        if pattern == f"{inner}%":
            return text.str.starts_with(inner)
        if pattern == f"%{inner}":
            return text.str.ends_with(inner)
        if pattern == inner:
            return text == inner
    return text.str.contains(f"(?s)^{''.join(MATCHES.get(c) or _escaped(c) for c in pattern)}$")


def _escaped(character: str) -> str:
    return character if character.isalnum() else f"\\{character}"


def _substring(node: exp.Substring) -> pl.Expr:
    return _expr(node.this).str.slice(int(node.args["start"].name) - 1)


def _between(node: exp.Between) -> pl.Expr:
    return _expr(node.this).is_between(_expr(node.args["low"]), _expr(node.args["high"]))


def _regexp_extract(node: exp.RegexpExtract) -> pl.Expr:
    group = node.args.get("group")
    return _expr(node.this).str.extract(node.expression.name, int(group.name) if group else 1)


def _json(node: exp.JSONExtractScalar) -> pl.Expr:
    return _expr(node.this).str.json_path_match(node.expression.sql("spark").strip("'"))


def _cast(node: exp.TryCast) -> pl.Expr:
    return _expr(node.this).cast(POLARS_TYPES[node.to.sql("spark").upper()], strict=False)


def _function(node: exp.Anonymous) -> pl.Expr:
    name, arguments = node.name.lower(), node.expressions
    if name == "try_to_timestamp":
        return _expr(arguments[0]).str.to_datetime(TIME_FORMAT, time_unit="us", time_zone="UTC", strict=False)
    if name in ("timestamp_millis", "timestamp_micros"):
        micros = _expr(arguments[0]) * {"timestamp_millis": 1000, "timestamp_micros": 1}[name]
        return micros.cast(pl.Datetime("us", "UTC"))
    if name == "map_filter":
        return _filled_entries(arguments[0])
    raise NotImplementedError(name)


def _filled_entries(node: exp.VarMap) -> pl.Expr:
    """The entries of a map that have a text, as a list of key and value: polars has no map."""
    keys, values = node.args["keys"].expressions, node.args["values"].expressions
    entries = [
        pl.when(_expr(value) != "").then(pl.struct(pl.lit(key.name).alias("key"), _expr(value).alias("value")))
        for key, value in zip(keys, values, strict=True)
    ]
    return pl.concat_list(entries).list.drop_nulls()


RENDERED: dict[type, Any] = {
    exp.Column: lambda n: pl.col(n.name),
    exp.Identifier: lambda n: pl.col(n.name),
    exp.Literal: _literal,
    exp.Boolean: lambda n: pl.lit(bool(n.this)),
    exp.Null: lambda _n: pl.lit(None),
    exp.Paren: lambda n: _expr(n.this),
    exp.Case: _case,
    exp.Coalesce: lambda n: pl.coalesce(_expr(n.this), *map(_expr, n.expressions)),
    exp.Nullif: _nullif,
    exp.Like: _like,
    exp.RegexpLike: lambda n: _expr(n.this).str.contains(n.expression.name),
    exp.RegexpExtract: _regexp_extract,
    exp.JSONExtractScalar: _json,
    exp.TryCast: _cast,
    exp.Cast: _cast,
    exp.Between: _between,
    exp.Substring: _substring,
    exp.Lower: lambda n: _expr(n.this).str.to_lowercase(),
    exp.Upper: lambda n: _expr(n.this).str.to_uppercase(),
    exp.Concat: lambda n: pl.concat_str(*map(_expr, n.expressions)),
    exp.Is: lambda n: _expr(n.this).is_null(),
    exp.Not: lambda n: ~_expr(n.this),
    exp.And: lambda n: _expr(n.this) & _expr(n.expression),
    exp.Or: lambda n: _expr(n.this) | _expr(n.expression),
    exp.EQ: lambda n: _expr(n.this) == _expr(n.expression),
    exp.NEQ: lambda n: _expr(n.this) != _expr(n.expression),
    exp.LT: lambda n: _expr(n.this) < _expr(n.expression),
    exp.GT: lambda n: _expr(n.this) > _expr(n.expression),
    exp.LTE: lambda n: _expr(n.this) <= _expr(n.expression),
    exp.GTE: lambda n: _expr(n.this) >= _expr(n.expression),
    exp.Mul: lambda n: _expr(n.this) * _expr(n.expression),
    exp.SHA2: lambda _n: pl.lit(None),
    exp.Anonymous: _function,
}
