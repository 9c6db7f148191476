"""Asking whether a number may be had, and changing what decides it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from harness import Patient, make_patient
from sqlalchemy import update

from core.booking.eligibility import Eligibility, explain_for
from models.errors import DomainError
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
