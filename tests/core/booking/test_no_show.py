"""Who did not come: when, and never whoever did."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from arriving import at_the_desk, set_terms
from harness import Patient, make_runner, race
from sqlalchemy import update

from core.refusals import CheckInRefused
from models.appointment import AppointmentStatus, PayMode
from models.schedule import Schedule, ScheduleStatus

MILLISECOND = timedelta(milliseconds=1)
GRACE = timedelta(days=1)


@pytest.fixture
def booked(patient: Patient) -> UUID:
    return patient.book(PayMode.ON_SITE)


def ends(patient: Patient) -> Schedule:
    return patient.read(lambda session: session.get_one(Schedule, patient.schedule_id))


def look(patient: Patient) -> None:
    """A worker looks, whatever time the last one looked."""
    runner = make_runner(patient.workbench)
    for _ in range(20):
        if not runner.run_due():
            return


def test_when_the_grace_is_over_and_not_before(patient: Patient, booked: UUID) -> None:
    patient.clock.set(ends(patient).ends_at + GRACE - MILLISECOND)
    look(patient)
    assert patient.appointment(booked).status is AppointmentStatus.BOOKED
    patient.clock.advance(timedelta(minutes=6))
    look(patient)
    assert [one.to_status for one in patient.moves(booked)] == ["booked", "noshow"]
    assert at_the_desk(patient, "fulfil", booked).status is AppointmentStatus.FULFILLED
    look(patient)
    patient.assert_sound()


def test_whoever_was_there_and_of_whom_nobody_said_more_has_been_seen(patient: Patient, booked: UUID) -> None:
    """Where the desk marks nobody as seen, no appointment stands open for ever."""
    at_the_desk(patient, "check_in_at_desk", booked, overrule=True)
    patient.clock.set(ends(patient).ends_at + GRACE - MILLISECOND)
    look(patient)
    assert patient.appointment(booked).status is AppointmentStatus.ARRIVED
    patient.clock.advance(timedelta(minutes=6))
    look(patient)
    assert [one.to_status for one in patient.moves(booked)] == ["booked", "arrived", "fulfilled"]
    patient.assert_sound()


@pytest.mark.parametrize("why", ["arrived", "cancelled", "frozen", "suspended"])
def test_whoever_came_or_need_not_come_is_none(patient: Patient, booked: UUID, why: str) -> None:
    set_terms(patient, booked, no_show_grace_minutes=0)
    if why == "arrived":
        at_the_desk(patient, "check_in_at_desk", booked, overrule=True)
    elif why == "cancelled":
        patient.cancel(booked)
    elif why == "frozen":
        at_the_desk(patient, "report_at_desk", booked)
    else:
        patient.write(lambda session, _now: session.execute(update(Schedule).values(status=ScheduleStatus.SUSPENDED)))
    patient.clock.set(ends(patient).ends_at)
    look(patient)
    assert patient.appointment(booked).status is not AppointmentStatus.NOSHOW


@pytest.mark.parametrize("seed", range(4))
def test_the_clock_against_check_in_has_one_winner(patient: Patient, booked: UUID, seed: int) -> None:
    set_terms(patient, booked, no_show_grace_minutes=0)
    patient.clock.set(ends(patient).ends_at)

    def come() -> AppointmentStatus:
        found = at_the_desk(patient, "check_in_at_desk", booked, overrule=True)
        status: AppointmentStatus = found.status
        return status

    acts = [come, lambda: look(patient)]
    came = race(*acts[:: 1 if seed % 2 else -1])[0 if seed % 2 else 1]
    ended = patient.appointment(booked).status
    if came is AppointmentStatus.ARRIVED:
        assert ended in {AppointmentStatus.ARRIVED, AppointmentStatus.FULFILLED}
    else:
        assert isinstance(came, CheckInRefused)
        assert ended is AppointmentStatus.NOSHOW
    patient.assert_sound()
