"""Run facts: writing them, reading them, judging them. Needs neither Spark nor Trino nor Dagster.

Does not belong here: data tables, or anything that waits for a server other than the store.
"""
