"""What differs between the two wallets to a test that asks the same of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pytest
from browser_of_alipay import do, opened
from cases import Case, spoil
from partners import case_at
from stage import Stage

from models.account import Provider


@dataclass(frozen=True)
class Wallet(ABC):
    """One wallet with its words. `taken` and `refused` are status and body of our answer to an event.

    `said` names, for each thing an event can say, the field that says it; `foreign` is what it says of somebody else.
    """

    name: str
    provider: Provider
    channel: str
    events: str
    door: str
    taken: tuple[int, str]
    refused: tuple[int, str]
    prefix: str

    def __str__(self) -> str:
        return self.name

    def case(self, stage: Stage, **schedule: Any) -> Case:
        """A number held for payment by somebody with this wallet."""
        return stage.case(stage.town.stranger(self.provider), channel=self.channel, **schedule)

    def opened(self, stage: Stage, **schedule: Any) -> Case:
        case = self.case(stage, **schedule)
        reply = case.open_payment()
        assert reply.status == 201, reply
        return case

    def paid(self, stage: Stage, **schedule: Any) -> Case:
        """Booked, by the platform's event."""
        case = self.opened(stage, **schedule)
        stage.deliver(case.pay())
        stage.work()
        assert case.is_booked()
        return case

    def spoil(self, stage: Stage, target: str, kind: str, **figures: Any) -> None:
        spoil(stage, f"{self.prefix}{target}", kind, **figures)

    def asked(self, stage: Stage, operation: str, number: str) -> int:
        return stage.asked(f"{self.prefix}{operation}", number)

    def account(self, stage: Stage, merchant: str = "demo") -> dict[str, Any]:
        """The credentials of the merchant account."""
        listed = stage.control("GET", "/credentials")[self.events]
        found: dict[str, Any] = next(one for one in listed if one["merchant"] == merchant)
        return found

    def forge(self, stage: Stage, case: Case, *, door: str = "demo", **lie: Any) -> list[tuple[int, str]]:
        """Send a crafted event about the case's number; our answers. See `forgery` for what a lie is made of."""
        url = f"{stage.base_url}{self.door}/{door}"
        sent = stage.control("POST", "/notices/forge", {"url": url, **self.forgery(stage, case, **lie)})
        return [(one["status"], one["answer"] or "") for one in sent["attempts"]]

    @abstractmethod
    def forgery(self, stage: Stage, case: Case, **lie: Any) -> dict[str, Any]:
        """The body for /notices/forge. `amount_fen`, `app`, `merchant`, `seller` and `number` change what is said;
        everything else is the forge's own."""


class WeChat(Wallet):
    def forgery(self, stage: Stage, case: Case, **lie: Any) -> dict[str, Any]:
        account, fen = self.account(stage), lie.pop("amount_fen", 5000)
        plaintext = {
            "appid": lie.pop("app", account["appid"]),
            "mchid": lie.pop("merchant", account["mchid"]),
            "out_trade_no": lie.pop("number", case.trade_no),
            "transaction_id": "4200001234202611220000000001",
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "trade_type": "JSAPI",
            "bank_type": "OTHERS",
            "success_time": "2026-11-22T10:00:00+08:00",
            "payer": {"openid": case.stranger.open_id},
            "amount": {"total": fen, "payer_total": fen, "currency": "CNY", "payer_currency": "CNY"},
        }
        return {"merchant": "demo", "plaintext": plaintext, **lie}


class Alipay(Wallet):
    def forgery(self, stage: Stage, case: Case, **lie: Any) -> dict[str, Any]:
        fen = lie.pop("amount_fen", 5000)
        fields = {
            "trade_no": "2026112222001400000000000001",
            "out_trade_no": lie.pop("number", case.trade_no),
            "total_amount": f"{fen // 100}.{fen % 100:02}",
            "trade_status": "TRADE_SUCCESS",
            "gmt_payment": "2026-11-22 10:00:00",
        }
        fields |= {"app_id": lie.pop("app")} if "app" in lie else {}
        fields |= {"seller_id": lie.pop("seller")} if "seller" in lie else {}
        return {"channel": "alipay", "merchant": "demo", "fields": fields | lie.pop("fields", {}), **lie}


WECHAT = WeChat(
    "wechat",
    Provider.WECHAT_MINIAPP,
    "wechat_jsapi",
    "wechat_pay",
    "/callbacks/wechat-pay",
    (204, ""),
    (401, '{"code":"FAIL","message":"not accepted"}'),
    "",
)
ALIPAY = Alipay(
    "alipay",
    Provider.ALIPAY_MINIAPP,
    "alipay_miniapp",
    "alipay",
    "/callbacks/alipay",
    (200, "success"),
    (200, "fail"),
    "alipay.",
)


class OfPartner(WeChat):
    """A sub-merchant's money, for which the partner signs."""

    def case(self, stage: Stage, **schedule: Any) -> Case:
        return case_at(stage, "fuyou", channel=self.channel, **schedule)


class Wap(Alipay):
    """The platform knows of the number once its cashier was opened and somebody has logged in there."""

    def opened(self, stage: Stage, **schedule: Any) -> Case:
        case = self.case(stage, **schedule)
        reply = case.open_payment()
        assert reply.status == 201, reply
        assert do(opened(reply.json["client_params"]["url"]), "log_in").ok
        return case


OTHERS = [
    WeChat(**vars(WECHAT) | {"name": "h5", "channel": "wechat_h5"}),
    OfPartner(**vars(WECHAT) | {"name": "partner"}),
    OfPartner(**vars(WECHAT) | {"name": "partner's h5", "channel": "wechat_h5"}),
    Wap(**vars(ALIPAY) | {"name": "wap", "channel": "alipay_wap"}),
]
"""The other ways that a wallet's money comes, where the wire is another one."""

WALLETS = pytest.mark.parametrize("wallet", [WECHAT, ALIPAY], ids=lambda one: one.name)


def _ways(*kinds: str) -> pytest.MarkDecorator:
    """The wallets on these kinds of database, and the other ways on one."""
    each = [(one, kind) for one in (WECHAT, ALIPAY) for kind in kinds] + [(one, "sqlite") for one in OTHERS]
    return pytest.mark.parametrize(("wallet", "database"), each, indirect=["database"], ids=str)


WAYS, WAYS_ON_ONE_KIND = _ways("sqlite", "postgres"), _ways("sqlite")
on_one_kind = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For what is decided before any row is touched, or the same on both by other tests."""
