"""What a platform said of a merchant's day, line by line, and what of it does not agree with our own records."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id, word
from models.operators import both_reasons, is_same_name


class BillDay(Base):
    """The bill of one merchant account for one day, taken whole. `digest` is of its entries and movements: the same day
    taken again must be the same. The sums of the account's movements are beside it, in fen."""

    __tablename__ = "bill_days"
    __table_args__ = (UniqueConstraint("provider", "merchant", "day"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    merchant: Mapped[str]
    day: Mapped[date]
    digest: Mapped[bytes]
    taken_at: Mapped[datetime]
    moved_payments_fen: Mapped[int] = mapped_column(BigInteger())
    moved_refunds_fen: Mapped[int] = mapped_column(BigInteger())
    moved_fees_fen: Mapped[int] = mapped_column(BigInteger())
    moved_other_fen: Mapped[int] = mapped_column(BigInteger())


class BillLine(Base):
    """One payment or refund as the bill has it: the columns are those of `core.ports.BillEntry`."""

    __tablename__ = "bill_lines"
    __table_args__ = (
        UniqueConstraint("bill_day_id", "place"),
        Index("ix_bill_lines_out_trade_no", "out_trade_no"),
        Index("ix_bill_lines_out_refund_no", "out_refund_no"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    bill_day_id: Mapped[UUID] = mapped_column(ForeignKey("bill_days.id"))
    place: Mapped[int]
    kind: Mapped[str]
    at: Mapped[datetime]
    out_trade_no: Mapped[str]
    platform_trade_no: Mapped[str]
    out_refund_no: Mapped[str | None]
    platform_refund_no: Mapped[str | None]
    amount_fen: Mapped[int]
    currency: Mapped[str]
    fee_fen: Mapped[int]
    state: Mapped[str]

    @property
    def number(self) -> str:
        """Our number of what it tells of; empty where the platform has a refund under none of ours."""
        return self.out_trade_no if self.kind == "payment" else self.out_refund_no or ""

    @property
    def told_as(self) -> str:
        """The number of a difference about it: the platform's, where there is none of ours."""
        return self.number or self.platform_trade_no

    @property
    def moved_fen(self) -> int:
        """What it moved in the account, without the fee; below zero where it went out. Nothing of what the payer's bank
        took back, or of a refund that was closed; one that is stuck has left all the same."""
        if self.kind == "payment":
            return self.amount_fen if self.state == "paid" else 0
        return -self.amount_fen if self.state != "not_refunded" else 0


class DifferenceKind(StrEnum):
    OURS_ONLY = "ours_only"
    """We have it of that day, and no bill names it."""
    THEIRS_ONLY = "theirs_only"
    """The bill names it, and we know of none."""
    AMOUNT_DIFFERS = "amount_differs"
    STATE_DIFFERS = "state_differs"
    DUPLICATE = "duplicate"
    """The bill has it more than once, or another day's bill has it too."""
    LATE = "late"
    """It is in the bill of another day than ours."""
    ORPHAN = "orphan"
    """Kept by both, and there is no appointment behind it."""


class DifferenceEnd(StrEnum):
    REPAIRED = "repaired"
    """We have put it right ourselves: our records followed, or the money is on its way back."""
    FOUND = "found"
    """Another day's bill has it, or a file of its own that came later."""
    DESK = "desk"
    """Two people have decided."""


class Difference(Base):
    """One thing of a day that does not agree, told once, however often the day is looked at.

    `entry` is what it is about (payment, refund, or the movements of the account), `number` ours of it. `facts` are the
    two sides. It ends by repair, by another bill, or by two people who say why: `why`
    is what both said."""

    __tablename__ = "bill_differences"
    __table_args__ = (
        UniqueConstraint("provider", "merchant", "kind", "entry", "number"),
        Index("ix_bill_differences_open", "ended_at", "day"),
        CheckConstraint("(ended_at IS NULL) = (ended_as IS NULL)", name="ended"),
        CheckConstraint(
            "ended_as <> 'desk' OR (first_by IS NOT NULL AND second_by IS NOT NULL AND first_by <> second_by)",
            name="two_people",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    merchant: Mapped[str]
    day: Mapped[date]
    kind: Mapped[DifferenceKind] = mapped_column(word(DifferenceKind))
    entry: Mapped[str]
    number: Mapped[str]
    facts: Mapped[Any] = mapped_column(Document())
    opened_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[DifferenceEnd | None] = mapped_column(word(DifferenceEnd))
    first_by: Mapped[str | None]
    second_by: Mapped[str | None]
    why: Mapped[str | None]

    def end(self, how: DifferenceEnd, *, at: datetime) -> None:
        """What has ended stays so."""
        if self.ended_at is None:
            self.ended_at, self.ended_as = at, how

    def say(self, operator: str, why: str, *, at: datetime) -> bool:
        """One person says why it may rest; when a second one says so too, it does. Returns whether it has ended."""
        if self.ended_at is None and self.first_by is None:
            self.first_by, self.why = operator, why
        elif self.ended_at is None and not is_same_name(operator, self.first_by or ""):
            self.second_by, self.why = operator, both_reasons(self.why or "", why)
            self.end(DifferenceEnd.DESK, at=at)
        return self.ended_at is not None
