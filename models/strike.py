"""What counts against a person who did not come, or gave numbers back: each with its evidence, none for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Document, new_id, word

UNTIL_APPEAL = datetime(9999, 1, 1, tzinfo=UTC)
"""No end of its own: the hospital decides."""


class StrikeKind(StrEnum):
    NO_SHOW = "no_show"
    LATE_CANCEL = "late_cancel"
    CANCEL = "cancel"


class Lift(StrEnum):
    """Why a strike counts no longer."""

    SEEN = "seen"
    """They were there after all."""
    USED_AGAIN = "used_again"
    """Somebody else came with the number that was given back late."""
    APPEAL = "appeal"


class Strike(Base):
    """One for an appointment, of the person whatever account booked. Lifted, it counts no longer and stays on record.

    `at` is the instant from which windows count: the end of the half day that was missed, or the cancelling.
    `restricts_until` is set where this strike filled a step of the ladder; it is half-open. `platform_wide` strikes
    count and restrict at every hospital that has its strikes so.
    """

    __tablename__ = "strikes"
    __table_args__ = (Index("ix_strikes_person", "person_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointments.id"), unique=True)
    kind: Mapped[StrikeKind] = mapped_column(word(StrikeKind))
    platform_wide: Mapped[bool]
    at: Mapped[datetime]
    evidence: Mapped[Any] = mapped_column(Document())
    restricts_until: Mapped[datetime | None]
    lifted_at: Mapped[datetime | None]
    lifted_why: Mapped[Lift | None] = mapped_column(word(Lift))

    def lift(self, why: Lift, *, at: datetime) -> None:
        """It counts no longer; what was lifted already stays as it was."""
        if self.lifted_at is None:
            self.lifted_at, self.lifted_why, self.restricts_until = at, why, None
