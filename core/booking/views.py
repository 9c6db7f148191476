"""An appointment with everything a patient is shown beside it, read in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, selectinload

from core.booking.clinic.offer_views import OfferView, open_offers
from core.booking.day.queue import Place
from core.booking.follow_up.right import FollowUp, follow_ups_of
from core.booking.shared_charge import Shared, shared_of
from core.clock import hospital_day
from core.identity.twins import with_twins
from core.paging import Page, make_cursor, read_cursor
from core.payments.views import PaymentView, hide_means, refunds_to_show, view_payment
from core.receipts.views import ReceiptView
from models.appointment import OPEN, Appointment, AppointmentStatus
from models.charge import Charge, ChargeLine
from models.errors import NotFound
from models.grant import Grant
from models.hospital import Department, Doctor, Hospital, Period
from models.hospital_card import HospitalCard
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.person import Dependent, Relationship
from models.schedule import Schedule, Slot, SlotStatus


@dataclass(frozen=True)
class Money:
    """A charge in figures: `paid_fen` was received and is neither given back nor on its way back. What is kept only
    until another takes its place is not due beside that one."""

    due_fen: int
    paid_fen: int
    lines: list[ChargeLine]


class HasName(Protocol):
    """As much of a hospital or a department as is shown beside an appointment."""

    @property
    def id(self) -> UUID: ...

    @property
    def name(self) -> str: ...


class HasTitle(HasName, Protocol):
    """As much of a doctor."""

    @property
    def title(self) -> str: ...


class HasTimes(Protocol):
    """As much of a slot."""

    @property
    def sequence(self) -> int: ...

    @property
    def starts_at(self) -> datetime: ...

    @property
    def ends_at(self) -> datetime: ...


@dataclass(frozen=True)
class WhomShown:
    """As much of a dependent as is shown beside an appointment."""

    id: UUID
    name_masked: str
    relationship: Relationship


@dataclass(frozen=True)
class ShownSlot:
    """A number as the patient sees it."""

    sequence: int | None
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class AppointmentView:
    """One appointment and its surroundings. `payment` and `refund` are the newest that matter to the patient.

    `shown_under` is the grant by which another account sees it: what only the patient may know is not for that one.
    What they come for is in clear, and only where one appointment is asked for: no list shows it, and no reply that is
    kept. So is what opens the receipt.
    """

    appointment: Appointment
    hospital: HasName
    department: HasName
    doctor: HasTitle | None
    schedule: Schedule
    slot: HasTimes
    dependent: Dependent
    charge: Charge
    payments: list[Payment]
    refunds: list[Refund]
    visit_card: HospitalCard | None
    shown_under: Grant | None = None
    shared: Shared | None = None
    complaint: str | None = field(default=None, repr=False)
    arrival: Place | None = None
    offers: list[OfferView] = field(default_factory=list)
    right: FollowUp | None = None
    receipt: ReceiptView | None = None

    @property
    def whom(self) -> WhomShown:
        """The dependent, and what they are to whoever looks."""
        related = self.dependent.relationship_ if self.shown_under is None else Relationship.OTHER
        return WhomShown(self.dependent.id, self.dependent.name_masked, related)

    @property
    def shown_slot(self) -> ShownSlot:
        """Where the hospital gives the numbers out, what it calls out is known once it has confirmed."""
        sequence: int | None = self.slot.sequence
        if self.appointment.hospital_system is not None:
            sequence = None if self.appointment.awaiting_hospital else self.appointment.hospital_sequence
        return ShownSlot(sequence, self.slot.starts_at, self.slot.ends_at)

    @property
    def follow_up(self) -> FollowUp | None:
        """The right to one, which is the own account's alone."""
        return None if self.shown_under is not None else self.right

    @property
    def period(self) -> Period:
        return self.schedule.period

    @property
    def bundle(self) -> list[UUID]:
        """Those that were booked together with it and stand. Nothing of whoever looks under a grant."""
        if self.shared is None or self.shown_under is not None:
            return []
        return sorted(self.shared.stands - self.shared.order_of(self.appointment.id))

    @property
    def _is_part(self) -> bool:
        """Whether the rest of the charge is for people who are nothing to whoever looks."""
        orders = self.shared.orders.values() if self.shared else ()
        return self.shown_under is not None and len(set(orders)) > 1

    @property
    def money(self) -> Money:
        if self._is_part:
            return self._own_part()
        received = sum(one.received_fen or 0 for one in self.payments)
        back = sum(one.amount_fen for one in self.refunds if one.status is not RefundStatus.CLOSED)
        kept_beside = self.shared.replacing if self.shared else {}
        live = [one for one in self.charge.lines if one.voided_at is None and one.appointment_id not in kept_beside]
        due = sum(one.amount_fen for one in live)
        return Money(due_fen=due, paid_fen=received - back, lines=self.charge.lines)

    def _own_part(self) -> Money:
        own = self.shared.order_of(self.appointment.id) if self.shared else set()
        lines = [one for one in self.charge.lines if one.appointment_id in own]
        due = sum(one.amount_fen for one in lines if one.voided_at is None)
        return Money(due_fen=due, paid_fen=due if self.appointment.is_paid_for else 0, lines=lines)

    @property
    def payment(self) -> PaymentView | None:
        """The one that brought the money, else the newest; while it waits for money, only those made for it. Without
        its means where the other side of a grant paid, and none that was for others as well."""
        appointment = self.appointment
        if self._is_part:
            return None
        own = [one for one in self.payments if one.id > appointment.id or not appointment.awaiting_payment]
        paid = [one for one in own if one.status is PaymentStatus.SUCCEEDED]
        newest = next(reversed(paid or own), None)
        if newest is None:
            return None
        looking = None if self.shown_under is None else self.shown_under.id
        shown = view_payment(newest)
        return shown if newest.grant_id == looking else hide_means(shown)

    @property
    def refund(self) -> Refund | None:
        """The newest of this appointment, or of the one it replaced."""
        return next(reversed(self._back_of({self.appointment.id, self.appointment.replaces_id})), None)

    @property
    def whole_refund(self) -> list[Refund]:
        """All that goes back of it and of those it was exchanged for, oldest first."""
        found = self._back_of(self.shared.came_from(self.appointment.id) if self.shared else {self.appointment.id})
        return [one for one in found if one.status is not RefundStatus.CLOSED]

    def _back_of(self, own: set[UUID | None]) -> list[Refund]:
        given = self.shared.given_back if self.shared else {}
        return [one for one in self.refunds if given.get(one.id, own) & own]

    @property
    def replaced_by_id(self) -> UUID | None:
        """The one that has taken its place, or will once it is sure."""
        return self.shared.replaced_by(self.appointment.id) if self.shared else None


