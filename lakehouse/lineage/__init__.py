"""Where columns come from: what declarations say, what runs recorded, and both for other tools.

Does not belong here: reading or writing data, or what becomes of a run.
"""
