"""A freed number rests for a time that nobody can foretell, and does not go back to whoever let it go."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from arriving import at_the_desk
from factories import make_grant
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, join, make_patient, race, relatives, same_person
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core.booking.eligibility import explain_for
from core.booking.endings.returning import return_slot
from core.jobs.queue import LeasedJob, enqueue
from core.refusals import AlreadyBooked, NumbersInFlight, PersonLimit, SoldOut
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.base import new_id
from models.job import Job
from models.person import Dependent
from models.schedule import Schedule, SlotStatus

REST = timedelta(hours=2)
TERMS = {"return_after_seconds": 600, "return_spread_seconds": 6600, "let_go_rest_minutes": 120}
SOON = {"return_after_seconds": 0, "return_spread_seconds": 0}
NO_LIMITS = {
    "max_per_person_day": 99,
    "max_open_holds_person": 99,
    "max_open_holds_account": 99,
    "max_open_per_person_department_day": 99,
}


def another(patient: Patient) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)


def returns_at(patient: Patient, appointment_id: UUID) -> datetime:
    planned = patient.slot(appointment_id).returns_at
    assert planned is not None
    return planned


def refused_with(patient: Patient) -> list[str]:
    """What the one number of the schedule is refused with, by the answer and by the booking alike."""
    said = patient.read(
        lambda session: explain_for(
            session,
            schedule_id=patient.schedule_id,
            dependent_id=patient.dependent_id,
            account_id=patient.account_id,
            now=patient.clock.now(),
        )
    )
    codes = [reason.error.code for reason in said.reasons]
    with pytest.raises((NumbersInFlight, SoldOut)) as refused:
        patient.book(PayMode.ON_SITE)
    assert refused.value.code in codes
    return codes


def test_a_freed_number_returns_at_its_lot_and_not_before(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1, terms=TERMS)
    first = patient.book(PayMode.ON_SITE)
    at = patient.clock.now()
    patient.cancel(first)
    planned = returns_at(patient, first)
    assert timedelta(minutes=10) <= planned - at <= REST
    patient.clock.set(planned - timedelta(seconds=1))
    patient.work()
    assert patient.slot(first).status is SlotStatus.WITHHELD
    assert refused_with(another(patient)) == ["numbers_in_flight"]
    patient.work(after=timedelta(seconds=1))
    assert patient.slot(first).status is SlotStatus.FREE
    patient.assert_sound()


def test_when_a_number_returns_stands_in_the_workers_log_alone(patient: Patient) -> None:
    """Whoever takes it back at the desk would read it from a command's own lines."""
    patient.schedule_id = beside(patient, numbers=1, terms=TERMS)
    first = patient.book(PayMode.ON_SITE)
    with capture_logs() as at_desk:
        at_the_desk(patient, "cancel_at_desk", first)
    planned = returns_at(patient, first).isoformat()
    assert planned not in str(at_desk)
    with capture_logs() as by_worker:
        patient.work(threads=1)
    told = [(one["slot"], one["returns_at"]) for one in by_worker if one["event"] == "slot_returns"]
    assert told == [(str(patient.slot(first).id), planned)]


def test_a_job_that_was_made_anew_keeps_the_plan(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1, terms=TERMS)
    first = patient.book(PayMode.ON_SITE)
    patient.cancel(first)
    slot_id = str(patient.slot(first).id)

    def lose(session: Session, now: datetime) -> None:
        session.delete(session.scalars(select(Job).where(Job.kind == "return_slot")).one())
        session.flush()
        enqueue(session, "return_slot", run_at=now, now=now, dedup=f"return_slot:{slot_id}", slot_id=slot_id)

    patient.write(lose)
    patient.work()
    assert patient.slot(first).status is SlotStatus.WITHHELD
    patient.clock.set(returns_at(patient, first))
    patient.work()
    assert patient.slot(first).status is SlotStatus.FREE


