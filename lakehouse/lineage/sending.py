"""Sending run events to an endpoint that takes them: Marquez, DataHub, OpenMetadata, or whatever else speaks OpenLineage.

Does not belong here: what an event says (lakehouse.lineage.openlineage).
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

import requests
from openlineage.client.event_v2 import RunEvent
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider
from pydantic import SecretStr

from lakehouse.errors import ConfigurationError, InfrastructureError, LakehouseError

USUAL_PATH = "/api/v1/lineage"
"""Where OpenLineage's own API and Marquez take events; an address with a path of its own is used as it is."""
TIMEOUT_S = 10.0
SERVER_ERROR = 500
WRONG_KEY = (401, 403)
KEY = "LAKEHOUSE_OPENLINEAGE_API_KEY"


def send(events: Iterable[RunEvent], url: str, api_key: SecretStr | None) -> int:
    """Post events one by one, in their order. Returns how many were taken.

    Args:
        url: address of the endpoint; its path is `/api/v1/lineage` where it names none.
        api_key: sent as a bearer token.

    Raises InfrastructureError where the endpoint does not answer, or says that it cannot; ConfigurationError where it refuses an event or
    the key, or the address is none. What was sent before stays so, and may be sent again.
    """
    transport, sent = _transport(url, api_key), 0
    try:
        for event in events:
            transport.emit(event)
            sent += 1
    except requests.RequestException as error:
        raise _explained(error, _host(url), sent) from None
    finally:
        transport.close()
    return sent


def _transport(url: str, api_key: SecretStr | None) -> HttpTransport:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("the address of the OpenLineage endpoint is none", next_step="write it as https://HOST:PORT")
    whole = url if parts.path.strip("/") else parts._replace(path=USUAL_PATH).geturl()
    key = ApiKeyTokenProvider({"api_key": api_key.get_secret_value()}) if api_key else TokenProvider({})
    return HttpTransport(HttpConfig(whole, endpoint="", timeout=TIMEOUT_S, auth=key))


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _explained(error: requests.RequestException, host: str, sent: int) -> LakehouseError:
    """The error without the address, which may hold a password."""
    after = f"after {sent:,} events"
    status = error.response.status_code if error.response is not None else None
    if status is None or status >= SERVER_ERROR:
        has_answered = status or isinstance(error, requests.exceptions.RetryError)
        said = "answered that it cannot, time after time," if has_answered else f"did not answer ({type(error).__name__})"
        return InfrastructureError(f"{host} {said} {after}", next_step="export again: an event that arrives twice changes nothing")
    if status in WRONG_KEY:
        return ConfigurationError(f"{host} refused the key ({status}) {after}", next_step=f"set {KEY}")
    return ConfigurationError(f"{host} refused an event ({status}) {after}", next_step="see whether that is its OpenLineage API")
