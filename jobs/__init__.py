"""What happens to the data: transforms per layer, and the maintenance jobs.

Does not belong here: Dagster, Dash, servers, or a column list (lakehouse.tables holds the only one).
"""