def test_a_number_of_soon_is_of_use_to_somebody(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1, terms=TERMS | {"hold_minutes": 2, "close_cap_minutes": 1})
    first = patient.book(PayMode.ONLINE)
    starts_at = patient.slot(first).starts_at
    patient.clock.set(starts_at - timedelta(minutes=36))
    patient.work()
    assert patient.appointment(first).status is AppointmentStatus.CANCELLED
    assert patient.slot(first).status is SlotStatus.FREE


@pytest.mark.parametrize("way", ["cancelled", "unpaid"])
def test_whoever_let_it_go_does_not_get_it_back_within_the_time(patient: Patient, way: str) -> None:
    terms = TERMS | {"return_after_seconds": 0, "return_spread_seconds": 0, "max_open_holds_account": 9}
    patient.schedule_id = beside(patient, numbers=1, terms=terms)
    first = patient.book(PayMode.ONLINE)
    if way == "cancelled":
        patient.cancel(first)
    patient.work(after=timedelta(minutes=15))
    (slot,) = patient.slots()
    assert (slot.status, slot.returns_at) == (SlotStatus.FREE, None)
    again_at = patient.appointment(first).ended_at
    assert again_at is not None
    [relative] = relatives(patient, 1)
    twin = same_person(patient)
    patient.clock.set(again_at + REST - timedelta(milliseconds=1))
    for own in (patient, twin, _of(patient, relative)):
        assert refused_with(own) == ["numbers_in_flight"]
    patient.clock.set(again_at + REST)
    assert patient.slot(patient.book(PayMode.ON_SITE)).id == slot.id
    patient.assert_sound()


def test_a_partner_in_between_does_not_bring_it_back(patient: Patient) -> None:
    patient.schedule_id = beside(
        patient, numbers=1, terms=TERMS | {"return_after_seconds": 0, "return_spread_seconds": 0}
    )
    partner = another(patient)
    for one in (patient, partner):
        one.cancel(one.book(PayMode.ON_SITE))
        patient.work(after=timedelta(minutes=30))
    assert refused_with(patient) == ["numbers_in_flight"]
    assert another(patient).book(PayMode.ON_SITE)
    assert refused_with(patient) == ["sold_out"]


def test_what_the_desk_took_back_rests_as_well(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1, terms=TERMS | SOON)
    at_the_desk(patient, "cancel_at_desk", patient.book(PayMode.ON_SITE))
    patient.work()
    (relative,) = relatives(patient, 1)
    for own in (patient, _of(patient, relative)):
        assert refused_with(own) == ["numbers_in_flight"]
    assert another(patient).book(PayMode.ON_SITE)


def test_what_was_let_go_under_a_grant_is_kept_from_its_holder(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1, terms=TERMS | SOON)
    holder = another(patient)

    def grant(session: Session, now: datetime) -> None:
        whom = session.get_one(Dependent, patient.dependent_id)
        make_grant(session, whom, holder.account_id, identity_id=holder.payer.identity_id, now=now)

    patient.write(grant)
    had = holder.book(PayMode.ON_SITE, dependent_id=patient.dependent_id)
    assert patient.appointment(had).account_id == patient.account_id
    holder.cancel(had)
    patient.work()
    assert refused_with(holder) == ["numbers_in_flight"]
    assert another(patient).book(PayMode.ON_SITE)


def _of(patient: Patient, dependent_id: UUID) -> Patient:
    return Patient(**{**vars(patient), "dependent_id": dependent_id})


def test_two_who_let_go_at_once_each_get_only_what_the_other_had(patient: Patient) -> None:
    """Both numbers come back in the same moment, and both ask in the same moment."""
    terms = TERMS | NO_LIMITS | {"return_after_seconds": 0, "return_spread_seconds": 0}
    patient.schedule_id = beside(patient, numbers=2, terms=terms)
    others = [patient, another(patient)]
    had = [one.slot(one.book(PayMode.ON_SITE)).id for one in others]
    for one in others:
        _cancel_newest(one)
    patient.work()
    got = race(*(partial(one.book, PayMode.ON_SITE) for one in others))
    assert [patient.slot(booked).id for booked in got if isinstance(booked, UUID)] == had[::-1]
    patient.assert_sound()


