"""A platform's money of a day in its own order: what a bill lists, and how the merchant's account moves by it.

Every payment costs a fee of 0.6 %, rounded to the fen, half a fen up. A refund gives back so much of it that what
stays is the fee of what was kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

PAYMENT, REFUND, CLOSING = "payment", "refund", "closing"
FEE_PER_10_000 = 60


@dataclass(frozen=True)
class Line:
    """One payment, one refund, or the closing of a refund, which gives its money back to the merchant.

    `fee_fen` is what the platform takes, below zero where it gives back. `state`, `way` and `bank` (how it was paid,
    and by whose card) are the platform's own words.
    """

    kind: str
    at: float
    out_trade_no: str
    trade_no: str
    amount_fen: int
    fee_fen: int
    state: str
    name: str
    payer: str
    created_at: float
    app: str = ""
    remark: str = ""
    device: str = ""
    way: str = ""
    bank: str = ""
    out_refund_no: str | None = None
    refund_no: str | None = None
    done_at: float | None = None

    @property
    def business_no(self) -> str:
        """The platform's number of what moved the money."""
        return self.refund_no or self.trade_no


@dataclass(frozen=True)
class Flow:
    """One movement of the account: the line behind it, its signed fen, and what lay there afterwards."""

    line: Line
    is_fee: bool
    fen: int
    balance_fen: int

    @property
    def number(self) -> str:
        """The movement's own number: the same whenever it is told."""
        named = f"{self.line.business_no}:{self.line.kind}:{self.is_fee}"
        return f"{int(sha256(named.encode()).hexdigest(), 16) % 10**24:024d}"


def fee_of(fen: int) -> int:
    """The fee of so much money."""
    return (fen * FEE_PER_10_000 + 5_000) // 10_000


def fee_of_refund(paid_fen: int, returned_fen: int, amount_fen: int) -> int:
    """What is given back of the fee, below zero, where `returned_fen` went back before."""
    kept = paid_fen - returned_fen
    return fee_of(max(kept - amount_fen, 0)) - fee_of(kept)


def flows(lines: Iterable[Line], opening_fen: int = 0) -> list[Flow]:
    """How the account moves by the lines. What comes goes before what leaves, so that nothing is overdrawn between."""
    told: list[Flow] = []
    balance = opening_fen
    for line in sorted(lines, key=lambda one: one.at):
        moved = -line.amount_fen if line.kind == REFUND else line.amount_fen
        for fen, is_fee in sorted(((moved, False), (-line.fee_fen, True)), reverse=True):
            if fen:
                balance += fen
                told.append(Flow(line, is_fee, fen, balance))
    return told


def total(lines: Sequence[Line]) -> int:
    """What the account holds after the lines."""
    return sum((-line.amount_fen if line.kind == REFUND else line.amount_fen) - line.fee_fen for line in lines)
