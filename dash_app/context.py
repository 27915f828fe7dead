"""Where a page finds what its app knows.

Does not belong here: the knowledge itself (queries).
"""

from __future__ import annotations

from flask import Flask, current_app

from dash_app.queries import Operations

_KEY = "clearlake_operations"


def attach(server: Flask, operations: Operations) -> None:
    """Give the app its facts."""
    server.extensions[_KEY] = operations


def facts_of_this_app() -> Operations:
    """The facts of the app that answers the present request."""
    operations: Operations = current_app.extensions[_KEY]
    return operations
