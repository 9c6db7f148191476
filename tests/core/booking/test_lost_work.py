"""What the sweep finds again of offers, strikes and changes whose job was given up."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from arriving import at_the_desk
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, join, make_patient
from hospital_acts import offer_instead, substitute
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.booking.clinic.changed import FOLLOW_CHANGE
from core.booking.clinic.soon import SETTLE
from core.booking.day import no_show
from core.booking.strikes.ledger import COUNT, LIFT
from core.workbench import Workbench
from models.appointment import PayMode
from models.job import Job
from models.offer import Offer, OfferStatus
from models.schedule import Schedule, Slot, SlotStatus
from models.states import Actor, Cause, CauseKind
from models.strike import Lift, Strike

HOUR = timedelta(hours=1)
TERMS = {"no_show_ladder": [{"count": 1, "within": "90d", "ban": "90d"}], "no_show_grace_minutes": 0}


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    return make_patient(workbench, clock, adapters, fee_fen=0, terms=TERMS)


def give_up(patient: Patient, kind: str) -> None:
    """As after the last try."""
    open_jobs = update(Job).where(Job.kind == kind, Job.done_at.is_(None), Job.dead_at.is_(None))
    patient.write(lambda session, now: session.execute(open_jobs.values(dead_at=now)))


def strikes(patient: Patient) -> list[Strike]:
    return patient.read(lambda session: list(session.scalars(select(Strike))))


def test_an_offer_of_an_appointment_that_ended_gives_its_number_back(patient: Patient) -> None:
    mine, other = patient.book(PayMode.ON_SITE), beside(patient)
    offer = patient.write(lambda session, now: offer_instead(session, mine, other, now=now))
    patient.cancel(mine)
    give_up(patient, SETTLE)
    patient.work(after=HOUR)
    patient.work(after=HOUR)
    found = patient.read(lambda session: session.get_one(Offer, offer.id).status)
    assert found is OfferStatus.WITHDRAWN
    assert {one.status for one in patient.read(lambda session: slots(session, other))} == {SlotStatus.FREE}


def slots(session: Session, schedule_id: UUID) -> list[Slot]:
    return list(session.scalars(select(Slot).where(Slot.schedule_id == schedule_id)))


def test_a_strike_that_was_not_counted_or_lifted_is_in_the_end(patient: Patient) -> None:
    mine = patient.book(PayMode.ON_SITE)
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    at_the_desk(other, "check_in_at_desk", other.book(PayMode.ON_SITE), overrule=True)
    patient.clock.set(patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).ends_at))
    cause = Cause(Actor.SYSTEM, CauseKind.JOB, "test")

    def mark(session: Session, now: datetime) -> None:
        no_show._mark(session, now, appointment_id=mine, cause=cause)

    patient.write(mark)
    give_up(patient, COUNT)
    patient.work(after=HOUR)
    patient.work()
    assert [one.lifted_why for one in strikes(patient)] == [None]
    at_the_desk(patient, "fulfil", mine)
    give_up(patient, LIFT)
    patient.work(after=HOUR)
    patient.work()
    assert [one.lifted_why for one in strikes(patient)] == [Lift.SEEN]


def test_whoever_was_not_told_of_a_change_is_told_in_the_end(patient: Patient) -> None:
    mine = patient.book(PayMode.ON_SITE)
    substitute(patient, patient.schedule_id)
    give_up(patient, FOLLOW_CHANGE)
    patient.work()
    assert patient.appointment(mine).free_to_leave_until is None
    patient.work(after=HOUR)
    patient.work()
    assert patient.appointment(mine).free_to_leave_until is not None
