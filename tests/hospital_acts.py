"""What a hospital does to a half day, as the operator commands do it, and a number that is held instead."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from factories import make_doctor
from harness import Patient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.change_clinic import Changed, substitute_doctor
from core.booking.clinic.schedule_changes import Order
from core.booking.clinic.suspend import Suspended, suspend_schedule
from models.appointment import Appointment
from models.base import new_id
from models.hospital import Department
from models.offer import Offer, OfferKind
from models.schedule import Schedule, Slot, SlotStatus, WithheldReason
from models.states import Actor, Cause, CauseKind

CAUSE = Cause(Actor.OPERATOR, CauseKind.COMMAND, "test", actor_id="clerk")
ORDER = Order("clerk", "医生停诊", CAUSE)


def suspend(patient: Patient, schedule_id: UUID | None = None) -> Suspended:
    wanted = schedule_id or patient.schedule_id
    return patient.write(lambda session, now: suspend_schedule(session, schedule_id=wanted, order=ORDER, now=now))


def substitute(patient: Patient, schedule_id: UUID, *, fee_fen: int | None = None) -> Changed:
    """A colleague takes the half day."""

    def step(session: Session, now: datetime) -> Changed:
        department = session.get_one(Department, session.get_one(Schedule, schedule_id).department_id)
        doctor_id = make_doctor(session, department).id
        return substitute_doctor(
            session, schedule_id=schedule_id, doctor_id=doctor_id, fee_fen=fee_fen, order=ORDER, now=now
        )

    return patient.write(step)


def offer_instead(session: Session, appointment_id: UUID, schedule_id: UUID, *, now: datetime) -> Offer:
    """The clinic of the appointment is suspended, and a number of another one held for it for two hours."""
    appointment = session.get_one(Appointment, appointment_id)
    suspend_schedule(session, schedule_id=appointment.schedule_id, order=ORDER, now=now)
    return make_offer(session, appointment, schedule_id, now=now)


def make_offer(session: Session, appointment: Appointment, schedule_id: UUID, *, now: datetime) -> Offer:
    free = select(Slot).where(Slot.schedule_id == schedule_id, Slot.status == SlotStatus.FREE).order_by(Slot.sequence)
    slot = session.scalars(free.limit(1)).one()
    slot.withhold(session, why=WithheldReason.OFFERED, at=now, cause=CAUSE)
    offer = Offer(
        id=new_id(),
        hospital_id=slot.hospital_id,
        appointment_id=appointment.id,
        schedule_id=schedule_id,
        slot_id=slot.id,
        version=1,
        kind=OfferKind.SAME_DOCTOR,
        fee_fen=appointment.fee_fen,
        expires_at=now + timedelta(hours=2),
        created_at=now,
    )
    offer.make(session, at=now, cause=CAUSE)
    session.flush()
    return offer
