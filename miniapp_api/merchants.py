"""What is wrong with the merchant numbers of a file of accounts that no row tells by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.wechat import MerchantAccount

_SUB = ("sub_mchid", "sub_appids")


def faults_of_merchants(merchants: Sequence[MerchantAccount], content: Mapping[str, Any]) -> list[str]:
    """Of those that could be read, out of `content`: each beside the others and the apps, faulty ones too."""
    known = {row.get("appid") for name in ("wechat_miniapp", "wechat_official") for row in _rows(content, name)}
    faults = [*_misspelt(content), *_of_partners(merchants)]
    for one in merchants:
        if one.sub_appids and not known & set(one.sub_appids):
            faults.append(f"wechat_pay: sub_appids of {one.merchant} are no app's")
        elif not known & set(one.appids):
            faults.append(f"wechat_pay: nobody could pay to {one.merchant}, whose appids are no app's")
    return faults


def _misspelt(content: Mapping[str, Any]) -> Iterator[str]:
    """Whoever misses the name of such a field would have a partner take the money of its hospital."""
    for position, row in enumerate(_rows(content, "wechat_pay")):
        for name in row:
            if name.startswith("sub") and name not in _SUB:
                yield f"wechat_pay[{position}]: unknown: {name}"


def _of_partners(merchants: Sequence[MerchantAccount]) -> Iterator[str]:
    """A number is a partner's in all of its rows or in none, under one set of keys."""
    first: dict[str, MerchantAccount] = {}
    for one in merchants:
        other = first.setdefault(one.mchid, one)
        if (one.sub_mchid is None) is not (other.sub_mchid is None):
            yield f"wechat_pay: mchid of {one.merchant} is a partner's, and none's in another row"
        elif not one.signs_like(other):
            yield f"wechat_pay: mchid of {one.merchant} has other keys in another row"


def _rows(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = content.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
