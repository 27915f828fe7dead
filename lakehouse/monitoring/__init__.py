"""What is not as it should be now, told from the ops tables: symptoms, each with what is observed and what is expected.

Does not belong here: which symptoms belong together and why (lakehouse.incidents), or telling anyone (lakehouse.alerts).
"""
