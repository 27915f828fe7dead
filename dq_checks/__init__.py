"""What must be true of the data: one Soda contract per table, and the one place that runs them.

Does not belong here: what to do with a row that fails (jobs), or when to check (assets).
"""
