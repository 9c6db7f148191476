"""What two people have said of a refund that no platform makes by itself."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word
from models.operators import both_reasons


class RefundWay(StrEnum):
    AGAIN = "again"
    """Sent to the platform once more, under the number that it has."""
    BY_HAND = "by_hand"
    """Given back by the hospital itself, outside of the platform."""
    TO_CARD = "to_card"
    """Sent by the platform to another card of the payer, where the bank did not take it."""


class RefundDecision(Base):
    """One person proposes a way and says why, another one agrees: then it is decided. `done_at` is when it was carried
    out, or turned out to be settled. Until then there is no other decision about the refund.

    `card_hash` tells whether the second one names the card that the first one named; it is gone once that is known."""

    __tablename__ = "refund_decisions"
    __table_args__ = (
        Index(
            "uq_refund_decisions_standing",
            "refund_id",
            unique=True,
            postgresql_where=text("done_at IS NULL"),
            sqlite_where=text("done_at IS NULL"),
        ),
        CheckConstraint("(second_by IS NULL) = (decided_at IS NULL)", name="decided"),
        CheckConstraint("second_by <> first_by", name="two_people"),
        CheckConstraint("done_at IS NULL OR decided_at IS NOT NULL", name="done"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    refund_id: Mapped[UUID] = mapped_column(ForeignKey("refunds.id"), index=True)
    way: Mapped[RefundWay] = mapped_column(word(RefundWay))
    why: Mapped[str]
    first_by: Mapped[str]
    proposed_at: Mapped[datetime]
    second_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    card_hash: Mapped[bytes | None]

    @property
    def is_in_course(self) -> bool:
        """Decided, and not carried out yet."""
        return self.decided_at is not None and self.done_at is None

    def agree(self, operator: str, why: str, *, at: datetime) -> None:
        self.second_by, self.decided_at, self.card_hash = operator, at, None
        self.why = both_reasons(self.why, why)
