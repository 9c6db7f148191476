"""Appeals: said once, answered by somebody within two working days, and never at the patient's cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from arriving import at_the_desk
from fakes import FakeAdapters, ManualClock
from harness import REQUEST, Patient, beside, make_patient, race, same_person
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.eligibility import explain_for
from core.booking.strikes.appeals import (
    Decision,
    answer_due,
    decide_appeal,
    file_appeal,
    read_open_appeals,
    strike_named,
)
from core.booking.strikes.refusals import AlreadyAppealed, NotAppealable
from core.booking.strikes.views import StrikeView, list_strikes
from core.catalog.calendar import WorkCalendar
from core.clock import HOSPITAL_ZONE, hospital_day
from core.transactions import Overloaded
from core.workbench import Workbench
from models.appointment import AppointmentStatus, PayMode
from models.audit import AuditEntry
from models.errors import NotFound, ValidationFailed
from models.job import Job
from models.notice import Notice, NoticeKind
from models.strike import AppealStatus, Lift, StrikeAppeal

ROOMY = {"max_per_person_day": 9, "cancel_ladder": [{"count": 2, "within": "90d", "ban": "90d"}]}
SAID = "孩子突发高烧，当天已电话告知"


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    return make_patient(workbench, clock, adapters, fee_fen=0, terms=ROOMY)


def day(patient: Patient, ahead: int = 9) -> UUID:
    visit_date = hospital_day(patient.clock.now()) + timedelta(days=ahead)
    return beside(patient, fee_fen=0, visit_date=visit_date, terms=ROOMY)


def cancelled_twice(patient: Patient) -> list[StrikeView]:
    """The first strike and the second, which restricts them."""
    for _ in range(2):
        patient.cancel(patient.book(PayMode.ON_SITE, schedule_id=day(patient)))
        patient.work()
    return strikes(patient)


def strikes(patient: Patient) -> list[StrikeView]:
    """As their account is shown them, the oldest first."""
    page = patient.read(
        lambda session: list_strikes(
            session, account_id=patient.account_id, vault=patient.workbench.vault, cursor=None, limit=9
        )
    )
    return list(reversed(page.items))


def appeal(patient: Patient, strike_id: UUID, text: str = SAID) -> StrikeAppeal:
    return patient.write(
        lambda session, now: file_appeal(
            session,
            account_id=patient.account_id,
            strike_id=strike_id,
            text=text,
            vault=patient.workbench.vault,
            now=now,
            cause=REQUEST,
        )
    )


def decide(patient: Patient, strike_id: UUID, *, granted: bool, answer: str = "已核实") -> bool:
    decision = Decision(granted, answer, "clerk")
    return patient.write(
        lambda session, now: decide_appeal(
            session, strike_id=strike_id, decision=decision, vault=patient.workbench.vault, now=now, cause=REQUEST
        )
    )


def may_book(patient: Patient) -> bool:
    schedule_id = day(patient)
    found = patient.workbench.transactions.read(
        lambda session, now: explain_for(
            session, schedule_id=schedule_id, dependent_id=patient.dependent_id, account_id=patient.account_id, now=now
        )
    )
    return found.allowed


def told(patient: Patient) -> list[str | None]:
    query = select(Notice.reason).where(Notice.kind == NoticeKind.APPEAL_DECIDED)
    return patient.read(lambda session: list(session.scalars(query)))


def moves(patient: Patient, strike_id: UUID) -> list[str]:
    query = select(StrikeAppeal.id).where(StrikeAppeal.strike_id == strike_id)
    return [one.to_status for one in patient.moves(patient.read(lambda session: session.scalars(query).one()))]


def test_it_is_said_once_sealed_and_has_a_clock(patient: Patient) -> None:
    _, second = cancelled_twice(patient)
    assert (second.may_appeal, second.appeal, may_book(patient)) == (True, None, False)
    with pytest.raises(ValidationFailed):
        appeal(patient, second.strike.id, " \n")
    filed = appeal(patient, second.strike.id, f" {SAID}\n")
    assert filed.text_sealed is not None
    assert SAID.encode() not in filed.text_sealed
    assert filed.text(patient.workbench.vault) == SAID
    with pytest.raises(AlreadyAppealed):
        appeal(patient, second.strike.id)
    shown = strikes(patient)[1]
    assert shown.appeal is not None
    assert (shown.may_appeal, shown.appeal.answer, shown.appeal.appeal.status) == (False, None, AppealStatus.OPEN)
    assert not may_book(patient)  # the strike counts while the hospital has time to answer
    patient.assert_sound()


def test_only_whoever_booked_sees_it_and_is_heard(patient: Patient) -> None:
    first, _ = cancelled_twice(patient)
    other = same_person(patient)
    assert strikes(other) == []
    with pytest.raises(NotFound):
        appeal(other, first.strike.id)


def test_granting_lifts_it_and_what_the_others_come_to(patient: Patient) -> None:
    first, second = cancelled_twice(patient)
    appeal(patient, first.strike.id)
    assert decide(patient, first.strike.id, granted=True)
    assert not decide(patient, first.strike.id, granted=True)
    with pytest.raises(NotAppealable):
        decide(patient, first.strike.id, granted=False)
    with pytest.raises(NotFound):
        decide(patient, second.strike.id, granted=True)
    lifted, other = strikes(patient)
    assert (lifted.strike.lifted_why, other.strike.restricts_until) == (Lift.APPEAL, None)
    assert lifted.appeal is not None
    assert (lifted.appeal.answer, told(patient), may_book(patient)) == ("已核实", ["granted"], True)
    assert moves(patient, first.strike.id) == ["open", "granted"]
    patient.assert_sound()


def test_rejected_it_counts_on_and_is_not_heard_again(patient: Patient) -> None:
    _, second = cancelled_twice(patient)
    appeal(patient, second.strike.id)
    assert decide(patient, second.strike.id, granted=False, answer="退号过于频繁")
    assert (told(patient), may_book(patient)) == (["rejected"], False)
    with pytest.raises(AlreadyAppealed):
        appeal(patient, second.strike.id)
    patient.assert_sound()


def test_what_is_lifted_needs_no_appeal(patient: Patient) -> None:
    first, _ = cancelled_twice(patient)
    at_the_desk(patient, "lift_at_desk", first.appointment.id)
    with pytest.raises(NotAppealable):
        appeal(patient, first.strike.id)


def test_lifting_it_closes_an_open_appeal(patient: Patient) -> None:
    _, second = cancelled_twice(patient)
    appeal(patient, second.strike.id)
    at_the_desk(patient, "lift_at_desk", second.appointment.id)
    assert (moves(patient, second.strike.id), told(patient)) == (["open", "granted"], ["granted"])
    patient.assert_sound()


@pytest.mark.parametrize("which", [0, 1])
def test_where_the_hospital_is_late_nothing_counts_until_it_has_answered(patient: Patient, which: int) -> None:
    """Whether the strike restricts by itself or by what it adds to another."""
    wanted = cancelled_twice(patient)[which].strike.id
    until = strikes(patient)[1].strike.restricts_until
    decide_by = appeal(patient, wanted).decide_by
    patient.clock.set(decide_by - timedelta(milliseconds=1))
    patient.work()
    assert not may_book(patient)
    patient.clock.set(decide_by)
    patient.work()
    assert strikes(patient)[which].strike.paused_at == decide_by
    assert may_book(patient)
    patient.assert_sound()
    assert decide(patient, wanted, granted=False)
    assert [one.strike.restricts_until for one in strikes(patient)] == [None, until]
    assert not may_book(patient)
    patient.assert_sound()


def test_a_third_strike_does_not_count_with_one_that_rests(patient: Patient) -> None:
    first, _ = cancelled_twice(patient)
    patient.clock.set(appeal(patient, first.strike.id).decide_by)
    patient.work()
    booked = patient.book(PayMode.ON_SITE, schedule_id=day(patient))
    assert patient.appointment(booked).status is AppointmentStatus.BOOKED
    patient.cancel(booked)
    patient.work()
    assert [one.strike.restricts_until is None for one in strikes(patient)] == [True, True, False]
    patient.assert_sound()


def test_a_lost_clock_is_found_again(patient: Patient) -> None:
    _, second = cancelled_twice(patient)
    decide_by = appeal(patient, second.strike.id).decide_by

    def lose(session: Session, _now: datetime) -> None:
        session.delete(session.scalars(select(Job).where(Job.kind == "pause_strike")).one())

    patient.write(lose)
    patient.clock.set(decide_by + timedelta(minutes=3))
    patient.work()
    patient.work()
    assert may_book(patient)


@pytest.mark.parametrize(
    ("filed", "due"),
    [
        ("2026-11-25T00:00", "2026-11-28T00:00"),  # a Wednesday: Thursday and Friday
        ("2026-11-25T23:59", "2026-11-28T00:00"),
        ("2026-11-27T09:00", "2026-12-02T00:00"),  # a Friday: over the weekend
        ("2026-12-31T09:00", "2027-01-05T00:00"),  # over the end of the year
    ],
)
def test_two_whole_working_days_are_the_hospitals(filed: str, due: str) -> None:
    at, wanted = (datetime.fromisoformat(one).replace(tzinfo=HOSPITAL_ZONE) for one in (filed, due))
    assert answer_due(WorkCalendar({}), now=at) == wanted


def test_whoever_reads_them_is_noted_and_the_most_urgent_comes_first(patient: Patient) -> None:
    first, second = cancelled_twice(patient)
    appeal(patient, second.strike.id)
    patient.clock.advance(timedelta(days=3))
    appeal(patient, first.strike.id, "窗口已同意退号")
    look: Callable[..., Any] = partial(read_open_appeals, operator="clerk", vault=patient.workbench.vault)
    found = patient.write(lambda session, now: look(session, hospital_code=None, limit=9, now=now))
    assert [(one.strike.id, one.text) for one in found] == [
        (second.strike.id, SAID),
        (first.strike.id, "窗口已同意退号"),
    ]
    with pytest.raises(NotFound):
        patient.write(lambda session, now: look(session, hospital_code="nowhere", limit=9, now=now))
    noted = select(AuditEntry.actor).where(AuditEntry.action == "strike_appeal.read")
    assert patient.read(lambda session: list(session.scalars(noted))) == ["clerk", "clerk"]
    for named in (str(first.strike.id), first.appointment.number):
        assert patient.read(partial(strike_named, named=named)) == first.strike.id
    for named in ("0", "nobody", str(first.appointment.id)):
        with pytest.raises(NotFound):
            patient.read(partial(strike_named, named=named))


def insistently(act: Callable[[], Any]) -> Callable[[], Any]:
    """Too busy is no answer: ask again, as a client does."""

    def call() -> Any:
        for _ in range(100):
            with suppress(Overloaded):
                return act()
        raise AssertionError("overloaded for ever")

    return call


rounds = pytest.mark.parametrize("turn", range(3))


@rounds
def test_two_appeals_at_once_are_one(patient: Patient, turn: int) -> None:
    _, second = cancelled_twice(patient)
    outcomes = race(*[insistently(lambda: appeal(patient, second.strike.id)) for _ in range(6)])
    refused = [one for one in outcomes if isinstance(one, Exception)]
    assert [type(one) for one in refused] == [AlreadyAppealed] * 5
    assert moves(patient, second.strike.id) == ["open"]
    patient.assert_sound()


@rounds
def test_deciding_against_lifting_ends_it_once(patient: Patient, turn: int) -> None:
    """Rejected and lifted, or granted by the lift: never both granted and rejected, and one notice."""
    first, second = cancelled_twice(patient)
    appeal(patient, second.strike.id)
    outcomes = race(
        insistently(lambda: decide(patient, second.strike.id, granted=False)),
        insistently(lambda: at_the_desk(patient, "lift_at_desk", second.appointment.id)),
        insistently(lambda: decide(patient, second.strike.id, granted=False)),
        insistently(lambda: at_the_desk(patient, "lift_at_desk", first.appointment.id)),
    )
    assert all(not isinstance(one, Exception) or isinstance(one, NotAppealable) for one in outcomes)
    assert len(moves(patient, second.strike.id)) == 2
    assert told(patient) == moves(patient, second.strike.id)[1:]
    assert all(one.strike.lifted_at is not None for one in strikes(patient))
    assert may_book(patient)
    patient.assert_sound()


# --- what a restricted person is told to do


def other_ways(patient: Patient, schedule_id: UUID) -> list[str]:
    found = patient.workbench.transactions.read(
        lambda session, now: explain_for(
            session, schedule_id=schedule_id, dependent_id=patient.dependent_id, account_id=patient.account_id, now=now
        )
    )
    (reason,) = found.reasons
    assert reason.error.code == "restricted"
    return reason.alternatives


def test_whoever_is_restricted_by_strikes_is_told_to_appeal_while_they_may(patient: Patient) -> None:
    first, second = cancelled_twice(patient)
    wanted = day(patient)
    assert other_ways(patient, wanted) == ["wait", "appeal", "desk"]
    appeal(patient, first.strike.id)
    assert other_ways(patient, wanted) == ["wait", "appeal", "desk"]
    appeal(patient, second.strike.id)
    assert other_ways(patient, wanted) == ["wait", "desk"]


def test_nobody_is_told_to_wait_for_what_ends_by_an_appeal_alone(patient: Patient) -> None:
    until_appeal = {"cancel_ladder": [{"count": 1, "within": "90d", "ban": "until_appeal"}]}
    visit_date = hospital_day(patient.clock.now()) + timedelta(days=9)
    patient.cancel(
        patient.book(
            PayMode.ON_SITE, schedule_id=beside(patient, fee_fen=0, visit_date=visit_date, terms=ROOMY | until_appeal)
        )
    )
    patient.work()
    (one,), wanted = strikes(patient), day(patient)
    assert one.restricts_until_appeal
    assert other_ways(patient, wanted) == ["appeal", "desk"]
    appeal(patient, one.strike.id)
    assert other_ways(patient, wanted) == ["desk"]
