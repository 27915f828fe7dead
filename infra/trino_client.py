"""Asking Trino over TLS, as the service user or, through it, as somebody else.

Does not belong here: which SQL is asked, or how an answer is shown.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import requests
import trino
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed
from trino.exceptions import Error, HttpError, TrinoQueryError, TrinoUserError

from lakehouse.errors import ConfigurationError, InfrastructureError, LakehouseError
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Answer:
    """Columns and rows of a result."""

    columns: tuple[str, ...]
    rows: list[list[Any]]


class TrinoProblem(LakehouseError):
    """Trino refused a query or did not answer."""

    exit_code = 3


class RefusedQuery(TrinoProblem):
    """Trino answered that the query is wrong or not allowed."""

    exit_code = 2


NODES_COME_WITHIN_S = 15
NEXT_STEPS = {
    "TABLE_NOT_FOUND": 'List the tables of a layer: `lakehouse sql "show tables from gold"`.',
    "COLUMN_NOT_FOUND": 'List the columns of a table: `lakehouse sql "describe gold.auth_daily"`.',
    "SCHEMA_NOT_FOUND": 'List the schemas: `lakehouse sql "show schemas"`.',
}
"""By Trino's name of an error: what to do about it."""


def _has_no_nodes_yet(error: BaseException) -> bool:
    """For some seconds after its start Trino answers, but has no node to run a query on."""
    return isinstance(error.__cause__, TrinoQueryError) and error.__cause__.error_name == "NO_NODES_AVAILABLE"


@retry(retry=retry_if_exception(_has_no_nodes_yet), stop=stop_after_delay(NODES_COME_WITHIN_S), wait=wait_fixed(1), reraise=True)
def query(settings: Settings, sql: str, *, user: str | None = None, catalog: str | None = None, schema: str | None = None) -> Answer:
    """Run one statement and take all its rows.

    Args:
        user: who asks; the service user speaks for them.
        catalog: the session's catalog, else the lake's.
    """
    with _connect(settings, user, catalog or settings.trino_catalog, schema) as connection:
        cursor = connection.cursor()
        try:
            cursor.execute(sql)
            rows = [list(row) for row in cursor.fetchall()]
        except TrinoUserError as error:
            raise RefusedQuery(f"Trino: {error.message}", next_step=NEXT_STEPS.get(str(error.error_name), "")) from error
        except TrinoQueryError as error:
            raise TrinoProblem(f"Trino could not run the query: {error.message}", next_step="See `lakehouse status`.") from error
        except (Error, HttpError, requests.RequestException, OSError) as error:
            next_step = "`lakehouse up` starts it; `lakehouse status` tells what runs."
            raise TrinoProblem(f"Trino does not answer: {_first_line(error)}", next_step=next_step) from error
        return Answer(tuple(column.name for column in cursor.description or ()), rows)


def _connect(settings: Settings, user: str | None, catalog: str, schema: str | None) -> Any:
    if settings.trino_host is None:
        raise InfrastructureError("There is no address of Trino.", next_step="Start the stack with `lakehouse up`.")
    if settings.trino_service_password is None:
        raise ConfigurationError("There is no password for Trino.", next_step="Set LAKEHOUSE_TRINO_SERVICE_PASSWORD in config.env.")
    warnings.filterwarnings("ignore", module="trino")
    return trino.dbapi.connect(
        host=settings.trino_host, port=settings.trino_port, http_scheme="https", http_session=_session(settings),
        user=user or settings.trino_service_user, catalog=catalog, schema=schema, timezone="UTC", source="lakehouse",
        auth=trino.auth.BasicAuthentication(settings.trino_service_user, settings.trino_service_password.get_secret_value()),
        request_timeout=60, max_attempts=2,
    )  # fmt: skip


def _first_line(error: Exception) -> str:
    return str(error).split("\\n", 1)[0].split("\n", 1)[0][:200]


def _session(settings: Settings) -> requests.Session:
    """A session that does not let REQUESTS_CA_BUNDLE win over the authority it is given."""
    made = requests.Session()
    made.trust_env = False
    made.verify = str(settings.trino_ca_file) if settings.trino_ca_file else True
    return made
