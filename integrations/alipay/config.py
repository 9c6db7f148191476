"""What an Alipay client must know. Checked when it is made, so that a wrong key stops the start and not a patient.

An error names the field and never shows its value.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from core.ports import IdKind
from integrations.accounts import DIGITS, WORD, require_match, require_plain_url
from integrations.alipay._certs import SMALLEST_RSA_BITS, read_certificates, root_serial_name, rsa_key, serial_name
from integrations.alipay._keyring import KeyRing

GATEWAY_URL = "https://openapi.alipay.com/gateway.do"
BILL_URLS = ("http://dwbillcenter.alipay.com", "https://dwbillcenter.alipay.com")
"""Where Alipay keeps the files of bills. It names the first one itself."""

AES_KEY_BYTES = 16
LONGEST_RETURN_URL = 1024
ID_MODES = frozenset({IdKind.OPEN_ID, IdKind.USER_ID})


@dataclass(frozen=True)
class AlipayCertificates:
    """The three files of certificate mode, each a PEM text with one certificate or more (alipay.md 3.2)."""

    app_cert_pem: str
    alipay_cert_pem: str
    alipay_root_cert_pem: str


@dataclass(frozen=True)
class AlipayAccount:
    """One Alipay app and the merchant whose money it takes. Raises: ValueError.

    `merchant` is our name of the money, `app` our name of the mini-program whose patients pay. `op_app_id` is that
    mini-program's app id where another app calls for it; empty means that `app_id` is the mini-program itself. Keys
    may be PEM (PKCS#1 or PKCS#8) or the console's bare base64. With certificates Alipay's key is the certificate's,
    and `alipay_public_key_pem` may stay empty. `aes_key` is base64 and opens phone payloads. `id_mode`: which id of a
    patient the app is given. `bill_url`: the only place from which bills are fetched. `wap`: it may be paid from a
    browser outside of Alipay.
    """

    merchant: str
    app: str
    app_id: str
    seller_id: str
    private_key_pem: str = field(repr=False)
    alipay_public_key_pem: str = field(default="", repr=False)
    gateway: str = GATEWAY_URL
    bill_url: str = BILL_URLS[0]
    op_app_id: str = ""
    aes_key: str | None = field(default=None, repr=False)
    id_mode: IdKind = IdKind.OPEN_ID
    wap: bool = False
    certificates: AlipayCertificates | None = field(default=None, repr=False)
    app_cert_sn: str = field(init=False, default="")
    root_cert_sn: str = field(init=False, default="")
    signing_key: RSAPrivateKey = field(init=False, repr=False, compare=False)
    keys: KeyRing = field(init=False, repr=False, compare=False)
    """Alipay's keys, shared by all that speak for this account, and with other processes through `keys.share`."""

    def __post_init__(self) -> None:
        require_match(WORD, "merchant", self.merchant)
        require_match(WORD, "app", self.app)
        require_match(DIGITS, "app_id", self.app_id)
        require_match(DIGITS, "seller_id", self.seller_id)
        if self.op_app_id:
            require_match(DIGITS, "op_app_id", self.op_app_id)
        require_plain_url("gateway", self.gateway)
        require_plain_url("bill_url", self.bill_url)
        if self.id_mode not in ID_MODES:
            raise ValueError("id_mode is open_id or user_id")
        object.__setattr__(self, "id_mode", IdKind(self.id_mode))
        if self.aes_key is not None:
            self.content_key()
        # Read once: checking a private key takes longer than all signatures of a call.
        object.__setattr__(self, "signing_key", _private_key(self.private_key_pem))
        object.__setattr__(self, "keys", self._key_ring())

    @property
    def is_miniapp(self) -> bool:
        """Whether the calling app is the mini-program itself."""
        return self.op_app_id in ("", self.app_id)

    def content_key(self) -> bytes:
        """The AES key of content encryption. Raises: ValueError."""
        try:
            key = _bare(self.aes_key or "")
        except ValueError:
            key = b""
        if len(key) != AES_KEY_BYTES:
            raise ValueError(f"aes_key must be {AES_KEY_BYTES} bytes in base64")
        return key

    def _key_ring(self) -> KeyRing:
        if self.certificates is None:
            key = _public_key(self.alipay_public_key_pem)
            _require_foreign(key, self.signing_key, "alipay_public_key_pem")
            return KeyRing(key)
        return self._certified(self.certificates)

    def _certified(self, files: AlipayCertificates) -> KeyRing:
        app, alipay = read_certificates(files.app_cert_pem), read_certificates(files.alipay_cert_pem)
        roots = read_certificates(files.alipay_root_cert_pem)
        if not app or rsa_key(app[0]) != self.signing_key.public_key():
            raise ValueError("certificates.app_cert_pem is not a certificate of private_key_pem")
        key = rsa_key(alipay[0]) if alipay else None
        if key is None:
            raise ValueError("certificates.alipay_cert_pem is not a certificate of an RSA key")
        _require_foreign(key, self.signing_key, "certificates.alipay_cert_pem")
        if self.alipay_public_key_pem and _public_key(self.alipay_public_key_pem) != key:
            raise ValueError("alipay_public_key_pem is not the key of certificates.alipay_cert_pem")
        object.__setattr__(self, "app_cert_sn", serial_name(app[0]))
        object.__setattr__(self, "root_cert_sn", root_serial_name(roots))
        if not self.root_cert_sn:
            raise ValueError("certificates.alipay_root_cert_pem has no root signed with RSA")
        stored_as = f"alipay_certificates:{self.app_id}"
        return KeyRing(key, chain=[*alipay, *app[1:]], roots=roots, stored_as=stored_as)


def require_url(name: str, url: str) -> str:
    """Return `url` if Alipay may be given it: absolute, without a query (alipay.md 8.3). Raises: ValueError."""
    require_plain_url(name, url)
    if len(url) > LONGEST_RETURN_URL:
        raise ValueError(f"{name} is longer than {LONGEST_RETURN_URL} characters")
    return url


@lru_cache(maxsize=256)
def _private_key(text: str) -> RSAPrivateKey:
    try:
        if "-----BEGIN" in text:
            key = load_pem_private_key(text.encode(), password=None)
        else:
            key = load_der_private_key(_bare(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not chained: nothing that read the key may speak about it.
        raise ValueError("private_key_pem is not an unencrypted private key") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST_RSA_BITS:
        raise ValueError(f"private_key_pem must be an RSA key of {SMALLEST_RSA_BITS} bits or more")
    return key


def _public_key(text: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(text.encode()) if "-----BEGIN" in text else load_der_public_key(_bare(text))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("alipay_public_key_pem is not a public key") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_RSA_BITS:
        raise ValueError(f"alipay_public_key_pem must be an RSA key of {SMALLEST_RSA_BITS} bits or more")
    return key


def _require_foreign(key: RSAPublicKey, own: RSAPrivateKey, name: str) -> None:
    """The classic mistake (3.1): with our own key here anything that we ever signed would count as Alipay's word."""
    if key == own.public_key():
        raise ValueError(f"{name} is our own key: Alipay's is another one")


def _bare(text: str) -> bytes:
    return b64decode("".join(text.split()), validate=True)
