"""Where the addresses of events are: looked up here and not on Spark's workers, which have neither the database nor its reader.

Does not belong here: reading the database (lakehouse.geoip), or what gold makes of places (jobs.gold).
"""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.context import Context
from lakehouse.geoip import Place, look_up
from lakehouse.spark import checkpoint

PIECE = 200_000
"""Addresses that are in this process's memory at once, in some 50 MB."""
PLACES = pa.schema([("ip", pa.string()), ("country", pa.string()), ("latitude", pa.float64()), ("longitude", pa.float64())])


def places_of(context: Context, events: DataFrame) -> DataFrame | None:
    """ip, country, latitude and longitude of the events' addresses that the operator's database knows; None where there is no database.

    Asked for are the addresses of events whose source does not give all of this itself.
    """
    path = context.settings.geoip_database
    if path is None:
        return None
    unknown = events.where("ip is not null and (country is null or latitude is null)")
    addresses = checkpoint(unknown.select("ip").distinct())
    pieces = max(1, -(-addresses.count() // PIECE))
    found = [_looked_up(addresses.where(F.pmod(F.xxhash64("ip"), F.lit(pieces)) == piece), path) for piece in range(pieces)]
    return checkpoint(reduce(DataFrame.unionByName, found))


def _looked_up(addresses: DataFrame, path: Path) -> DataFrame:
    known = list(look_up(path, addresses.toArrow().column("ip").to_pylist()))
    columns = dict(zip(Place._fields, zip(*known, strict=True), strict=True)) if known else dict.fromkeys(Place._fields, ())
    frame = addresses.sparkSession.createDataFrame(pa.table(columns, PLACES))
    return checkpoint(frame)
