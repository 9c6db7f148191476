"""What a platform was told of a payment's delivery, where it keeps the money until it knows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word

_WANTED_SQL = "outcome IS NULL OR outcome = 'refused'"


class ShippingOutcome(StrEnum):
    REPORTED = "reported"
    NOT_NEEDED = "not_needed"
    """All of it went back before, or the app is not subject to it any more."""
    REFUSED = "refused"
    """For good: a person has to see to it."""


class ShippingReport(Base):
    """One for each payment of an app that is subject to shipping management, from the money's arrival on. It is open
    until it has an `outcome`. `completed_at`: when the registration was found complete, as the platform is told; it
    stays, so that telling it again is telling the same."""

    __tablename__ = "shipping_reports"
    __table_args__ = (
        Index(
            "ix_shipping_reports_wanted",
            "created_at",
            postgresql_where=text(_WANTED_SQL),
            sqlite_where=text(_WANTED_SQL),
        ),
        CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), unique=True)
    created_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    told_times: Mapped[int]
    last_refusal: Mapped[str | None]
    outcome: Mapped[ShippingOutcome | None] = mapped_column(word(ShippingOutcome))
    ended_at: Mapped[datetime | None]

    @property
    def is_open(self) -> bool:
        return self.outcome is None

    def end(self, outcome: ShippingOutcome, *, at: datetime) -> None:
        self.outcome, self.ended_at = outcome, at

    def reopen(self) -> None:
        """It is tried again; what is told stays what it was."""
        self.outcome = self.ended_at = self.last_refusal = None
        self.told_times = 0
