"""The operations app: its server, its pages, and what every page shares.

Does not belong here: what a page shows (pages), who may see it (sign_in), or how it is served (infra).
"""

from __future__ import annotations

import dash
from dash import Dash, dcc, html
from flask import Flask

from dash_app import frame, lake_context, links
from dash_app.actions import keep_actions
from dash_app.context import Knowledge, attach
from dash_app.lake_context import Sight
from dash_app.pages import alerts, broken, incident, incidents, overview, pipelines, quality, quarantine, rows, run, table, tables
from dash_app.pulse import Source, StoredHeartbeat, Watch
from dash_app.sign_in import protect
from lakehouse.delta_reads import Lake, LakeReader
from lakehouse.ops.store import OpsReader, OpsWriter, Reader, Writer
from lakehouse.settings import Settings

INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <title>{%title%}</title>
        <link rel="icon" type="image/svg+xml" href="/assets/favicon.svg">
        <script src="/assets/theme.js"></script>
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <footer>{%config%}{%scripts%}{%renderer%}</footer>
    </body>
</html>"""


def create_app(
    settings: Settings,
    reader: Reader | None = None,
    writer: Writer | None = None,
    heartbeat: Source | None = None,
    *,
    lake: Lake | None = None,
) -> Dash:
    """The operations app of an instance; its `.server` is a WSGI application.

    Args:
        settings: of the instance.
        reader: what answers SQL over the ops tables; by default the instance's own.
        writer: what keeps the record of what people do; by default the instance's own.
        heartbeat: where the evaluator's heartbeat is read; by default in the instance's store.
        lake: what tells of the tables that Spark writes; by default the instance's own.

    Raises ConfigurationError where sign-in is set in a way that cannot work.
    """
    server = Flask("dash_app", static_folder=None)
    protect(server, settings)
    reader, writer = reader or OpsReader(settings), writer or OpsWriter(settings)
    keep_actions(server, writer)
    attach(server, Knowledge.over(reader, writer, Watch(heartbeat or StoredHeartbeat(settings))))
    lake_context.attach(server, Sight(reader, lake or LakeReader(settings), settings))
    app = Dash(
        "dash_app",
        server=server,
        use_pages=True,
        pages_folder="",
        assets_folder="static",
        assets_ignore=r"^(theme\.js|login\.css)$",
        index_string=INDEX,
        title="Clearlake Operations",
        update_title=None,
        health_endpoint="healthz",
        suppress_callback_exceptions=True,
        enable_mcp=False,
    )
    server.extensions["script_hashes"] = app.csp_hashes
    _add_pages(app)
    app.layout = lambda: frame.frame(dash.page_container)
    return app


PAGES = (
    ("overview", "Overview", overview),
    ("incidents", "Incidents", incidents),
    ("incident", "Incident", incident),
    ("pipelines", "Pipelines", pipelines),
    ("run", "Run", run),
    ("broken", "Still broken", broken),
    ("quality", "Quality", quality),
    ("quarantine", "Quarantine", quarantine),
    ("tables", "Tables", tables),
    ("table", table.title, table),
    ("alerts", "Alerts", alerts),
    ("rows", "Rows", rows),
)
"""Name, title and module of each page. A module has `layout`, `PATH` or `PATH_TEMPLATE`, and, where its page looks again, `register`."""


def _add_pages(app: Dash) -> None:
    for name, title, page in PAGES:
        place = {key: value for key in ("PATH", "PATH_TEMPLATE") if (value := getattr(page, key, None))}
        shown = title if callable(title) else f"{title} · Clearlake"
        dash.register_page(f"operations.{name}", title=shown, layout=page.layout, **{key.lower(): value for key, value in place.items()})
        if hasattr(page, "register"):
            page.register(app)
    dash.register_page("operations.not_found_404", layout=_not_found, title="Not found · Clearlake")
    frame.register(app)


def _not_found(**_: str) -> html.Div:
    way = html.P(["Go to the ", dcc.Link("Overview", href=links.OVERVIEW), "."])
    return html.Div([html.H1("There is no such page"), way], className="page empty")
