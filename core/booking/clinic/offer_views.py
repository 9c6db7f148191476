"""Offers as they are shown beside the appointment that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.offers import waits_for_hospital
from models.appointment import Appointment
from models.hospital import Campus, Department, Doctor
from models.offer import Offer, OfferStatus
from models.schedule import Schedule, Slot


@dataclass(frozen=True)
class OfferView:
    """A number that is held for whoever lost theirs, and where it is."""

    offer: Offer
    schedule: Schedule
    slot: Slot
    campus: Campus
    department: Department
    doctor: Doctor | None


def open_offers(session: Session, suspended: list[Appointment]) -> dict[UUID, list[OfferView]]:
    """Only where a clinic is suspended is there anything to read. None while one that was taken waits for its hospital:
    no other can be had meanwhile."""
    found: dict[UUID, list[OfferView]] = {}
    if suspended:
        rows = session.execute(
            select(Offer, Schedule, Slot, Campus, Department, Doctor)
            .join(Schedule, Schedule.id == Offer.schedule_id)
            .join(Slot, Slot.id == Offer.slot_id)
            .join(Campus, Campus.id == Schedule.campus_id)
            .join(Department, Department.id == Schedule.department_id)
            .outerjoin(Doctor, Doctor.id == Schedule.doctor_id)
            .where(Offer.appointment_id.in_([one.id for one in suspended]), Offer.status == OfferStatus.OPEN)
            .where(~waits_for_hospital(Offer.appointment_id))
            .order_by(Offer.id)
        )
        for row in rows:
            found.setdefault(row.Offer.appointment_id, []).append(OfferView(*row))
    return found
