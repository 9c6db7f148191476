"""Half days that could stand for one that is suspended, and whoever has a number of that one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any
from uuid import UUID

from factories import make_department, make_doctor, make_hospital, make_schedule
from fakes import FakeAdapters, ManualClock
from fakes_hospital import FakeHospital
from harness import REQUEST, Patient, join
from hospital_acts import suspend
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.clinic.take_offer import accept_offer, refuse_offer
from core.clock import hospital_day
from core.workbench import Workbench
from models.appointment import AppointmentStatus, PayMode
from models.base import new_id
from models.hospital import Campus
from models.offer import Offer
from models.schedule import Slot, SlotStatus


@dataclass
class Clinics:
    """A doctor's half day at 50 yuan, and what could stand for it: two numbers of each."""

    patient: Patient
    later: UUID
    same_day: UUID
    elsewhere: UUID

    def stranger(self) -> Patient:
        patient = self.patient
        return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)

    def offers(self) -> list[Offer]:
        return self.patient.read(lambda session: list(session.scalars(select(Offer).order_by(Offer.id))))

    def suspended(self) -> list[Offer]:
        suspend(self.patient)
        self.patient.work()
        return self.offers()

    def accept(self, offer: Offer, patient: Patient | None = None) -> UUID:
        by = patient or self.patient

        def step(session: Session, now: Any) -> UUID:
            vault = by.workbench.vault
            return accept_offer(
                session, offer_id=offer.id, account_id=by.account_id, now=now, cause=REQUEST, vault=vault
            ).id

        return by.write(step)

    def refuse(self, offer: Offer) -> UUID:
        by = self.patient.account_id
        return self.patient.write(
            lambda session, now: refuse_offer(session, offer_id=offer.id, account_id=by, now=now, cause=REQUEST).id
        )

    def statuses(self, schedule_id: UUID) -> list[SlotStatus]:
        query = select(Slot.status).where(Slot.schedule_id == schedule_id).order_by(Slot.sequence)
        return self.patient.read(lambda session: list(session.scalars(query)))

    def assert_all_back(self) -> None:
        """Nothing of the other clinics is held for anybody."""
        for one in (self.later, self.same_day, self.elsewhere):
            assert self.statuses(one) in ([SlotStatus.FREE] * 2, [SlotStatus.SUSPENDED] * 2)
        self.patient.assert_sound()


def make_clinics(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Clinics:
    def step(session: Session, now: Any) -> list[UUID]:
        hospital = make_hospital(session)
        here = make_department(session, hospital, subject_code="03.04")
        there = make_department(session, hospital, subject_code="03.04")
        campus = Campus(
            id=new_id(), hospital_id=hospital.id, code=f"{hospital.code}-B", name="东院", address="测试路2号"
        )
        session.add(campus)
        own, equal, lower = (make_doctor(session, here, title=title) for title in ("主任医师", "主任医师", "主治医师"))
        far = make_doctor(session, there, title="主任医师")
        day = hospital_day(now) + timedelta(days=3)
        plan = [
            (here, own, {"numbers": 3, "visit_date": day, "fee_fen": 5000}),
            (here, own, {"visit_date": day + timedelta(days=2), "fee_fen": 3000}),
            (here, equal, {"visit_date": day, "starts": time(13), "fee_fen": 8000}),
            (there, far, {"visit_date": day + timedelta(days=1), "fee_fen": 5000}),
            (here, lower, {"visit_date": day}),
            (here, own, {"visit_date": day - timedelta(days=1)}),
        ]
        made = [make_schedule(session, d, doctor=who, now=now, **{"numbers": 2} | more) for d, who, more in plan]
        made[3].campus_id = campus.id
        return [one.id for one in made]

    lost, later, same_day, elsewhere, *_ = workbench.transactions.write(step)
    return Clinics(join(workbench, clock, adapters, lost), later, same_day, elsewhere)


def lost(clinics: Clinics, his: FakeHospital, pay: PayMode = PayMode.ONLINE) -> UUID:
    """A number that the hospital has confirmed, and whose clinic is called off since: three others are held."""
    patient = clinics.patient
    appointment_id = patient.paid() if pay is PayMode.ONLINE else patient.book(pay)
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    assert len(clinics.suspended()) == 3
    his.calls.clear()
    return appointment_id
