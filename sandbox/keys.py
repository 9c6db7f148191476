"""The installation's apps, merchants and keys: made at first start, kept in one file that only its owner reads."""

import json
import os
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from sandbox.crypto import random_letters
from sandbox.new_clouds import agreement_template, new_pair, new_sms
from sandbox.new_merchants import new_key_pem, new_merchant, new_sub_merchants

APP_NAMES = ("patient", "other")
MERCHANT_NAMES = ("demo", "gulou", "xiehe")
OFFICIAL_NAMES = ("clinic",)
FILE_NAME = "credentials.json"


@dataclass(frozen=True)
class App:
    """A mini-program."""

    name: str
    appid: str
    secret: str


@dataclass(frozen=True)
class Official(App):
    """An official account that goes with a mini-program; `token` and `encoding_aes_key` protect what it is pushed."""

    original_id: str
    token: str
    encoding_aes_key: str
    miniapp: str


@dataclass(frozen=True)
class Merchant:
    """A merchant number: its own key and certificate serial, and the platform's public key for it.

    A sub-merchant signs nothing: with `sub_mchid` all of these are its partner's, and `sub_appid` is an app of its own.
    """

    name: str
    mchid: str
    appid: str
    serial_no: str
    apiv3_key: str
    public_key_id: str
    private_key_pem: str
    platform_key_pem: str
    sub_mchid: str | None = None
    sub_appid: str | None = None

    @property
    def is_sub(self) -> bool:
        """Whether a partner signs for it."""
        return self.sub_mchid is not None

    @property
    def number(self) -> str:
        """The number that the money belongs to."""
        return self.sub_mchid or self.mchid

    @property
    def ids(self) -> dict[str, str]:
        """Its numbers as orders and notices name them."""
        if self.sub_mchid is None:
            return {"mchid": self.mchid}
        return {"sp_mchid": self.mchid, "sub_mchid": self.sub_mchid}

    @cached_property
    def public_key(self) -> RSAPublicKey:
        """The key that checks what the merchant signs."""
        return load_private_key(self.private_key_pem).public_key()

    @cached_property
    def platform_key(self) -> RSAPrivateKey:
        """The key the platform signs with for this merchant."""
        return load_private_key(self.platform_key_pem)

    @cached_property
    def platform_public_pem(self) -> str:
        """pub_key.pem as the merchant platform hands it out."""
        return (
            self.platform_key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )


@dataclass(frozen=True)
class CloudAccount:
    """An account at a cloud: what signs its calls."""

    provider: str
    access_key_id: str
    access_key_secret: str


@dataclass(frozen=True)
class SmsAccount(CloudAccount):
    """An account that sends text messages, with its approved signature and templates. `words` and `agreement_words` are
    the templates' texts."""

    sign_name: str
    template_id: str
    words: str
    agreement_template_id: str
    agreement_words: str
    sdk_app_id: str | None = None
    region: str | None = None

    def has_template(self, template_id: object) -> bool:
        """Whether a template of this number was approved."""
        return template_id in (self.template_id, self.agreement_template_id)

    def text(self, template_id: str, code: str) -> str:
        """What stands on the phone behind the signature."""
        words = self.words if template_id == self.template_id else self.agreement_words
        return words.replace("${code}", code).replace("{1}", code)


@dataclass(frozen=True)
class HospitalKey:
    """What a hospital's system and we sign with; `system` is its name."""

    system: str
    key_id: str
    secret: str


