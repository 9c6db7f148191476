"""Many at once on a real database: each number once, each limit kept, nobody refused while a number is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from factories import make_department, make_hospital, make_schedule
from harness import REQUEST, Patient, beside, join, make_patient, race, relatives, same_person
from sqlalchemy.orm import Session

from core.booking.endings.cancel import cancel_appointment
from core.refusals import AlreadyBooked, HoldOpen, NumbersInFlight, PersonLimit, SoldOut
from core.transactions import Overloaded
from models.appointment import PayMode
from models.errors import DomainError
from models.hospital import Department
from models.schedule import Schedule, SlotStatus


def insistently(book: Callable[[], UUID]) -> Callable[[], UUID]:
    """Too busy is no answer: ask again, as a client does."""

    def call() -> UUID:
        for _ in range(50):
            try:
                return book()
            except Overloaded:
                continue
        raise AssertionError("overloaded for ever")

    return call


def crowd(patient: Patient, count: int) -> list[Patient]:
    return [join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id) for _ in range(count)]


def sort_out(results: list[UUID | Exception]) -> tuple[list[UUID], Counter[type[Exception]]]:
    booked = [one for one in results if isinstance(one, UUID)]
    refused = [one for one in results if isinstance(one, Exception)]
    for one in refused:
        if not isinstance(one, DomainError):
            raise one
    return booked, Counter(type(one) for one in refused)


@pytest.fixture
def ten(patient: Patient) -> Patient:
    patient.schedule_id = beside(patient, numbers=10)
    return patient


@pytest.mark.parametrize("pay", [PayMode.ONLINE, PayMode.ON_SITE])
def test_sixty_strangers_and_ten_numbers(ten: Patient, pay: PayMode) -> None:
    strangers = crowd(ten, 60)
    booked, refused = sort_out(race(*(insistently(lambda one=one: one.book(pay)) for one in strangers)))  # type: ignore[misc]
    assert len(booked) == 10
    assert sorted(ten.slot(one).sequence for one in booked) == list(range(1, 11))
    assert set(refused) <= ({NumbersInFlight} if pay is PayMode.ONLINE else {SoldOut})
    ten.assert_sound()


def test_as_many_strangers_as_numbers_and_all_get_one(ten: Patient) -> None:
    """Nobody is refused while one is free, although each free number is being taken by somebody at every moment."""
    strangers = crowd(ten, 10)
    booked, refused = sort_out(race(*(insistently(one.book) for one in strangers)))
    assert (len(booked), refused) == (10, Counter())
    assert len({ten.slot(one).id for one in booked}) == 10
    ten.assert_sound()


def test_a_number_that_comes_back_while_we_wait_is_ours(ten: Patient) -> None:
    """Five take a number and fail after it; ten others want the ten numbers, and get them."""
    strangers, unlucky = crowd(ten, 10), crowd(ten, 5)

    def fail(one: Patient) -> UUID:
        def step(session: Session, now: datetime) -> UUID:
            wish = one.wish(PayMode.ON_SITE)
            one.book_in(session, wish, now)
            raise PersonLimit()

        return one.write(step)

    calls = [lambda one=one: fail(one) for one in unlucky]  # type: ignore[misc]
    booked, refused = sort_out(race(*calls, *(insistently(one.book) for one in strangers)))
    assert len(booked) == 10
    assert set(refused) <= {PersonLimit, NumbersInFlight}
    ten.assert_sound()


def test_one_person_from_twenty_accounts_gets_one_number(ten: Patient) -> None:
    accounts = [same_person(ten) for _ in range(20)]
    booked, refused = sort_out(race(*(insistently(one.book) for one in accounts)))
    assert len(booked) == 1
    assert refused == {PersonLimit: 19}
    assert Counter(slot.status for slot in ten.slots()) == {SlotStatus.FREE: 9, SlotStatus.HELD: 1}
    ten.assert_sound()


@pytest.mark.parametrize("pay", [PayMode.ONLINE, PayMode.ON_SITE])
def test_twenty_schedules_of_one_department_and_day_for_one_person(patient: Patient, pay: PayMode) -> None:
    schedules = [beside(patient, numbers=1) for _ in range(20)]
    calls = [insistently(lambda one=one: patient.book(pay, schedule_id=one)) for one in schedules]  # type: ignore[misc]
    booked, refused = sort_out(race(*calls))
    assert len(booked) == 1
    assert refused == {AlreadyBooked: 19}
    patient.assert_sound()


def test_an_account_with_five_dependents_holds_two_numbers_at_most(ten: Patient) -> None:
    people = [ten.dependent_id, *relatives(ten, 4)]
    calls = [insistently(lambda one=one: ten.book(dependent_id=one)) for one in people]  # type: ignore[misc]
    booked, refused = sort_out(race(*calls))
    assert (len(booked), refused) == (2, {HoldOpen: 3})
    ten.assert_sound()


def test_two_appointments_of_a_person_on_one_day_at_most(patient: Patient) -> None:
    """Twenty departments, so that no unique index helps: only the person's lock does."""

    def make(session: Session, _now: datetime) -> list[UUID]:
        hospital = make_hospital(session)
        return [make_schedule(session, make_department(session, hospital), numbers=1).id for _ in range(20)]

    accounts = [same_person(patient) for _ in range(4)]
    calls = [
        insistently(lambda one=one, where=where: one.book(PayMode.ON_SITE, schedule_id=where))  # type: ignore[misc]
        for one, where in zip(accounts * 5, patient.write(make), strict=True)
    ]
    booked, refused = sort_out(race(*calls))
    assert (len(booked), sum(refused.values())) == (2, 18)
    patient.assert_sound()


