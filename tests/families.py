"""Several dependents of one account who want numbers together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from factories import make_department, make_hospital, make_schedule
from harness import REQUEST, Patient, relatives
from sqlalchemy.orm import Session

from core.booking.bundle import BundleView, book_bundle
from core.booking.wish import Wish
from models.appointment import PayMode
from models.hospital import Hospital
from models.schedule import Schedule

Asked = Sequence[tuple[UUID, UUID]]


def family(patient: Patient, count: int = 2, *, schedule_id: UUID | None = None) -> Asked:
    """The patient and relatives, each for the same schedule."""
    return [(one, schedule_id or patient.schedule_id) for one in (patient.dependent_id, *relatives(patient, count - 1))]


def bundled(patient: Patient, asked: Asked, pay: PayMode = PayMode.ONLINE, **wish: Any) -> BundleView:
    def step(session: Session, now: Any) -> BundleView:
        return book_bundle(
            session,
            account_id=patient.account_id,
            wishes=[Wish(schedule_id, whom, pay, **wish) for whom, schedule_id in asked],
            now=now,
            cause=REQUEST,
            vault=patient.workbench.vault,
        )

    return patient.write(step)


def ids_of(bundle: BundleView) -> list[UUID]:
    return [one.appointment.id for one in bundle.items]


def states(patient: Patient, ids: Sequence[UUID]) -> list[str]:
    return [patient.appointment(one).cancel_reason or patient.appointment(one).status for one in ids]


def pay(patient: Patient, appointment_id: UUID) -> None:
    assert patient.open_payment(appointment_id) is None
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()


def elsewhere(patient: Patient, **schedule: Any) -> UUID:
    """A schedule of another department of the same hospital, on the same half day."""

    def step(session: Session, now: Any) -> UUID:
        first = session.get_one(Schedule, patient.schedule_id)
        department = make_department(session, session.get_one(Hospital, first.hospital_id))
        standard = {"numbers": 3, "fee_fen": 3000, "now": now, "visit_date": first.visit_date}
        return make_schedule(session, department, **standard | schedule).id

    return patient.write(step)


def at_another_hospital(patient: Patient, day: date) -> UUID:
    def step(session: Session, now: Any) -> UUID:
        return make_schedule(session, make_department(session, make_hospital(session)), visit_date=day, now=now).id

    return patient.write(step)
