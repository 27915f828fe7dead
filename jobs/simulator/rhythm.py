"""When things happen: daily and weekly rhythm in each tenant's own zone, growth, and how many events fall on which day.

Does not belong here: who acts, or what they do.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.config import HISTORY_DAYS, SimConfig
from jobs.simulator.randomness import Purpose, generator, number
from jobs.simulator.tenants import SimTenant, Vertical

SLOTS = 48
"""Half hours of a UTC day: the finest step between the catalogue's zones."""
SLOT_MS = 1_800_000

_HOURS = {
    Vertical.CONSUMER: (4, 2, 1.5, 1, 1, 2, 4, 7, 9, 9, 9, 10, 12, 11, 9, 9, 10, 12, 15, 18, 19, 17, 12, 7),
    Vertical.B2B: (0.6, 0.4, 0.3, 0.3, 0.4, 0.8, 2, 6, 14, 19, 18, 16, 12, 15, 17, 16, 13, 9, 5, 3, 2, 1.6, 1.2, 0.8),
}
"""Weight of each local hour."""
_WEEKDAYS = {
    Vertical.CONSUMER: (0.95, 0.93, 0.94, 0.98, 1.05, 1.15, 1.12),
    Vertical.B2B: (1.15, 1.10, 1.08, 1.05, 0.92, 0.14, 0.12),
}
"""Weight of each local weekday, from Monday."""


@lru_cache(maxsize=8192)
def offsets_ms(zone: str, day: date) -> NDArray[np.int64]:
    """Offset of local time from UTC at each half hour of a UTC day; it changes within a day when clocks do."""
    first, last = _offset_ms(zone, day, 0), _offset_ms(zone, day, SLOTS - 1)
    if first == last:
        return np.full(SLOTS, first, dtype=np.int64)
    return np.array([_offset_ms(zone, day, slot) for slot in range(SLOTS)], dtype=np.int64)


def _offset_ms(zone: str, day: date, slot: int) -> int:
    at = datetime.combine(day, time(slot // 2, slot % 2 * 30), UTC).astimezone(ZoneInfo(zone))
    return int((at.utcoffset() or timedelta()).total_seconds()) * 1000


def slot_weights(tenant: SimTenant, day: date) -> NDArray[np.float64]:
    """Expected activity of a tenant in each half hour of a UTC day."""
    return _slot_weights(tenant.zone, tenant.vertical, day)


@lru_cache(maxsize=8192)
def _slot_weights(zone: str, vertical: Vertical, day: date) -> NDArray[np.float64]:
    midnight_ms = int(datetime.combine(day, time(), UTC).timestamp()) * 1000
    local_hours = (midnight_ms + np.arange(SLOTS) * SLOT_MS + offsets_ms(zone, day)) // 3_600_000
    weekdays = (local_hours // 24 + 3) % 7
    return np.asarray(np.array(_HOURS[vertical])[local_hours % 24] * np.array(_WEEKDAYS[vertical])[weekdays], dtype=np.float64)


def _day_weights(config: SimConfig, tenant: SimTenant) -> NDArray[np.float64]:
    weights = np.array([slot_weights(tenant, config.day(index)).sum() for index in range(config.days)])
    growth = np.power(1 + tenant.growth, np.arange(config.days) / HISTORY_DAYS)
    noise = generator(config.seed, Purpose.VOLUME, number(tenant.tenant_id)).normal(0, 0.04, config.days)
    return weights * growth * np.exp(noise)


def allocate(config: SimConfig, total: int) -> dict[str, NDArray[np.int64]]:
    """Events per tenant and day; they sum up to `total` exactly (largest remainders)."""
    weights = [_day_weights(config, tenant) for tenant in config.sim_tenants]
    wanted = np.stack([w / w.sum() * tenant.share for w, tenant in zip(weights, config.sim_tenants, strict=True)])
    wanted *= total / wanted.sum()
    counts = np.floor(wanted).astype(np.int64)
    missing = total - int(counts.sum())
    largest = np.argsort(-(wanted - counts), axis=None, kind="stable")[:missing]
    counts.ravel()[largest] += 1
    return {tenant.tenant_id: counts[at] for at, tenant in enumerate(config.sim_tenants)}
