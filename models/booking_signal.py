"""A sign that numbers are held for resale, with its evidence and with what was answered to it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id, word


class SignalKind(StrEnum):
    """What was seen: numbers held and dropped again and again, or let go by one and taken by the other of a pair."""

    HOLD_AND_DROP = "hold_and_drop"
    REBOOKED_BY_ANOTHER = "rebooked_by_another"


class SignalAnswer(StrEnum):
    """In the order of their weight: nothing new is booked for a while; whoever is booked for must have been present;
    a person looks at it, and until then the check stays."""

    COOL_DOWN = "cool_down"
    STEP_UP = "step_up"
    REVIEW = "review"


class BookingSignal(Base):
    """Of an account, which can read it and is told whenever it counts. `facts` are ids of appointments and what they
    have in common; `until` is when the answer ends by itself, None where a person has to decide."""

    __tablename__ = "booking_signals"
    __table_args__ = (CheckConstraint("(cleared_at IS NULL) = (cleared_by IS NULL)", name="cleared"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    kind: Mapped[SignalKind] = mapped_column(word(SignalKind))
    facts: Mapped[Any] = mapped_column(Document())
    answer: Mapped[SignalAnswer] = mapped_column(word(SignalAnswer))
    until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    cleared_by: Mapped[str | None]
    cleared_why: Mapped[str | None]

    def is_in_force(self, *, now: datetime) -> bool:
        """Half-open."""
        return self.cleared_at is None and (self.until is None or now < self.until)

    def clear(self, *, by: str, why: str, at: datetime) -> None:
        """A person has looked, and the account is free of it."""
        self.cleared_at, self.cleared_by, self.cleared_why = at, by, why
