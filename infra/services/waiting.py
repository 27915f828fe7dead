"""Waiting until a service answers real questions.

Does not belong here: the questions (probes).
"""

from __future__ import annotations

from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from infra.probes import NotReady
from infra.services.base import Service
from lakehouse.settings import Settings

PAUSE_SECONDS = 0.4


def wait_until_ready(service: Service, settings: Settings, *, seconds: float = 180, check: Callable[[], None] = lambda: None) -> None:
    """Ask until the service answers.

    Args:
        check: called between questions; raises where waiting has become pointless.

    Raises:
        NotReady: it did not answer in time.
    """
    unready = retry_if_exception_type(NotReady)
    retries = Retrying(stop=stop_after_delay(seconds), wait=wait_fixed(PAUSE_SECONDS), retry=unready, reraise=True)

    def ask() -> None:
        check()
        service.probe(settings)

    retries(ask)
