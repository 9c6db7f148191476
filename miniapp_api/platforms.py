"""The file with the platforms' accounts, in the shape that api.md gives the credentials."""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from integrations.alipay import AlipayAccount, AlipayCertificates
from integrations.alipay.config import BILL_URLS
from integrations.hospital import HospitalSystemAccount
from integrations.realname import OWN_URLS as REALNAME_URLS
from integrations.realname import NameMatchAccount
from integrations.sms import OWN_URLS, SmsAccount
from integrations.wechat import MerchantAccount, MiniappAccount, OfficialAccountConfig
from miniapp_api.merchants import faults_of_merchants

T = TypeVar("T")


class PlatformsUnusable(Exception):
    """The file cannot be used. `faults` name list, row and field, and never a value."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Platforms:
    """The accounts this deployment has, in the order of the file: the first one is meant where none is named."""

    wechat_miniapp: tuple[MiniappAccount, ...] = field(default=(), repr=False)
    wechat_pay: tuple[MerchantAccount, ...] = field(default=(), repr=False)
    wechat_official: tuple[OfficialAccountConfig, ...] = field(default=(), repr=False)
    alipay: tuple[AlipayAccount, ...] = field(default=(), repr=False)
    sms: tuple[SmsAccount, ...] = field(default=(), repr=False)
    realname: tuple[NameMatchAccount, ...] = field(default=(), repr=False)
    hospital_systems: tuple[HospitalSystemAccount, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class _List(Generic[T]):
    """One list of the file. Fields are named as the file names them, with the name that `make` knows them by.

    `texts` must be there; `may` are texts, and `lists` lists of texts, that may be absent or null; so may `objects`,
    each with the maker of its own texts. `own` are the addresses of the platform itself: production takes no other.
    Those that are `sealed` may be anybody's, but production speaks to them over https only. `flags` are true or false,
    and false where they are absent.
    """

    name: str
    make: Callable[..., T]
    texts: Mapping[str, str]
    may: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, tuple[Callable[..., Any], Mapping[str, str]]] = field(default_factory=dict)
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sealed: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def read(self, content: Mapping[str, Any], *, production: bool, faults: list[str]) -> tuple[T, ...]:
        """The accounts of the list; what is wrong with a row goes to `faults`."""
        rows = content.get(self.name, [])
        if not isinstance(rows, list):
            faults.append(f"{self.name} is not a list")
            return ()
        accounts = []
        for position, row in enumerate(rows):
            try:
                account = self._account(row)
            except ValueError as error:
                faults.append(f"{self.name}[{position}]: {self._in_their_words(str(error))}")
                continue
            accounts.append(account)
            if production:
                foreign = [name for name, own in self.own.items() if not _is_own(getattr(account, name), own)]
                faults += [f"{self.name}[{position}]: {one} is not the platform's own https host" for one in foreign]
                bare = [name for name in self.sealed if urlsplit(getattr(account, name)).scheme != "https"]
                faults += [f"{self.name}[{position}]: {one} is not https" for one in bare]
        return tuple(accounts)

    def _in_their_words(self, fault: str) -> str:
        """With the names of fields that stand in the file, not those that `make` knows them by."""
        renamed = {ours: theirs for theirs, ours in (*self.texts.items(), *self.may.items())}
        for _, texts in self.objects.values():
            renamed |= {ours: theirs for theirs, ours in texts.items()}
        return re.sub(r"\w+", lambda word: renamed.get(word[0], word[0]), fault)

    def _account(self, row: Any) -> T:
        """Raises: ValueError."""
        given = _texts_of(row, self.texts, may=self.may, lists=self.lists, objects=tuple(self.objects))
        set_flags = {name: row[name] for name in self.flags if row.get(name) is not None}
        _refuse([name for name, value in set_flags.items() if not isinstance(value, bool)], "not true or false")
        given |= set_flags
        for theirs, (make, texts) in self.objects.items():
            if row.get(theirs) is not None:
                given[theirs] = make(**_texts_of(row[theirs], texts))
        return self.make(**given)


def _texts_of(
    row: Any,
    texts: Mapping[str, str],
    *,
    may: Mapping[str, str] | None = None,
    lists: Mapping[str, str] | None = None,
    objects: Iterable[str] = (),
) -> dict[str, Any]:
    """The fields of one row under our names. Raises: ValueError."""
    may, lists = may or {}, lists or {}
    if not isinstance(row, dict):
        raise ValueError("is not an object")
    absent = {name for name in (*may, *lists, *objects) if row.get(name) is None}
    _refuse([name for name in (*texts, *may) if name not in absent and row.get(name) in (None, "")], "missing")
    _refuse([name for name in (*texts, *may) if name not in absent and not isinstance(row[name], str)], "not a text")
    _refuse([name for name in lists if name not in absent and not _is_list_of_texts(row[name])], "not a list of texts")
    given = {ours: row[theirs] for theirs, ours in (*texts.items(), *may.items()) if theirs not in absent}
    return given | {ours: tuple(row[theirs]) for theirs, ours in lists.items() if theirs not in absent}


def _refuse(names: Iterable[object], why: str) -> None:
    """Raises: ValueError."""
    told = ", ".join(sorted(map(str, names)))
    if told:
        raise ValueError(f"{why}: {told}")


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_own(url: str, own: tuple[str, ...]) -> bool:
    return url.rstrip("/") in own and urlsplit(url).port is None


_API = ("https://api.weixin.qq.com",)
_MINIAPPS = _List(
    "wechat_miniapp",
    MiniappAccount,
    {"app": "app", "appid": "appid", "secret": "secret"},
    may={"base_url": "base_url"},
    own={"base_url": _API},
    flags=("trade_managed",),
)
_OFFICIALS = _List(
    "wechat_official",
    OfficialAccountConfig,
    {name: name for name in ("app", "appid", "secret", "token", "encoding_aes_key", "miniapp")},
    may={name: name for name in ("base_url", "open_url", "original_id", "push_mode")},
    own={"base_url": _API, "open_url": ("https://open.weixin.qq.com",)},
)
_MERCHANTS = _List(
    "wechat_pay",
    MerchantAccount,
    {name: name for name in ("merchant", "mchid", "appid", "serial_no", "apiv3_key")}
    | {"private_key": "private_key_pem"},
    may={name: name for name in ("public_key_id", "base_url", "sub_mchid")} | {"public_key": "public_key_pem"},
    lists={name: name for name in ("platform_certificates", "bound_appids", "sub_appids")},
    flags=("h5",),
    own={"base_url": ("https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com")},
)
_ALIPAY = _List(
    "alipay",
    AlipayAccount,
    {name: name for name in ("merchant", "app", "app_id", "seller_id")} | {"private_key": "private_key_pem"},
    may={name: name for name in ("gateway", "bill_url", "op_app_id", "aes_key", "id_mode")}
    | {"alipay_public_key": "alipay_public_key_pem"},
    objects={
        "certificates": (
            AlipayCertificates,
            {name: f"{name}_pem" for name in ("app_cert", "alipay_cert", "alipay_root_cert")},
        )
    },
    flags=("wap",),
    own={"gateway": ("https://openapi.alipay.com/gateway.do",), "bill_url": BILL_URLS},
)
_SMS = _List(
    "sms",
    SmsAccount,
    {name: name for name in ("provider", "access_key_id", "access_key_secret", "sign_name")}
    | {name: name for name in ("template_id", "agreement_template_id")},
    may={name: name for name in ("sdk_app_id", "region", "base_url")},
    own={"base_url": tuple(OWN_URLS.values())},
)
_REALNAME = _List(
    "realname",
    NameMatchAccount,
    {name: name for name in ("provider", "access_key_id", "access_key_secret")},
    may={"base_url": "base_url"},
    own={"base_url": tuple(REALNAME_URLS.values())},
)
_HOSPITALS = _List(
    "hospital_systems",
    HospitalSystemAccount,
    {name: name for name in ("system", "key_id", "secret", "base_url")},
    sealed=("base_url",),
)


def read_platforms(path: Path, *, production: bool) -> Platforms:
    """Read and check every account. In production only the platforms' own https hosts pass, in a private file.

    Raises: PlatformsUnusable."""
    content = _content(path, private=production)
    faults: list[str] = []
    platforms = Platforms(
        _MINIAPPS.read(content, production=production, faults=faults),
        _MERCHANTS.read(content, production=production, faults=faults),
        _OFFICIALS.read(content, production=production, faults=faults),
        _ALIPAY.read(content, production=production, faults=faults),
        _SMS.read(content, production=production, faults=faults),
        _REALNAME.read(content, production=production, faults=faults),
        _HOSPITALS.read(content, production=production, faults=faults),
    )
    faults += faults_of_merchants(platforms.wechat_pay, content)
    faults += _together(platforms, named=_names(content.get("wechat_miniapp"), "app"))
    if production and not (content.get("wechat_miniapp") or content.get("alipay")):
        faults.append("names no wechat_miniapp and no alipay: nobody could log in")
    if faults:
        raise PlatformsUnusable(*faults)
    return platforms


def _together(platforms: Platforms, *, named: set[object]) -> list[str]:
    """What is wrong with accounts that are right each for itself. `named` are all mini-programs, faulty ones too."""
    miniapps = [one.app for one in platforms.wechat_miniapp]
    officials = [one.app for one in platforms.wechat_official]
    faults = _twice("wechat_miniapp", "app", miniapps)
    faults += _twice("wechat_official", "app", officials)
    faults += _twice(
        "wechat_miniapp and wechat_official",
        "appid",
        [one.appid for one in platforms.wechat_miniapp] + [one.appid for one in platforms.wechat_official],
    )
    # Both pay over one channel, where a payment is known by merchant and app.
    faults += [f"wechat_official: {one} is the app of a wechat_miniapp too" for one in officials if one in miniapps]
    faults += [
        f"wechat_official[{position}]: miniapp is none of wechat_miniapp"
        for position, one in enumerate(platforms.wechat_official)
        if one.miniapp not in named
    ]
    faults += _twice("wechat_pay", "merchant", [one.merchant for one in platforms.wechat_pay])
    # Whoever keeps two rows of one account is told its bill twice, each time with what is the other's.
    faults += _twice("wechat_pay", "mchid", [f"{one.mchid}/{one.sub_mchid}" for one in platforms.wechat_pay])
    faults += _twice("alipay", "seller_id", [one.seller_id for one in platforms.alipay])
    faults += _twice("hospital_systems", "system", [one.system for one in platforms.hospital_systems])
    faults += _twice("alipay", "merchant", [one.merchant for one in platforms.alipay])
    return faults + _twice("alipay", "app", [one.app for one in platforms.alipay if one.is_miniapp])


def _names(rows: object, field_name: str) -> set[object]:
    return {row.get(field_name) for row in rows if isinstance(row, dict)} if isinstance(rows, list) else set()


def _content(path: Path, *, private: bool) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            if private and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise PlatformsUnusable("can be read by others: its mode must be 0600")
            content = json.loads(file.read())
    except OSError as error:
        raise PlatformsUnusable(f"cannot be read ({error.strerror})") from None
    except ValueError:
        raise PlatformsUnusable("is not JSON") from None
    if not isinstance(content, dict):
        raise PlatformsUnusable("is not a JSON object")
    return content


def _twice(name: str, field_name: str, words: list[str]) -> list[str]:
    return [f"{name}: one {field_name} stands there twice"] if max(Counter(words).values(), default=0) > 1 else []
