"""Where a page finds what its app knows.

Does not belong here: the knowledge itself (queries and the other modules of queries, pulse).
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from dash_app.alert_queries import Alerts
from dash_app.band_queries import Bands
from dash_app.glance_queries import Glance
from dash_app.incident_queries import Incidents
from dash_app.promise_queries import Promises
from dash_app.pulse import Watch
from dash_app.queries import Operations
from dash_app.row_queries import Rows
from lakehouse.ops.store import Reader, Writer

_KEY = "clearlake_operations"


@dataclass(frozen=True)
class Knowledge:
    """What the pages of one app read from, and where they record what people do."""

    operations: Operations
    glance: Glance
    incidents: Incidents
    alerts: Alerts
    promises: Promises
    bands: Bands
    rows: Rows
    watch: Watch
    writer: Writer

    @classmethod
    def over(cls, reader: Reader, writer: Writer, watch: Watch) -> Knowledge:
        """Everything that can be known from one reader."""
        operations = Operations(reader)
        glance = Glance(reader, operations.synthetic)
        return cls(operations, glance, Incidents(reader), Alerts(reader), Promises(reader), Bands(reader), Rows(reader), watch, writer)


def attach(server: Flask, knowledge: Knowledge) -> None:
    """Give the app its facts."""
    server.extensions[_KEY] = knowledge


def knowledge_of_this_app() -> Knowledge:
    """What the app knows that answers the present request."""
    knowledge: Knowledge = current_app.extensions[_KEY]
    return knowledge


def facts_of_this_app() -> Operations:
    """The facts about runs of the app that answers the present request."""
    return knowledge_of_this_app().operations
