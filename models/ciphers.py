"""The algorithms that keys are made for, and the only place that calls them.

Two suites: `aes` (AES-256-GCM, HMAC-SHA256) and `sm`, the approved one of China (SM4-GCM of GB/T 32907, HMAC-SM3 of
GB/T 32905). The library's module is not a certified one: where the law asks for one, or for a machine that keeps the
keys, it takes the place of the functions here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_TAG_BYTES = 16
HASHING_KEY_BYTES = 32


class Suite(StrEnum):
    AES = "aes"
    SM = "sm"


class Sealer(Protocol):
    """An authenticated cipher under one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """The ciphertext with its tag behind it."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Raises: InvalidTag, ValueError."""


class _Sm4Gcm:
    """SM4 in GCM, in the form that the library gives AES-GCM."""

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        encryptor = Cipher(self._key, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data or b"")
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        if len(data) < _TAG_BYTES:
            raise InvalidTag
        decryptor = Cipher(self._key, modes.GCM(nonce, data[-_TAG_BYTES:])).decryptor()
        decryptor.authenticate_additional_data(associated_data or b"")
        plain = decryptor.update(data[:-_TAG_BYTES])
        return plain + decryptor.finalize()  # nothing leaves before the tag has agreed


@dataclass(frozen=True)
class Algorithms:
    """What the keys of one suite are used with. `cipher_id` stands in the header of every sealed value."""

    cipher: str
    cipher_id: int
    sealer: Callable[[bytes], Sealer]
    sealing_key_bytes: int
    mac: str
    digest: Callable[[], hashes.HashAlgorithm]

    def authenticate(self, key: bytes, message: bytes) -> bytes:
        """The whole digest, 32 bytes in either suite."""
        made = hmac.HMAC(key, self.digest())
        made.update(message)
        return made.finalize()


ALGORITHMS = {
    Suite.AES: Algorithms("aes-256-gcm", 1, AESGCM, 32, "hmac-sha256", hashes.SHA256),
    Suite.SM: Algorithms("sm4-gcm", 2, _Sm4Gcm, 16, "hmac-sm3", hashes.SM3),
}
