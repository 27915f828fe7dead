"""Dagster's home folder and workspace, the same for its three processes.

Does not belong here: definitions, or which process is started how.
"""

from __future__ import annotations

from pathlib import Path

from infra.env_files import write_private
from infra.ports import LOOPBACK
from infra.services.base import Context

HOME = ("state", "dagster")
TEMPLATE = Path(__file__).parents[1] / "dagster.yaml"

WORKSPACE = """\
load_from:
  - grpc_server:
      host: {host}
      port: {port}
      location_name: lake
"""


def prepare(context: Context) -> dict[str, str]:
    """Write Dagster's configuration and return the environment that points to it."""
    home = context.folder(*HOME)
    write_private(home / "dagster.yaml", TEMPLATE.read_text())
    write_private(workspace(context), WORKSPACE.format(host=LOOPBACK, port=context.ports["dagster_code"]))
    return {"DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}


def dagster_home(instance_home: Path) -> Path:
    """Dagster's folder in the home of an instance."""
    return instance_home.joinpath(*HOME)


def workspace(context: Context) -> Path:
    """The file that names the code server."""
    return context.folder("etc", "dagster") / "workspace.yaml"
