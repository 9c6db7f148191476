"""Keys to throw away. `CRYPTO_SUITE=sm` has every test use the Chinese algorithms, key files included."""

from __future__ import annotations

import os

from miniapp_api.keys import suite_wanted
from models.ciphers import ALGORITHMS, HASHING_KEY_BYTES, Suite
from models.sealing import KeyRing

SUITE = suite_wanted(os.environ) or Suite.AES


def new_ring(suite: Suite = SUITE, *, sealing: bool = False) -> KeyRing:
    """A ring of one key, number 1."""
    size = ALGORITHMS[suite].sealing_key_bytes if sealing else HASHING_KEY_BYTES
    return KeyRing(1, {1: os.urandom(size)}, {1: suite})


def with_newer(ring: KeyRing, suite: Suite = SUITE, *, sealing: bool = False, in_use: bool = True) -> KeyRing:
    """The same keys, and a new one that is used from now on, or is not yet."""
    newest = 1 + max(ring.keys)
    key = new_ring(suite, sealing=sealing).keys[1]
    return KeyRing(newest if in_use else ring.active, {**ring.keys, newest: key}, {**ring.suites, newest: suite})


def without(ring: KeyRing, key_id: int) -> KeyRing:
    """As after an operator has taken an old key away."""
    return KeyRing(
        ring.active,
        {one: key for one, key in ring.keys.items() if one != key_id},
        {one: suite for one, suite in ring.suites.items() if one != key_id},
    )
