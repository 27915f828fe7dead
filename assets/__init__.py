"""When things run and in what order: Dagster assets, checks, sensors and schedules, built from the declarations.

Does not belong here: what happens to a row (jobs), what must be true of it (dq_checks), or a table's columns (lakehouse.tables).
"""
