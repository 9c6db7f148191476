"""What we tell the patient, over whichever channel."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word


class NoticeKind(StrEnum):
    APPOINTMENT_BOOKED = "appointment_booked"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    APPOINTMENT_RESCHEDULED = "appointment_rescheduled"
    APPOINTMENT_MISSED = "appointment_missed"
    APPOINTMENT_FROZEN = "appointment_frozen"
    OFFERS_MADE = "offers_made"
    DOCTOR_SUBSTITUTED = "doctor_substituted"
    CLINIC_MOVED = "clinic_moved"
    CLINIC_REOPENED = "clinic_reopened"
    REFUND_SUCCEEDED = "refund_succeeded"
    PAYMENT_RETURNED = "payment_returned"
    APPEAL_DECIDED = "appeal_decided"
    WAITLIST_OFFERED = "waitlist_offered"
    WAITLIST_ENDED = "waitlist_ended"
    DEPENDENT_TURNED_14 = "dependent_turned_14"
    DEPENDENT_TURNED_18 = "dependent_turned_18"
    DEPENDENT_HANDED_OVER = "dependent_handed_over"


class Notice(Base):
    """One message, written in the transaction it tells of; `dedup` makes it one for ever. It holds ids, never names.

    `dependent_id` is whom it is about, where it is about no appointment.
    """

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_account", "account_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    appointment_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointments.id"))
    kind: Mapped[NoticeKind] = mapped_column(word(NoticeKind))
    reason: Mapped[str | None]
    dedup: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    dependent_id: Mapped[UUID | None]
