"""The job that speaks to a hospital's own system about one appointment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.jobs.queue import enqueue, new_job
from models.appointment import Appointment
from models.job import Job

SETTLE_CLAIM = "settle_claim"


def settle_soon(session: Session, appointment: Appointment, *, now: datetime) -> None:
    """What the appointment needs of its hospital has changed. Nothing where the numbers are ours."""
    if appointment.hospital_system is not None:
        of = str(appointment.id)
        enqueue(session, SETTLE_CLAIM, run_at=now, now=now, dedup=f"{SETTLE_CLAIM}:{of}", appointment_id=of)


def first_settling(appointment: Appointment, *, now: datetime) -> Job:
    """As `settle_soon`, for whoever writes the booking: nothing can have made this job before."""
    of = str(appointment.id)
    return new_job(SETTLE_CLAIM, run_at=now, now=now, dedup=f"{SETTLE_CLAIM}:{of}", payload={"appointment_id": of})
