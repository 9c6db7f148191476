"""The keys that prove what WeChat Pay says: its public key, and the certificates before it (wechat.md 4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from core.ports import InvalidSignature

SMALLEST_RSA_BITS = 2048
CLOCK_TOLERANCE = timedelta(seconds=300)
"""How far two honest clocks may differ (4.1), at both ends of a certificate's time."""


class Keys(Protocol):
    """Finds the key behind a serial."""

    def find(self, serial: str, now: datetime) -> RSAPublicKey:
        """Raises: InvalidSignature `unknown_serial`, `not_in_force`."""


@dataclass(frozen=True)
class PlatformKey:
    """`serial` as it stands in Wechatpay-Serial: PUB_KEY_ID_…, or a certificate's serial in upper-case hex.

    A certificate has a time and its PEM; the public key has neither.
    """

    serial: str
    key: RSAPublicKey = field(repr=False)
    begins: datetime | None = None
    ends: datetime | None = None
    pem: str = field(default="", repr=False)

    def is_in_force(self, now: datetime) -> bool:
        return (self.begins is None or now >= self.begins - CLOCK_TOLERANCE) and (
            self.ends is None or now < self.ends + CLOCK_TOLERANCE
        )


class KeyRing:
    """Keys by serial. Implements Keys."""

    def __init__(self, keys: Iterable[PlatformKey] = ()) -> None:
        self._keys = {key.serial: key for key in keys}

    def __iter__(self) -> Iterator[PlatformKey]:
        return iter(self._keys.values())

    def __contains__(self, serial: str) -> bool:
        return serial in self._keys

    def __or__(self, other: KeyRing) -> KeyRing:
        return KeyRing([*self, *other])

    def find(self, serial: str, now: datetime) -> RSAPublicKey:
        """Raises: InvalidSignature `unknown_serial`, `not_in_force` (a certificate outside its time)."""
        found = self._keys.get(serial)
        if found is None:
            raise InvalidSignature("unknown_serial")
        if not found.is_in_force(now):
            raise InvalidSignature("not_in_force")
        return found.key

    def best(self, now: datetime) -> PlatformKey | None:
        """The one that WeChat shall answer with: the public key, or the newest certificate that is in force."""
        able = [key for key in self if key.is_in_force(now)]
        return max(able, key=lambda key: (key.begins is None, key.begins or now), default=None)


def public_key(key_id: str, pem: str) -> PlatformKey:
    """Read pub_key.pem of the merchant console. Raises: ValueError, which shows nothing of the text."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a PEM public key") from None
    return PlatformKey(key_id, _rsa(key))


def certificate(pem: str) -> PlatformKey:
    """Read a platform certificate. Raises: ValueError, which shows nothing of the text."""
    try:
        read = load_pem_x509_certificate(pem.encode())
        key = read.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a PEM certificate") from None
    return PlatformKey(f"{read.serial_number:X}", _rsa(key), read.not_valid_before_utc, read.not_valid_after_utc, pem)


def _rsa(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_RSA_BITS:
        raise ValueError(f"must be an RSA key of {SMALLEST_RSA_BITS} bits or more")
    return key
