"""What the tests of exchanging a number share: where to, how both of them stand, and what is kept of the money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from harness import Patient, beside

from models.schedule import Schedule

NEXT_DAY = timedelta(days=1)


def later(patient: Patient, **schedule: Any) -> UUID:
    """A schedule of the same department, a day after the patient's own."""
    first = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))
    return beside(patient, **{"visit_date": first.visit_date + NEXT_DAY} | schedule)


def states(patient: Patient, *appointments: UUID) -> list[str]:
    """Of each how it stands, or why it has ended."""
    return [patient.appointment(one).cancel_reason or patient.appointment(one).status for one in appointments]


def money_kept(patient: Patient) -> int:
    received = sum(one.received_fen or 0 for one in patient.payments())
    return received - sum(one.amount_fen for one in patient.refunds())
