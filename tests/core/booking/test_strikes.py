"""Strikes: with evidence, by person, lifted where they turn out to be none, and what three of them cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from arriving import at_the_desk
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, join, make_patient, make_runner, same_person
from hospital_acts import substitute, suspend
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.day import no_show
from core.booking.eligibility import explain_for
from core.booking.strikes import ledger
from core.booking.strikes.ledger import count_later, work_out_later
from core.booking.strikes.views import list_strikes
from core.clock import hospital_day
from core.refusals import PersonLimit, Restricted
from core.workbench import Workbench
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.offer import Offer
from models.payment import RefundReason
from models.person import Dependent, Person
from models.strike import Lift, Strike, StrikeKind

LADDER = {"no_show_ladder": [{"count": 3, "within": "90d", "ban": "90d"}], "no_show_grace_minutes": 0}
ROOMY = {"max_per_person_day": 9, **LADDER}


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    return make_patient(workbench, clock, adapters, fee_fen=0, terms=ROOMY)


def day(patient: Patient, *, ahead: int = 1, **terms: object) -> UUID:
    """A half day of the same hospital, so many days from now."""
    visit_date = hospital_day(patient.clock.now()) + timedelta(days=ahead)
    return beside(patient, fee_fen=0, visit_date=visit_date, terms=ROOMY | terms)


def miss(patient: Patient, *, somebody_came: bool = True) -> UUID:
    """Do not come, on the next day; whether anybody else did."""
    schedule_id = day(patient)
    missed = patient.book(PayMode.ON_SITE, schedule_id=schedule_id)
    if somebody_came:
        other = join(patient.workbench, patient.clock, patient.adapters, schedule_id)
        at_the_desk(other, "check_in_at_desk", other.book(PayMode.ON_SITE), overrule=True)
    patient.work(after=timedelta(days=2))
    assert patient.appointment(missed).status is AppointmentStatus.NOSHOW
    return missed


def strikes(patient: Patient) -> list[Strike]:
    return patient.read(lambda session: list(session.scalars(select(Strike).order_by(Strike.at))))


def said(patient: Patient, schedule_id: UUID) -> list[tuple[str, datetime | None]]:
    """By eligibility."""
    found = patient.workbench.transactions.read(
        lambda session, now: explain_for(
            session, schedule_id=schedule_id, dependent_id=patient.dependent_id, account_id=patient.account_id, now=now
        )
    )
    return [(one.error.code, one.error.retry_at) for one in found.reasons]


def test_three_no_shows_restrict_for_ninety_days_and_an_end_is_an_end(patient: Patient) -> None:
    for _ in range(3):
        assert said(patient, day(patient)) == []
        miss(patient)
    until = strikes(patient)[-1].at + timedelta(days=90)
    assert [one.restricts_until for one in strikes(patient)] == [None, None, until]
    wanted = day(patient)
    with pytest.raises(Restricted) as refused:
        patient.book(PayMode.ON_SITE, schedule_id=wanted)
    assert refused.value.retry_at == until
    assert refused.value.facts == {"kind": "strikes", "open": ["desk", "emergency"]}
    assert said(patient, wanted) == [("restricted", until)]
    patient.clock.set(until - timedelta(milliseconds=1))
    wanted = day(patient)
    assert [code for code, _ in said(patient, wanted)] == ["restricted"]
    patient.clock.set(until)
    patient.book(PayMode.ON_SITE, schedule_id=wanted)


def test_another_account_learns_no_more_than_that_a_limit_is_reached(patient: Patient) -> None:
    for _ in range(3):
        miss(patient)
    other = same_person(patient)
    with pytest.raises(PersonLimit):
        other.book(PayMode.ON_SITE, schedule_id=day(patient))
    stranger = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    stranger.book(PayMode.ON_SITE, schedule_id=day(patient))


def test_where_nobody_was_checked_in_nobody_is_blamed(patient: Patient) -> None:
    miss(patient, somebody_came=False)
    assert strikes(patient) == []


def test_whoever_came_under_another_number_is_excused(patient: Patient) -> None:
    missed = patient.book(PayMode.ON_SITE, schedule_id=day(patient))
    other = join(patient.workbench, patient.clock, patient.adapters, day(patient))
    at_the_desk(other, "check_in_at_desk", other.book(PayMode.ON_SITE), overrule=True)

    def become_the_same(session: Session, _now: datetime) -> None:
        """A permit that was issued anew: two documents, one human being."""
        mine, theirs = (session.get_one(Dependent, one.dependent_id) for one in (patient, other))
        session.get_one(Person, theirs.person_id).alias_of_id = mine.person_id

    patient.write(become_the_same)
    patient.work(after=timedelta(days=2))
    assert patient.appointment(missed).status is AppointmentStatus.NOSHOW
    assert strikes(patient) == []


def test_seen_after_all_lifts_it_and_what_the_others_come_to(patient: Patient) -> None:
    missed = [miss(patient) for _ in range(3)]
    at_the_desk(patient, "fulfil", missed[0])
    patient.work()
    assert [one.lifted_why for one in strikes(patient)] == [Lift.SEEN, None, None]
    assert [one.restricts_until for one in strikes(patient)] == [None, None, None]
    patient.book(PayMode.ON_SITE, schedule_id=day(patient))
    patient.assert_sound()


def test_counting_twice_is_counting_once(patient: Patient) -> None:
    missed = miss(patient)
    patient.write(
        lambda session, now: count_later(session, session.get_one(Appointment, missed), StrikeKind.NO_SHOW, now=now)
    )
    patient.work()
    assert len(strikes(patient)) == 1


def cancelled(patient: Patient, terms: dict[str, object]) -> UUID:
    booked = patient.book(PayMode.ON_SITE, schedule_id=day(patient, ahead=5, **terms))
    patient.cancel(booked)
    patient.work()
    return booked


def test_cancels_count_by_a_ladder_of_their_own(patient: Patient) -> None:
    terms: dict[str, object] = {"cancel_ladder": [{"count": 2, "within": "month", "ban": "rest_of_month"}]}
    for _ in range(2):
        assert said(patient, day(patient)) == []
        cancelled(patient, terms)
    assert {one.kind for one in strikes(patient)} == {StrikeKind.CANCEL}
    assert [code for code, _ in said(patient, day(patient))] == ["restricted"]


def test_given_back_late_and_used_by_somebody_else_is_forgiven(patient: Patient) -> None:
    schedule_id = beside(
        patient,
        fee_fen=0,
        numbers=1,
        visit_date=hospital_day(patient.clock.now()) + timedelta(days=1),
        cancel_before=patient.clock.now(),
        terms=ROOMY | {"late_cancel_ladder": [{"count": 1, "within": "90d", "ban": "14d"}]},
    )
    late = patient.book(PayMode.ON_SITE, schedule_id=schedule_id)
    at_the_desk(patient, "cancel_at_desk", late)
    patient.work()
    assert [code for code, _ in said(patient, day(patient))] == ["restricted"]
    other = join(patient.workbench, patient.clock, patient.adapters, schedule_id)
    at_the_desk(other, "check_in_at_desk", other.book(PayMode.ON_SITE), overrule=True)
    patient.work()
    assert [one.lifted_why for one in strikes(patient)] == [Lift.USED_AGAIN]
    assert said(patient, day(patient)) == []
    patient.assert_sound()


def test_a_suspension_that_is_entered_afterwards_excuses_too(patient: Patient) -> None:
    missed = [miss(patient) for _ in range(3)]
    assert [code for code, _ in said(patient, day(patient))] == ["restricted"]
    suspend(patient, patient.appointment(missed[1]).schedule_id)
    patient.work()
    patient.work()
    assert [one.lifted_why for one in strikes(patient)] == [None, Lift.SUSPENDED, None]
    assert said(patient, day(patient)) == []


def test_who_missed_a_clinic_that_did_not_take_place_has_their_money_back(patient: Patient) -> None:
    """Whether it is said before the strike is counted or after."""
    later = beside(patient, visit_date=hospital_day(patient.clock.now()) + timedelta(days=9), terms=ROOMY)
    own = replace(patient, schedule_id=beside(patient, fee_fen=3000, terms=ROOMY))
    missed = own.paid()
    other = join(patient.workbench, patient.clock, patient.adapters, own.schedule_id)
    came = other.book(PayMode.ON_SITE)
    at_the_desk(other, "check_in_at_desk", came, overrule=True)
    patient.work(after=timedelta(days=4))
    assert (patient.appointment(missed).status, len(strikes(patient))) == (AppointmentStatus.NOSHOW, 1)
    foreseen = suspend(own).counts
    assert (foreseen.appointments, foreseen.paid_fen) == ({"fulfilled": 1, "noshow": 1}, 3000)
    patient.work()
    patient.work()
    assert patient.appointment(missed).cancel_reason is CancelReason.SUSPENDED
    assert [(one.amount_fen, one.reason) for one in patient.refunds()] == [(3000, RefundReason.SUSPENDED)]
    assert [one.lifted_why for one in strikes(patient)] == [Lift.SUSPENDED]
    assert patient.read(lambda session: session.scalars(select(Offer)).all()) == [], f"none of {later} is held"
    patient.assert_sound()


@pytest.mark.parametrize("meanwhile", ["counted", "marked"])
def test_a_suspension_while_a_strike_is_counted_excuses_too(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    own = replace(patient, schedule_id=day(patient))
    missed = own.book(PayMode.ON_SITE)
    other = join(patient.workbench, patient.clock, patient.adapters, own.schedule_id)
    at_the_desk(other, "check_in_at_desk", other.book(PayMode.ON_SITE), overrule=True)
    rooms = {"counted": (ledger, "_evidence"), "marked": (no_show, "is_frozen")}
    room, step = rooms[meanwhile]
    done, called = getattr(room, step), list[Thread]()

    def suspending() -> None:
        suspend(own)
        make_runner(own.workbench).run_due()

    def meanwhile_suspended(*given: Any) -> Any:
        """The clinic is read, and nothing is written yet."""
        if not called:
            called.append(Thread(target=suspending))
            called[0].start()
            called[0].join(timeout=1)
        return done(*given)

    monkeypatch.setattr(room, step, meanwhile_suspended)
    patient.work(after=timedelta(days=2))
    called[0].join()
    for _ in range(3):
        patient.work()
    assert patient.appointment(missed).cancel_reason is CancelReason.SUSPENDED
    assert {one.lifted_why for one in strikes(patient)} <= {Lift.SUSPENDED}
    patient.assert_sound()


def test_strikes_count_together_once_two_records_are_one_person(patient: Patient) -> None:
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    for one in (patient, patient, other):
        miss(one)
    assert said(patient, day(patient)) == []

    def become_one(session: Session, now: datetime) -> None:
        mine, theirs = (session.get_one(Dependent, one.dependent_id).person_id for one in (patient, other))
        session.get_one(Person, theirs).alias_of_id = mine
        work_out_later(session, mine, now=now)

    patient.write(become_one)
    patient.work()
    assert [one.restricts_until is None for one in strikes(patient)] == [True, True, False]
    assert said(patient, day(patient)) != []


LATE = {"late_cancel_ladder": [{"count": 1, "within": "90d", "ban": "14d"}]}


def late(patient: Patient) -> UUID:
    """Booked for tomorrow, when it can no longer be cancelled in the app."""
    now = patient.clock.now()
    tomorrow = hospital_day(now) + timedelta(days=1)
    schedule_id = beside(patient, fee_fen=0, visit_date=tomorrow, cancel_before=now, terms=ROOMY | LATE)
    return patient.book(PayMode.ON_SITE, schedule_id=schedule_id)


def test_who_may_leave_freely_gets_no_strike_at_the_desk(patient: Patient) -> None:
    mine = late(patient)
    substitute(patient, patient.appointment(mine).schedule_id)
    patient.work()
    assert patient.appointment(mine).may_leave_freely(now=patient.clock.now())
    at_the_desk(patient, "cancel_at_desk", mine)
    patient.work()
    assert patient.appointment(mine).cancel_reason is CancelReason.SUSPENDED
    assert strikes(patient) == []


def test_who_has_come_gets_no_strike_when_the_desk_takes_the_number_back(patient: Patient) -> None:
    mine = late(patient)
    at_the_desk(patient, "check_in_at_desk", mine, overrule=True)
    at_the_desk(patient, "cancel_at_desk", mine)
    patient.work()
    assert strikes(patient) == []


def test_no_ladder_no_strike(patient: Patient) -> None:
    cancelled(patient, {"cancel_ladder": []})
    assert strikes(patient) == []


def test_the_hospital_hears_them_and_lifts_it(patient: Patient) -> None:
    missed = [miss(patient) for _ in range(3)]
    at_the_desk(patient, "lift_at_desk", missed[1])
    at_the_desk(patient, "lift_at_desk", missed[1])
    assert [one.lifted_why for one in strikes(patient)] == [None, Lift.APPEAL, None]
    assert said(patient, day(patient)) == []


def test_a_restriction_to_which_strikes_of_others_were_needed_is_the_generic_limit(patient: Patient) -> None:
    """On one's own single strike it would tell that there are others."""
    other = same_person(patient)
    for _ in range(2):
        miss(other)
    miss(patient)
    assert strikes(patient)[-1].restricts_until is not None
    assert said(patient, day(patient)) == [("person_limit", None)]
    page = patient.read(
        lambda session: list_strikes(
            session, account_id=patient.account_id, vault=patient.workbench.vault, cursor=None, limit=9
        )
    )
    assert [(one.restricts_until, one.restricts_until_appeal) for one in page.items] == [(None, False)]
