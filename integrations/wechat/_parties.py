"""Who is named in what is said to and by WeChat Pay: a merchant of its own, or a partner and its sub-merchant.

The one place that knows how the two differ (wechat.md 4.4 to 4.7 and 4.10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from integrations.answers import load
from integrations.wechat._schemas import DirectPartiesSchema, PartnerPartiesSchema
from integrations.wechat.config import MerchantAccount


@dataclass(frozen=True)
class ToldParties:
    """Whom WeChat names in a trade, a refund or a message: whether that is us, and the appid that was paid in."""

    are_ours: bool
    appid: str | None


class Direct:
    """A merchant number that signs for itself.

    `ids` are the merchant numbers, each under its field's name; `sub` is what refunds and bills want to know of them.
    """

    transactions = "/v3/pay/transactions"
    schema = DirectPartiesSchema

    def __init__(self, mchid: str) -> None:
        self.ids: Mapping[str, str] = {"mchid": mchid}
        self.sub: Mapping[str, str] = {}

    def app(self, appid: str) -> dict[str, str]:
        """The fields that name the app of an order."""
        return {"appid": appid}

    def payer(self, appid: str, openid: str) -> dict[str, str]:
        """The field that names who pays in that app."""
        return {"openid": openid}

    def paid_in(self, told: Mapping[str, str]) -> str | None:
        """The appid among what WeChat told."""
        return told.get("appid")


class Partner:
    """A partner that signs for its sub-merchant. An order names an app of the partner always, and the app that is paid
    in beside it where that is the sub-merchant's own; the payer is then known by that one."""

    transactions = "/v3/pay/partner/transactions"
    schema = PartnerPartiesSchema

    def __init__(self, account: MerchantAccount, sub_mchid: str) -> None:
        self._account = account
        self.ids: Mapping[str, str] = {"sp_mchid": account.mchid, "sub_mchid": sub_mchid}
        self.sub: Mapping[str, str] = {"sub_mchid": sub_mchid}

    def app(self, appid: str) -> dict[str, str]:
        if self._is_subs(appid):
            return {"sp_appid": self._account.appid, "sub_appid": appid}
        return {"sp_appid": appid}

    def payer(self, appid: str, openid: str) -> dict[str, str]:
        return {"sub_openid" if self._is_subs(appid) else "sp_openid": openid}

    def paid_in(self, told: Mapping[str, str]) -> str | None:
        return told.get("sub_appid", told.get("sp_appid"))

    def _is_subs(self, appid: str) -> bool:
        return appid in self._account.sub_appids


Parties = Direct | Partner


def parties_of(account: MerchantAccount) -> Parties:
    return Direct(account.mchid) if account.sub_mchid is None else Partner(account, account.sub_mchid)


def told_parties(parties: Parties, content: dict[str, Any]) -> ToldParties:
    """Raises: ValidationError where a merchant number is missing."""
    told = load(parties.schema(), content)
    return ToldParties(all(told[name] == number for name, number in parties.ids.items()), parties.paid_in(told))


def query_of(fields: Mapping[str, str]) -> str:
    """As a query, with its question mark; nothing for no fields."""
    return f"?{urlencode(fields)}" if fields else ""
