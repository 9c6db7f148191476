"""Alipay payments inside the mini-program, and refunds (alipay.md 7.1, 7.4 to 7.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import ValidationError

from core.ports import (
    CardRefund,
    CloseOutcome,
    GatewayLimits,
    IdKind,
    PaymentOrder,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundOrder,
    RefundState,
    TradeAnswer,
    TradeState,
)
from integrations.alipay._client import AlipayClient, Clock
from integrations.alipay._schemas import ClosedSchema, CreatedSchema, DoneRefundSchema, RefundSchema, RefundTakenSchema
from integrations.alipay._signing import utc_now, wall_clock
from integrations.alipay._trades import CURRENCY, fen, told_trade, utc, yuan
from integrations.alipay.config import AlipayAccount, require_url
from integrations.answers import load_answer, misfit
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts

NO_SUCH_CODES = frozenset({"ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"})
UNDECIDED_CLOSES = frozenset(
    {
        "ACQ.TRADE_STATUS_ERROR",
        "ACQ.REASON_TRADE_STATUS_INVALID",
        "ACQ.REASON_ILLEGAL_STATUS",
        "ACQ.TRADE_HAS_SUCCESS",
        "ACQ.TRADE_HAS_FINISHED",
        "ACQ.TRADE_HAS_CLOSE",
    }
)
"""A close that is refused for the state the trade is in: it may be paid or closed, and a query says which."""

CLOSE_OUTCOMES = {
    TradeState.PAID: CloseOutcome.ALREADY_PAID,
    TradeState.CLOSED: CloseOutcome.CLOSED,
    TradeState.NO_SUCH_NUMBER: CloseOutcome.NO_SUCH_NUMBER,
}

LARGEST_AMOUNT_FEN = 100_000_000_00
LONGEST_SUBJECT = 256
LONGEST_REASON = 256
PLAIN_SUBJECT = "预约挂号"
"""Sent when nothing of a description can be: the field may not be empty."""

BACK_TO_CARD = {
    "S": "已退回银行卡",
    "P": "银行卡退回处理中",
    "F": "银行卡退回失败，已退至支付宝余额",
}
"""The last leg of a refund to a bank card, which may end days after the refund."""

_NUMBER = re.compile(r"[0-9A-Za-z_]{1,64}")
_UNSENDABLE = re.compile(r"[/=&\x00-\x1f\x7f\ud800-\udfff]")


class AlipayGateway:
    """Port PaymentGateway for one merchant account and one mini-program.

    Numbers and amounts that Alipay's fields cannot hold are refused here and never sent.
    """

    channel = "alipay_miniapp"
    provider = "alipay"
    # Least and most by 7.1 (timeout_express from 1m) and 7.6 (three months by contract; a longer one is not assumed).
    # No page counts the refunds of a trade: the number is the other wallet's, so that one rule serves both.
    # Three seconds between the refunds of one trade: rules.md 3.5.
    limits = GatewayLimits(
        shortest_lead=timedelta(seconds=60), refunds_per_payment=50, refunds_apart=timedelta(seconds=3)
    )

    def __init__(
        self,
        account: AlipayAccount,
        *,
        notify_url: str,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Clock = utc_now,
    ) -> None:
        self.merchant = account.merchant
        self.counted_as = account.app_id
        self.app = account.app
        self._op_app_id = account.op_app_id or account.app_id
        self._seller_id = account.seller_id
        self._is_miniapp = account.is_miniapp
        self._notify_url = require_url("notify_url", notify_url)
        self._client = AlipayClient(account, timeouts=timeouts, clock=clock)

    def open_payment(self, order: PaymentOrder) -> Mapping[str, Any]:
        """Open the trade, or open it again: an equal order under the same number gives the same trade.

        What my.tradePay reports to the client proves nothing: wait for the event or ask.
        Raises: ProviderUnavailable, ProviderRefused (ACQ.TRADE_HAS_SUCCESS, ACQ.TRADE_HAS_CLOSE,
        ACQ.CONTEXT_INCONSISTENT: ask for its state).
        """
        asked = self._order(order) | {
            "product_code": "JSAPI_PAY",
            "op_app_id": self._op_app_id,
            self._payer_field(order.payer_kind): order.payer,
        }
        told = load_answer(
            CreatedSchema(), self._client.call("alipay.trade.create", asked, notify_url=self._notify_url)
        )
        _require_same("payment", told["out_trade_no"], order.out_trade_no)
        return {"tradeNO": told["trade_no"]}

    def _order(self, order: PaymentOrder) -> dict[str, str]:
        """What an order says, whoever pays it and where. Raises: ProviderRefused."""
        return {
            "out_trade_no": _number(order.out_trade_no),
            "total_amount": _amount(order.amount_fen, order.currency),
            "subject": _short(order.description, LONGEST_SUBJECT) or PLAIN_SUBJECT,
            "seller_id": self._seller_id,
            "time_expire": wall_clock(order.expires_at),
        }

    def find_payment(self, out_trade_no: str) -> TradeAnswer:
        """Raises: ProviderUnavailable, ProviderRefused."""
        asked = {"out_trade_no": _number(out_trade_no), "query_options": ["fund_bill_list"]}
        try:
            content = self._client.call("alipay.trade.query", asked)
        except ProviderRefused as refusal:
            if refusal.code in NO_SUCH_CODES:
                return TradeAnswer(out_trade_no, TradeState.NO_SUCH_NUMBER)
            raise
        try:
            told = told_trade(content)
        except ValidationError as error:
            raise misfit(error) from None
        _require_same("payment", told.out_trade_no, out_trade_no)
        return told

    def close_payment(self, out_trade_no: str) -> CloseOutcome:
        """Close an unpaid trade; may be repeated. Raises: ProviderUnavailable, ProviderRefused."""
        try:
            content = self._client.call("alipay.trade.close", {"out_trade_no": _number(out_trade_no)})
        except ProviderRefused as refusal:
            if refusal.code in NO_SUCH_CODES:
                return CloseOutcome.NO_SUCH_NUMBER
            if refusal.code not in UNDECIDED_CLOSES:
                raise
            outcome = CLOSE_OUTCOMES.get(self.find_payment(out_trade_no).state)
            if outcome is None:
                raise
            return outcome
        _require_same("payment", load_answer(ClosedSchema(), content)["out_trade_no"], out_trade_no)
        return CloseOutcome.CLOSED

    def open_refund(self, order: RefundOrder) -> RefundAnswer:
        """Send or send again under the same number: a number and an amount are one refund, however often sent.

        Where this very call moved money, the query will confirm it. Where it moved none, the outcome is unknown: only
        the query can say whether the refund was done before, and it may not know yet (1.5).
        Raises: ProviderUnavailable, ProviderRefused (ACQ.SELLER_BALANCE_NOT_ENOUGH is retryable once the account has
        money; ACQ.DISCORDANT_REPEAT_REQUEST: the number was used with another amount).
        """
        asked = {
            "out_trade_no": _number(order.out_trade_no),
            "out_request_no": _number(order.out_refund_no),
            "refund_amount": _amount(order.amount_fen, order.currency),
        }
        if reason := _short(order.reason, LONGEST_REASON):
            asked["refund_reason"] = reason
        try:
            content = self._client.call("alipay.trade.refund", asked)
        except ProviderRefused as refusal:
            if refusal.retryable:
                raise
            return self._done_before(order, refusal)
        told = load_answer(RefundTakenSchema(), content)
        _require_same("payment", told["out_trade_no"], order.out_trade_no)
        if told["fund_change"] != "Y":
            raise ProviderUnavailable("refund was taken and has moved no money by this call")
        return RefundAnswer(order.out_refund_no, RefundState.PROCESSING)

    def _done_before(self, order: RefundOrder, refusal: ProviderRefused) -> RefundAnswer:
        """A refund that closed its trade has every later call refused, that of its own number too: the query decides.

        Raises: ProviderUnavailable, ProviderRefused (`refusal`, where no such refund of this amount was done)."""
        try:
            found = self.find_refund(order.out_refund_no, out_trade_no=order.out_trade_no)
        except ProviderError as error:
            unsaid = f"{refusal.code}, and no word whether it was done before"
            raise ProviderUnavailable(unsaid, too_often=error.too_often) from None
        if found.state is RefundState.SUCCEEDED and found.amount_fen == order.amount_fen:
            return found
        raise refusal

    def find_refund(self, out_refund_no: str, *, out_trade_no: str) -> RefundAnswer:
        """An answer without a status means that no such refund was done: not yet, or not at all.

        Right after a refund Alipay may not know it yet: wait ten seconds. Raises: ProviderUnavailable,
        ProviderRefused.
        """
        asked = {
            "out_trade_no": _number(out_trade_no),
            "out_request_no": _number(out_refund_no),
            "query_options": ["gmt_refund_pay", "deposit_back_info"],
        }
        unknown = RefundAnswer(out_refund_no, RefundState.NO_SUCH_NUMBER)
        try:
            content = self._client.call("alipay.trade.fastpay.refund.query", asked)
        except ProviderRefused as refusal:
            if refusal.code in NO_SUCH_CODES:
                return unknown
            raise
        told = load_answer(RefundSchema(), content)
        _require_same("refund", told.get("out_trade_no"), out_trade_no)
        _require_same("refund", told.get("out_request_no"), out_refund_no)
        if "refund_status" not in told:
            return unknown
        return _done(load_answer(DoneRefundSchema(), content))

    def refund_to_card(self, order: CardRefund) -> RefundAnswer:
        """Alipay has no such call: what it cannot give back to a card goes to the payer's balance.

        Raises: ProviderRefused."""
        raise ProviderRefused("no_such_way")

    def _payer_field(self, kind: IdKind) -> str:
        """The id of the calling app, or the mini-program's where another app calls for it (5.3)."""
        if kind is IdKind.USER_ID:
            return "buyer_id"
        if kind is not IdKind.OPEN_ID:
            raise ProviderRefused("unsupported_payer")
        return "buyer_open_id" if self._is_miniapp else "op_buyer_open_id"


