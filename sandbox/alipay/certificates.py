"""The certificates of the platform: an authority in the genuine layout, leaves, serial names (protocol section 3.2).

A client is given three files: its own certificate, the platform's (with the issuer below it) and a root file that holds
four roots, of which only the two RSA ones count. One of the others is SM2, which hardly any library can use, and one
writes its ECDSA algorithm with NULL parameters, which some refuse to parse. Both are made here as they are found there.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

RSA_FAMILY = "1.2.840.113549.1.1."
LIFE = timedelta(days=20 * 365)

NULL = bytes.fromhex("0500")
RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
RSA_SHA1 = bytes.fromhex("300d06092a864886f70d0101050500")
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA256_NULL = bytes.fromhex("300c06082a8648ce3d040302") + NULL
SM3_WITH_SM2 = bytes.fromhex("300a06082a811ccf55018375")
CURVE_P256 = bytes.fromhex("06082a8648ce3d030107")
CURVE_SM2 = bytes.fromhex("06082a811ccf5501822d")


@dataclass(frozen=True)
class Authority:
    """Who signs the certificates: the root file that clients trust, and the issuer below its RSA root."""

    root_file: str
    issuer_pem: str
    issuer_key_pem: str


def serial_name(certificate: x509.Certificate) -> str:
    """`md5(issuer + serial)`: the issuer last part first, without blanks or escapes, the serial in decimal."""
    issuer = ",".join(f"{part.rfc4514_attribute_name}={part.value!s}" for part in reversed(list(certificate.issuer)))
    return hashlib.md5(f"{issuer}{certificate.serial_number}".encode()).hexdigest()


def leaf_serial_name(pem: str) -> str:
    """The name of the first certificate of a file."""
    return serial_name(x509.load_pem_x509_certificate(pem.encode()))


def root_serial_name(pem: str) -> str:
    """The names of all RSA roots of a file in its order, joined by `_`; blocks that cannot be read do not count."""
    names = []
    for block in pem_blocks(pem):
        try:
            certificate = x509.load_pem_x509_certificate(block.encode())
            algorithm = certificate.signature_algorithm_oid.dotted_string
        except ValueError:
            continue
        if algorithm.startswith(RSA_FAMILY):
            names.append(serial_name(certificate))
    return "_".join(names)


def pem_blocks(pem: str) -> list[str]:
    """The certificates of a file, one text each."""
    end = "-----END CERTIFICATE-----"
    return [f"{block.strip()}\n{end}\n" for block in pem.split(end)[:-1]]


def found_authority(new_key: Callable[[], tuple[RSAPrivateKey, str]]) -> Authority:
    """Make four roots and an issuer. `new_key` gives an RSA key and its PEM."""
    root_key, old_key = new_key()[0], new_key()[0]
    issuer_key, issuer_key_pem = new_key()
    root_name = name_of("Sandbox Certification Authority R1", "Certification Authority", "Sandbox Financial")
    root = issue(root_name, root_key.public_key(), root_name, root_key, authority=True)
    issuer = issue(
        name_of("Sandbox Certification Authority Class 2 R1", "Certification Authority", "Sandbox Financial"),
        issuer_key.public_key(),
        root_name,
        root_key,
        authority=True,
    )
    roots = (_sm2_root(), pem_of(root), _ecdsa_root(), _sha1_root(old_key))
    # The files of the platform set a blank line between the blocks, and some libraries rely on it.
    return Authority("\n".join(roots), pem_of(issuer), issuer_key_pem)


def issue(
    subject: x509.Name,
    key: RSAPublicKey | EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: RSAPrivateKey | EllipticCurvePrivateKey,
    *,
    authority: bool = False,
) -> x509.Certificate:
    """Sign a certificate, valid from yesterday on."""
    since = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + LIFE)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )


def name_of(common: str, unit: str, organisation: str) -> x509.Name:
    """A distinguished name in the order of the genuine ones."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def pem_of(certificate: x509.Certificate) -> str:
    """One block of text."""
    return certificate.public_bytes(Encoding.PEM).decode()


def _sha1_root(key: RSAPrivateKey) -> str:
    name = name_of("Sandbox Class 2 Root CA - G3", "Sandbox Trust Network", "Sandbox Trust")
    plain = issue(name, key.public_key(), name, key, authority=True)
    return _resigned(plain, RSA_SHA256, RSA_SHA1, lambda body: key.sign(body, PKCS1v15(), SHA1()))


def _ecdsa_root() -> str:
    key = generate_ec_key(SECP256R1())
    return _resigned(_ec_certificate(key, "E1"), ECDSA_SHA256, ECDSA_SHA256_NULL, lambda body: _ec_sign(key, body))


def _sm2_root() -> str:
    """A root as SM2 ones look. Its curve and algorithm carry the SM2 names; the numbers below them are P-256."""
    key = generate_ec_key(SECP256R1())
    plain = _ec_certificate(key, "ROOTCA")
    return _resigned(plain, ECDSA_SHA256, SM3_WITH_SM2, lambda body: _ec_sign(key, body), (CURVE_P256, CURVE_SM2))


def _ec_certificate(key: EllipticCurvePrivateKey, common: str) -> x509.Certificate:
    name = name_of(f"Sandbox {common}", "Certification Authority", "Sandbox Financial")
    return issue(name, key.public_key(), name, key, authority=True)


def _ec_sign(key: EllipticCurvePrivateKey, body: bytes) -> bytes:
    return key.sign(body, ECDSA(SHA256()))


def _resigned(
    certificate: x509.Certificate,
    algorithm: bytes,
    other: bytes,
    sign: Callable[[bytes], bytes],
    curve: tuple[bytes, bytes] = (b"", b""),
) -> str:
    """The same certificate under another algorithm name, which the library would not write itself."""
    body = certificate.tbs_certificate_bytes
    content = body[len(_header(body)) :].replace(algorithm, other, 1)
    if curve[0]:
        content = content.replace(*curve, 1)
    body = _der(0x30, content)
    whole = _der(0x30, body + other + _der(0x03, b"\x00" + sign(body)))
    lines = base64.encodebytes(whole).decode().replace("\n", "")
    wrapped = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    return f"-----BEGIN CERTIFICATE-----\n{wrapped}\n-----END CERTIFICATE-----\n"


def _header(der: bytes) -> bytes:
    """The tag and the length of a DER value."""
    return der[:2] if der[1] < 0x80 else der[: 2 + (der[1] & 0x7F)]


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
