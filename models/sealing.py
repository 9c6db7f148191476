"""Sealing: what may not be readable in a dump is encrypted here, and found again by keyed hash.

Layout of a sealed value: version (1 byte) · algorithm (1) · key id (2) · nonce (12) · ciphertext and tag.
The header, the purpose and the record's id are associated data, so a value moved to another row or column does not
open. A key belongs to one algorithm for good: the id that stands beside a digest tells both.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag

from models.ciphers import ALGORITHMS, HASHING_KEY_BYTES, Algorithms, Suite

VERSION = 1
HEADER_BYTES = 4
_HEADER = struct.Struct(">BBH")
_NONCE_BYTES = 12
_DIGEST_BYTES = 16
ERASED = b""
"""What stands where a sealed value was erased and its column wants one."""


class SealBroken(Exception):
    """A sealed value does not open (another key, another row, changed bytes), or a key is missing or distrusted.

    `reason` is a word of ours and `key_id` says which key, where that is known; neither tells anything of the value.
    """

    def __init__(self, reason: str, *, key_id: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.key_id = reason, key_id


@dataclass(frozen=True)
class KeyRing:
    """Keys of one purpose by id, and the id that new values use. A key that `suites` does not name is of `aes`."""

    active: int
    keys: Mapping[int, bytes] = field(repr=False)
    suites: Mapping[int, Suite] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.active not in self.keys:
            raise ValueError("the active key is missing")
        for key_id, key in self.keys.items():
            if len(key) not in (HASHING_KEY_BYTES, self.algorithms(key_id).sealing_key_bytes):
                raise ValueError("a key is 32 bytes, or 16 for SM4")

    def algorithms(self, key_id: int) -> Algorithms:
        return ALGORITHMS[self.suites.get(key_id, Suite.AES)]

    def authenticate(self, key_id: int, message: bytes) -> bytes:
        """The digest of `message` under that key. Raises: SealBroken where the ring lacks it."""
        if key_id not in self.keys:
            raise SealBroken("key_missing", key_id=key_id)
        return self.algorithms(key_id).authenticate(self.keys[key_id], message)


@dataclass(frozen=True)
class KeyedHash:
    """A digest that only the holder of the key can make, with the id of that key."""

    digest: bytes
    key_id: int


class Vault:
    """Seals and opens values, and makes the digests they are found by. Two key rings, never mixed."""

    def __init__(self, *, sealing: KeyRing, hashing: KeyRing) -> None:
        self.sealing, self.hashing = sealing, hashing
        self._sealers = {key_id: sealing.algorithms(key_id).sealer(key) for key_id, key in sealing.keys.items()}
        self._distrusted: str | None = None

    def distrust(self, reason: str | None) -> None:
        """Seal and hash nothing any more, since the keys are not those that the stored values were made with: what is
        written under a wrong key is lost, and who is sought with one is not found. None takes it back."""
        self._distrusted = reason

    def seal(self, purpose: str, record_id: UUID, plain: bytes | str, *, key_id: int | None = None) -> bytes:
        """Encrypt `plain` for one column (`purpose`) of one record, under the active key unless another is named.

        Raises: SealBroken where that key is missing or the keys are distrusted."""
        used = self.sealing.active if key_id is None else key_id
        self._require_trust()
        if used not in self._sealers:
            raise SealBroken("key_missing", key_id=used)
        data = plain.encode() if isinstance(plain, str) else plain
        header = _HEADER.pack(VERSION, self.sealing.algorithms(used).cipher_id, used)
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + self._sealers[used].encrypt(nonce, data, _bound(header, purpose, record_id))

    def open(self, purpose: str, record_id: UUID, sealed: bytes) -> bytes:
        """Raises: SealBroken."""
        sealed = bytes(sealed)
        header = sealed[: _HEADER.size]
        try:
            version, algorithm, key_id = _HEADER.unpack(header)
        except struct.error:
            raise SealBroken("header") from None
        if version != VERSION:
            raise SealBroken("header")
        if key_id not in self._sealers:
            raise SealBroken("key_missing", key_id=key_id)
        if algorithm != self.sealing.algorithms(key_id).cipher_id:
            raise SealBroken("algorithm", key_id=key_id)
        nonce, body = sealed[_HEADER.size : _HEADER.size + _NONCE_BYTES], sealed[_HEADER.size + _NONCE_BYTES :]
        try:
            return self._sealers[key_id].decrypt(nonce, body, _bound(header, purpose, record_id))
        except (InvalidTag, ValueError):
            raise SealBroken("tag", key_id=key_id) from None

    def open_text(self, purpose: str, record_id: UUID, sealed: bytes) -> str:
        """Raises: SealBroken."""
        return self.open(purpose, record_id, sealed).decode()

    def keyed_hash(self, purpose: str, value: str, *, key_id: int | None = None) -> KeyedHash:
        """The digest to store beside `value` (already in its normal form), under the active key unless another is
        named. Raises: SealBroken where that key is missing or the keys are distrusted."""
        return self._digest(purpose, value, self.hashing.active if key_id is None else key_id)

    def keyed_hashes(self, purpose: str, value: str) -> list[KeyedHash]:
        """Every digest a stored row may carry for `value`, the active key's first: look-ups work during rotation.

        Raises: SealBroken where the keys are distrusted."""
        older = sorted(key_id for key_id in self.hashing.keys if key_id != self.hashing.active)
        return [self._digest(purpose, value, key_id) for key_id in (self.hashing.active, *older)]

    def _digest(self, purpose: str, value: str, key_id: int) -> KeyedHash:
        self._require_trust()
        message = purpose.encode() + b"\0" + value.encode()
        return KeyedHash(self.hashing.authenticate(key_id, message)[:_DIGEST_BYTES], key_id)

    def _require_trust(self) -> None:
        if self._distrusted is not None:
            raise SealBroken(self._distrusted)


def key_of(sealed: bytes) -> int | None:
    """The id of the key that a value was sealed under; None where it is no sealed value. Its header is enough."""
    if len(sealed) < HEADER_BYTES or sealed[0] != VERSION:
        return None
    key_id: int = _HEADER.unpack(bytes(sealed[:HEADER_BYTES]))[2]
    return key_id


def _bound(header: bytes, purpose: str, record_id: UUID) -> bytes:
    return header + purpose.encode() + b"\0" + record_id.bytes
