"""What `up` writes down for the servers and reads back: allotted ports and the addresses that follow from them.

Does not belong here: choosing ports, or starting anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.credentials import GENERATED
from infra.env_files import read_env, write_env
from infra.instance import open_existing
from infra.services.base import Context, Service
from lakehouse.settings import ALLOTTED_FILE, CREDENTIALS_FILE, USER_FILE, read_settings

HEADING = "Written by `lakehouse up`: ports and addresses of the embedded servers. Your own settings go into config.env."
PORT_PREFIX = "LAKEHOUSE_PORT_"


def read_ports(home: Path) -> dict[str, int]:
    """The ports that were allotted to this instance."""
    values = read_env(home / ALLOTTED_FILE)
    return {name.removeprefix(PORT_PREFIX).lower(): int(value) for name, value in values.items() if name.startswith(PORT_PREFIX)}


def write_allotment(home: Path, services: Iterable[Service], ports: Mapping[str, int]) -> None:
    """Write down the ports and the addresses of the embedded servers."""
    values = {f"{PORT_PREFIX}{name.upper()}": str(port) for name, port in ports.items()}
    for service in services:
        values |= service.addresses(ports, home)
    write_env(home / ALLOTTED_FILE, values, heading=HEADING)


def read_context(home: Path | None = None) -> Context:
    """The instance of this process (or of `home`), its settings and ports."""
    settings = read_settings(home)
    return Context(open_existing(settings.home), settings, read_ports(settings.home))


def read_credentials(home: Path) -> dict[str, str]:
    """The generated keys and passwords, under the names that the user may override in `config.env`."""
    return read_env(home / CREDENTIALS_FILE) | {name: value for name, value in read_env(home / USER_FILE).items() if name in GENERATED}
