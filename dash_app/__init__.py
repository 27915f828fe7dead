"""What people see: pages, the queries behind them, figures and components.

Does not belong here: Spark, Dagster, or any write to the lake.
"""
