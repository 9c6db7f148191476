"""Alipay's certificates: their serial names, and the chain up to the configured roots (alipay.md 3.2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

RSA_FAMILY = "1.2.840.113549.1.1."
SMALLEST_RSA_BITS = 2048
LONGEST_CHAIN = 5
MOST_BLOCKS = 16

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[0-9A-Za-z+/=\s]{1,20000}-----END CERTIFICATE-----")


def read_certificates(pem: str) -> list[x509.Certificate]:
    """Every certificate of a PEM text in its order, whatever stands between two of them.

    A block that cannot be parsed is passed over: the genuine root file has one whose parameters are malformed.
    """
    found = []
    for block in _BLOCK.findall(pem)[:MOST_BLOCKS]:
        try:
            found.append(x509.load_pem_x509_certificate(block.encode()))
        except (ValueError, UnsupportedAlgorithm):
            continue
    return found


def serial_name(certificate: x509.Certificate) -> str:
    """The `sn` that Alipay calls a certificate by: 32 hex digits over its issuer and serial number."""
    parts = [
        f"{attribute.rfc4514_attribute_name}={attribute.value!s}"
        for rdn in reversed(certificate.issuer.rdns)
        for attribute in rdn
    ]
    return hashlib.md5((",".join(parts) + str(certificate.serial_number)).encode(), usedforsecurity=False).hexdigest()


def root_serial_name(roots: Sequence[x509.Certificate]) -> str:
    """The serial names of all roots signed with RSA, in the order of the file; empty where there is none."""
    return "_".join(
        serial_name(root) for root in roots if root.signature_algorithm_oid.dotted_string.startswith(RSA_FAMILY)
    )


def rsa_key(certificate: x509.Certificate) -> RSAPublicKey | None:
    """None where the certificate is for another kind of key, or for a short one."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_RSA_BITS else None


def subject_name(certificate: x509.Certificate) -> str:
    """The common name. Alipay's certificates are `支付宝(…)-<merchant>`, those of apps `<merchant>-<app_id>`: both
    have one issuer, so only the name tells Alipay from anybody with an app."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def is_in_force(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def is_chained(
    leaf: x509.Certificate,
    *,
    between: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    now: datetime,
) -> bool:
    """Whether signatures lead from `leaf` through certificates of authorities to a root, all of them valid `now`."""
    current = leaf
    for _ in range(LONGEST_CHAIN):
        if not is_in_force(current, now):
            return False
        if any(_is_authority(root) and is_in_force(root, now) and _issued(root, current) for root in roots):
            return True
        above = [one for one in between if one != current and _is_authority(one) and _issued(one, current)]
        if not above:
            return False
        current = above[0]
    return False


def _is_authority(certificate: x509.Certificate) -> bool:
    """Without this anybody's app certificate could issue one in Alipay's name."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, WrongSignature, UnsupportedAlgorithm):
        return False
    return True
