"""Clearlake's metrics as OpenTelemetry: what is measured and how attempts end, sent to an endpoint of the user's.

Does not belong here: recording facts, judging them, or messages to people.
"""

from lakehouse.telemetry.sender import Telemetry

__all__ = ["Telemetry"]
