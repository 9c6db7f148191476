"""A schedule is one doctor's (or clinic's) half day with its compiled terms; a slot is one bookable number of it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Document, new_id, word
from models.hospital import Period
from models.states import Cause, Machine, StateEvent, Stateful


class ScheduleStatus(StrEnum):
    """What is told to patients. Only open, closed and suspended are stored; the clock and the slots give the rest."""

    NOT_RELEASED = "not_released"
    OPEN = "open"
    FULL = "full"
    CLOSED = "closed"
    SUSPENDED = "suspended"


class Schedule(Base):
    """`terms` is the policy compiled for this half day. `imported_at`: since then a file of the hospital's stands for
    it, and no roster. At `channels_return_at` the numbers that are kept for channels become everybody's."""

    __tablename__ = "schedules"
    __table_args__ = (
        UniqueConstraint("department_id", "doctor_code", "visit_date", "period", "clinic_type", "starts_at"),
        Index("ix_schedules_department_day", "department_id", "visit_date"),
        Index("ix_schedules_hospital_day", "hospital_id", "visit_date"),
        CheckConstraint("fee_fen >= 0", name="fee"),
        CheckConstraint("ends_at > starts_at", name="times"),
        CheckConstraint("status IN ('open','closed','suspended')", name="status"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    campus_id: Mapped[UUID] = mapped_column(ForeignKey("campuses.id"))
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    doctor_id: Mapped[UUID | None] = mapped_column(ForeignKey("doctors.id"))
    doctor_code: Mapped[str]
    visit_date: Mapped[date]
    period: Mapped[Period] = mapped_column(word(Period))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    clinic_type: Mapped[str]
    fee_fen: Mapped[int]
    status: Mapped[ScheduleStatus] = mapped_column(word(ScheduleStatus))
    release_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    cancel_before: Mapped[datetime]
    terms: Mapped[Any] = mapped_column(Document())
    terms_version: Mapped[str]
    created_at: Mapped[datetime]
    imported_at: Mapped[datetime | None]
    channels_return_at: Mapped[datetime | None]

    def shown_status(self, *, remaining: int, now: datetime) -> ScheduleStatus:
        """What a patient is told at `now`."""
        if self.status is not ScheduleStatus.OPEN:
            return self.status
        if now < self.release_at:
            return ScheduleStatus.NOT_RELEASED
        if now >= self.closes_at:
            return ScheduleStatus.CLOSED
        return ScheduleStatus.OPEN if remaining else ScheduleStatus.FULL


class SlotStatus(StrEnum):
    FREE = "free"
    HELD = "held"
    BOOKED = "booked"
    WITHHELD = "withheld"
    SUSPENDED = "suspended"


class WithheldReason(StrEnum):
    """Why a number is out of sale for the moment."""

    CLOSING = "closing"
    WAITLIST = "waitlist"
    COOLING = "cooling"
    CHANNEL = "channel"
    OFFERED = "offered"
    """For whoever lost theirs by a suspension, until they answer."""
    WITHDRAWN = "withdrawn"
    """The hospital has taken it back: nobody gets it, unless the hospital gives it again."""


class PoolChannel(StrEnum):
    """For whom some numbers of a half day are kept until a set time."""

    OWN = "own"
    ON_SITE = "on_site"
    ELDERS = "elders"
    RETURN_VISIT = "return_visit"


class Surplus(StrEnum):
    """Why a number that somebody has is beyond the schedule's numbers: once let go, it is not sold again."""

    REDUCED = "reduced"
    """The hospital gives fewer than were sold."""
    EXTRA = "extra"
    """A doctor gave it to one person, beside the schedule's numbers."""


class Slot(Stateful, Base):
    """One bookable number: time segment and sequence. `channel` is whose it was kept for when it was published.

    `returns_at` is when it is to be sold again, known to operators only. `let_go_at` is when somebody gave it up last:
    only of a number that was given up a short while ago does a claim look by whom.
    """

    __tablename__ = "slots"
    __table_args__ = (
        UniqueConstraint("schedule_id", "sequence"),
        Index("ix_slots_claim", "schedule_id", "status", "sequence"),
        CheckConstraint("(status = 'withheld') = (withheld_reason IS NOT NULL)", name="withheld_reason"),
    )

    machine = Machine.SLOT
    moves = {  # noqa: RUF012
        SlotStatus.FREE: frozenset({SlotStatus.HELD, SlotStatus.BOOKED, SlotStatus.WITHHELD, SlotStatus.SUSPENDED}),
        SlotStatus.HELD: frozenset({SlotStatus.BOOKED, SlotStatus.WITHHELD, SlotStatus.SUSPENDED}),
        SlotStatus.BOOKED: frozenset({SlotStatus.WITHHELD, SlotStatus.SUSPENDED}),
        SlotStatus.WITHHELD: frozenset({SlotStatus.FREE, SlotStatus.HELD, SlotStatus.BOOKED, SlotStatus.SUSPENDED}),
        SlotStatus.SUSPENDED: frozenset({SlotStatus.FREE, SlotStatus.WITHHELD}),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id"))
    sequence: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    status: Mapped[SlotStatus] = mapped_column(word(SlotStatus))
    withheld_reason: Mapped[WithheldReason | None] = mapped_column(word(WithheldReason))
    moved: Mapped[int]
    surplus: Mapped[Surplus | None] = mapped_column(word(Surplus))
    returns_at: Mapped[datetime | None]
    let_go_at: Mapped[datetime | None]
    channel: Mapped[PoolChannel | None] = mapped_column(word(PoolChannel))

    @property
    def is_withdrawn(self) -> bool:
        return self.withheld_reason is WithheldReason.WITHDRAWN

    @property
    def is_spare(self) -> bool:
        """Nobody has it, and nobody is waiting for it to be closed."""
        return self.status is SlotStatus.FREE or self.withheld_reason in {
            WithheldReason.COOLING,
            WithheldReason.CHANNEL,
        }

    def hold(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """Somebody is about to pay for it."""
        self.enter(session, SlotStatus.HELD, at=at, cause=cause)
        self.withheld_reason, self.returns_at = None, None

    def book(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """It belongs to a booked appointment."""
        self.enter(session, SlotStatus.BOOKED, at=at, cause=cause)
        self.withheld_reason, self.returns_at = None, None

    def take(self, status: SlotStatus, *, at: datetime, cause: Cause) -> StateEvent:
        """As `hold` and `book`, for whoever writes the returned event row with others."""
        event = self.move(status, at=at, cause=cause)
        self.withheld_reason, self.returns_at = None, None
        return event

    def withhold(self, session: Session, *, why: WithheldReason, at: datetime, cause: Cause) -> None:
        """Let go, but not on sale yet."""
        self.enter(session, SlotStatus.WITHHELD, at=at, cause=cause, reason=why)
        self.withheld_reason, self.returns_at = why, None

    def let_go(self, session: Session, *, why: WithheldReason, at: datetime, cause: Cause) -> None:
        """Withheld since whoever had it gave it up."""
        self.withhold(session, why=why, at=at, cause=cause)
        self.let_go_at = at

    def cool(self, *, returns_at: datetime) -> None:
        """Withheld until then, and nothing else stands in its way."""
        self.withheld_reason, self.returns_at = WithheldReason.COOLING, returns_at

    def free(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """Back on sale, but for a number beyond those of the schedule, which is withdrawn."""
        if self.surplus is not None:
            self.withdraw(session, at=at, cause=cause)
            return
        self.enter(session, SlotStatus.FREE, at=at, cause=cause)
        self.withheld_reason, self.returns_at = None, None

    def withdraw(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The hospital takes it back."""
        if self.status is not SlotStatus.WITHHELD:
            self.enter(session, SlotStatus.WITHHELD, at=at, cause=cause, reason=WithheldReason.WITHDRAWN)
        self.withheld_reason, self.returns_at = WithheldReason.WITHDRAWN, None
        if self.surplus is Surplus.REDUCED:
            self.surplus = None  # the hospital may give it again; what a doctor gave to one person is over

    def suspend(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The clinic does not take place."""
        self.enter(session, SlotStatus.SUSPENDED, at=at, cause=cause)
        self.withheld_reason, self.returns_at = None, None
