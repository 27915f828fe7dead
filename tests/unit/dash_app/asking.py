"""Asking an app without a browser: what a layout holds, and what a callback answers.

Does not belong here: tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from dash import Dash
from flask.testing import FlaskClient


def everything(component: Any) -> str:
    """All that a component holds, as text."""
    return json.dumps(component, default=lambda c: c.to_plotly_json(), ensure_ascii=False)


def in_app(app: Dash, make: Callable[[], Any]) -> Any:
    """What is made while the app answers a request."""
    with app.server.test_request_context("/"):
        return make()


def words(component: Any) -> str:
    """What a reader reads of a component, as one line."""
    if component is None or isinstance(component, bool):
        return ""
    if isinstance(component, list | tuple):
        return " ".join(filter(None, map(words, component)))
    if hasattr(component, "to_plotly_json"):
        return words(component.to_plotly_json()["props"].get("children"))
    return str(component)


def callback(
    client: FlaskClient, output: str, inputs: list[dict[str, Any]], state: list[dict[str, Any]] | None = None, **headers: str
) -> dict[str, Any] | None:
    """The answer of a callback to a browser that has signed in; None where nothing changes."""
    names = output.strip(".").split("...")
    outputs = [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names]
    body = {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": inputs,
        "state": state or [],
        "changedPropIds": [f"{i['id']}.{i['property']}" for i in inputs if i.get("changed", True)],
    }
    response = client.post("/_dash-update-component", json=body, headers=headers)
    assert response.status_code in (200, 204), response.text
    return response.get_json()["response"] if response.status_code == 200 else None


def given(values: Mapping[str, Any], changed: str | None = None) -> list[dict[str, Any]]:
    """Inputs or state of a callback, by `id.property`; where `changed` is told, only that one is said to have changed."""
    shown = []
    for name, value in values.items():
        identity, prop = name.rsplit(".", 1)
        shown.append({"id": identity, "property": prop, "value": value, "changed": changed in (None, name)})
    return shown
