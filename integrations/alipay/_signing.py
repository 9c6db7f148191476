"""The cryptography of Alipay: sign, verify, open (alipay.md 1.3, 3.3, 8.2).

Three texts are signed by three rules: a request with its `sign_type`, an event without, a message of the application
gateway with it again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.padding import PKCS7

from core.ports import InvalidSignature

SIGN_TYPE = "RSA2"
ZONE = ZoneInfo("Asia/Shanghai")
STAMP = "%Y-%m-%d %H:%M:%S"

_ZERO_IV = bytes(16)
_BLOCK_BITS = 128


def utc_now() -> datetime:
    return datetime.now(UTC)


def wall_clock(instant: datetime) -> str:
    """An aware instant as Alipay writes it: GMT+8, to the second."""
    return instant.astimezone(ZONE).strftime(STAMP)


def signed_text(fields: Mapping[str, bytes], *, without: Collection[str]) -> bytes:
    """All fields but `without` and the empty ones, sorted by name, as they were before any URL encoding."""
    kept = ((name, value) for name, value in fields.items() if value and name not in without)
    return b"&".join(name.encode() + b"=" + value for name, value in sorted(kept))


def sign(key: RSAPrivateKey, text: bytes) -> str:
    """RSA PKCS#1 v1.5 over SHA-256 (RSA2), in base64."""
    return b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


def verify(keys: Iterable[RSAPublicKey], text: bytes, signature: str) -> None:
    """By RSA2 with one of `keys`, whatever the sender calls it; they are taken one by one until one fits.

    Raises: InvalidSignature `bad_base64`, `bad_signature`."""
    try:
        raw = b64decode(signature, validate=True)
    except (Base64Error, ValueError):
        raise InvalidSignature("bad_base64") from None
    if b64encode(raw).decode() != signature:
        # The last letter has bits that decoding drops: only one spelling of a signature is the one that was sent.
        raise InvalidSignature("bad_base64")
    if not any(_fits(key, text, raw) for key in keys):
        raise InvalidSignature("bad_signature")


def open_content(key: bytes, content: str) -> bytes:
    """Open content encryption: AES-128-CBC with a zero IV. It hides and proves nothing: verify first.

    Raises: InvalidSignature `sealed`.
    """
    try:
        raw = b64decode(content, validate=True)
        opened = Cipher(AES(key), CBC(_ZERO_IV)).decryptor()
        padded = opened.update(raw) + opened.finalize()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:  # base64, a length that is no block's, or padding
        raise InvalidSignature("sealed") from None


def _fits(key: RSAPublicKey, text: bytes, raw: bytes) -> bool:
    try:
        key.verify(raw, text, PKCS1v15(), SHA256())
    except WrongSignature:
        return False
    return True
