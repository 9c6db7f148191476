"""Checking in: its window to the millisecond, how near, once, and who may not."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from arriving import METRE, at_segment, at_the_desk, build_campus, come, north, set_terms
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, join, make_patient, race
from hospital_acts import ORDER, suspend
from sqlalchemy import select, update

from core.booking.clinic.change_clinic import close_schedule
from core.booking.terms import Terms
from core.refusals import (
    CancelDeadlinePassed,
    CheckInAtDesk,
    CheckInRefused,
    CheckInTooEarly,
    CheckInTooLate,
    NotCancellable,
    ScheduleSuspended,
    TooFar,
)
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.arrival import Arrival
from models.errors import NotFound
from models.hospital import Campus
from models.payment import RefundReason, RefundStatus
from models.schedule import Schedule, ScheduleStatus
from models.states import StateEvent

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    """Nothing to pay, and a campus that is on the map."""
    made = make_patient(workbench, clock, adapters, fee_fen=0)
    build_campus(made)
    return made


@pytest.fixture
def booked(patient: Patient) -> UUID:
    return patient.book(PayMode.ON_SITE)


def opens(patient: Patient, appointment_id: UUID) -> datetime:
    return patient.slot(appointment_id).starts_at - timedelta(minutes=30)


def test_the_window_opens_and_closes_to_the_millisecond(patient: Patient, booked: UUID) -> None:
    schedule = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))
    patient.clock.set(opens(patient, booked) - MILLISECOND)
    with pytest.raises(CheckInTooEarly) as early:
        come(patient, booked)
    assert early.value.retry_at == opens(patient, booked)
    assert early.value.facts == {"opens_at": opens(patient, booked), "closes_at": schedule.ends_at}
    patient.clock.set(schedule.ends_at)
    with pytest.raises(CheckInTooLate) as late:
        come(patient, booked)
    assert late.value.facts == {"closes_at": schedule.ends_at, "open": ["desk"]}
    patient.clock.set(schedule.ends_at - MILLISECOND)
    assert come(patient, booked) is AppointmentStatus.ARRIVED
    patient.assert_sound()


@pytest.mark.parametrize(
    ("away", "accuracy_m", "near"),
    [(1000, 0, True), (1001, 0, False), (1200, 200, True), (1500, 9_000, True), (1502, 999_999, False)],
)
def test_how_near_is_near_enough(patient: Patient, booked: UUID, away: int, accuracy_m: int, near: bool) -> None:
    patient.clock.set(opens(patient, booked))
    where = north(away, accuracy_m=accuracy_m)
    if near:
        assert come(patient, booked, where) is AppointmentStatus.ARRIVED
        return
    with pytest.raises(TooFar) as far:
        come(patient, booked, where)
    assert far.value.facts == {"radius_m": 1000, "open": ["desk"]}
    assert patient.appointment(booked).status is AppointmentStatus.BOOKED


def test_where_somebody_was_is_nowhere(patient: Patient, booked: UUID) -> None:
    where = north(321)
    assert repr(where) == "Whereabouts()"
    patient.clock.set(opens(patient, booked))
    come(patient, booked, where)
    for record in (Arrival, StateEvent, Appointment):
        rows = patient.read(lambda session, record=record: session.execute(select(record.__table__)).all())  # type: ignore[misc]
        assert str(where.point.lat) not in repr(rows)
        assert str(where.point.lng) not in repr(rows)


def test_arriving_twice_is_arriving_once(patient: Patient, booked: UUID) -> None:
    patient.clock.set(opens(patient, booked))
    come(patient, booked)
    come(patient, booked, north(50_000))
    assert at_the_desk(patient, "check_in_at_desk", booked).status is AppointmentStatus.ARRIVED
    assert [one.to_status for one in patient.moves(booked)] == ["booked", "arrived"]


def test_ten_at_once_arrive_once(patient: Patient, booked: UUID) -> None:
    patient.clock.set(opens(patient, booked))
    assert set(race(*[lambda: come(patient, booked)] * 10)) == {AppointmentStatus.ARRIVED}
    assert len(patient.read(lambda session: session.scalars(select(Arrival)).all())) == 1
    patient.assert_sound()


def test_the_desk_may_overrule_the_window_and_nobody_else(patient: Patient, booked: UUID) -> None:
    with pytest.raises(CheckInTooEarly):
        at_the_desk(patient, "check_in_at_desk", booked)
    assert at_the_desk(patient, "check_in_at_desk", booked, overrule=True).status is AppointmentStatus.ARRIVED


def test_whoever_pays_on_site_comes_to_the_desk(patient: Patient) -> None:
    patient.schedule_id = beside(patient, visit_date=date(2026, 11, 26))
    unpaid = patient.book(PayMode.ON_SITE)
    patient.clock.set(opens(patient, unpaid))
    with pytest.raises(CheckInAtDesk):
        come(patient, unpaid)
    assert at_the_desk(patient, "check_in_at_desk", unpaid).status is AppointmentStatus.ARRIVED


@pytest.mark.parametrize("why", ["radius", "no_point"])
def test_without_a_place_there_is_only_the_desk(patient: Patient, booked: UUID, why: str) -> None:
    if why == "radius":
        set_terms(patient, booked, check_in_radius_m=0)
    else:
        patient.write(lambda session, _now: session.execute(update(Campus).values(lat=None, lng=None)))
    patient.clock.set(opens(patient, booked))
    with pytest.raises(CheckInAtDesk):
        come(patient, booked)


def test_only_a_booked_number_is_checked_in(patient: Patient, booked: UUID) -> None:
    patient.cancel(booked)
    patient.clock.set(opens(patient, booked))
    for act in (lambda: come(patient, booked), lambda: at_the_desk(patient, "check_in_at_desk", booked)):
        with pytest.raises(CheckInRefused) as refused:
            act()
        assert refused.value.facts == {"status": "cancelled"}


def test_nobody_checks_in_for_another_account(patient: Patient, booked: UUID) -> None:
    stranger = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    patient.clock.set(opens(patient, booked))
    with pytest.raises(NotFound):
        come(stranger, booked)


def test_a_clinic_that_is_called_off_has_no_check_in(patient: Patient, booked: UUID) -> None:
    patient.write(lambda session, _now: session.execute(update(Schedule).values(status=ScheduleStatus.SUSPENDED)))
    patient.clock.set(opens(patient, booked))
    with pytest.raises(ScheduleSuspended):
        come(patient, booked)


@pytest.mark.parametrize("overrule", [False, True])
def test_the_desk_overrules_the_time_and_no_suspension(patient: Patient, overrule: bool) -> None:
    """Whoever stood at the desk before the worker came to them gets all of their money back like everybody else."""
    patient.schedule_id = beside(patient, fee_fen=3000)
    paid = patient.paid()
    at_segment(patient, paid)
    suspend(patient)
    with pytest.raises(ScheduleSuspended):
        at_the_desk(patient, "check_in_at_desk", paid, overrule=overrule)
    patient.work()
    assert patient.appointment(paid).cancel_reason is CancelReason.SUSPENDED
    assert [(one.amount_fen, one.reason) for one in patient.refunds()] == [(3000, RefundReason.SUSPENDED)]
    patient.assert_sound()


def test_a_closed_half_day_takes_place_for_whoever_has_a_number(patient: Patient, booked: UUID) -> None:
    schedule_id = patient.schedule_id
    patient.write(lambda session, now: close_schedule(session, schedule_id=schedule_id, order=ORDER, now=now))
    assert at_the_desk(patient, "check_in_at_desk", booked, overrule=True).status is AppointmentStatus.ARRIVED


def test_once_arrived_only_the_desk_takes_the_number_back(patient: Patient) -> None:
    patient.schedule_id = beside(patient, visit_date=date(2026, 11, 26))
    paid = patient.paid()
    build_campus(patient)
    at_segment(patient, paid)
    come(patient, paid)
    with pytest.raises(NotCancellable) as refused:
        patient.cancel(paid)
    assert refused.value.facts == {"status": "arrived"}
    gone = at_the_desk(patient, "cancel_at_desk", paid)
    assert (gone.status, gone.cancel_reason) == (AppointmentStatus.CANCELLED, CancelReason.DESK)
    assert [(one.status, one.amount_fen) for one in patient.refunds()] == [(RefundStatus.DUE, 5000)]
    at_the_desk(patient, "cancel_at_desk", paid)
    assert len(patient.refunds()) == 1
    patient.work()
    patient.assert_sound()


def test_seen_is_seen_and_a_missed_one_may_be_put_right(patient: Patient, booked: UUID) -> None:
    with pytest.raises(CheckInRefused):
        at_the_desk(patient, "fulfil", booked)
    patient.clock.set(opens(patient, booked))
    come(patient, booked)
    for _ in range(2):
        assert at_the_desk(patient, "fulfil", booked).status is AppointmentStatus.FULFILLED
    with pytest.raises(NotCancellable):
        at_the_desk(patient, "cancel_at_desk", booked)
    patient.assert_sound()


@pytest.mark.parametrize("seed", range(6))
def test_cancel_against_check_in_has_one_winner(patient: Patient, booked: UUID, seed: int) -> None:
    """With the deadline after the window's opening, as some hospitals have it."""
    patient.write(
        lambda session, now: session.execute(update(Appointment).values(cancel_before=now + timedelta(days=9)))
    )
    patient.clock.set(opens(patient, booked))
    acts = [lambda: come(patient, booked), lambda: patient.cancel(booked)]
    came, cancelled = race(*acts[:: 1 if seed % 2 else -1])[:: 1 if seed % 2 else -1]
    ended = patient.appointment(booked).status
    if ended is AppointmentStatus.ARRIVED:
        assert came is AppointmentStatus.ARRIVED
        assert isinstance(cancelled, NotCancellable)
    else:
        assert (ended, cancelled) == (AppointmentStatus.CANCELLED, None)
        assert isinstance(came, CheckInRefused)
    patient.assert_sound()


def test_the_deadline_is_told_to_whoever_cancels_on_the_day(patient: Patient, booked: UUID) -> None:
    at_segment(patient, booked)
    with pytest.raises(CancelDeadlinePassed):
        patient.cancel(booked)


@pytest.mark.parametrize("day", [date(2026, 12, 31), date(2027, 1, 1), date(2028, 2, 29), date(1986, 5, 4)])
@pytest.mark.parametrize("starts", [time(0), time(0, 10), time(23, 30)])
def test_a_window_knows_no_midnight_no_leap_day_and_no_zone(day: date, starts: time) -> None:
    terms = Terms.from_document({})
    begins = datetime.combine(day, starts, UTC)
    opens_at, closes_at = terms.check_in_window(begins, begins + timedelta(minutes=30))
    assert (begins - opens_at, closes_at - begins) == (timedelta(minutes=30), timedelta(minutes=30))
    assert not terms.is_late(begins, now=begins + timedelta(minutes=30) - MILLISECOND)
    assert terms.is_late(begins, now=begins + timedelta(minutes=30))


def test_a_metre_is_a_metre() -> None:
    assert round(1 / METRE) == 111_195
