"""Asking whether a number may be had, and changing what decides it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from factories import make_signal, make_strike
from harness import Patient, make_patient
from sqlalchemy import update

from core.booking.eligibility import Eligibility, explain_for
from models.appointment import Appointment, PayMode
from models.booking_signal import SignalAnswer
from models.errors import DomainError
from models.person import Dependent, IdentityLevel
from models.schedule import Schedule, Slot, SlotStatus

MILLISECOND = timedelta(milliseconds=1)


def look(patient: Patient, schedule_id: UUID | None = None) -> Eligibility:
    return patient.workbench.transactions.read(
        lambda session, now: explain_for(
            session,
            schedule_id=schedule_id or patient.schedule_id,
            dependent_id=patient.dependent_id,
            account_id=patient.account_id,
            now=now,
        )
    )


def codes(patient: Patient, schedule_id: UUID | None = None) -> list[str]:
    said = look(patient, schedule_id)
    assert said.allowed is not bool(said.reasons)
    return [reason.error.code for reason in said.reasons]


def why(patient: Patient) -> DomainError:
    (reason,) = look(patient).reasons
    return reason.error


def set_schedule(patient: Patient, **values: Any) -> None:
    patient.write(
        lambda session, _now: session.execute(
            update(Schedule).where(Schedule.id == patient.schedule_id).values(**values)
        )
    )


def set_slots(patient: Patient, status: SlotStatus, *, but: int = 0) -> None:
    values: dict[str, Any] = {"status": status}
    if status is SlotStatus.WITHHELD:
        values["withheld_reason"] = "cooling"
    patient.write(
        lambda session, _now: session.execute(
            update(Slot).where(Slot.schedule_id == patient.schedule_id, Slot.sequence > but).values(**values)
        )
    )


def elsewhere(patient: Patient, **schedule: Any) -> UUID:
    """A schedule of another hospital on the same day."""
    return make_patient(patient.workbench, patient.clock, patient.adapters, **schedule).schedule_id


def change_terms(patient: Patient, **terms: Any) -> None:
    """Of the half day that the patient wants."""
    document = patient.read(lambda session: dict(session.get_one(Schedule, patient.schedule_id).terms))
    set_schedule(patient, terms=document | terms)


def restrict(patient: Patient) -> None:
    """By strikes, and by both answers to signs of resale, tomorrow still; nobody has seen who is booked for."""
    missed = patient.book(PayMode.ON_SITE, schedule_id=elsewhere(patient))

    def step(session: Any, now: datetime) -> None:
        tomorrow = now + timedelta(days=1)
        strike = make_strike(session, session.get_one(Appointment, missed), at=now)
        strike.hospital_id = session.get_one(Schedule, patient.schedule_id).hospital_id
        strike.restricts_until = tomorrow
        make_signal(session, patient.account_id, answer=SignalAnswer.COOL_DOWN, until=tomorrow, now=now)
        make_signal(session, patient.account_id, answer=SignalAnswer.STEP_UP, until=tomorrow, now=now)
        session.get_one(Dependent, patient.dependent_id).identity_level = IdentityLevel.MATCHED

    patient.write(step)
    patient.cancel(missed)
