"""Clearlake's own detector, as the scorecard takes it: the watch of the product, with the scorecard's channels and clock.

Does not belong here: any rule; what is judged is the product as it ships.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from lakehouse.alerts.channels import Channel, ChannelError, Message
from lakehouse.alerts.claims import LocalClaims
from lakehouse.alerts.delivery import Delivery
from lakehouse.alerts.drill import FireDrill
from lakehouse.alerts.store_down import StoreDown
from lakehouse.ops.store import Reader, Writer
from lakehouse.sources import Source
from lakehouse.watch import Watch
from tests.scorecard.protocol import ChannelRefused, Heartbeat, Send

HOST = "scorecard/scorecard"
NEVER = "0 0 29 2 *"


class ClearlakeDetector:
    """The product's watch; made at its first round."""

    def __init__(
        self, reader: Reader, writer: Writer, sources: Mapping[str, Source], channels: Mapping[str, Send], heartbeat: Heartbeat
    ) -> None:
        self._parts = reader, writer, sources, channels, heartbeat
        self._folder = tempfile.TemporaryDirectory()
        self._watch: Watch | None = None

    def round(self, now: datetime) -> None:
        """One round."""
        if self._watch is None:
            self._watch = self._made(now)
        self._watch.round(now)

    def _made(self, now: datetime) -> Watch:
        reader, writer, sources, sends, heartbeat = self._parts
        declared = [Channel(name=name, address="UNUSED") for name in sends]

        def sender(channel: Channel, message: Message) -> None:
            try:
                sends[channel.name](message.title, message.body, message.key)
            except ChannelRefused as refused:
                raise ChannelError(str(refused)) from refused

        folder, cron = Path(self._folder.name), NEVER
        delivery = Delivery(reader, writer, declared, sender, LocalClaims(folder / "claims"), HOST, None)
        return Watch(
            reader, writer, sources, delivery, FireDrill(reader, writer, declared, cron, HOST),
            StoreDown(folder, writer, declared, sender, HOST, None), lambda at, _dead: heartbeat(at), HOST, now,
        )  # fmt: skip


def make(
    reader: Reader, writer: Writer, sources: Mapping[str, Source], channels: Mapping[str, Send], heartbeat: Heartbeat
) -> ClearlakeDetector:
    """Clearlake's detector."""
    return ClearlakeDetector(reader, writer, sources, channels, heartbeat)
