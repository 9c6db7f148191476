"""A chain of certificates laid out as Alipay's is: root, authority, and what they issue (alipay.md 3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
ALIPAY_NAME = "支付宝(中国)网络技术有限公司-2088100200300400"


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "某医院"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Alipay"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def new_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Issuer:
    """Issues certificates in the name of one."""

    common: str
    key: RSAPrivateKey = field(default_factory=new_key)

    def certificate(
        self,
        common: str,
        key: Any,
        *,
        authority: bool = False,
        begins: datetime = NOW - timedelta(days=30),
        lasts: timedelta = timedelta(days=365),
    ) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(name(common))
            .issuer_name(name(self.common))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + lasts)
        )
        if authority:
            made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return made.sign(self.key, SHA256())


def pem(*certificates: x509.Certificate) -> str:
    return "\n".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)
