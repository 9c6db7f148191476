"""Acts of those who wait for a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from harness import REQUEST, Patient, join, make_patient
from sqlalchemy import select

from core.booking.waitlist.offers import offer_to_waiting
from core.booking.waitlist.views import EntryView, list_entries
from core.booking.waitlist.wait import WaitWish, leave_waitlist, wait_for_number
from core.workbench import Workbench
from models.appointment import Appointment, PayMode
from models.notice import Notice
from models.schedule import Schedule
from models.waitlist import WaitlistStatus

MINUTE = timedelta(minutes=1)
SLOW = {"return_after_seconds": 3600, "return_spread_seconds": 0}


def another(patient: Patient, **dependent: Any) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, **dependent)


def fresh(patient: Patient, **schedule: Any) -> Patient:
    """Somebody with a half day that is the only one of its department."""
    return make_patient(patient.workbench, patient.clock, patient.adapters, **schedule)


def schedule_of(patient: Patient) -> Schedule:
    return patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))


def wish_of(patient: Patient, dependents: Sequence[UUID] = (), **wish: Any) -> WaitWish:
    half_day = schedule_of(patient)
    standard: dict[str, Any] = {
        "dependent_ids": dependents or [patient.dependent_id],
        "department_id": half_day.department_id,
        "date_from": half_day.visit_date,
        "date_to": half_day.visit_date,
        "pay": PayMode.ONLINE,
    }
    return WaitWish(**standard | wish)


def wait(patient: Patient, dependents: Sequence[UUID] = (), **wish: Any) -> UUID:
    wanted = wish_of(patient, dependents, **wish)
    return patient.write(
        lambda session, now: wait_for_number(
            session, account_id=patient.account_id, wish=wanted, now=now, cause=REQUEST
        )
    ).id


def view(patient: Patient, entry_id: UUID) -> EntryView:
    page = patient.read(lambda session: list_entries(session, account_id=patient.account_id, cursor=None, limit=50))
    return next(one for one in page.items if one.entry.id == entry_id)


def status(patient: Patient, entry_id: UUID) -> WaitlistStatus:
    return view(patient, entry_id).entry.status


def found(patient: Patient, entry_id: UUID, place: int = 0) -> Appointment | None:
    appointment_id = view(patient, entry_id).places[place].place.appointment_id
    return None if appointment_id is None else patient.appointment(appointment_id)


def pay(patient: Patient, appointment_id: UUID) -> None:
    assert patient.open_payment(appointment_id) is None
    payment = next(one for one in reversed(patient.payments()) if one.account_id == patient.account_id)
    patient.hear(patient.gateway.pay(payment.out_trade_no))
    patient.work()


def notices(patient: Patient) -> list[str]:
    query = select(Notice.kind).where(Notice.account_id == patient.account_id).order_by(Notice.id)
    return patient.read(lambda session: list(session.scalars(query)))


def leave(patient: Patient, entry_id: UUID) -> None:
    patient.write(
        lambda session, now: leave_waitlist(
            session, account_id=patient.account_id, entry_id=entry_id, now=now, cause=REQUEST
        )
    )


def offering(bench: Workbench, slot_id: UUID) -> Callable[[], None]:
    """The job that offers a freed number, once more."""
    return lambda: offer_to_waiting(bench, slot_id, cause=REQUEST)
