"""A person's claim on a slot, with the terms it was sold under."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.account import Provider
from models.base import Base, Document, new_id, word
from models.errors import IllegalTransition
from models.sealing import Vault
from models.states import Cause, Machine, Stateful


class AppointmentStatus(StrEnum):
    PENDING = "pending"
    BOOKED = "booked"
    ARRIVED = "arrived"
    FULFILLED = "fulfilled"
    NOSHOW = "noshow"
    CANCELLED = "cancelled"


HOLDS_SLOT = frozenset(set(AppointmentStatus) - {AppointmentStatus.CANCELLED})
OPEN = frozenset({AppointmentStatus.PENDING, AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED})

_HOLDS_SLOT_SQL = "status IN ('pending','booked','arrived','fulfilled','noshow')"
_OPEN_SQL = "status IN ('pending','booked','arrived')"


class CancelReason(StrEnum):
    PATIENT = "patient"
    PAYMENT_TIMEOUT = "payment_timeout"
    RESCHEDULED = "rescheduled"
    SUSPENDED = "suspended"
    HOSPITAL_REFUSED = "hospital_refused"
    DESK = "desk"
    ERROR = "error"


_REASONS_BY_STATE = {
    AppointmentStatus.PENDING: frozenset(
        {
            CancelReason.PATIENT,
            CancelReason.PAYMENT_TIMEOUT,
            CancelReason.SUSPENDED,
            CancelReason.HOSPITAL_REFUSED,
            CancelReason.ERROR,
        }
    ),
    AppointmentStatus.BOOKED: frozenset(
        {
            CancelReason.PATIENT,
            CancelReason.RESCHEDULED,
            CancelReason.SUSPENDED,
            CancelReason.DESK,
            CancelReason.ERROR,
        }
    ),
    AppointmentStatus.ARRIVED: frozenset({CancelReason.DESK}),
    AppointmentStatus.NOSHOW: frozenset({CancelReason.SUSPENDED}),
    AppointmentStatus.FULFILLED: frozenset({CancelReason.SUSPENDED}),
}


class PayMode(StrEnum):
    ONLINE = "online"
    ON_SITE = "on_site"


class PayerKind(StrEnum):
    SELF_PAY = "self_pay"
    INSURANCE = "insurance"


def _where(condition: str) -> dict[str, Any]:
    return {"unique": True, "postgresql_where": text(condition), "sqlite_where": text(condition)}


class Appointment(Stateful, Base):
    """`number` is what a patient reads out at the desk. `person_id` is the alias root at the time of booking.

    It belongs to the account of its dependent, also where another one booked it: `grant_id` says under which grant.
    Unpaid, it is held until `hold_expires_at`, and while a platform does not answer until `close_by` at the latest.
    `free_to_leave_until`: until then it may be cancelled whatever its deadline was, for the hospital has changed it.
    `visit_card_id` is the hospital's card that the patient will bring; it goes when the card is removed.
    `notice_version` is the booking notice that was read before, as whoever booked said, None where nothing was said.
    `booked_through` is the way of the login that booked it, None where no login did.
    `hospital_system` is the hospital's own system that must agree, `hospital_sequence` the number that it calls out;
    both are empty where the numbers are ours.
    `follow_up_until`: until the end of this day the visit may be gone on with (续诊), by one appointment at a time,
    which names it in `follow_up_of_id`.
    `replaces_id` is the appointment in whose place it was taken, on the same charge; until that one ends it stands
    `beside_replaced`.
    """

    __tablename__ = "appointments"
    __table_args__ = (
        Index("uq_appointments_slot", "slot_id", **_where(_HOLDS_SLOT_SQL)),
        Index(
            "uq_appointments_person_schedule",
            "person_id",
            "schedule_id",
            **_where(f"{_OPEN_SQL} AND NOT beside_replaced"),
        ),
        Index(
            "uq_appointments_person_department_day",
            "person_id",
            "department_id",
            "visit_date",
            **_where(f"{_OPEN_SQL} AND NOT beside_replaced AND one_per_department_day"),
        ),
        Index(
            "uq_appointments_follow_up",
            "follow_up_of_id",
            **_where(f"follow_up_of_id IS NOT NULL AND {_HOLDS_SLOT_SQL}"),
        ),
        Index("ix_appointments_account", "account_id", "id"),
        Index("ix_appointments_person_day", "person_id", "visit_date"),
        Index("ix_appointments_schedule", "schedule_id"),
        Index("ix_appointments_charge", "charge_id"),
        Index("ix_appointments_pending", "status", "hold_expires_at"),
        Index(
            "ix_appointments_grant",
            "grant_id",
            postgresql_where=text("grant_id IS NOT NULL"),
            sqlite_where=text("grant_id IS NOT NULL"),
        ),
        Index(
            "ix_appointments_ended",
            "ended_at",
            postgresql_where=text("ended_at IS NOT NULL"),
            sqlite_where=text("ended_at IS NOT NULL"),
        ),
        CheckConstraint("fee_fen >= 0", name="fee"),
        CheckConstraint(
            "(awaiting_payment OR awaiting_hospital) = (status = 'pending') OR status = 'cancelled'", name="awaiting"
        ),
        CheckConstraint("(status = 'cancelled') = (cancel_reason IS NOT NULL)", name="cancel_reason"),
    )

    machine = Machine.APPOINTMENT
    moves = {  # noqa: RUF012
        AppointmentStatus.PENDING: frozenset({AppointmentStatus.BOOKED, AppointmentStatus.CANCELLED}),
        AppointmentStatus.BOOKED: frozenset(
            {AppointmentStatus.ARRIVED, AppointmentStatus.CANCELLED, AppointmentStatus.NOSHOW}
        ),
        AppointmentStatus.ARRIVED: frozenset(
            {AppointmentStatus.FULFILLED, AppointmentStatus.CANCELLED, AppointmentStatus.NOSHOW}
        ),
        AppointmentStatus.NOSHOW: frozenset({AppointmentStatus.FULFILLED, AppointmentStatus.CANCELLED}),
        # By the clock first, and then by whoever saw them.
        AppointmentStatus.FULFILLED: frozenset({AppointmentStatus.FULFILLED, AppointmentStatus.CANCELLED}),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    dependent_id: Mapped[UUID] = mapped_column(ForeignKey("dependents.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id"))
    slot_id: Mapped[UUID] = mapped_column(ForeignKey("slots.id"))
    charge_id: Mapped[UUID] = mapped_column(ForeignKey("charges.id"))
    visit_date: Mapped[date]
    status: Mapped[AppointmentStatus] = mapped_column(word(AppointmentStatus))
    moved: Mapped[int]
    awaiting_payment: Mapped[bool]
    awaiting_hospital: Mapped[bool]
    pay_mode: Mapped[PayMode] = mapped_column(word(PayMode))
    payer_kind: Mapped[PayerKind] = mapped_column(word(PayerKind))
    fee_fen: Mapped[int]
    hold_expires_at: Mapped[datetime | None]
    close_by: Mapped[datetime | None]
    cancel_before: Mapped[datetime]
    terms: Mapped[Any] = mapped_column(Document())
    one_per_department_day: Mapped[bool]
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointments.id"))
    beside_replaced: Mapped[bool]
    complaint_sealed: Mapped[bytes | None]
    cancel_reason: Mapped[CancelReason | None] = mapped_column(word(CancelReason))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    grant_id: Mapped[UUID | None]
    visit_card_id: Mapped[UUID | None]
    booked_through: Mapped[Provider | None] = mapped_column(word(Provider))
    hospital_system: Mapped[str | None]
    hospital_sequence: Mapped[int | None]
    free_to_leave_until: Mapped[datetime | None]
    notice_version: Mapped[str | None]
    follow_up_until: Mapped[date | None]
    follow_up_of_id: Mapped[UUID | None]

    @property
    def awaiting(self) -> list[str]:
        waiting = {"payment": self.awaiting_payment, "hospital": self.awaiting_hospital}
        return [what for what, still in waiting.items() if still]

    @property
    def waits_for_payment(self) -> bool:
        return self.status is AppointmentStatus.PENDING and self.awaiting_payment

    @property
    def is_paid_for(self) -> bool:
        """Paid online, and a claim that stands: its fee is kept."""
        return self.status in HOLDS_SLOT and self.pay_mode is PayMode.ONLINE and not self.awaiting_payment

    def may_be_cancelled_by_patient(self, *, now: datetime) -> bool:
        """Half-open: the instant of the deadline itself is too late."""
        if self.status is AppointmentStatus.PENDING:
            return True
        return self.status is AppointmentStatus.BOOKED and now < self.cancel_before

    def may_leave_freely(self, *, now: datetime) -> bool:
        """The hospital has changed what was sold: for a time they may go, and it never counts against them."""
        free = self.free_to_leave_until is not None and now < self.free_to_leave_until
        return free and self.status in {AppointmentStatus.PENDING, AppointmentStatus.BOOKED}

    def payment_arrived(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The fee is paid; once nothing is awaited any more the number is the patient's. Raises: IllegalTransition."""
        if self.status is not AppointmentStatus.PENDING:
            raise IllegalTransition(self.machine, self.status, AppointmentStatus.BOOKED)
        self.awaiting_payment = False
        self._confirm_when_ready(session, at=at, cause=cause)

    def hospital_confirmed(self, session: Session, *, sequence: int | None, at: datetime, cause: Cause) -> None:
        """The hospital has it, too; once nothing is awaited any more the number is the patient's.

        Raises: IllegalTransition."""
        if self.status is not AppointmentStatus.PENDING:
            raise IllegalTransition(self.machine, self.status, AppointmentStatus.BOOKED)
        self.awaiting_hospital, self.hospital_sequence = False, sequence
        self._confirm_when_ready(session, at=at, cause=cause)

    def _confirm_when_ready(self, session: Session, *, at: datetime, cause: Cause) -> None:
        if not self.awaiting:
            self.enter(session, AppointmentStatus.BOOKED, at=at, cause=cause)

    def cancel(self, session: Session, *, why: CancelReason, at: datetime, cause: Cause) -> None:
        """Raises: IllegalTransition, also for a reason that this state does not have."""
        if why not in _REASONS_BY_STATE.get(self.status, frozenset()):
            raise IllegalTransition(self.machine, self.status, f"cancelled ({why})")
        self.cancel_reason, self.ended_at = why, at
        self.enter(session, AppointmentStatus.CANCELLED, at=at, cause=cause, reason=why)

    def check_in(self, session: Session, *, at: datetime, cause: Cause) -> None:
        self.enter(session, AppointmentStatus.ARRIVED, at=at, cause=cause)

    def fulfil(self, session: Session, *, at: datetime, cause: Cause) -> None:
        self.enter(session, AppointmentStatus.FULFILLED, at=at, cause=cause)

    def miss(self, session: Session, *, at: datetime, cause: Cause) -> None:
        self.enter(session, AppointmentStatus.NOSHOW, at=at, cause=cause)

    def seal_complaint(self, vault: Vault, complaint: str | None) -> None:
        self.complaint_sealed = None if not complaint else vault.seal("appointments.complaint", self.id, complaint)

    def complaint(self, vault: Vault) -> str | None:
        sealed = self.complaint_sealed
        return None if sealed is None else vault.open_text("appointments.complaint", self.id, sealed)
