"""Whoever comes with one number has missed no other of that day, whichever is heard of first: the miss or the visit."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from arriving import at_the_desk, set_terms
from fakes import FakeAdapters, ManualClock
from fakes_hospital import connect
from harness import REQUEST, Patient, beside, join, make_patient, make_runner, same_person
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.strikes import ledger
from core.booking.strikes.appeals import file_appeal
from core.booking.strikes.views import list_strikes
from core.clock import hospital_day
from core.ports import VisitEvent, VisitKind
from core.workbench import Workbench
from models.appointment import PayMode
from models.schedule import Schedule
from models.strike import AppealStatus, Lift, Strike, StrikeAppeal

TERMS = {
    "max_per_person_day": 9,
    "max_open_per_person_department_day": 9,
    "max_open_per_person_doctor_day": 9,
    "may_overlap": True,
    "no_show_ladder": [{"count": 3, "within": "90d", "ban": "90d"}],
    "no_show_grace_minutes": 0,
}
A_DAY = 24 * 60


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    return make_patient(workbench, clock, adapters, fee_fen=0, terms=TERMS)


def half_day(patient: Patient, *, ahead: int = 1) -> UUID:
    visit_date = hospital_day(patient.clock.now()) + timedelta(days=ahead)
    return beside(patient, fee_fen=0, visit_date=visit_date, terms=TERMS)


def two_of_one_day(patient: Patient, *, ahead: int = 1) -> tuple[UUID, UUID]:
    """In two clinics of one hospital, where somebody else has come; the second by another account of the person."""
    schedules = [half_day(patient, ahead=ahead) for _ in range(2)]
    other = join(patient.workbench, patient.clock, patient.adapters, schedules[0])
    theirs = other.book(PayMode.ON_SITE)
    first = patient.book(PayMode.ON_SITE, schedule_id=schedules[0])
    patient.work()
    second = same_person(patient).book(PayMode.ON_SITE, schedule_id=schedules[1])
    patient.work()
    at_the_desk(other, "check_in_at_desk", theirs, overrule=True)
    return first, second


def first_is_missed(patient: Patient, first: UUID, second: UUID) -> None:
    """To the moment at which the first is over, and the second may still come."""
    set_terms(patient, second, no_show_grace_minutes=A_DAY)
    schedule_id = patient.appointment(first).schedule_id
    patient.clock.set(patient.read(lambda session: session.get_one(Schedule, schedule_id).ends_at))
    for _ in range(3):
        patient.work(after=timedelta(minutes=5))


def strikes(patient: Patient) -> dict[UUID, Lift | None]:
    return patient.read(lambda session: {one.appointment_id: one.lifted_why for one in session.scalars(select(Strike))})


@pytest.mark.parametrize("by", ["desk", "hospital"])
def test_seen_after_all_with_one_lifts_the_other_of_that_day_alone(patient: Patient, by: str) -> None:
    his = connect(patient) if by == "hospital" else None
    first, second = two_of_one_day(patient)
    another_day = two_of_one_day(patient, ahead=2)
    patient.work(after=timedelta(days=4))
    assert strikes(patient) == dict.fromkeys([first, second, *another_day])
    if his is None:
        at_the_desk(patient, "fulfil", first)
    else:
        number = patient.appointment(first).number
        his.seen.append(VisitEvent("0", number, VisitKind.FULFILLED, patient.clock.now()))
        patient.work(after=timedelta(minutes=1))
    patient.work()
    assert strikes(patient) == dict.fromkeys([first, second], Lift.SEEN) | dict.fromkeys(another_day)
    patient.assert_sound()


def test_whoever_comes_after_the_strike_is_there_has_missed_nothing(patient: Patient) -> None:
    """An appeal that is open is granted with it."""
    first, second = two_of_one_day(patient)
    first_is_missed(patient, first, second)
    assert strikes(patient) == {first: None}

    def appeal(session: Session, now: datetime) -> None:
        strike = session.scalars(select(Strike)).one()
        vault = patient.workbench.vault
        account_id = patient.account_id
        file_appeal(
            session, account_id=account_id, strike_id=strike.id, text="我来了", vault=vault, now=now, cause=REQUEST
        )

    patient.write(appeal)
    at_the_desk(patient, "check_in_at_desk", second, overrule=True)
    patient.work()
    assert strikes(patient) == {first: Lift.SEEN}
    appeals = patient.read(lambda session: session.scalars(select(StrikeAppeal.status)).all())
    assert appeals == [AppealStatus.GRANTED]
    patient.assert_sound()


def test_whoever_comes_while_it_is_counted_has_missed_nothing(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two_of_one_day(patient)
    done, called = ledger.work_out, list[Thread]()

    def coming() -> None:
        at_the_desk(patient, "check_in_at_desk", second, overrule=True)
        make_runner(patient.workbench).run_due()

    def meanwhile_there(*given: Any) -> None:
        """What excuses it has been looked for in vain, and nobody sees the strike yet."""
        if not called:
            called.append(Thread(target=coming))
            called[0].start()
            called[0].join(timeout=1)
        done(*given)

    monkeypatch.setattr(ledger, "work_out", meanwhile_there)
    first_is_missed(patient, first, second)
    called[0].join()
    patient.work()
    assert strikes(patient) == {first: Lift.SEEN}


def test_of_a_number_that_another_account_booked_nothing_is_told(patient: Patient) -> None:
    first, second = two_of_one_day(patient)
    first_is_missed(patient, first, second)
    at_the_desk(patient, "check_in_at_desk", second, overrule=True)
    patient.work()
    assert strikes(patient) == {first: Lift.SEEN}
    account_id, vault = patient.account_id, patient.workbench.vault
    (shown,) = patient.read(
        lambda session: list_strikes(session, account_id=account_id, vault=vault, cursor=None, limit=10)
    ).items
    assert (shown.strike.lifted_at is not None, shown.lifted_why) == (True, None)
