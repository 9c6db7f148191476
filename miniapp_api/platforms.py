"""The file with the platforms' accounts, in the shape that api.md gives the credentials."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from integrations.wechat import MerchantAccount, MiniappAccount

T = TypeVar("T", MiniappAccount, MerchantAccount)
_MINIAPP_FIELDS = {"app": "app", "appid": "appid", "secret": "secret"}
_MERCHANT_FIELDS = {
    "merchant": "merchant",
    "mchid": "mchid",
    "appid": "appid",
    "serial_no": "serial_no",
    "private_key": "private_key_pem",
    "apiv3_key": "apiv3_key",
    "public_key_id": "public_key_id",
    "public_key": "public_key_pem",
    "platform_certificates": "platform_certificates",
    "bound_appids": "bound_appids",
}
_MAY_BE_ABSENT = {"public_key_id", "public_key", "platform_certificates", "bound_appids"}
_LISTS = {"platform_certificates", "bound_appids"}
_OWN_HOSTS = {
    "wechat_miniapp": ("api.weixin.qq.com",),
    "wechat_pay": ("api.mch.weixin.qq.com", "api2.mch.weixin.qq.com"),
}


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


def read_platforms(path: Path, *, production: bool) -> Platforms:
    """Read and check every account. In production only the platforms' own https hosts pass, in a private file.

    Raises: PlatformsUnusable."""
    content = _content(path, private=production)
    faults: list[str] = []
    miniapps = _accounts(
        content, "wechat_miniapp", _MINIAPP_FIELDS, MiniappAccount, production=production, faults=faults
    )
    merchants = _accounts(
        content, "wechat_pay", _MERCHANT_FIELDS, MerchantAccount, production=production, faults=faults
    )
    faults += _twice("wechat_miniapp", "app", [account.app for account in miniapps])
    faults += _twice("wechat_pay", "merchant", [account.merchant for account in merchants])
    if production and not content.get("wechat_miniapp"):
        faults.append("names no wechat_miniapp: nobody could log in")
    if faults:
        raise PlatformsUnusable(*faults)
    return Platforms(tuple(miniapps), tuple(merchants))


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


def _accounts(
    content: Mapping[str, Any],
    name: str,
    fields: Mapping[str, str],
    make: Callable[..., T],
    *,
    production: bool,
    faults: list[str],
) -> list[T]:
    rows = content.get(name, [])
    if not isinstance(rows, list):
        faults.append(f"{name} is not a list")
        return []
    accounts = []
    for position, row in enumerate(rows):
        where = f"{name}[{position}]"
        try:
            accounts.append(_account(row, fields, make))
        except ValueError as error:
            faults.append(f"{where}: {error}")
        else:
            if production and not _is_own_host(accounts[-1].base_url, _OWN_HOSTS[name]):
                faults.append(f"{where}: base_url is not the platform's own https host")
    return accounts


def _account(row: Any, fields: Mapping[str, str], make: Callable[..., T]) -> T:
    """Raises: ValueError."""
    if not isinstance(row, dict):
        raise ValueError("is not an object")
    missing = [name for name in fields if not _is_given(row, name)]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")
    given = {ours: row[theirs] for theirs, ours in fields.items() if row.get(theirs) is not None}
    given |= {fields[name]: tuple(row[name]) for name in _LISTS & fields.keys() if fields[name] in given}
    if isinstance(row.get("base_url"), str):
        given["base_url"] = row["base_url"]
    return make(**given)


def _is_given(row: Mapping[str, Any], name: str) -> bool:
    """A text that is not empty, or a list of texts; some may be absent."""
    value = row.get(name)
    if value is None:
        return name in _MAY_BE_ABSENT
    if name in _LISTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, str) and value != ""


def _is_own_host(url: str, hosts: tuple[str, ...]) -> bool:
    return any(url.rstrip("/") == f"https://{host}" for host in hosts) and urlsplit(url).port is None


def _twice(name: str, field_name: str, words: list[str]) -> list[str]:
    return [f"{name}: one {field_name} stands there twice"] if len(set(words)) != len(words) else []
