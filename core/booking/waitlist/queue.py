"""Who waits for a number, in which order, and how long one that was found is kept.

Strict order: by the instant at which an entry began, then by id, then as the entry names its people. One whom a rule
refuses is passed over and keeps the place. While a number is held for one of an entry, the others of it wait on. Whose
number was lost through no fault of theirs waits in the old place from that moment on, also before the job has noted it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from core.booking.tariff import least_fen
from core.booking.terms import Terms
from core.clock import HOSPITAL_ZONE
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.schedule import Schedule, Slot
from models.waitlist import OPEN_ENTRY, WaitlistEntry, WaitlistPlace

_DAY = timedelta(hours=24)
_OWN_DOING = frozenset({CancelReason.PATIENT, CancelReason.PAYMENT_TIMEOUT})


@dataclass(frozen=True)
class Waiting:
    """One of those whom an entry names, and who has no number yet."""

    entry_id: UUID
    place_id: UUID


def waiting_for(session: Session, slot: Slot, schedule: Schedule, *, now: datetime) -> list[Waiting]:
    """Everybody who would take the number, in strict order. What each of them would pay is not known yet."""
    terms = Terms.from_document(schedule.terms)
    if now >= closes_at(terms, schedule.visit_date):
        return []
    minutes_left = (slot.starts_at - now) // timedelta(minutes=1)
    entry = WaitlistEntry
    rows = session.execute(
        select(entry.id, WaitlistPlace.id, entry.doctor_ids, entry.periods)
        .join(WaitlistPlace, WaitlistPlace.entry_id == entry.id)
        .where(
            entry.department_id == schedule.department_id,
            entry.status.in_(sorted(OPEN_ENTRY)),
            entry.date_from <= schedule.visit_date,
            entry.date_to >= schedule.visit_date,
            entry.expires_at > now,
            entry.not_within_minutes <= minutes_left,
            or_(entry.max_fee_fen.is_(None), entry.max_fee_fen >= least_fen(schedule, terms)),
            has_no_number(),
        )
        .order_by(entry.created_at, entry.id, WaitlistPlace.position)
    )
    return [
        Waiting(entry_id, place_id)
        for entry_id, place_id, doctor_ids, periods in rows
        if suits(schedule, doctor_ids=doctor_ids, periods=periods)
    ]


def has_no_number() -> ColumnElement[bool]:
    """Of a place: none was found yet, or the one that was is lost through no fault of whoever waits."""
    ended = and_(
        Appointment.status == AppointmentStatus.CANCELLED,
        or_(Appointment.awaiting_payment, Appointment.awaiting_hospital),
        Appointment.cancel_reason.not_in(sorted(_OWN_DOING)),
    )
    return or_(
        WaitlistPlace.appointment_id.is_(None), exists().where(Appointment.id == WaitlistPlace.appointment_id, ended)
    )


def ended_on_offer(appointment: Appointment) -> bool:
    """It never was theirs. One that was, and was given back since, or called off, was taken up all the same."""
    return appointment.status is AppointmentStatus.CANCELLED and bool(appointment.awaiting)


def was_let_go(appointment: Appointment) -> bool:
    return ended_on_offer(appointment) and appointment.cancel_reason in _OWN_DOING


def was_lost(appointment: Appointment) -> bool:
    """Through no fault of whoever waits, who has the old place again; `has_no_number` asks the same in SQL."""
    return ended_on_offer(appointment) and not was_let_go(appointment)


def suits(schedule: Schedule, *, doctor_ids: Iterable[str], periods: Iterable[str]) -> bool:
    """Whether it is by one of these doctors and in one of these periods; none named, any will do."""
    doctors, wanted = set(doctor_ids), set(periods)
    return (not doctors or str(schedule.doctor_id) in doctors) and (not wanted or str(schedule.period) in wanted)


def closes_at(terms: Terms, visit_date: date) -> datetime:
    """Half-open: from this instant on nobody waits for that day any more."""
    return _day_before(visit_date, terms.waitlist_closes)


def pay_until(terms: Terms, slot: Slot, visit_date: date, *, now: datetime) -> datetime:
    """Until when a number that was found is kept."""
    at_least = now + timedelta(minutes=terms.waitlist_pay_minutes_at_least)
    if slot.starts_at - now < _DAY:
        return at_least
    hours = now + timedelta(hours=terms.waitlist_pay_hours)
    return max(at_least, min(hours, _day_before(visit_date, terms.waitlist_pay_until)))


def _day_before(day: date, time_of_day: str) -> datetime:
    return datetime.combine(day - timedelta(days=1), time.fromisoformat(time_of_day), tzinfo=HOSPITAL_ZONE)
