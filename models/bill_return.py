"""Money of which only a bill tells, sent back because two people have said so."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word
from models.operators import both_reasons


class ReturnOutcome(StrEnum):
    RETURNED = "returned"
    """The platform has given it back."""
    KNOWN_HERE = "known_here"
    """We know of the payment after all: it goes the way of every payment."""
    NOT_THERE = "not_there"
    """The platform has nothing paid under that number, or gave it back already, or another sum."""
    REFUSED = "refused"
    """The platform will not, or could not: it is for people in its console."""


class BillReturn(Base):
    """One person proposes it and says why, another one agrees, and a job sends it back under `out_refund_no`. Until it
    has ended there is no other one of the same difference. `may_be_sent`: the platform has it, or may have."""

    __tablename__ = "bill_returns"
    __table_args__ = (
        Index(
            "uq_bill_returns_standing",
            "difference_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index("uq_bill_returns_out_refund_no", "out_refund_no", unique=True),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("(second_by IS NULL) = (decided_at IS NULL)", name="decided"),
        CheckConstraint("second_by <> first_by", name="two_people"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    difference_id: Mapped[UUID] = mapped_column(ForeignKey("bill_differences.id"), index=True)
    provider: Mapped[str]
    merchant: Mapped[str]
    out_trade_no: Mapped[str]
    out_refund_no: Mapped[str]
    amount_fen: Mapped[int]
    currency: Mapped[str]
    why: Mapped[str]
    first_by: Mapped[str]
    proposed_at: Mapped[datetime]
    second_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    asked_times: Mapped[int]
    may_be_sent: Mapped[bool]
    last_refusal: Mapped[str | None]
    outcome: Mapped[ReturnOutcome | None] = mapped_column(word(ReturnOutcome))
    ended_at: Mapped[datetime | None]

    @property
    def is_in_course(self) -> bool:
        """Decided, and not ended yet."""
        return self.decided_at is not None and self.ended_at is None

    def agree(self, operator: str, why: str, *, at: datetime) -> None:
        self.second_by, self.decided_at = operator, at
        self.why = both_reasons(self.why, why)

    def end(self, outcome: ReturnOutcome, *, at: datetime) -> None:
        self.outcome, self.ended_at = outcome, at
