"""In which order those are called who are there."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from arriving import at_the_desk, calls
from fakes import START, FakeAdapters, ManualClock
from harness import Patient, join, make_patient
from hypothesis import given
from hypothesis import strategies as st

from core.booking.day.queue import Place, Waiting, place_of
from core.refusals import CheckInRefused
from core.workbench import Workbench
from models.appointment import PayMode
from models.arrival import Arrival
from models.base import new_id


@pytest.fixture
def seven(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> tuple[Patient, list[UUID]]:
    """Seven strangers with the numbers 1 to 7 of one segment, on its day and a minute before it begins."""
    first = make_patient(workbench, clock, adapters, numbers=7)
    others = [join(workbench, clock, adapters, first.schedule_id) for _ in range(6)]
    booked = [one.book(PayMode.ON_SITE) for one in (first, *others)]
    clock.set(first.slot(booked[0]).starts_at - timedelta(minutes=1))
    return first, booked


def arrive(patient: Patient, appointment_id: UUID) -> None:
    patient.clock.advance(timedelta(seconds=1))
    at_the_desk(patient, "check_in_at_desk", appointment_id)


def place(patient: Patient, appointment_id: UUID) -> Place | None:
    return patient.read(lambda session: place_of(session, patient.appointment(appointment_id)))


def test_in_time_one_is_called_by_ones_number(seven: tuple[Patient, list[UUID]]) -> None:
    patient, booked = seven
    for nth in (5, 2, 6, 0):
        arrive(patient, booked[nth])
    assert calls(patient) == [1, 3, 6, 7]
    assert [place(patient, booked[nth]).people_ahead for nth in (0, 2, 5, 6)] == [0, 1, 2, 3]  # type: ignore[union-attr]
    assert place(patient, booked[1]) is None


def test_late_or_called_in_vain_one_goes_behind_some(seven: tuple[Patient, list[UUID]]) -> None:
    patient, booked = seven
    for nth in (2, 3, 4, 5, 6):
        arrive(patient, booked[nth])
    at_the_desk(patient, "pass_number", booked[2])
    assert calls(patient) == [4, 5, 6, 3, 7]
    patient.clock.advance(timedelta(minutes=31))
    arrive(patient, booked[0])
    assert calls(patient) == [4, 5, 6, 3, 1, 7]
    arrived = place(patient, booked[0])
    assert arrived is not None
    assert (arrived.late, arrived.people_ahead) == (True, 4)
    at_the_desk(patient, "pass_number", booked[6])  # nobody comes further forward by it
    assert calls(patient) == [4, 5, 6, 3, 1, 7]
    at_the_desk(patient, "fulfil", booked[3])
    assert calls(patient) == [5, 6, 3, 1, 7]
    assert place(patient, booked[3]).people_ahead is None  # type: ignore[union-attr]


def test_only_who_waits_is_passed_over(seven: tuple[Patient, list[UUID]]) -> None:
    patient, booked = seven
    with pytest.raises(CheckInRefused) as refused:
        at_the_desk(patient, "pass_number", booked[0])
    assert refused.value.facts == {"status": "booked"}


def waiting(sequence: int, turn: int, behind: int | None) -> Waiting:

    arrival = Arrival(id=new_id(), at=START, late=False, turn=turn, passed=0)
    arrival.put_behind_at = None if behind is None else START + timedelta(seconds=behind)
    return Waiting(str(sequence), sequence, arrival)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 9) | st.none()), max_size=12))
def test_an_order_is_an_order(given: list[tuple[int, int | None]]) -> None:
    """Whoever has a turn comes before those who were put behind it, and those in the order in which they were."""
    some = [waiting(sequence, turn, behind) for sequence, (turn, behind) in enumerate(given)]
    called = sorted(some, key=lambda one: one.place)
    turns = [one.arrival.turn for one in called]
    assert turns == sorted(turns)
    for one, other in pairwise(called):
        if one.arrival.turn == other.arrival.turn and one.arrival.put_behind_at is not None:
            assert other.arrival.put_behind_at is not None
            assert one.arrival.put_behind_at <= other.arrival.put_behind_at
