"""An import and patients at the same time: whoever got a number keeps it (F-91)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from time import sleep
from uuid import UUID

import pytest
from clerk import CLERK, Clerk, another, opened
from harness import Patient, race
from hospital_acts import ORDER
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.claim import Left
from core.booking.clinic.change_clinic import move_schedule
from core.booking.write import refuse_for_none
from core.catalog.faults import InvalidDirectory
from core.catalog.import_file import Imported, import_schedules
from core.catalog.import_rows import read_import
from core.refusals import NumbersInFlight, SoldOut
from core.transactions import Changed
from models.appointment import HOLDS_SLOT, Appointment, AppointmentStatus, PayMode
from models.errors import NotFound
from models.schedule import SlotStatus, Surplus


@pytest.fixture
def clerk(patient: Patient, tmp_path: Path) -> Clerk:
    return Clerk(patient, tmp_path / "file.csv")


# --- at the same time as patients


def test_who_finds_no_number_because_the_half_day_was_made_anew_looks_again(clerk: Clerk) -> None:
    clerk.load(clerk.row())
    gone, now = clerk.half_day(), clerk.patient.clock.now()
    clerk.load(clerk.row(fee="60"))
    with pytest.raises(Changed):
        clerk.patient.read(lambda session: refuse_for_none(session, gone, Left(free=0, returning=0), now=now))


def attempt(one: Patient) -> Callable[[], UUID | Imported]:
    return lambda: one.book(PayMode.ON_SITE)


@pytest.mark.parametrize("numbers", ["1", "3"])
def test_f_91_an_import_and_thirty_patients_at_once(clerk: Clerk, numbers: str) -> None:
    """Whoever got a number keeps it, and nobody gets one that was taken back first."""
    clerk.load(clerk.row())
    opened(clerk)
    patients = [another(clerk) for _ in range(30)]
    after = clerk.row(numbers_per_segment=numbers)
    results = race(
        *(attempt(one) for one in patients[:15]), lambda: clerk.load(after), *(attempt(one) for one in patients[15:])
    )
    unexpected = [
        one for one in results if isinstance(one, Exception) and not isinstance(one, SoldOut | NumbersInFlight)
    ]
    assert unexpected == []
    booked = [one for one in results if isinstance(one, UUID)]
    held = select(Appointment.slot_id).where(
        Appointment.schedule_id == clerk.half_day().id, Appointment.status.in_(HOLDS_SLOT)
    )
    slots = clerk.slots()
    taken = [one for one in slots if one.status is SlotStatus.BOOKED]
    assert {one.id for one in taken} == set(clerk.patient.read(lambda session: session.scalars(held).all()))
    assert len(taken) == len(booked)
    for starts_at in {one.starts_at for one in slots}:
        here = [one for one in slots if one.starts_at == starts_at]
        beyond = [one for one in here if one.surplus is Surplus.REDUCED]
        assert len(here) - len(beyond) == int(numbers)
        assert all(one.status is SlotStatus.BOOKED for one in beyond)
    clerk.patient.assert_sound()


def test_f_91_nobody_books_at_the_old_fee_once_the_new_one_stands(clerk: Clerk) -> None:
    """Either the import came too late, and the fee stays, or the half day that they wanted is gone."""
    clerk.load(clerk.row())
    opened(clerk)
    patients = [another(clerk) for _ in range(8)]
    results = race(lambda: clerk.load(clerk.row(fee="60")), *(attempt(one) for one in patients))
    booked = [one for one in results if isinstance(one, UUID)]
    unexpected = [
        one
        for one in results[1:]
        if isinstance(one, Exception) and not isinstance(one, SoldOut | NumbersInFlight | NotFound)
    ]
    assert unexpected == []
    assert isinstance(results[0], InvalidDirectory) is bool(booked)
    fees = {clerk.patient.appointment(one).fee_fen for one in booked}
    assert fees <= {clerk.half_day().fee_fen}
    clerk.patient.assert_sound()


def in_hand(first: Callable[[Session, datetime], object], clerk: Clerk, then: Callable[[], object]) -> list[object]:
    """`then` begins while `first` has done its work and has not committed yet."""
    done = Event()

    def hold() -> object:
        def step(session: Session, now: datetime) -> object:
            made = first(session, now)
            session.flush()
            done.set()
            sleep(0.5)
            return made

        return clerk.patient.write(step)

    def follow() -> object:
        assert done.wait(30)
        return then()

    return race(hold, follow)


def test_f_91_an_import_waits_for_the_booking_under_way(clerk: Clerk) -> None:
    clerk.load(clerk.row(ends="14:30"))
    opened(clerk)
    early, late = another(clerk), another(clerk)
    mine = early.book(PayMode.ON_SITE)
    wish = late.wish(PayMode.ON_SITE)
    fewer = clerk.row(ends="14:30", numbers_per_segment="1")
    booked, done = in_hand(lambda session, now: late.book_in(session, wish, now), clerk, lambda: clerk.load(fewer))
    assert isinstance(booked, Appointment)
    assert isinstance(done, Imported)
    assert (done.numbers_removed, [one for _, one in done.beyond[0].appointments]) == (0, [booked.id])
    assert {one.status for one in clerk.slots()} == {SlotStatus.BOOKED}
    assert clerk.patient.appointment(mine).status is AppointmentStatus.BOOKED
    clerk.patient.assert_sound()


def test_f_91_the_fee_stays_for_the_booking_under_way(clerk: Clerk) -> None:
    clerk.load(clerk.row())
    opened(clerk)
    one = another(clerk)
    wish = one.wish(PayMode.ON_SITE)
    dearer = clerk.row(fee="60")
    booked, refused = in_hand(lambda session, now: one.book_in(session, wish, now), clerk, lambda: clerk.load(dearer))
    assert isinstance(booked, Appointment)
    assert isinstance(refused, InvalidDirectory)
    assert clerk.half_day().fee_fen == booked.fee_fen
    clerk.patient.assert_sound()


def test_f_91_a_booking_gets_no_number_that_is_being_taken_back(clerk: Clerk) -> None:
    clerk.load(clerk.row(ends="14:30"))
    opened(clerk)
    early, late = another(clerk), another(clerk)
    early.book(PayMode.ON_SITE)
    clerk.write(clerk.row(ends="14:30", numbers_per_segment="1"))
    rows = read_import(clerk.path, [])
    done, refused = in_hand(
        lambda session, now: import_schedules(session, "file.csv", rows, [], now=now, cause=CLERK),
        clerk,
        lambda: late.book(PayMode.ON_SITE),
    )
    assert isinstance(done, Imported)
    assert done.numbers_removed == 1
    assert isinstance(refused, SoldOut | NumbersInFlight)
    clerk.patient.assert_sound()


def test_an_import_that_a_move_overtakes_looks_again(clerk: Clerk) -> None:
    """It found the half day at its old time, and must neither make numbers there nor undo the move."""
    clerk.load(clerk.row())
    one = clerk.half_day()
    ten = one.starts_at - timedelta(hours=4)
    moved, done = in_hand(
        lambda session, now: move_schedule(
            session, schedule_id=one.id, order=ORDER, now=now, starts_at=ten, campus_id=None
        ),
        clerk,
        lambda: clerk.load(clerk.row(numbers_per_segment="3")),
    )
    assert not isinstance(moved, Exception)
    assert isinstance(done, Imported)
    assert (done.new.schedules, done.refitted, done.numbers_added, done.replaced) == (0, 1, 2, 0)
    assert [one.line for one in done.changed_since] == [2]
    assert clerk.half_day().starts_at == ten
    assert Counter(slot.starts_at for slot in clerk.slots()) == {ten: 3, ten + timedelta(minutes=30): 3}
    clerk.patient.assert_sound()
