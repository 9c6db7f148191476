"""The cryptography of WeChat Pay v3: sign, prove, open. Sources: PAY /doc/v3/merchant/{4012365342, 4013053420}.

All texts that are signed have one form: each line followed by a line feed, the last one and an empty one too.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from core.ports import InvalidSignature
from integrations.wechat._keys import CLOCK_TOLERANCE, Keys

SCHEME = "WECHATPAY2-SHA256-RSA2048"
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
AEAD_ALGORITHM = "AEAD_AES_256_GCM"

_HEADER_SHAPES = {
    "wechatpay-timestamp": re.compile(r"[0-9]{1,12}"),
    "wechatpay-nonce": re.compile(r"[!-+\--~]{1,128}"),  # visible ASCII but the comma, which joins doubled headers
    "wechatpay-serial": re.compile(r"[0-9A-Za-z_]{1,128}"),
    "wechatpay-signature": re.compile(r"[0-9A-Za-z+/=_-]{1,2048}"),
}
_SCHEME_HEADER = "wechatpay-signature-type"


def signed_text(*lines: str | bytes) -> bytes:
    return b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)


def sign(key: RSAPrivateKey, text: bytes) -> str:
    """RSA PKCS#1 v1.5 over SHA-256, in base64."""
    return b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


@dataclass(frozen=True)
class Credential:
    """Who signs: goes into the Authorization header beside the signature."""

    mchid: str
    serial_no: str

    def authorization(self, *, nonce: str, timestamp: str, signature: str, scheme: str = SCHEME) -> str:
        return (
            f'{scheme} mchid="{self.mchid}",nonce_str="{nonce}",timestamp="{timestamp}",'
            f'serial_no="{self.serial_no}",signature="{signature}"'
        )


def verify(key: RSAPublicKey, text: bytes, signature: str) -> None:
    """Raises: InvalidSignature `signtest`, `bad_base64`, `bad_signature`."""
    if signature.startswith(PROBE_PREFIX):
        raise InvalidSignature("signtest")
    try:
        raw = decoded(signature)
    except ValueError:
        raise InvalidSignature("bad_base64") from None
    try:
        key.verify(raw, text, PKCS1v15(), SHA256())
    except WrongSignature:
        raise InvalidSignature("bad_signature") from None


def prove(headers: Mapping[str, str], body: bytes, *, keys: Keys, now: datetime) -> None:
    """Check stamp and signature of an answer or a message over its raw bytes, by the key that its serial names.

    Raises: InvalidSignature, with the first thing that was wrong.
    """
    stamp, nonce, serial, signature = _signature_headers(headers)
    if abs(now.timestamp() - int(stamp)) >= CLOCK_TOLERANCE.total_seconds():
        raise InvalidSignature("stale")
    verify(keys.find(serial, now), signed_text(stamp, nonce, body), signature)


def open_sealed(key: bytes, *, nonce: str, associated_data: str, ciphertext: str) -> bytes:
    """AES-GCM with the tag in the last 16 bytes. Raises: InvalidSignature `sealed`."""
    try:
        return AESGCM(key).decrypt(nonce.encode(), decoded(ciphertext), associated_data.encode())
    except (InvalidTag, ValueError):  # ValueError: base64, or a nonce that no cipher takes
        raise InvalidSignature("sealed") from None


def decoded(text: str) -> bytes:
    """Base64 in its one spelling: the last letter has bits that decoding drops. Raises: ValueError."""
    raw = b64decode(text, validate=True)
    if b64encode(raw).decode() != text:
        raise ValueError("not the canonical base64")
    return raw


def _signature_headers(headers: Mapping[str, str]) -> list[str]:
    """The four signed headers, each present exactly once. Raises: InvalidSignature."""
    found: dict[str, list[str]] = {}
    for name, value in headers.items():  # items(), because a lookup by name hides the second of two
        found.setdefault(name.lower(), []).append(value)
    # Absent means the default, as in the official Go SDK; a sender that names another scheme is not believed.
    if found.get(_SCHEME_HEADER, [SCHEME]) != [SCHEME]:
        raise InvalidSignature("signature_type")
    values = []
    for name, shape in _HEADER_SHAPES.items():
        given = found.get(name, [])
        if len(given) != 1:
            raise InvalidSignature("doubled_header" if given else "missing_header")
        if shape.fullmatch(given[0]) is None:
            raise InvalidSignature("bad_header")
        values.append(given[0])
    return values
