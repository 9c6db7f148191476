"""Alipay payments from a browser outside of Alipay, and with what it sends the payer back (alipay.md 7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.ports import InvalidSignature, PaymentOrder
from integrations.alipay._client import Clock
from integrations.alipay._forms import read_form
from integrations.alipay._signing import utc_now
from integrations.alipay.config import AlipayAccount, require_url
from integrations.alipay.events import proven
from integrations.alipay.pay import AlipayGateway
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts


class AlipayWapGateway(AlipayGateway):
    """Port PaymentGateway for one merchant account. Whoever opens the link pays: no payer is named.

    Alipay learns of a number only when its cashier is opened; until then it says that there is none.
    """

    channel = "alipay_wap"
    limits = replace(AlipayGateway.limits, by_link=True)

    def __init__(
        self,
        account: AlipayAccount,
        *,
        notify_url: str,
        return_url: str,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(account, notify_url=notify_url, timeouts=timeouts, clock=clock)
        self._return_url = require_url("return_url", return_url)

    def open_payment(self, order: PaymentOrder) -> Mapping[str, Any]:
        """Where the browser goes to. Nobody is called: an equal order is the same trade, whichever link is opened.

        Raises: ProviderRefused."""
        asked = self._order(order) | {"product_code": "QUICK_WAP_WAY", "quit_url": self._return_url}
        pages = {"return_url": self._return_url, "notify_url": self._notify_url}
        return {"url": self._client.page_url("alipay.trade.wap.pay", asked, **pages)}


class AlipayWapReturn:
    """Port PageReturn for one merchant account: signed as an event is, and worth nothing but the place it names."""

    def __init__(self, account: AlipayAccount, *, clock: Clock = utc_now) -> None:
        self.merchant = account.merchant
        self._clock = clock
        self._ours = {"app_id": account.app_id, "seller_id": account.seller_id}
        self._keys = account.keys

    def check(self, query: bytes) -> None:
        """Raises: InvalidSignature with a reason: those of an event, foreign_return."""
        fields = proven(self._keys, read_form(query), now=self._clock())
        if any(fields.get(name) != ours for name, ours in self._ours.items()):
            raise InvalidSignature("foreign_return")