def _done(told: Mapping[str, Any]) -> RefundAnswer:
    if told["refund_status"] != "REFUND_SUCCESS":
        raise ProviderUnavailable("answer does not fit: refund_status")
    back = told.get("deposit_back_info", {})
    to_card = str(back.get("has_deposit_back")).lower() == "true"
    try:
        succeeded_at = utc(told.get("gmt_refund_pay"))
    except ValidationError as error:
        raise misfit(error) from None
    return RefundAnswer(
        out_refund_no=told["out_request_no"],
        state=RefundState.SUCCEEDED,
        amount_fen=fen(told["refund_amount"]),
        succeeded_at=succeeded_at,
        received_account=BACK_TO_CARD.get(back.get("dback_status", "")) if to_card else None,
    )


def _require_same(what: str, told: str | None, asked: str) -> None:
    """A signature does not cover the question: an old answer about something else has a valid one too."""
    if told not in (None, asked):
        raise ProviderUnavailable(f"answer is about another {what}")


def _number(number: str) -> str:
    if _NUMBER.fullmatch(number) is None:
        raise ProviderRefused("invalid_number")
    return number


def _amount(amount_fen: int, currency: str) -> str:
    if currency != CURRENCY:
        raise ProviderRefused("unsupported_currency")
    if not 0 < amount_fen <= LARGEST_AMOUNT_FEN:
        raise ProviderRefused("invalid_amount")
    return yuan(amount_fen)


def _short(text: str, longest: int) -> str:
    """Without the three characters that Alipay does not take, and those that no text should hold."""
    return _UNSENDABLE.sub("", text)[:longest].strip()
