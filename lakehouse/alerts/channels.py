"""The channels of an instance: declared in one file, their addresses and keys in the environment only; sent through Apprise.

Does not belong here: what a message says, or whether it is due.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import quote
from zoneinfo import ZoneInfo

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lakehouse.errors import ConfigurationError
from lakehouse.settings import CREDENTIALS_FILE, ENV_PREFIX, USER_FILE, Settings
from lakehouse.sources import Zone
from lakehouse.tables.ops import SEVERITIES

FILE = "channels.yaml"
NEXT_STEP = "mend it as docs/how-to/alerts.md tells"
VARIABLE_PREFIX = f"{ENV_PREFIX}CHANNEL_"
LONGEST_PLAIN = 5
"""Parts of an address that are longer may be a secret."""
TIMEOUTS = "rto=10&cto=5"
"""Apprise's read and connect time-outs, in seconds."""


class Hours(BaseModel):
    """When a channel is open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: time = Field(alias="from", description="first minute of the day, HH:MM")
    end: time = Field(alias="to", description="first minute after it, HH:MM; before `from` for a night")
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    zone: Zone = "UTC"

    def cover(self, now: datetime) -> bool:
        """Whether a moment (UTC) is within them."""
        local = now.astimezone(ZoneInfo(self.zone))
        within = self.start <= local.time() < self.end if self.start <= self.end else not self.end <= local.time() < self.start
        return within and f"{local:%a}".lower() in self.days


class Channel(BaseModel):
    """One way to tell people, and what it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,40}$")] = Field(description="what it is called")
    address: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")] = Field(
        description=f"name of the variable that holds its Apprise URL, of the environment or of config.env, such as {VARIABLE_PREFIX}SLACK"
    )
    least_severity: Literal["minor", "major", "critical"] = Field(default="minor", description="incidents below it are not told")
    owners: tuple[str, ...] = Field(default=(), description="only incidents of these owners")
    tags: tuple[str, ...] = Field(default=(), description="only incidents of one of these pipelines, tables, tenants, causes or scopes")
    hours: Hours | None = Field(default=None, description="when it is open; what comes at other times waits until then")

    def takes(self, incident: Mapping[str, Any]) -> bool:
        """Whether it is told of an incident."""
        if SEVERITIES.index(incident["severity"]) < SEVERITIES.index(self.least_severity):
            return False
        known = {incident.get(name) for name in ("pipeline", "table_name", "tenant_id", "cause", "scope")}
        return (not self.owners or incident["owner"] in self.owners) and (not self.tags or bool(known & set(self.tags)))

    def is_open(self, now: datetime) -> bool:
        """Whether it may be used at a moment (UTC)."""
        return self.hours is None or self.hours.cover(now)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[Channel, ...] = ()


def load_channels(settings: Settings) -> tuple[Channel, ...]:
    """The channels of an instance, as declared in its home. Raises ConfigurationError with what is wrong in the file."""
    path = settings.home / FILE
    if not path.exists():
        return ()
    try:
        found = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {}).channels
    except ValidationError as error:
        told = error.errors(include_input=False, include_url=False)
        lines = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in told]
        raise ConfigurationError(f"{path} has mistakes:\n  " + "\n  ".join(lines), next_step=NEXT_STEP) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no YAML: {error}", next_step=NEXT_STEP) from error
    if twice := {c.name for c in found if sum(c.name == other.name for other in found) > 1}:
        raise ConfigurationError(f"{path} declares {', '.join(sorted(twice))} twice", next_step="rename one of them")
    return found


@dataclass(frozen=True)
class Message:
    """What is sent.

    Args:
        key: stable name of the message; the same for each attempt at it.
        thread: what it is about; messages of one thread belong together where a channel knows such a thing.
        is_resolved: it says that something is over.
    """

    key: str
    thread: str
    title: str
    body: str
    severity: str = "major"
    is_resolved: bool = False


class ChannelError(Exception):
    """A channel did not take a message; the text tells why, without address or key."""


class Sender(Protocol):
    """What sends a message over a channel."""

    def __call__(self, channel: Channel, message: Message) -> None:
        """Send it. Raises ChannelError where the channel does not take it."""
        ...


class AppriseSender:
    """Sends through Apprise, to whatever its URLs can name: Slack, e-mail, a webhook, PagerDuty, Teams and a hundred others."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, channel: Channel, message: Message) -> None:
        """Send a message. Raises ChannelError where the channel does not take it, or its address is not set."""
        import apprise

        url = address_of(self._settings, channel)
        plugin = apprise.Apprise.instantiate(_with_key(url, message)) if url else None
        if plugin is None:
            raise ChannelError(f"{channel.address} is {'no URL that Apprise knows' if url else 'not set'}")
        kinds = apprise.NotifyType
        kind = kinds.SUCCESS if message.is_resolved else kinds.FAILURE if message.severity == "critical" else kinds.WARNING
        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:
            is_sent = plugin.notify(body=message.body[: plugin.body_maxlen], title=message.title, notify_type=kind, body_format="text")
            told = said.getvalue() if hasattr(said, "getvalue") else ""
        if not is_sent:
            raise ChannelError(_without(url or "", told.strip().splitlines()[-1] if told.strip() else "the channel refused the message"))


def _with_key(url: str, message: Message) -> str:
    """The address with what lets the other side know a repeat, where it has a place for that."""
    mark = "&" if "?" in url else "?"
    if url.startswith(("json://", "jsons://")):
        url, mark = f"{url}{mark}+Idempotency-Key={quote(message.key)}", "&"
    elif url.startswith("pagerduty://"):
        url, mark = f"{url}{mark}dedup={quote(message.thread)}&action=map", "&"
    return f"{url}{mark}{TIMEOUTS}"


def _without(url: str, text: str) -> str:
    """A text less every part of an address that may be a secret."""
    for part in sorted({p for p in re.split(r"[/?&@:=#]", url) if len(p) > LONGEST_PLAIN}, key=len, reverse=True):
        text = text.replace(part, "…")
    return text[:300]


def address_of(settings: Settings, channel: Channel) -> str | None:
    """The Apprise URL of a channel, from the environment or the instance's own files."""
    if channel.address in os.environ:
        return os.environ[channel.address]
    for name in (USER_FILE, CREDENTIALS_FILE):
        if (value := dotenv_values(settings.home / name).get(channel.address)) is not None:
            return value
    return None
