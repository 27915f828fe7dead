"""A deterministic generator of the provider's own events, as ordinary landing files, all marked synthetic.

Does not belong here: reading, mapping or judging the events; nothing downstream may know that they are simulated.
"""

from jobs.simulator.attacks import Attack, AttackKind, attacks
from jobs.simulator.config import ANCHOR, HISTORY_DAYS, LANDING_SOURCE, SimConfig
from jobs.simulator.history import LandingFile, generate, new_manifest
from jobs.simulator.live import LiveStream
from jobs.simulator.manifest import Manifest
from jobs.simulator.sink import DirectorySink, LandingBucketSink, Sink, Written, write
from jobs.simulator.tenants import TENANT_BY_ID, TENANTS, SimTenant, Vertical, choose_tenants

__all__ = [
    "ANCHOR",
    "HISTORY_DAYS",
    "LANDING_SOURCE",
    "TENANTS",
    "TENANT_BY_ID",
    "Attack",
    "AttackKind",
    "DirectorySink",
    "LandingBucketSink",
    "LandingFile",
    "LiveStream",
    "Manifest",
    "SimConfig",
    "SimTenant",
    "Sink",
    "Vertical",
    "Written",
    "attacks",
    "choose_tenants",
    "generate",
    "new_manifest",
    "write",
]
