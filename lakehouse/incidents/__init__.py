"""Incidents: which symptoms have one cause, what the cause is, and what has happened to each incident so far.

Does not belong here: finding symptoms (lakehouse.monitoring), or telling anyone (lakehouse.alerts).
"""