def test_one_unpaid_number_of_a_person_at_most(patient: Patient) -> None:
    days = [timedelta(days=number) for number in range(8)]

    def make(session: Session, now: datetime) -> list[UUID]:
        first = session.get_one(Schedule, patient.schedule_id)
        department = session.get_one(Department, first.department_id)
        return [make_schedule(session, department, visit_date=first.visit_date + day).id for day in days]

    accounts = [same_person(patient) for _ in days]
    calls = [
        insistently(lambda one=one, where=where: one.book(schedule_id=where))  # type: ignore[misc]
        for one, where in zip(accounts, patient.write(make), strict=True)
    ]
    booked, refused = sort_out(race(*calls))
    assert (len(booked), refused) == (1, {PersonLimit: 7})
    patient.assert_sound()


def test_one_appointment_cancelled_by_two_taps_at_once_ends_once(patient: Patient) -> None:
    appointment_id = patient.paid()

    def cancel() -> UUID:
        return patient.write(
            lambda session, now: (
                cancel_appointment(
                    session, appointment_id=appointment_id, account_id=patient.account_id, now=now, cause=REQUEST
                ).id
            )
        )

    booked, refused = sort_out(race(*[insistently(cancel)] * 6))
    assert (len(booked), sum(refused.values())) == (1, 5)
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    patient.assert_sound()


def test_booking_and_cancelling_in_a_crowd_keeps_the_books(patient: Patient) -> None:
    """Three numbers go round among twelve people; afterwards every number is accounted for."""
    patient.schedule_id = make_patient(patient.workbench, patient.clock, patient.adapters, numbers=3).schedule_id
    strangers = crowd(patient, 12)

    def go_round(one: Patient) -> UUID:
        for _ in range(6):
            try:
                appointment_id = insistently(lambda: one.book(PayMode.ON_SITE))()
            except (NumbersInFlight, SoldOut):
                continue
            one.cancel(appointment_id)
            one.work()
        return one.account_id

    _, refused = sort_out(race(*(lambda one=one: go_round(one) for one in strangers)))  # type: ignore[misc]
    patient.work()
    assert refused == Counter()
    assert {slot.status for slot in patient.slots()} == {SlotStatus.FREE}
    patient.assert_sound()
