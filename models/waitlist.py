"""A standing wish for a number (候补): where, when, at which price, for whom, until when it is of use."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.appointment import PayMode
from models.base import Base, Document, new_id, word
from models.states import Cause, Machine, Stateful


class WaitlistStatus(StrEnum):
    """`offered`: numbers are held for some of those whom it names; `passed`: of those numbers one was not taken up, and
    nobody of the entry waits any more."""

    WAITING = "waiting"
    OFFERED = "offered"
    BOOKED = "booked"
    PASSED = "passed"
    LEFT = "left"
    EXPIRED = "expired"


OPEN_ENTRY = frozenset({WaitlistStatus.WAITING, WaitlistStatus.OFFERED})


class WaitlistEntry(Stateful, Base):
    """Served in the order of `created_at` and id. `doctor_ids` and `periods` are lists, empty where any will do.

    A number is of use until `not_within_minutes` before its segment; the entry ends at `expires_at`.
    """

    __tablename__ = "waitlist_entries"
    __table_args__ = (
        Index("ix_waitlist_entries_queue", "department_id", "status", "created_at"),
        Index("ix_waitlist_entries_account", "account_id", "id"),
        CheckConstraint("date_to >= date_from", name="dates"),
        CheckConstraint("max_fee_fen IS NULL OR max_fee_fen >= 0", name="max_fee"),
    )

    machine = Machine.WAITLIST_ENTRY
    moves = {  # noqa: RUF012
        WaitlistStatus.WAITING: frozenset(
            {WaitlistStatus.OFFERED, WaitlistStatus.BOOKED, WaitlistStatus.LEFT, WaitlistStatus.EXPIRED}
        ),
        WaitlistStatus.OFFERED: frozenset(
            {WaitlistStatus.BOOKED, WaitlistStatus.WAITING, WaitlistStatus.PASSED, WaitlistStatus.LEFT}
        ),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    doctor_ids: Mapped[Any] = mapped_column(Document())
    date_from: Mapped[date]
    date_to: Mapped[date]
    periods: Mapped[Any] = mapped_column(Document())
    max_fee_fen: Mapped[int | None]
    not_within_minutes: Mapped[int]
    pay_mode: Mapped[PayMode] = mapped_column(word(PayMode))
    status: Mapped[WaitlistStatus] = mapped_column(word(WaitlistStatus))
    moved: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    def begin(self, session: Session, *, at: datetime, cause: Cause) -> None:
        self.enter(session, WaitlistStatus.WAITING, at=at, cause=cause)

    def offer(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """A number is held for the first of those whom it names; one for the next of them changes nothing here."""
        self.enter(session, WaitlistStatus.OFFERED, at=at, cause=cause)

    def wait_on(self, session: Session, *, reason: str, at: datetime, cause: Cause) -> None:
        """In its old place: others whom it names are not served yet, or the number was lost through no fault of
        theirs."""
        self.enter(session, WaitlistStatus.WAITING, at=at, cause=cause, reason=reason)

    def serve(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """Everybody whom it names has a number."""
        self._end(session, WaitlistStatus.BOOKED, at=at, cause=cause)

    def pass_on(self, session: Session, *, reason: str, at: datetime, cause: Cause) -> None:
        """Numbers were not taken up and went to the next; nobody of this one waits any more."""
        self._end(session, WaitlistStatus.PASSED, at=at, cause=cause, reason=reason)

    def leave(self, session: Session, *, reason: str, at: datetime, cause: Cause) -> None:
        self._end(session, WaitlistStatus.LEFT, at=at, cause=cause, reason=reason)

    def expire(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The last day for which it waited is closed, or a number of it would come too late."""
        self._end(session, WaitlistStatus.EXPIRED, at=at, cause=cause)

    def _end(
        self, session: Session, status: WaitlistStatus, *, at: datetime, cause: Cause, reason: str | None = None
    ) -> None:
        self.enter(session, status, at=at, cause=cause, reason=reason)
        self.ended_at = at


class WaitlistPlace(Base):
    """One of those whom an entry names, in its order. With `appointment_id` a number was found; `skipped_why` is the
    code of the rule that refused the last one that came by, at `skipped_at`."""

    __tablename__ = "waitlist_places"
    __table_args__ = (
        UniqueConstraint("entry_id", "position"),
        Index("ix_waitlist_places_person", "person_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("waitlist_entries.id"))
    position: Mapped[int]
    dependent_id: Mapped[UUID] = mapped_column(ForeignKey("dependents.id"), index=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    appointment_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointments.id"))
    skipped_why: Mapped[str | None]
    skipped_at: Mapped[datetime | None]

    def skip(self, why: str, *, at: datetime) -> None:
        """A number came by that this one may not have."""
        self.skipped_why, self.skipped_at = why, at
