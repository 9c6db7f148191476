"""The primitives of the wire: RSA, AES-GCM, canonical texts. Nothing here knows a merchant, a clock or HTTP."""

import base64
import binascii
import hashlib
import os
import re
import secrets
import string
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1

SCHEMA = "WECHATPAY2-SHA256-RSA2048"
FIELD_PADDING = OAEP(MGF1(SHA1()), SHA1(), None)
LETTERS = string.ascii_letters + string.digits
AUTHORIZATION_FIELDS = frozenset({"mchid", "nonce_str", "signature", "timestamp", "serial_no"})
AUTHORIZATION_PAIR = re.compile(r'\s*([a-z_]+)="([^"]*)"\s*')


@dataclass(frozen=True)
class Authorization:
    """The five fields of a request's Authorization header (protocol section 4.1)."""

    mchid: str
    nonce_str: str
    signature: str
    timestamp: str
    serial_no: str


def parse_authorization(header: str, schema: str = SCHEMA) -> Authorization | None:
    """Read the header in any field order; None where it is not exactly the five fields, each once."""
    start, _, rest = header.partition(" ")
    if start != schema:
        return None
    fields: dict[str, str] = {}
    at = 0
    while at <= len(rest):
        pair = AUTHORIZATION_PAIR.match(rest, at)
        if pair is None or pair[1] in fields:
            return None
        fields[pair[1]] = pair[2]
        at = pair.end()
        if at == len(rest):
            break
        if rest[at] != ",":
            return None
        at += 1
    return Authorization(**fields) if fields.keys() == AUTHORIZATION_FIELDS else None


def request_text(method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """Five lines, each ended by a line feed; a body that ends in one still gets another (section 4.1)."""
    return f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """Three lines over the raw body, empty for 204 (section 4.2)."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def pay_text(appid: str, timestamp: str, nonce: str, package: str) -> bytes:
    """What `paySign` of wx.requestPayment covers (section 4.4)."""
    return f"{appid}\n{timestamp}\n{nonce}\n{package}\n".encode()


def rsa_sign(key: RSAPrivateKey, message: bytes) -> str:
    """RSA PKCS#1 v1.5 with SHA-256, base64."""
    return base64.b64encode(key.sign(message, PKCS1v15(), hashes.SHA256())).decode()


def rsa_verify(key: RSAPublicKey, message: bytes, signature: str) -> bool:
    """Check a base64 signature.

    Only the canonical spelling counts: base64 has unused bits in its last letter, and a signature with one of them
    turned would otherwise pass although a byte was changed.
    """
    try:
        raw = base64.b64decode(signature, validate=True)
        if base64.b64encode(raw).decode() != signature:
            return False
        key.verify(raw, message, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def seal(key: bytes, nonce: str, associated_data: str, plaintext: bytes) -> str:
    """AES-GCM, base64, the tag being the last 16 bytes (section 4.7)."""
    return base64.b64encode(seal_file(key, nonce, plaintext, associated_data)).decode()


def seal_file(key: bytes, nonce: str, plaintext: bytes, associated_data: str = "") -> bytes:
    """The same as bytes: how a sub-merchant's bill travels."""
    return AESGCM(key).encrypt(nonce.encode(), plaintext, associated_data.encode())


def unseal(key: bytes, nonce: str, associated_data: str, ciphertext: str) -> bytes | None:
    """Open what `seal` made; None for a wrong key, tag, nonce or associated data."""
    try:
        raw = base64.b64decode(ciphertext, validate=True)
        if base64.b64encode(raw).decode() != ciphertext:
            return None
        return AESGCM(key).decrypt(nonce.encode(), raw, associated_data.encode())
    except (InvalidTag, binascii.Error, ValueError):
        return None


def seal_field(key: RSAPublicKey, text: str) -> str:
    """RSA-OAEP with SHA-1, base64: how a single field of a body is sealed (section 4.3)."""
    return base64.b64encode(key.encrypt(text.encode(), FIELD_PADDING)).decode()


def unseal_field(key: RSAPrivateKey, ciphertext: str) -> str | None:
    """Open what `seal_field` made; None for anything else, PKCS#1 v1.5 included."""
    try:
        return key.decrypt(base64.b64decode(ciphertext, validate=True), FIELD_PADDING).decode()
    except ValueError:
        return None


def cert_hash(cert_type: str, cert_name: str, cert_no: str) -> str:
    """The digest that binds a face result to a person (section 2.1)."""
    return hashlib.sha256(cert_text(cert_type, cert_name, cert_no).encode()).hexdigest()


def cert_text(cert_type: str, cert_name: str, cert_no: str) -> str:
    """Standard base64 of UTF-8 for each value, no URL encoding."""
    fields = {"cert_type": cert_type, "cert_name": cert_name, "cert_no": cert_no}
    return "&".join(f"{name}={base64.b64encode(value.encode()).decode()}" for name, value in fields.items())


def random_letters(length: int) -> str:
    """Unpredictable ASCII letters and digits."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def random_digits(length: int) -> str:
    """Unpredictable digits, the first not zero."""
    return str(secrets.randbelow(9 * 10 ** (length - 1)) + 10 ** (length - 1))


def random_base64(size: int) -> str:
    """Base64 of random bytes."""
    return base64.b64encode(os.urandom(size)).decode()
