"""Which loopback ports an instance uses: the usual ones while they are free, and the same ones at each start.

Does not belong here: which server listens on which port, or its address (infra.services.registry).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock

from infra.cache import cache_dir

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    for family, address in ((socket.AF_INET, LOOPBACK), (socket.AF_INET, "0.0.0.0")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def any_free_port() -> int:
    """A port that the system hands out."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def allot(
    preferred: Mapping[str, int],
    earlier: Mapping[str, int],
    reserved: frozenset[int],
    *,
    free: Callable[[int], bool] = is_free,
    spare: Callable[[], int] = any_free_port,
) -> dict[str, int]:
    """A port for each name: the earlier one, else the preferred one, else any that is free.

    Args:
        preferred: the usual port of each name; 0 means any.
        earlier: what this instance used before.
        reserved: ports of other instances, also while they are down.
    """
    chosen: dict[str, int] = {}
    for name, usual in preferred.items():
        taken = reserved | set(chosen.values())
        candidates = [port for port in (earlier.get(name, 0), usual) if port and port not in taken and free(port)]
        chosen[name] = candidates[0] if candidates else _spare(spare, taken)
    return chosen


def allot_for(home: Path, preferred: Mapping[str, int], earlier: Mapping[str, int]) -> dict[str, int]:
    """Allot ports to the instance in `home`, apart from those of the machine's other instances."""
    register = cache_dir() / "ports.json"
    register.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{register}.lock"):
        known = _read_register(register)
        others = {path: ports for path, ports in known.items() if path != str(home) and Path(path).is_dir()}
        chosen = allot(preferred, earlier, frozenset(port for ports in others.values() for port in ports))
        register.write_text(json.dumps({**others, str(home): sorted(chosen.values())}, indent=2))
    return chosen


def _read_register(register: Path) -> dict[str, list[int]]:
    if not register.exists():
        return {}
    try:
        return dict(json.loads(register.read_text()))
    except ValueError:
        return {}


def _spare(spare: Callable[[], int], taken: frozenset[int]) -> int:
    while (port := spare()) in taken:
        pass
    return port