# --- any order


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["book", "hold", "cancel", "cancel", "wait", "wait"]), st.integers(0, 3), st.integers(1, 130)
    ),
    min_size=6,
    max_size=25,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_story_gives_a_number_back_to_whoever_let_it_go(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters, steps: list[tuple[str, int, int]]
) -> None:
    first = make_patient(workbench, clock, adapters, numbers=2, terms=TERMS | NO_LIMITS)
    people = [first, another(first), another(first)]
    people.append(same_person(first))
    for act, who, minutes in steps:
        if act == "wait":
            first.work(after=timedelta(minutes=minutes))
            continue
        one = people[who]
        if act == "cancel":
            _cancel_newest(one)
        else:
            _try(one, PayMode.ONLINE if act == "hold" else PayMode.ON_SITE)
    _nobody_got_back_what_they_let_go(first)
    first.assert_sound()


def _cancel_newest(one: Patient) -> None:
    live = select(Appointment.id).where(
        Appointment.account_id == one.account_id,
        Appointment.status.in_([AppointmentStatus.PENDING, AppointmentStatus.BOOKED]),
    )
    for appointment_id in one.read(lambda session: list(session.scalars(live))):
        one.cancel(appointment_id)


def _try(one: Patient, pay: PayMode) -> None:
    try:
        one.book(pay)
    except (AlreadyBooked, PersonLimit):
        return
    except SoldOut:
        assert {slot.status for slot in one.slots()} == {SlotStatus.BOOKED}
    except NumbersInFlight:
        assert {slot.status for slot in one.slots()} != {SlotStatus.BOOKED}


def _nobody_got_back_what_they_let_go(patient: Patient) -> None:
    every = select(Appointment).where(Appointment.schedule_id == patient.schedule_id).order_by(Appointment.id)
    told = patient.read(lambda session: list(session.scalars(every)))
    for later in told:
        for one in told:
            if one.slot_id == later.slot_id and one.ended_at is not None and one.created_at < later.created_at:
                related = one.person_id == later.person_id or one.account_id == later.account_id
                rested = later.created_at >= one.ended_at + (REST if related else timedelta(minutes=10))
                assert rested, (one.cancel_reason, one.ended_at, later.created_at)
                assert one.cancel_reason in (CancelReason.PATIENT, CancelReason.PAYMENT_TIMEOUT)


@pytest.mark.parametrize("closes_before", [None, timedelta(hours=12)], ids=["by segment", "the evening before"])
def test_a_freed_number_returns_while_it_can_still_be_had(patient: Patient, closes_before: timedelta | None) -> None:
    terms = {"return_after_seconds": 7200, "return_spread_seconds": 0, "cancel_minutes_before_segment": 60}
    patient.schedule_id = beside(patient, numbers=1, terms=terms)
    first = patient.book(PayMode.ON_SITE)
    closes_at = patient.slot(first).starts_at - (closes_before or timedelta(minutes=30))
    if closes_before is not None:
        patient.write(
            lambda session, _now: setattr(session.get_one(Schedule, patient.schedule_id), "closes_at", closes_at)
        )
    patient.clock.set(closes_at - timedelta(minutes=50))
    patient.cancel(first)
    patient.work()
    patient.clock.set(returns_at(patient, first))
    patient.work()
    another(patient).book(PayMode.ON_SITE)


def test_a_resting_number_whose_half_day_was_made_anew_is_nobodys(patient: Patient) -> None:
    """A file may take the half day away while its number rests: the job has nothing to do, and fails nothing."""
    job = LeasedJob(new_id(), "return_slot", {"slot_id": str(new_id())}, 1, 1)
    assert return_slot(patient.workbench, job) is None
    patient.assert_sound()