def view_appointment(session: Session, *, appointment_id: UUID, account_id: UUID) -> AppointmentView:
    """One's own appointment. Raises: NotFound."""
    views = views_of(session, Appointment.id == appointment_id, Appointment.account_id == account_id, limit=1)
    if not views:
        raise NotFound()
    return views[0]


def list_appointments(
    session: Session,
    *,
    account_id: UUID,
    status: AppointmentStatus | None,
    dependent_id: UUID | None,
    cursor: str | None,
    limit: int,
    besides: ColumnElement[bool] | None = None,
) -> Page[AppointmentView]:
    """One's own appointments, and those `besides` that one may see, newest first. Raises: ValidationFailed."""
    own = Appointment.account_id == account_id
    conditions: list[Any] = [own if besides is None else or_(own, besides)]
    if status is not None:
        conditions.append(Appointment.status == status)
    if dependent_id is not None:  # and whoever was archived in favour of them
        same = select(Dependent.id).where(with_twins([dependent_id]))
        conditions.append(Appointment.dependent_id.in_(same))
    if cursor is not None:
        conditions.append(Appointment.id < read_cursor(cursor))
    found = views_of(session, *conditions, limit=limit + 1)
    more = len(found) > limit
    return Page(found[:limit], make_cursor(found[limit - 1].appointment.id) if more else None)


def upcoming_appointments(session: Session, *, account_id: UUID, limit: int, now: datetime) -> list[AppointmentView]:
    """One's own that are still to come, the next one first."""
    conditions = (
        Appointment.account_id == account_id,
        Appointment.status.in_(OPEN),
        Appointment.visit_date >= hospital_day(now),
    )
    return views_of(session, *conditions, limit=limit, order=(Appointment.visit_date, Slot.starts_at, Appointment.id))


def views_of(
    session: Session, *conditions: Any, limit: int, order: tuple[Any, ...] = (Appointment.id.desc(),)
) -> list[AppointmentView]:
    rows = session.execute(
        select(Appointment, Hospital, Department, Doctor, Schedule, Slot, Dependent, Charge, HospitalCard)
        .join(Hospital, Hospital.id == Appointment.hospital_id)
        .join(Schedule, Schedule.id == Appointment.schedule_id)
        .join(Department, Department.id == Appointment.department_id)
        .join(Slot, Slot.id == Appointment.slot_id)
        .join(Dependent, Dependent.id == Appointment.dependent_id)
        .join(Charge, Charge.id == Appointment.charge_id)
        .outerjoin(Doctor, Doctor.id == Schedule.doctor_id)
        .outerjoin(HospitalCard, HospitalCard.id == Appointment.visit_card_id)
        .where(*conditions)
        .options(selectinload(Charge.lines))
        .order_by(*order)
        .limit(limit)
        .execution_options(populate_existing=True)
    ).all()
    charge_ids = [row.Charge.id for row in rows]
    payments = _by_charge(_payments_of(session, charge_ids)) if rows else {}
    refunds = _by_charge(refunds_to_show(session, charge_ids)) if rows else {}
    shared = shared_of(session, [row.Charge for row in rows])
    rights = follow_ups_of(session, [row.Appointment for row in rows])
    offers = open_offers(session, [row.Appointment for row in rows if row.Slot.status is SlotStatus.SUSPENDED])
    return [
        AppointmentView(
            *row[:-1],
            payments.get(row.Charge.id, []),
            refunds.get(row.Charge.id, []),
            row.HospitalCard,
            shared=shared.get(row.Charge.id),
            offers=offers.get(row.Appointment.id, []),
            right=rights.get(row.Appointment.id),
        )
        for row in rows
    ]


def _payments_of(session: Session, charge_ids: list[UUID]) -> Sequence[Payment]:
    return session.scalars(select(Payment).where(Payment.charge_id.in_(charge_ids)).order_by(Payment.id)).all()


def _by_charge(records: Sequence[Any]) -> dict[UUID, list[Any]]:
    grouped: dict[UUID, list[Any]] = {}
    for record in records:
        grouped.setdefault(record.charge_id, []).append(record)
    return grouped
