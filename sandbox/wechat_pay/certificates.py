"""The platform's certificates: an authority of this installation, and a certificate for a merchant (section 4.3).

The first ones are made at first start and kept beside the other keys. Their times are real time always: a client
compares them with its own clock.
"""

import json
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sandbox.clock import CHINA
from sandbox.keys import FILE_NAME, load_private_key, write_private
from sandbox.new_merchants import new_key_pem

SECTION = "wechat_pay_certificates"
AUTHORITY_LIFE = timedelta(days=20 * 365)
LIFE = timedelta(days=5 * 365)
#: The merchants that have a certificate from the first start on.
HOLDERS = ("gulou", "xiehe")


@dataclass(frozen=True)
class Certificate:
    """A certificate that the platform signs with for one merchant, and its key."""

    key_pem: str
    pem: str

    @cached_property
    def key(self) -> RSAPrivateKey:
        """The key the platform signs with."""
        return load_private_key(self.key_pem)

    @cached_property
    def parsed(self) -> x509.Certificate:
        """What the text says."""
        return x509.load_pem_x509_certificate(self.pem.encode())

    @property
    def serial(self) -> str:
        """As it stands in Wechatpay-Serial: hex in capitals."""
        return f"{self.parsed.serial_number:X}"

    @property
    def is_valid(self) -> bool:
        """Whether its time has come and has not ended."""
        return self.parsed.not_valid_before_utc <= datetime.now(UTC) < self.parsed.not_valid_after_utc

    @property
    def times(self) -> tuple[str, str]:
        """From when until when, as the platform writes instants."""
        ends = (self.parsed.not_valid_before_utc, self.parsed.not_valid_after_utc)
        first, last = (moment.astimezone(CHINA).isoformat() for moment in ends)
        return first, last


@dataclass(frozen=True)
class Certificates:
    """The authority, and the first certificate of the merchants that have one, by their names."""

    authority: Certificate
    first: Mapping[str, Certificate]

    def issue(self, begins: datetime | None = None, lasts: timedelta = LIFE) -> Certificate:
        """A new key with a new certificate, in force from now on where nothing is said."""
        return _issued(self.authority, new_key_pem(), begins or datetime.now(UTC), lasts)


def open_certificates(home: Path) -> Certificates:
    """Read them. Where the file has none yet, which an older installation may have, they are made now."""
    path = home / FILE_NAME
    stored = json.loads(path.read_text())
    if SECTION not in stored:
        stored[SECTION] = _new_section()
        write_private(path, json.dumps(stored, indent=1).encode())
    section = stored[SECTION]
    first = {name: Certificate(**section[name]) for name in section if name != "authority"}
    return Certificates(Certificate(**section["authority"]), first)


def _new_section() -> dict[str, dict[str, str]]:
    with ThreadPoolExecutor(2) as pool:
        pems = iter(list(pool.map(lambda _: new_key_pem(), range(len(HOLDERS) + 1))))
    since = datetime.now(UTC) - timedelta(days=1)
    authority = _authority(next(pems), since)
    issued = {name: _issued(authority, next(pems), since, LIFE) for name in HOLDERS}
    return {name: {"key_pem": one.key_pem, "pem": one.pem} for name, one in {"authority": authority, **issued}.items()}


def _authority(key_pem: str, since: datetime) -> Certificate:
    key = load_private_key(key_pem)
    name = _name("Sandbox Tenpay.com Root CA")
    builder = _builder(key.public_key(), since, AUTHORITY_LIFE).subject_name(name).issuer_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Certificate(key_pem, _signed(builder, key))


def _issued(authority: Certificate, key_pem: str, begins: datetime, lasts: timedelta) -> Certificate:
    builder = _builder(load_private_key(key_pem).public_key(), begins, lasts)
    builder = builder.subject_name(_name("Tenpay.com sign")).issuer_name(authority.parsed.subject)
    return Certificate(key_pem, _signed(builder, authority.key))


def _builder(key: RSAPublicKey, begins: datetime, lasts: timedelta) -> x509.CertificateBuilder:
    # Twenty bytes whose first digit is not zero, so that every library writes the serial alike.
    serial = int(f"5{secrets.token_hex(20)[1:]}", 16)
    builder = x509.CertificateBuilder().public_key(key).serial_number(serial)
    return builder.not_valid_before(begins).not_valid_after(begins + lasts)


def _signed(builder: x509.CertificateBuilder, key: RSAPrivateKey) -> str:
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def _name(common: str) -> x509.Name:
    parts = ((NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, "Tenpay.com"), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])
