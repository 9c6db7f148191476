"""Sealing: what may not be readable in a dump is encrypted here, and found again by keyed hash.

Layout of a sealed value: version (1 byte) · algorithm (1) · key id (2) · nonce (12) · ciphertext and tag.
The header, the purpose and the record's id are associated data, so a value moved to another row or column does not
open. The key id is in the data from the first day: rotation is a job, not a redesign.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
AES_256_GCM = 1
_HEADER = struct.Struct(">BBH")
_NONCE_BYTES = 12
_DIGEST_BYTES = 16
ERASED = b""
"""What stands where a sealed value was erased and its column wants one."""


class SealBroken(Exception):
    """A sealed value does not open: another key, another row, or changed bytes."""


@dataclass(frozen=True)
class KeyRing:
    """Keys of one purpose by id, and the id that new values use."""

    active: int
    keys: Mapping[int, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.active not in self.keys:
            raise ValueError("the active key is missing")
        if any(len(key) != 32 for key in self.keys.values()):
            raise ValueError("a key is 32 bytes")


@dataclass(frozen=True)
class KeyedHash:
    """A digest that only the holder of the key can make, with the id of that key."""

    digest: bytes
    key_id: int


class Vault:
    """Seals and opens values, and makes the digests they are found by. Two key rings, never mixed."""

    def __init__(self, *, sealing: KeyRing, hashing: KeyRing) -> None:
        self._sealing, self._hashing = sealing, hashing
        self._ciphers = {key_id: AESGCM(key) for key_id, key in sealing.keys.items()}

    def seal(self, purpose: str, record_id: UUID, plain: bytes | str) -> bytes:
        """Encrypt `plain` for one column (`purpose`) of one record."""
        data = plain.encode() if isinstance(plain, str) else plain
        header = _HEADER.pack(VERSION, AES_256_GCM, self._sealing.active)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._sealing.active].encrypt(nonce, data, _bound(header, purpose, record_id))
        return header + nonce + sealed

    def open(self, purpose: str, record_id: UUID, sealed: bytes) -> bytes:
        """Raises: SealBroken."""
        sealed = bytes(sealed)
        header = sealed[: _HEADER.size]
        try:
            version, algorithm, key_id = _HEADER.unpack(header)
        except struct.error:
            raise SealBroken("header") from None
        if (version, algorithm) != (VERSION, AES_256_GCM) or key_id not in self._ciphers:
            raise SealBroken("header")
        nonce, body = sealed[_HEADER.size : _HEADER.size + _NONCE_BYTES], sealed[_HEADER.size + _NONCE_BYTES :]
        try:
            return self._ciphers[key_id].decrypt(nonce, body, _bound(header, purpose, record_id))
        except (InvalidTag, ValueError):
            raise SealBroken("tag") from None

    def open_text(self, purpose: str, record_id: UUID, sealed: bytes) -> str:
        """Raises: SealBroken."""
        return self.open(purpose, record_id, sealed).decode()

    def keyed_hash(self, purpose: str, value: str) -> KeyedHash:
        """The digest to store beside `value` (already in its normal form)."""
        return KeyedHash(self._digest(purpose, value, self._hashing.active), self._hashing.active)

    def keyed_hashes(self, purpose: str, value: str) -> list[KeyedHash]:
        """Every digest a stored row may carry for `value`, the active key's first: look-ups work during rotation."""
        older = sorted(key_id for key_id in self._hashing.keys if key_id != self._hashing.active)
        return [KeyedHash(self._digest(purpose, value, key_id), key_id) for key_id in (self._hashing.active, *older)]

    def _digest(self, purpose: str, value: str, key_id: int) -> bytes:
        message = purpose.encode() + b"\0" + value.encode()
        return hmac.new(self._hashing.keys[key_id], message, sha256).digest()[:_DIGEST_BYTES]


def _bound(header: bytes, purpose: str, record_id: UUID) -> bytes:
    return header + purpose.encode() + b"\0" + record_id.bytes
