"""One file over HTTP: resumed where it broke off, and only accepted with the expected digest.

Does not belong here: where files come from or what they are for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from lakehouse.errors import InfrastructureError

CHUNK = 1 << 18
TIMEOUT = (15, 60)
ATTEMPTS = 6

Tell = Callable[[float, float], None]
"""Told how many bytes there are and how many there will be."""

BUSY = 429
BROKEN = 500

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 20.0
TRANSIENT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def session() -> requests.Session:
    """A session that trusts the environment's authorities, `SSL_CERT_FILE` among them."""
    made = requests.Session()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if bundle:
        made.verify = bundle
    return made


def download(url: str, target: Path, sha256: str, *, http: requests.Session, tell: Tell) -> None:
    """Fetch `url` to `target`, picking up a partial file left by an earlier attempt.

    Raises:
        InfrastructureError: the server cannot be reached, refuses, or sent something else.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    wait = wait_exponential(FIRST_WAIT_S, max=LONGEST_WAIT_S)
    retries = Retrying(stop=stop_after_attempt(ATTEMPTS), wait=wait, retry=retry_if_exception_type(TRANSIENT), reraise=True)
    try:
        retries(_fetch_rest, url, partial, http, tell)
    except requests.RequestException as error:
        raise InfrastructureError(
            f"{target.name} could not be fetched: {type(error).__name__}.",
            next_step="Check the network, the proxy (HTTPS_PROXY) and SSL_CERT_FILE, then repeat: the download resumes.",
        ) from error
    _accept(partial, target, sha256)


def _fetch_rest(url: str, partial: Path, http: requests.Session, tell: Tell) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with http.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return
        _require_success(response)
        before = have if response.status_code == requests.codes.partial_content else 0
        total = before + int(response.headers.get("Content-Length", 0))
        with partial.open("ab" if before else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                tell(file.tell(), total)
        if partial.stat().st_size < total:
            raise requests.ConnectionError("the connection closed before the end of the file")


def _require_success(response: requests.Response) -> None:
    if response.status_code == BUSY or response.status_code >= BROKEN:
        raise requests.ConnectionError(f"the server answered {response.status_code}")
    response.raise_for_status()


def _accept(partial: Path, target: Path, sha256: str) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        partial.unlink()
        raise InfrastructureError(
            f"{target.name} has the SHA-256 {found}, expected {sha256}; it was thrown away.",
            next_step="Repeat. If it happens again, something between you and the repository changes files.",
        )
    partial.replace(target)
