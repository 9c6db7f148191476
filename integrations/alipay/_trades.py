"""Alipay's trades in the core's words. A query and an event tell them alike; the bills inside differ in spelling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from core.ports import TradeAnswer, TradeState
from integrations.alipay._schemas import PaidTradeSchema, TradeSchema
from integrations.alipay._signing import ZONE
from integrations.answers import load

CURRENCY = "CNY"
"""The one currency of these products: no field names it."""

TRADE_STATES = {
    "WAIT_BUYER_PAY": TradeState.UNPAID,
    "TRADE_CLOSED": TradeState.CLOSED,
    "TRADE_SUCCESS": TradeState.PAID,
    "TRADE_FINISHED": TradeState.PAID,  # no refund is taken any more; it was paid all the same
}
LONGEST_FUNDING = 64


def told_trade(content: Mapping[str, Any]) -> TradeAnswer:
    """Amount and trade number are there when it was paid, as it was where it is closed after a full refund.

    Raises: ValidationError."""
    values = load(TradeSchema(), content)
    state = TRADE_STATES.get(values["trade_status"])
    if state is None:
        raise ValidationError({"trade_status": ["unknown"]})
    paid_at = utc(values.get("send_pay_date") or values.get("gmt_payment"))
    given_back = state is TradeState.CLOSED and paid_at is not None
    if given_back:
        state = TradeState.PAID
    if state is not TradeState.PAID:
        return TradeAnswer(values["out_trade_no"], state, platform_trade_no=values.get("trade_no"))
    values = load(PaidTradeSchema(), content)
    return TradeAnswer(
        out_trade_no=values["out_trade_no"],
        state=state,
        amount_fen=fen(values["total_amount"]),
        currency=CURRENCY,
        platform_trade_no=values["trade_no"],
        paid_at=paid_at,
        funding=_funding(values.get("fund_bill_list")),
        given_back=given_back,
    )


def yuan(amount_fen: int) -> str:
    """Fen as Alipay writes an amount: yuan with two decimals."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def fen(amount: str) -> int:
    """An amount that has the shape of one, in fen. No float ever holds it."""
    return int(Decimal(amount) * 100)


def utc(stamp: str | None) -> datetime | None:
    """Alipay's wall clock as an instant. Raises: ValidationError for a day that is none."""
    if stamp is None:
        return None
    try:
        return datetime.fromisoformat(stamp[:19]).replace(tzinfo=ZONE).astimezone(UTC)
    except ValueError:
        raise ValidationError({"stamp": ["no such instant"]}) from None


def _funding(bills: object) -> str | None:
    """Where the money came from: BANKCARD, DEBIT_CARD and the like. An event holds the list as a text."""
    if isinstance(bills, str):
        try:
            bills = json.loads(bills)
        except (ValueError, RecursionError):
            return None
    if not isinstance(bills, list):
        return None
    names = ("fund_channel", "fundChannel", "fund_type", "fundType")
    told = [bill.get(name) for bill in bills if isinstance(bill, dict) for name in names]
    return " ".join(dict.fromkeys(word for word in told if isinstance(word, str)))[:LONGEST_FUNDING] or None
