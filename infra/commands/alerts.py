"""`alerts`: the channels over which people are told, and the proof that they are.

Does not belong here: what is told (lakehouse.alerts), or incidents themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from infra.printing import AsJson, answers, plain_table, print_json
from lakehouse.alerts.channels import FILE, AppriseSender, Channel, ChannelError, Message, address_of, load_channels
from lakehouse.alerts.drill import FireDrill
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import settings

group = typer.Typer(no_args_is_help=True, help="Channels over which people are told of incidents.")
LAST = """
select channel, max(sent_at) filter (outcome = 'delivered') as delivered_at, max_by(outcome, sent_at) as outcome,
       max_by(error, sent_at) as error, count(*) filter (outcome = 'delivered' and sent_at > now() - interval 7 days)::int as week
from ops.alert_deliveries group by channel
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="alerts")


@group.command()
def channels(as_json: AsJson = False) -> None:
    """Show the channels, what each is told, and how its last message went."""
    last = {row["channel"]: row for row in OpsReader(settings()).rows(LAST)}
    rows = [_told(channel, last.get(channel.name, {})) for channel in load_channels(settings())]
    if as_json:
        print_json(rows)
        return
    if not rows:
        answers().print(
            f"No channel is declared: nobody is told of incidents. Next: write {settings().home / FILE}; see docs/how-to/alerts.md"
        )
        return
    shown = plain_table("channel", "address", "from", "last message", "delivered", "this week", "error")
    for row in rows:
        shown.add_row(*(str(value or "") for value in row.values()))
    answers().print(shown)


def _told(channel: Channel, last: Mapping[str, Any]) -> dict[str, Any]:
    """A channel as it is shown."""
    return {
        "channel": channel.name,
        "address": channel.address if address_of(settings(), channel) else f"{channel.address} (not set)",
        "from": channel.least_severity,
        "last": last.get("outcome", "never used"),
        "delivered_at": last.get("delivered_at"),
        "this_week": last.get("week", 0),
        "error": last.get("error"),
    }


@group.command()
def test(name: Annotated[str, typer.Argument(help="Channel to try.")]) -> None:
    """Send a message over one channel now."""
    channel = _channel(name)
    now = datetime.now(UTC)
    message = Message(
        f"test.{now:%Y%m%dT%H%M%SZ}", "test", "Test of a Clearlake channel", f"Channel {name} works. Sent at {now:%H:%M:%S} UTC."
    )
    row = {"alert_key": message.key, "kind": "test", "channel": name, "attempt": 1, "is_repeat": False, "due_at": now, "sent_at": now}
    try:
        AppriseSender(settings())(channel, message)
    except ChannelError as error:
        OpsWriter(settings()).append("ops.alert_deliveries", [{**row, "outcome": "failed", "error": str(error)}])
        raise InfrastructureError(f"channel {name} did not take the message: {error}", next_step=f"check {channel.address}") from error
    OpsWriter(settings()).append("ops.alert_deliveries", [{**row, "outcome": "delivered"}])
    answers().print(f"Channel {name} took the message; look whether it is there.")


@group.command()
def drill() -> None:
    """Have the canary fail now; within two rounds each channel must tell of it."""
    declared = load_channels(settings())
    if not declared:
        raise ConfigurationError("there is no channel to prove", next_step="declare one; see docs/how-to/alerts.md")
    writer = OpsWriter(settings())
    FireDrill(OpsReader(settings()), writer, declared, settings().drill_cron, writer.host).begin(datetime.now(UTC))
    answers().print("The canary has failed. `lakehouse alerts channels` tells what arrived.")


def _channel(name: str) -> Channel:
    declared = {channel.name: channel for channel in load_channels(settings())}
    if name not in declared:
        raise ConfigurationError(
            f"there is no channel {name!r}", next_step=f"use one of {', '.join(declared) or 'none: declare one first'}"
        )
    return declared[name]
