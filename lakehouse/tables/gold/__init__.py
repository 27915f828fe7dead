"""Gold: what clients read, per tenant and hour, day, week or month.

Does not belong here: how a table is computed in Spark (jobs.gold); the definitions here say what it means.
"""
