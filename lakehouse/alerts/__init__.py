"""Telling people: which channel is told of which incident, in which words, and that it arrived.

Does not belong here: what is wrong (lakehouse.monitoring), or what belongs together (lakehouse.incidents).
"""
