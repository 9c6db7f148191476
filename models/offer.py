"""A number held for whoever lost theirs because the hospital suspended the clinic, until they take it or do not."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, new_id, word
from models.states import Cause, Machine, Stateful


class OfferKind(StrEnum):
    """In the order in which they are offered."""

    SAME_DOCTOR = "same_doctor"
    """On another day, or later."""
    SAME_RANK = "same_rank"
    """Another doctor of the department with the same title, on the same day."""
    OTHER_CAMPUS = "other_campus"
    """The same subject elsewhere in the hospital."""


class OfferStatus(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Offer(Stateful, Base):
    """`slot_id` is withheld for the appointment until `expires_at`, half-open. `fee_fen` is what the patient pays in
    all if they take it: never more than before.

    `version` is that of the suspended schedule: suspending it again makes other offers. `accepted_as_id` is the
    appointment that it became.
    """

    __tablename__ = "offers"
    __table_args__ = (
        Index("ix_offers_appointment", "appointment_id"),
        Index("ix_offers_schedule", "schedule_id"),
        Index(
            "uq_offers_open_slot",
            "slot_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
            sqlite_where=text("status = 'open'"),
        ),
        CheckConstraint("fee_fen >= 0", name="fee"),
        CheckConstraint("(status = 'accepted') = (accepted_as_id IS NOT NULL)", name="accepted_as"),
    )

    machine = Machine.OFFER
    moves = {  # noqa: RUF012
        OfferStatus.OPEN: frozenset(set(OfferStatus) - {OfferStatus.OPEN}),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointments.id"))
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id"))
    slot_id: Mapped[UUID] = mapped_column(ForeignKey("slots.id"))
    version: Mapped[int]
    kind: Mapped[OfferKind] = mapped_column(word(OfferKind))
    fee_fen: Mapped[int]
    status: Mapped[OfferStatus] = mapped_column(word(OfferStatus))
    moved: Mapped[int]
    accepted_as_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointments.id"))
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]

    def may_be_taken(self, *, now: datetime) -> bool:
        return self.status is OfferStatus.OPEN and now < self.expires_at

    def make(self, session: Session, *, at: datetime, cause: Cause) -> None:
        self.enter(session, OfferStatus.OPEN, at=at, cause=cause)

    def accept(self, session: Session, *, appointment_id: UUID, at: datetime, cause: Cause) -> None:
        """The patient takes it: `appointment_id` is what it became. Raises: IllegalTransition."""
        self.enter(session, OfferStatus.ACCEPTED, at=at, cause=cause)
        self.accepted_as_id = appointment_id

    def decline(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The patient does not want it. Raises: IllegalTransition."""
        self.enter(session, OfferStatus.DECLINED, at=at, cause=cause)

    def expire(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """Nobody answered. Raises: IllegalTransition."""
        self.enter(session, OfferStatus.EXPIRED, at=at, cause=cause)

    def withdraw(self, session: Session, *, at: datetime, cause: Cause, reason: str) -> None:
        """There is nothing to answer any more. Raises: IllegalTransition."""
        self.enter(session, OfferStatus.WITHDRAWN, at=at, cause=cause, reason=reason)
