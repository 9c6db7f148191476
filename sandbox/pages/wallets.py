"""Both wallets' cashiers behind one face: which one takes these client_params, what it shows, what it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sandbox.alipay import cashier as alipay
from sandbox.context import Sandbox
from sandbox.keys import Merchant
from sandbox.phone import NotPossible
from sandbox.wechat_pay import cashier as wechat_pay
from sandbox.wechat_pay.trades import PAID


@dataclass(frozen=True)
class Sheet:
    """What a person is asked to pay."""

    wallet: tuple[str, str]
    merchant: str
    out_trade_no: str
    description: str
    amount_fen: int
    paid: bool
    closed: bool

    @property
    def yuan(self) -> str:
        """The amount as it stands on the sheet."""
        return f"{self.amount_fen // 100}.{self.amount_fen % 100:02d}"


class Wallet(Protocol):
    """One wallet's cashier; every verb raises NotPossible."""

    def takes(self, params: Mapping[str, str]) -> bool:
        """Tell whether these are params of this wallet."""

    def open(self, sandbox: Sandbox, params: Mapping[str, str]) -> Sheet:
        """The sheet that the params open."""

    def pay(self, sandbox: Sandbox, params: Mapping[str, str]) -> str:
        """Pay; returns what the client's call resolves to."""

    def give_up(self, sandbox: Sandbox, params: Mapping[str, str]) -> str:
        """Close the sheet; returns what the client's call resolves to."""


class WechatPay:
    """wx.requestPayment, and the place that a browser is sent to."""

    def takes(self, params: Mapping[str, str]) -> bool:
        """Tell whether these are params of this wallet."""
        return "package" in params or "h5_url" in params

    def open(self, sandbox: Sandbox, params: Mapping[str, str]) -> Sheet:
        """The sheet that the params open."""
        order = wechat_pay.describe(sandbox, params)
        state = order.pop("state")
        return Sheet(("微信支付", "WeChat Pay"), **order, paid=state in PAID, closed=state == "CLOSED")

    def pay(self, sandbox: Sandbox, params: Mapping[str, str]) -> str:
        """Pay; returns what the client's call resolves to."""
        merchant, number = self._order(sandbox, params)
        wechat_pay.pay(sandbox, merchant, number, None, params)
        return "requestPayment:ok"

    def give_up(self, sandbox: Sandbox, params: Mapping[str, str]) -> str:
        """Close the sheet; returns what the client's call resolves to."""
        merchant, number = self._order(sandbox, params)
        wechat_pay.fail(sandbox, merchant, number, "NOTPAY")
        return "requestPayment:fail cancel"

    def _order(self, sandbox: Sandbox, params: Mapping[str, str]) -> tuple[Merchant, str]:
        sheet = self.open(sandbox, params)
        merchant = sandbox.keys.merchant_named(sheet.merchant)
        assert merchant is not None
        return merchant, sheet.out_trade_no


class Alipay:
    """my.tradePay."""

    def takes(self, params: Mapping[str, str]) -> bool:
        """Tell whether these are params of this wallet."""
        return params.keys() == alipay.PAY_PARAMS

    def open(self, sandbox: Sandbox, params: Mapping[str, str]) -> Sheet:
        """The sheet that the params open."""
        trade = alipay.describe(sandbox, params["tradeNO"])
        if trade is None:
            raise NotPossible("order_not_found")
        return Sheet(
            ("支付宝", "Alipay"),
            merchant=trade["merchant"] or trade["seller_id"],
            out_trade_no=trade["out_trade_no"],
            description=trade["subject"],
            amount_fen=trade["amount_fen"],
            paid=trade["state"] in ("TRADE_SUCCESS", "TRADE_FINISHED"),
            closed=trade["state"] == "TRADE_CLOSED",
        )

    def pay(self, sandbox: Sandbox, params: Mapping[str, str]) -> str:
        """Pay; returns what the client's call resolves to."""
        alipay.pay(sandbox, params["tradeNO"])
        return "resultCode: 9000"

    def give_up(self, sandbox: Sandbox, params: Mapping[str, str]) -> str:
        """Close the sheet; returns what the client's call resolves to."""
        alipay.fail(sandbox, params["tradeNO"])
        return "resultCode: 6001"


WALLETS: tuple[Wallet, ...] = (WechatPay(), Alipay())
