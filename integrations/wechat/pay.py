"""WeChat Pay JSAPI payments (mini-program and official account) and refunds.

Sources: wechat.md 4.4 to 4.6, OAS docs/v3/refund/**.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError

from core.ports import (
    CardRefund,
    CloseOutcome,
    GatewayLimits,
    PaymentOrder,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundOrder,
    RefundState,
    TokenStore,
    TradeAnswer,
    TradeState,
)
from integrations.answers import load_answer, misfit
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts
from integrations.wechat._answers import told_refund, told_trade
from integrations.wechat._parties import parties_of, query_of, told_parties
from integrations.wechat._pay_http import Clock, PayHttp, utc_now
from integrations.wechat._schemas import PrepaySchema, RefundSchema
from integrations.wechat.config import MerchantAccount, require_appid, require_notify_url

NO_SUCH_CODES = frozenset({"ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"})
CLOSE_CODES = {
    "ORDERPAID": CloseOutcome.ALREADY_PAID,
    "ORDER_CLOSED": CloseOutcome.CLOSED,
    "ORDERNOTEXIST": CloseOutcome.NO_SUCH_NUMBER,
    "RESOURCE_NOT_EXISTS": CloseOutcome.NO_SUCH_NUMBER,
}

LONGEST_DESCRIPTION = 127
LONGEST_REASON = 80
PLAIN_DESCRIPTION = "预约挂号"
"""Sent when nothing of a description can be: the field may not be empty, and a name in rare characters must not
stop a payment."""

_ZONE = ZoneInfo("Asia/Shanghai")
# Less than WeChat takes: `|` is percent-encoded in URLs and breaks signatures (9, trap 1).
_TRADE_NUMBER = re.compile(r"[0-9A-Za-z_-]{6,32}")
_REFUND_NUMBER = re.compile(r"[0-9A-Za-z_-]{6,64}")
_REFUND_ID = re.compile(r"[0-9A-Za-z]{1,32}")
_CARD_BANKS = frozenset(
    f"{bank}_DEBIT"
    for bank in "CMB COMM ABC CCB ICBC BOC PAB SPDB CITIC CEB CMBC CIB GDB PSBC NBCB".split()  # noqa: SIM905
)
"""Whose debit cards what was ABNORMAL can be sent to. Source: PAY /doc/v3/merchant/4012810603."""


class WeChatPayGateway:
    """Port PaymentGateway for one merchant number and one of its apps: `app` is our name of it, `appid` WeChat's.

    WeChat answers refusals to numbers that it will not take; those that would break our signature are refused here,
    as ProviderRefused `invalid_number`, and never sent.
    """

    channel = "wechat_jsapi"
    provider = "wechat_pay"
    # Parts of an order a minute apart: PAY, introduction of refunds (rules.md 3.4).
    limits = GatewayLimits(
        shortest_lead=timedelta(seconds=60),
        refunds_per_payment=50,
        refunds_apart=timedelta(minutes=1),
        card_banks=_CARD_BANKS,
    )

    def __init__(
        self,
        account: MerchantAccount,
        *,
        app: str,
        appid: str,
        tokens: TokenStore,
        payment_notify_url: str,
        refund_notify_url: str,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Clock = utc_now,
    ) -> None:
        self.merchant = account.merchant
        self.counted_as = account.mchid
        self.app = app
        self._appid = require_appid(account, appid)
        self._parties = parties_of(account)
        self._payment_notify_url = require_notify_url("payment_notify_url", payment_notify_url)
        self._refund_notify_url = require_notify_url("refund_notify_url", refund_notify_url)
        self._http = PayHttp(account, tokens, timeouts=timeouts, clock=clock)

    def open_payment(self, order: PaymentOrder) -> Mapping[str, Any]:
        """Open the order, or open it again: WeChat gives an identical request a fresh prepay_id (good for 2 hours).

        The client's own word for success proves nothing: wait for the message or ask.
        Raises: ProviderUnavailable, ProviderRefused (ORDERPAID, ORDER_CLOSED, OUT_TRADE_NO_USED: ask for its state).
        """
        payload = self._order(order) | {"payer": self._parties.payer(self._appid, order.payer)}
        answer = load_answer(PrepaySchema(), self._http.send("POST", f"{self._parties.transactions}/jsapi", payload))
        return self._client_params(answer["prepay_id"])

    def _order(self, order: PaymentOrder) -> dict[str, Any]:
        """What an order says, whoever pays it. Raises: ProviderRefused."""
        return {
            **self._parties.app(self._appid),
            **self._parties.ids,
            "description": _short(order.description, LONGEST_DESCRIPTION) or PLAIN_DESCRIPTION,
            "out_trade_no": _number(_TRADE_NUMBER, order.out_trade_no),
            "time_expire": _shanghai(order.expires_at),
            "notify_url": self._payment_notify_url,
            "amount": {"total": order.amount_fen, "currency": order.currency},
        }

    def find_payment(self, out_trade_no: str) -> TradeAnswer:
        """Raises: ProviderUnavailable, ProviderRefused."""
        number = _number(_TRADE_NUMBER, out_trade_no)
        path = f"{self._parties.transactions}/out-trade-no/{number}{query_of(self._parties.ids)}"
        try:
            content = self._http.send("GET", path)
        except ProviderRefused as refusal:
            if refusal.code in NO_SUCH_CODES:
                return TradeAnswer(out_trade_no, TradeState.NO_SUCH_NUMBER)
            raise
        try:
            answer, parties = told_trade(content), told_parties(self._parties, content)
        except ValidationError as error:
            raise misfit(error) from None
        is_asked = (parties.appid or self._appid, answer.out_trade_no) == (self._appid, number)
        if not parties.are_ours or not is_asked:
            raise ProviderUnavailable("answer is about another payment")
        return answer

    def close_payment(self, out_trade_no: str) -> CloseOutcome:
        """Close an unpaid order; may be repeated. Raises: ProviderUnavailable, ProviderRefused."""
        number = _number(_TRADE_NUMBER, out_trade_no)
        path = f"{self._parties.transactions}/out-trade-no/{number}/close"
        try:
            self._http.send("POST", path, self._parties.ids, expects=204)
        except ProviderRefused as refusal:
            if refusal.code in CLOSE_CODES:
                return CLOSE_CODES[refusal.code]
            raise
        return CloseOutcome.CLOSED

    def open_refund(self, order: RefundOrder) -> RefundAnswer:
        """Send or send again under the same number; an answer means accepted, not done.

        Raises: ProviderUnavailable, ProviderRefused (NOT_ENOUGH is retryable once the account has money).
        """
        payload = {
            **self._parties.sub,
            "out_trade_no": _number(_TRADE_NUMBER, order.out_trade_no),
            "out_refund_no": _number(_REFUND_NUMBER, order.out_refund_no),
            "notify_url": self._refund_notify_url,
            "amount": {"refund": order.amount_fen, "total": order.total_fen, "currency": order.currency},
        }
        if reason := _short(order.reason, LONGEST_REASON):
            payload["reason"] = reason
        return _told_refund(self._http.send("POST", "/v3/refund/domestic/refunds", payload), order)

    def find_refund(self, out_refund_no: str, *, out_trade_no: str) -> RefundAnswer:
        """Right after an unanswered refund WeChat may not know the number yet: wait and ask again.

        Raises: ProviderUnavailable, ProviderRefused.
        """
        number = _number(_REFUND_NUMBER, out_refund_no)
        try:
            content = self._http.send("GET", f"/v3/refund/domestic/refunds/{number}{query_of(self._parties.sub)}")
        except ProviderRefused as refusal:
            if refusal.code in NO_SUCH_CODES:
                return RefundAnswer(out_refund_no, RefundState.NO_SUCH_NUMBER)
            raise
        return _told_of(content, out_trade_no=out_trade_no, out_refund_no=number)

    def refund_to_card(self, order: CardRefund) -> RefundAnswer:
        """Of one that is ABNORMAL; sent again while it is on its way, it stays one.

        Raises: ProviderUnavailable, ProviderRefused."""
        payload = {
            **self._parties.sub,
            "out_refund_no": _number(_REFUND_NUMBER, order.out_refund_no),
            "type": "USER_BANK_CARD",
            "bank_type": order.card.bank,
        }
        card = {"bank_account": order.card.number, "real_name": order.card.holder}
        path = f"/v3/refund/domestic/refunds/{_number(_REFUND_ID, order.platform_refund_no)}/apply-abnormal-refund"
        return _told_refund(self._http.send("POST", path, payload, sealed=card), order)

    def _client_params(self, prepay_id: str) -> dict[str, str]:
        """What wx.requestPayment takes, plus appId. Source: PAY /doc/v3/merchant/4012365341."""
        package = f"prepay_id={prepay_id}"
        timestamp, nonce, signature = self._http.stamp((self._appid,), (package,))
        return {
            "appId": self._appid,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": signature,
        }


def _told_refund(content: dict[str, Any], order: RefundOrder | CardRefund) -> RefundAnswer:
    return _told_of(content, out_trade_no=order.out_trade_no, out_refund_no=order.out_refund_no)


def _told_of(content: dict[str, Any], *, out_trade_no: str, out_refund_no: str) -> RefundAnswer:
    try:
        told = told_refund(RefundSchema(), content)
    except ValidationError as error:
        raise misfit(error) from None
    if (told.out_trade_no, told.answer.out_refund_no) != (out_trade_no, out_refund_no):
        raise ProviderUnavailable("answer is about another refund")
    return told.answer


def _number(pattern: re.Pattern[str], number: str) -> str:
    if pattern.fullmatch(number) is None:
        raise ProviderRefused("invalid_number")
    return number


def _short(text: str, longest: int) -> str:
    """Only characters of 1 to 3 bytes may be sent (4.1), so emoji and the rarest Chinese characters fall out."""
    sendable = "".join(char for char in text if char <= "\uffff" and not "\ud800" <= char <= "\udfff")
    return sendable[:longest].strip()


def _shanghai(instant: datetime) -> str:
    return instant.astimezone(_ZONE).isoformat(timespec="seconds")
