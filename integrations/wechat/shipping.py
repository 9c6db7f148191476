"""Shipping management: WeChat keeps the money of a mini-program until it knows of the delivery (wechat.md 1.10)."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from core.ports import Delivery, ProviderRefused, TokenStore
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts
from integrations.wechat._http import MiniappHttp
from integrations.wechat._schemas import ShippedOrderSchema, TradeManagedSchema
from integrations.wechat.config import MiniappAccount
from integrations.wechat.pay import WeChatPayGateway
from integrations.wechat.tokens import TokenCalls

REPORT, ASK, MANAGED = (f"/wxa/sec/order/{verb}" for verb in ("upload_shipping_info", "get_order", "is_trade_managed"))
BY_TRANSACTION, VIRTUAL, UNIFIED = 2, 3, 1
LONGEST_ITEM = 120
SHIPPED_STATES = frozenset({2, 3, 4, 6})
"""Shipped, received, finished, to be settled; 1 is still to be shipped, and 5 was given back in full."""

CANNOT_SHIP = "10060004"
TOLD_BEFORE = frozenset({"10060002", "10060003", "10060023"})
"""It is shipped, was told anew before, or nothing is new: all of them say that a report is there."""

LATER = {
    "10060001": "the order is not known yet, or not here",
    CANNOT_SHIP: "the order cannot be shipped now",
    "10060012": "system error",
    "10060019": "system error",
    "44990": "too frequent",
    "40001": "the token is not taken",
    "40013": "the appid is wrong",
    "40014": "the token is not taken",
    "40125": "the secret is wrong",
    "40164": "our address is not on the list",
    "42001": "the token is not taken",
    "48001": "the interface is not granted",
    "50002": "the account is restricted",
    "61004": "our address is not on the list",
}
"""A new order is known there within a minute, and what is wrong with an account somebody puts right."""

_ZONE = ZoneInfo("Asia/Shanghai")


class WeChatShippingReporter:
    """Port ShippingReporter, for what is paid over JSAPI in one mini-program. A registration is shipped as nothing that
    can be carried (`logistics_type` 3), and named by WeChat's own number, which is good for partners' merchants, too.

    Source: MP /server/API/order_shipping/api_uploadshippinginfo.
    """

    channel = WeChatPayGateway.channel

    def __init__(self, account: MiniappAccount, tokens: TokenStore, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self.app, self.is_on = account.app, account.trade_managed
        self._appid = account.appid
        self._calls = TokenCalls(account, MiniappHttp(account, timeouts=timeouts), tokens)

    def is_managed(self) -> bool:
        """Raises: ProviderUnavailable, ProviderRefused."""
        answer = load_answer(TradeManagedSchema(), self._calls.post(MANAGED, {"appid": self._appid}))
        managed: bool = answer["is_trade_managed"]
        return managed

    def report(self, delivery: Delivery) -> None:
        """An equal delivery is an equal request: WeChat takes a report that differs for the one time that it may be
        told anew. Raises: ProviderUnavailable, ProviderRefused."""
        try:
            self._report(delivery)
        except ProviderRefused as refusal:
            if refusal.code not in LATER:
                raise
            raise ProviderRefused(refusal.code, LATER[refusal.code], retryable=True) from refusal

    def _report(self, delivery: Delivery) -> None:
        try:
            self._calls.post(REPORT, _request(delivery))
        except ProviderRefused as refusal:
            is_told = refusal.code in TOLD_BEFORE or (refusal.code == CANNOT_SHIP and self._is_shipped(delivery))
            if not is_told:
                raise

    def _is_shipped(self, delivery: Delivery) -> bool:
        """One word refuses what is shipped already, what was given back, and what is paid too freshly: ask which."""
        answer = self._calls.post(ASK, {"transaction_id": delivery.platform_trade_no})
        order = load_answer(ShippedOrderSchema(), answer)["order"]
        return order["order_state"] in SHIPPED_STATES


def _request(delivery: Delivery) -> dict[str, Any]:
    return {
        "order_key": {"order_number_type": BY_TRANSACTION, "transaction_id": delivery.platform_trade_no},
        "logistics_type": VIRTUAL,
        "delivery_mode": UNIFIED,
        "shipping_list": [{"item_desc": delivery.description[:LONGEST_ITEM]}],
        "upload_time": delivery.completed_at.astimezone(_ZONE).isoformat(timespec="milliseconds"),
        "payer": {"openid": delivery.payer},
    }
