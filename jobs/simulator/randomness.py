"""Reproducible randomness: generators keyed by what they are for, and identities hashed from numbers.

Does not belong here: what is drawn, or any wall clock.
"""

from __future__ import annotations

import zlib
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_ALL_BITS = 2**64 - 1
_HYPHEN = ord("-")
_UUID_PARTS = ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24))


class Purpose(IntEnum):
    """What a stream of randomness is for; streams of different purposes never share a draw."""

    USERS = 1
    DAY = 2
    DELIVERY = 3
    ATTACKS = 4
    VOLUME = 5
    LIVE = 6


def number(text: str) -> int:
    """A stable 32-bit number for a name, so that the order of tenants does not matter."""
    return zlib.crc32(text.encode())


def generator(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """The generator of one purpose and key; equal arguments give equal draws, whatever else was drawn."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(int(purpose), *key))))


def draw_keys(rng: np.random.Generator, count: int) -> Keys:
    """Random 64-bit keys."""
    return rng.integers(0, 2**64, count, dtype=np.uint64)


def mix(keys: Keys, salt: int | NDArray[np.int64] | Keys) -> Keys:
    """A new key per key and salt (splitmix64): the same pair always gives the same key."""
    if isinstance(salt, int):
        z = keys ^ np.uint64((salt + 1) * _GOLDEN & _ALL_BITS)
    else:
        z = keys ^ ((salt.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Keys = z ^ (z >> np.uint64(31))
    return mixed


def unit(keys: Keys, salt: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """A uniform number in [0, 1) per key and salt."""
    return (mix(keys, salt) >> np.uint64(11)).astype(np.float64) / 2.0**53


def choose(uniform: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """The index that each uniform number picks under the weights."""
    cumulative = np.cumsum(weights)
    picked = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    return np.asarray(np.minimum(picked, len(weights) - 1), dtype=np.int64)


def uuids(keys: Keys) -> list[str]:
    """Version-4 UUID text for each key."""
    halves = np.empty((len(keys), 2), dtype=">u8")
    halves[:, 0] = (mix(keys, 101) & np.uint64(0xFFFFFFFFFFFF0FFF)) | np.uint64(0x4000)
    halves[:, 1] = (mix(keys, 102) & np.uint64(0x3FFFFFFFFFFFFFFF)) | np.uint64(0x8000000000000000)
    digits = np.frombuffer(halves.tobytes().hex().encode(), dtype=np.uint8).reshape(-1, 32)
    letters = np.full((len(keys), 36), _HYPHEN, dtype=np.uint8)
    for first, last, to in _UUID_PARTS:
        letters[:, to : to + last - first] = digits[:, first:last]
    text = letters.tobytes().decode("ascii")
    return [text[at : at + 36] for at in range(0, len(text), 36)]
