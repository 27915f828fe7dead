"""Where dlt's result lies, for those that do not import dlt.

Does not belong here: anything else.
"""

DUCKDB_FILE = "made.duckdb"
DATASET = "lake"
SILVER = "silver"