@dataclass(frozen=True)
class Keyring:
    """All parties of this installation; `stranger` signs forgeries and belongs to nobody."""

    apps: tuple[App, ...]
    officials: tuple[Official, ...]
    merchants: tuple[Merchant, ...]
    sms: tuple[SmsAccount, ...]
    realname: tuple[CloudAccount, ...]
    hospital: HospitalKey
    stranger_pem: str

    @cached_property
    def stranger(self) -> RSAPrivateKey:
        """A key that no merchant trusts."""
        return load_private_key(self.stranger_pem)

    def app(self, appid: str) -> App | None:
        """The mini-program or official account of this appid."""
        return next((app for app in (*self.apps, *self.officials) if app.appid == appid), None)

    def app_named(self, name: str | None) -> App | None:
        """The app of this name; the first configured one where none is named."""
        return self.apps[0] if name is None else next((app for app in self.apps if app.name == name), None)

    def official_named(self, name: str | None) -> Official | None:
        """The official account of this name; the first one where none is named."""
        return self.officials[0] if name is None else next((one for one in self.officials if one.name == name), None)

    def sms_account(self, provider: str) -> SmsAccount:
        """The account at a platform."""
        return next(account for account in self.sms if account.provider == provider)

    def realname_account(self, provider: str) -> CloudAccount:
        """The account at a platform that matches names."""
        return next(account for account in self.realname if account.provider == provider)

    def bound_appids(self, merchant: Merchant) -> tuple[str, ...]:
        """The accounts that may take payments for a merchant beside its own mini-program."""
        return self._beside(merchant.appid)

    def sub_appids(self, merchant: Merchant) -> tuple[str, ...]:
        """The accounts of a sub-merchant's own that may take payments for it."""
        return () if merchant.sub_appid is None else (merchant.sub_appid, *self._beside(merchant.sub_appid))

    def _beside(self, appid: str) -> tuple[str, ...]:
        homes = {app.name for app in self.apps if app.appid == appid}
        return tuple(official.appid for official in self.officials if official.miniapp in homes)

    def merchant(self, number: str) -> Merchant | None:
        """Whose money this number names."""
        return next((merchant for merchant in self.merchants if merchant.number == number), None)

    def signer(self, mchid: str) -> Merchant | None:
        """One of those for whom this number signs."""
        return next((merchant for merchant in self.merchants if merchant.mchid == mchid), None)

    def merchant_named(self, name: str) -> Merchant | None:
        """The merchant of this name."""
        return next((merchant for merchant in self.merchants if merchant.name == name), None)


@lru_cache(maxsize=256)
def load_private_key(pem: str) -> RSAPrivateKey:
    """Read an RSA key. Raises: ValueError for any other kind."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA key")
    return key


def open_keyring(home: Path) -> Keyring:
    """Read the installation's keys, making at each start those that are not there yet."""
    path = home / FILE_NAME
    stored = json.loads(path.read_text()) if path.exists() else _new_installation()
    completed = _completed(stored)
    if not path.exists() or completed != stored:
        write_private(path, json.dumps(completed, indent=1).encode())
    path.chmod(0o600)
    return _read(completed)


def make_home(home: Path) -> None:
    """Create the sandbox's folder, readable by its owner only."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    home.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that it is there in full or not at all."""
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _read(stored: Mapping[str, Any]) -> Keyring:
    return Keyring(
        apps=tuple(App(**app) for app in stored["wechat_miniapp"]),
        officials=tuple(Official(**official) for official in stored["wechat_official"]),
        merchants=tuple(Merchant(**merchant) for merchant in (*stored["wechat_pay"], *stored["wechat_pay_subs"])),
        sms=tuple(SmsAccount(**account) for account in stored["sms"]),
        realname=tuple(CloudAccount(**account) for account in stored["realname"]),
        hospital=HospitalKey(**stored["hospital"]),
        stranger_pem=stored["stranger"],
    )


def _new_installation() -> dict[str, Any]:
    with ThreadPoolExecutor(2) as pool:
        pems = iter(list(pool.map(lambda _: new_key_pem(), range(2 * len(MERCHANT_NAMES) + 1))))
    apps = [{"name": name, "appid": f"wx{secrets.token_hex(8)}", "secret": secrets.token_hex(16)} for name in APP_NAMES]
    merchants = [new_merchant(name, apps[0]["appid"], next(pems), next(pems)) for name in MERCHANT_NAMES]
    return {"wechat_miniapp": apps, "wechat_pay": merchants, "stranger": next(pems)}


def _completed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The same keys, and those that an installation of an older version lacks."""
    completed = dict(stored)
    if "wechat_official" not in completed:
        completed["wechat_official"] = [_new_official(name, APP_NAMES[0]) for name in OFFICIAL_NAMES]
    if "wechat_pay_subs" not in completed:
        completed["wechat_pay_subs"] = new_sub_merchants(completed["wechat_miniapp"][0]["appid"])
    if "sms" not in completed:
        completed["sms"] = new_sms()
    completed["sms"] = [agreement_template(one["provider"]) | one for one in completed["sms"]]
    if "realname" not in completed:
        completed["realname"] = [new_pair("aliyun"), new_pair("tencent")]
    if "hospital" not in completed:
        completed["hospital"] = {"system": "his", "key_id": f"hk{random_letters(14)}", "secret": random_letters(43)}
    return completed


def _new_official(name: str, miniapp: str) -> dict[str, str]:
    return {
        "name": name,
        "appid": f"wx{secrets.token_hex(8)}",
        "secret": secrets.token_hex(16),
        "original_id": f"gh_{secrets.token_hex(6)}",
        "token": random_letters(32),
        "encoding_aes_key": random_letters(43),
        "miniapp": miniapp,
    }
