"""That a patient is there: where they stand in the queue, and whether the number is really theirs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word


class Arrival(Base):
    """One check-in, and the place in the queue that it gave.

    Whoever is there is called by `turn`, which is the number of the appointment as long as nothing put them behind
    others. Since `put_behind_at` they come after whoever has the same turn, in the order of these instants. `passed`
    counts how often they did not answer. Where the patient was is not kept.
    """

    __tablename__ = "arrivals"
    __table_args__ = (Index("ix_arrivals_schedule", "schedule_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id"))
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointments.id"), unique=True)
    at: Mapped[datetime]
    late: Mapped[bool]
    turn: Mapped[int]
    put_behind_at: Mapped[datetime | None]
    passed: Mapped[int]


class ReportedBy(StrEnum):
    """Who says that it is not them: the desk, whose document does not fit, or the person in whose name it stands."""

    DESK = "desk"
    ONESELF = "oneself"


class NotMeReport(Base):
    """Somebody booked in another's name (rules.md L-24): while it is not decided, the appointment is frozen.

    `confirmed` is what the desk found: the number was taken in another's name, or it was the right person after all.
    """

    __tablename__ = "not_me_reports"
    __table_args__ = (
        Index(
            "uq_not_me_reports_open",
            "appointment_id",
            unique=True,
            postgresql_where=text("decided_at IS NULL"),
            sqlite_where=text("decided_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointments.id"))
    by: Mapped[ReportedBy] = mapped_column(word(ReportedBy))
    reported_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    confirmed: Mapped[bool | None]
