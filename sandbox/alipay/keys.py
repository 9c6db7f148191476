"""The installation's accounts at Alipay: apps, keys, certificates. They are kept beside the others in one file.

An account is a seller and the app that calls for it. `demo` is the mini-program itself, with plain keys and content
encryption; `gulou` and `xiehe` call with apps of their own, in certificate mode, for the patients of that mini-program.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sandbox.alipay.certificates import (
    Authority,
    found_authority,
    issue,
    leaf_serial_name,
    name_of,
    pem_of,
    root_serial_name,
)
from sandbox.crypto import random_base64, random_digits
from sandbox.keys import FILE_NAME, MERCHANT_NAMES, load_private_key, write_private

SECTION = "alipay"
APP_NAME = "patient"


@dataclass(frozen=True)
class Account:
    """A seller, the app that calls for it, and the keys of both sides; `op_app_id` is the payers' mini-program."""

    name: str
    app: str
    app_id: str
    op_app_id: str
    seller_id: str
    private_key_pem: str
    alipay_key_pem: str
    aes_key: str | None = None
    app_cert: str | None = None
    alipay_cert: str | None = None

    @property
    def is_miniapp(self) -> bool:
        """Tell whether the calling app is the mini-program that people log in to."""
        return self.app_id == self.op_app_id

    @cached_property
    def public_key(self) -> RSAPublicKey:
        """The key that checks what the app signs."""
        return key_of(self.private_key_pem).public_key()

    @cached_property
    def app_cert_sn(self) -> str | None:
        """The serial name of the app's certificate; None in key mode."""
        return None if self.app_cert is None else leaf_serial_name(self.app_cert)


@dataclass(frozen=True)
class Accounts:
    """All accounts of this installation, and the authority behind their certificates."""

    items: tuple[Account, ...]
    authority: Authority

    @cached_property
    def root_cert_sn(self) -> str:
        """The serial name of the root file."""
        return root_serial_name(self.authority.root_file)

    def by_app_id(self, app_id: str) -> Account | None:
        """The account of the calling app."""
        return next((account for account in self.items if account.app_id == app_id), None)

    def by_seller(self, seller_id: str) -> Account | None:
        """The account of this seller."""
        return next((account for account in self.items if account.seller_id == seller_id), None)

    def named(self, name: str) -> Account | None:
        """The account of this merchant name."""
        return next((account for account in self.items if account.name == name), None)

    def miniapp(self, app: str | None) -> Account | None:
        """The mini-program of this name; the first one where none is named."""
        miniapps = [account for account in self.items if account.is_miniapp]
        return next((account for account in miniapps if app in (None, account.app)), None)


@cache
def key_of(pem: str) -> RSAPrivateKey:
    """A private key; reading one takes a while, so each is read once."""
    return load_private_key(pem)


def public_pem(key: RSAPublicKey) -> str:
    """A public key as text."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def new_key() -> tuple[RSAPrivateKey, str]:
    """A fresh RSA key and its text."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def open_accounts(home: Path) -> Accounts:
    """Read the accounts. Where the file has none yet, which an older installation may have, they are made now."""
    path = home / FILE_NAME
    stored = json.loads(path.read_text())
    if SECTION not in stored:
        stored[SECTION] = _new_section()
        write_private(path, json.dumps(stored, indent=1).encode())
    section = stored[SECTION]
    return Accounts(tuple(Account(**account) for account in section["accounts"]), Authority(**section["authority"]))


def platform_certificate(authority: Authority, seller_id: str, key: RSAPublicKey) -> str:
    """The platform's certificate for a seller, with its issuer below it."""
    leaf = _leaf(authority, f"支付宝(中国)网络技术有限公司-{seller_id}", "支付宝(中国)网络技术有限公司", key)
    return leaf + authority.issuer_pem


def _leaf(authority: Authority, common: str, organisation: str, key: RSAPublicKey) -> str:
    issuer = x509.load_pem_x509_certificate(authority.issuer_pem.encode()).subject
    return pem_of(issue(name_of(common, "Alipay", organisation), key, issuer, key_of(authority.issuer_key_pem)))


def _new_section() -> dict[str, Any]:
    with ThreadPoolExecutor(2) as pool:
        keys = iter(list(pool.map(lambda _: new_key(), range(2 * len(MERCHANT_NAMES) + 3))))
    authority = found_authority(lambda: next(keys))
    op_app_id = _new_app_id()
    first, *others = MERCHANT_NAMES
    accounts = [_new_account(first, op_app_id, op_app_id, next(keys), next(keys)) | {"aes_key": random_base64(16)}]
    for name in others:
        account = _new_account(name, _new_app_id(), op_app_id, next(keys), next(keys))
        accounts.append(account | _certificates(authority, account))
    return {"authority": vars(authority), "accounts": accounts}


def _new_app_id() -> str:
    return f"2021{random_digits(12)}"


def _new_account(
    name: str, app_id: str, op_app_id: str, app_key: tuple[RSAPrivateKey, str], alipay_key: tuple[RSAPrivateKey, str]
) -> dict[str, str]:
    return {
        "name": name,
        "app": APP_NAME,
        "app_id": app_id,
        "op_app_id": op_app_id,
        "seller_id": f"2088{random_digits(12)}",
        "private_key_pem": app_key[1],
        "alipay_key_pem": alipay_key[1],
    }


def _certificates(authority: Authority, account: Mapping[str, str]) -> dict[str, str]:
    app_key, alipay_key = (key_of(account[name]).public_key() for name in ("private_key_pem", "alipay_key_pem"))
    return {
        "app_cert": _leaf(authority, f"{account['seller_id']}-{account['app_id']}", "约诊示范医院", app_key),
        "alipay_cert": platform_certificate(authority, account["seller_id"], alipay_key),
    }
