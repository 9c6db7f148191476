"""WeChat Pay's side of the wire for tests: its keys and certificates, its signatures, its sealed messages.

Written from wechat.md 4.2, 4.3 and 4.7 with `cryptography` alone, not with our own primitives.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import responses
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, load_pem_x509_certificate, random_serial_number
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
APIV3_KEY = "0123456789abcdefghijABCDEFGHIJ-_"
KEY_ID = "PUB_KEY_ID_0112345678902026112000000000001"
PAY_URL = "https://api.mch.weixin.qq.com"
FIVE_YEARS = timedelta(days=5 * 365)


def platform_certificate(
    key: RSAPrivateKey, *, begins: datetime = datetime(2026, 1, 1, tzinfo=UTC), lasts: timedelta = FIVE_YEARS
) -> str:
    """A self-signed certificate in PEM: who signed it is not what proves it."""
    name = Name([NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sign")])
    builder = CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(random_serial_number()).not_valid_before(begins).not_valid_after(begins + lasts)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def serial_of(pem: str) -> str:
    """As it stands in Wechatpay-Serial."""
    return f"{load_pem_x509_certificate(pem.encode()).serial_number:X}"


@dataclass(frozen=True)
class WeChatPaySide:
    """Signs and seals as WeChat Pay does."""

    key: RSAPrivateKey
    key_id: str = KEY_ID
    apiv3_key: str = APIV3_KEY
    now: datetime = NOW
    certificate: str = ""

    def signature(self, stamp: str, nonce: str, body: bytes) -> str:
        text = stamp.encode() + b"\n" + nonce.encode() + b"\n" + body + b"\n"
        return b64encode(self.key.sign(text, PKCS1v15(), SHA256())).decode()

    def headers(self, body: bytes, *, age: float = 0, **changes: str | None) -> dict[str, str]:
        """`changes`: timestamp, nonce, serial, signature, signature_type; None leaves the header out."""
        stamp, nonce = str(int(self.now.timestamp() - age)), "6f0a1b2c3d4e5f60718293a4b5c6d7e8"
        wanted: dict[str, str | None] = {
            "timestamp": stamp,
            "nonce": nonce,
            "serial": self.key_id,
            "signature": self.signature(stamp, nonce, body),
            "signature_type": "WECHATPAY2-SHA256-RSA2048",
        }
        wanted.update(changes)
        return {
            "Wechatpay-" + name.replace("_", "-").title(): value for name, value in wanted.items() if value is not None
        }

    def sealed(
        self, content: Mapping[str, Any] | bytes, *, kind: str = "transaction", **changes: Any
    ) -> dict[str, Any]:
        plain = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        ciphertext = AESGCM(self.apiv3_key.encode()).encrypt(b"abcdefghijkl", plain, kind.encode())
        resource = {
            "original_type": kind,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": b64encode(ciphertext).decode(),
            "associated_data": kind,
            "nonce": "abcdefghijkl",
        }
        return resource | changes

    def certificates(self, *pems: str, serials: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
        """The answer of /v3/certificates; its own certificate where none is named."""
        told = pems or (self.certificate,)
        return {
            "data": [
                {
                    "serial_no": serial,
                    "effective_time": "2026-01-01T08:00:00+08:00",
                    "expire_time": "2031-01-01T08:00:00+08:00",
                    "encrypt_certificate": self.sealed(pem.encode(), kind="certificate", **changes),
                }
                for pem, serial in zip(told, serials or map(serial_of, told), strict=True)
            ]
        }

    def event(self, content: Mapping[str, Any] | bytes, *, event_type: str, **resource: Any) -> bytes:
        envelope = {
            "id": "EV-2026112010300000001",
            "create_time": "2026-11-20T10:30:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event_type,
            "summary": "支付成功",
            "resource": self.sealed(content, **resource),
        }
        return json.dumps(envelope, ensure_ascii=False).encode()

    def answer(
        self, mock: responses.RequestsMock, method: str, path: str, payload: Any, *, status: int = 200, **headers: Any
    ) -> responses.BaseResponse:
        """Register a signed answer. `payload` is JSON, or bytes as they are."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
        signed = self.headers(body, **headers)
        return mock.add(
            method, PAY_URL + path, body=body, status=status, headers=signed, content_type="application/json"
        )
