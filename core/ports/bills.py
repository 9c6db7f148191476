"""What a platform says afterwards of a whole day: the bill of its trades, and the flow of money through the account.

A day is one of the platform's own calendar, in China: 23:59:59 belongs to that day and to no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol


class BillKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"


class BillState(StrEnum):
    """How a platform's bill says an entry stands. A bill is not updated: what ends later is not told in it."""

    PAID = "paid"
    REVOKED = "revoked"
    """Taken back by the payer's bank: the money is not there."""

    REFUNDED = "refunded"
    REFUNDING = "refunding"
    """Accepted, and no end is told."""

    ABNORMAL = "abnormal"
    """It has left the merchant's account and cannot arrive: the platform has the money."""

    NOT_REFUNDED = "not_refunded"
    """Closed: nothing has left the merchant's account, or it is there again."""


@dataclass(frozen=True)
class BillEntry:
    """One payment or one refund of the day.

    `at` is when the platform counts it: a payment when it was paid, a refund when it was accepted or done, as the
    platform does. `amount_fen` is above zero for both. `fee_fen` is what the platform took for it, below zero where
    it gave back. A payment has no refund number; of a refund a platform may have no number of its own.
    """

    kind: BillKind
    at: datetime
    out_trade_no: str
    platform_trade_no: str
    amount_fen: int
    currency: str
    fee_fen: int
    state: BillState
    out_refund_no: str | None = None
    platform_refund_no: str | None = None


class FundKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    FEE = "fee"
    OTHER = "other"
    """Anything else that moves money: a withdrawal, a top-up."""


@dataclass(frozen=True)
class FundEntry:
    """One movement of the merchant's account at the platform, in the order of the bill.

    `flow_no` is the movement's own number and unique in the account. `business_no` is the platform's number of what
    moved it, which several share. `amount_fen` is above zero; `income` says which way. `balance_fen` is what lay in
    the account afterwards.
    """

    flow_no: str
    business_no: str
    at: datetime
    kind: FundKind
    income: bool
    amount_fen: int
    balance_fen: int


class BillSource(Protocol):
    """The bills of one merchant account. Asking again for the same day gives the same."""

    provider: str
    merchant: str

    def trade_bill(self, day: date) -> tuple[BillEntry, ...]:
        """Every payment and refund of the day; none is a day without any.

        Raises: BillNotReady, BillUnreadable, ProviderUnavailable, ProviderRefused."""

    def fund_flow(self, day: date) -> tuple[FundEntry, ...]:
        """Every movement of the day; none is a day without any.

        Raises: BillNotReady, BillUnreadable, ProviderUnavailable, ProviderRefused."""
