"""The operations app: its server, its pages, and what every page shares.

Does not belong here: what a page shows (pages), who may see it (sign_in), or how it is served (infra).
"""

from __future__ import annotations

import dash
from dash import Dash, dcc, html
from flask import Flask

from dash_app import components as ui
from dash_app import lake_context
from dash_app.actions import keep_actions
from dash_app.context import attach
from dash_app.lake_context import Sight
from dash_app.pages import broken, pipelines, quality, quarantine, run, table, tables
from dash_app.queries import Operations, Reader
from dash_app.sign_in import protect
from lakehouse.delta_reads import Lake, LakeReader
from lakehouse.ops.store import OpsReader, OpsWriter, Writer
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


def create_app(settings: Settings, reader: Reader | None = None, writer: Writer | None = None, *, lake: Lake | None = None) -> Dash:
    """The operations app of an instance; its `.server` is a WSGI application.

    Args:
        settings: of the instance.
        reader: what answers SQL over the ops tables; by default the instance's own.
        writer: what keeps the record of what people do; by default the instance's own.
        lake: what tells of the tables that Spark writes; by default the instance's own.

    Raises ConfigurationError where sign-in is set in a way that cannot work.
    """
    server = Flask("dash_app", static_folder=None)
    protect(server, settings)
    reader = reader or OpsReader(settings)
    attach(server, Operations(reader))
    lake_context.attach(server, Sight(reader, lake or LakeReader(settings), settings))
    keep_actions(server, writer or OpsWriter(settings))
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
    app.layout = lambda: ui.frame(dash.page_container)
    return app


def _add_pages(app: Dash) -> None:
    dash.register_page("operations.pipelines", path=pipelines.PATH, layout=pipelines.layout, title="Pipelines · Clearlake")
    dash.register_page("operations.run", path_template=run.PATH_TEMPLATE, layout=run.layout, title="Run · Clearlake")
    dash.register_page("operations.broken", path=broken.PATH, layout=broken.layout, title="Still broken · Clearlake")
    dash.register_page("operations.quality", path=quality.PATH, layout=quality.layout, title="Quality · Clearlake")
    dash.register_page("operations.quarantine", path=quarantine.PATH, layout=quarantine.layout, title="Quarantine · Clearlake")
    dash.register_page("operations.tables", path=tables.PATH, layout=tables.layout, title="Tables · Clearlake")
    dash.register_page("operations.table", path_template=table.PATH_TEMPLATE, layout=table.layout, title=table.title)
    dash.register_page("operations.not_found_404", layout=_not_found, title="Not found · Clearlake")
    pipelines.register(app)
    run.register(app)
    for page in (broken, quality, quarantine, tables, table):
        page.register(app)


def _not_found(**_: str) -> html.Div:
    way = html.P(["Go to ", dcc.Link("Pipelines", href="/"), "."])
    return html.Div([html.H1("There is no such page"), way], className="page empty")
