"""WeChat Pay's trades and refunds in the core's words. A query and a message tell them in the same form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError

from core.ports import RefundAnswer, RefundState, TradeAnswer, TradeState
from integrations.answers import load
from integrations.wechat._schemas import PaidTradeSchema, TradeSchema

TRADE_STATES = {
    "SUCCESS": TradeState.PAID,
    "REFUND": TradeState.PAID,  # a refund was asked for at least once: it was paid all the same
    "NOTPAY": TradeState.UNPAID,
    "USERPAYING": TradeState.UNPAID,
    "CLOSED": TradeState.CLOSED,
    "REVOKED": TradeState.CLOSED,
    "PAYERROR": TradeState.UNPAID,  # a try of the payer's failed: the order stands, and is to be closed like any other
}

REFUND_STATES = {
    "PROCESSING": RefundState.PROCESSING,
    "SUCCESS": RefundState.SUCCEEDED,
    "ABNORMAL": RefundState.ABNORMAL,
    "CLOSED": RefundState.CLOSED,
}

_THE_MERCHANTS_OWN = frozenset({"商户基本账户", "商户结算银行账户"})
"""What `user_received_account` says of a refund that was sent to the merchant itself (退还商户), in the console or as
MERCHANT_BANK_CARD: a success in WeChat's eyes, and the payer has nothing.

Source: GO docs/ecommerce/refund/Refund.md."""


@dataclass(frozen=True)
class ToldRefund:
    """A refund with the payment that WeChat says it belongs to."""

    out_trade_no: str
    answer: RefundAnswer


def told_trade(content: dict[str, Any]) -> TradeAnswer:
    """Amount, currency and trade number are there when it was paid. Raises: ValidationError."""
    values = load(TradeSchema(), content)
    state = TRADE_STATES.get(values["trade_state"])
    if state is None:
        raise ValidationError({"trade_state": ["unknown"]})
    amount: dict[str, Any] = {}
    if state is TradeState.PAID:
        values = load(PaidTradeSchema(), content)
        amount = values["amount"]
    return TradeAnswer(
        out_trade_no=values["out_trade_no"],
        state=state,
        amount_fen=amount.get("total"),
        currency=amount.get("currency"),
        platform_trade_no=values.get("transaction_id"),
        paid_at=_utc(values.get("success_time")),
        funding=values.get("bank_type"),
        given_back=values["trade_state"] == "REFUND",
    )


def told_refund(schema: Schema, content: dict[str, Any]) -> ToldRefund:
    """`schema`: RefundSchema for an answer, RefundNoticeSchema for a message. Raises: ValidationError."""
    values = load(schema, content)
    state = REFUND_STATES.get(values["status"])
    if state is None:
        raise ValidationError({"status": ["unknown"]})
    if state is RefundState.SUCCEEDED and values.get("user_received_account") in _THE_MERCHANTS_OWN:
        state = RefundState.ABNORMAL
    answer = RefundAnswer(
        out_refund_no=values["out_refund_no"],
        state=state,
        amount_fen=values["amount"]["refund"],
        platform_refund_no=values["refund_id"],
        succeeded_at=_utc(values.get("success_time")),
        received_account=values.get("user_received_account"),
    )
    return ToldRefund(values["out_trade_no"], answer)


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.astimezone(UTC)
