"""Signs of resale: what is one, what is none, and what is answered to it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from factories import make_signal
from fakes import FakeAdapters, ManualClock
from families import bundled, family
from harness import Patient, beside, join, make_patient, same_person
from sqlalchemy import select
from waiting import fresh, wait

from core.booking.eligibility import explain
from core.booking.watch.clusters import (
    AGAIN,
    COOL_DOWN,
    DROPPED,
    LOOK_BACK,
    REBOOKED,
    SOON,
    STEP_UP,
    clear_signal,
    note_signs,
    signals_in_force,
    signs,
)
from core.clock import hospital_day
from core.refusals import IdentityRequired, Restricted
from core.workbench import Workbench
from models.appointment import Appointment, PayMode
from models.booking_signal import BookingSignal, SignalAnswer, SignalKind
from models.errors import NotFound
from models.person import Dependent, IdentityLevel
from models.schedule import Schedule

TICK = timedelta(milliseconds=1)


def drop(patient: Patient, times: int) -> None:
    for _ in range(times):
        patient.cancel(patient.book())
        patient.work()


def noted(patient: Patient) -> list[BookingSignal]:
    return patient.write(lambda session, now: note_signs(session, signs(session, now=now), now=now))


def signals_of(patient: Patient) -> list[BookingSignal]:
    query = select(BookingSignal).where(BookingSignal.account_id == patient.account_id).order_by(BookingSignal.id)
    return patient.read(lambda session: list(session.scalars(query)))


def codes(patient: Patient) -> list[str]:
    def look(session: object) -> list[str]:
        dependent = session.get_one(Dependent, patient.dependent_id)  # type: ignore[attr-defined]
        said = explain(
            session,  # type: ignore[arg-type]
            schedule=session.get_one(Schedule, patient.schedule_id),  # type: ignore[attr-defined]
            dependent=dependent,
            person_id=dependent.person_id,
            now=patient.clock.now(),
        )
        return [reason.error.code for reason in said.reasons]

    return patient.read(look)


def answered(patient: Patient, *answers: SignalAnswer, until: timedelta | None = None) -> list[UUID]:
    ends = None if until is None else patient.clock.now() + until
    return patient.write(
        lambda session, now: [
            make_signal(session, patient.account_id, answer=one, until=ends, now=now).id for one in answers
        ]
    )


# --- what is a sign


def test_who_holds_and_drops_again_and_again_is_told_once(patient: Patient) -> None:
    drop(patient, DROPPED - 1)
    assert noted(patient) == []
    drop(patient, 1)
    (signal,) = noted(patient)
    assert signal.until == patient.clock.now() + COOL_DOWN
    assert (signal.account_id, signal.kind, signal.answer) == (
        patient.account_id, SignalKind.HOLD_AND_DROP, SignalAnswer.COOL_DOWN
    )  # fmt: skip
    assert len(signal.facts["appointments"]) == DROPPED
    assert noted(patient) == []


def test_lapses_count_as_well(patient: Patient) -> None:
    for _ in range(DROPPED):
        patient.book()
        patient.work(after=timedelta(minutes=16))
    assert [one.kind for one in noted(patient)] == [SignalKind.HOLD_AND_DROP]


def test_paid_or_on_site_or_long_ago_is_no_sign(patient: Patient) -> None:
    for _ in range(DROPPED):
        patient.cancel(patient.book(PayMode.ON_SITE))
        patient.work()
    patient.cancel(patient.paid())
    patient.work()
    assert noted(patient) == []
    drop(patient, DROPPED)
    patient.clock.advance(LOOK_BACK)
    assert noted(patient) == []


def test_one_person_from_many_accounts_is_one_cluster(patient: Patient) -> None:
    others = [same_person(patient) for _ in range(DROPPED // 2 + 1)]
    for one in others:
        one.schedule_id = beside(one)
        drop(one, 2)
    made = noted(patient)
    assert {one.account_id for one in made} == {one.account_id for one in others}
    assert {one.facts["common"] for one in made} == {"person"}


def test_nobody_is_answered_for_what_others_dropped(patient: Patient) -> None:
    rival = same_person(patient)
    rival.schedule_id = beside(rival)
    drop(rival, DROPPED - 1)
    drop(patient, 1)
    assert {one.account_id for one in noted(patient)} == {rival.account_id}


def test_a_family_that_does_not_pay_once_has_held_once(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    patient = make_patient(workbench, clock, adapters, numbers=6)
    for times in range(1, DROPPED + 1):
        bundled(patient, family(patient, 5) if times == 1 else family(patient, 2))
        patient.work(after=timedelta(minutes=16))
        made = noted(patient)
        assert len(made) == (times == DROPPED)
    assert len(made[0].facts["appointments"]) == DROPPED


def test_holding_and_dropping_by_exchange_is_seen(patient: Patient) -> None:
    old = patient.paid()
    day = hospital_day(patient.slot(old).starts_at) + timedelta(days=1)
    dearer = beside(patient, visit_date=day, fee_fen=8000)
    for times in range(DROPPED):
        assert noted(patient) == [], times
        patient.clock.advance(timedelta(minutes=1))
        patient.reschedule(old, dearer)
        patient.work(after=timedelta(minutes=16))
    (signal,) = noted(patient)
    assert len(signal.facts["appointments"]) == DROPPED


def test_one_takes_what_the_other_lets_go(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1)
    buyer = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    stranger = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    for taker in [buyer] * (REBOOKED - 1) + [stranger, buyer]:
        assert noted(patient) == []
        patient.cancel(patient.book(PayMode.ON_SITE))
        patient.work()
        taker.cancel(taker.book(PayMode.ON_SITE))
        patient.work(after=SOON)
    made = {one.account_id: one for one in noted(patient) if one.kind is SignalKind.REBOOKED_BY_ANOTHER}
    assert {buyer.account_id, patient.account_id} <= made.keys()
    assert made[patient.account_id].facts["common"] == "given"


def test_one_act_under_two_names_is_answered_once(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=1)
    buyer = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    for _ in range(DROPPED):
        drop(patient, 1)
        buyer.cancel(buyer.book(PayMode.ON_SITE))
        patient.work(after=SOON)
    noted(patient)
    made = {one.kind: one.answer for one in signals_of(patient)}
    assert made == dict.fromkeys([SignalKind.HOLD_AND_DROP, SignalKind.REBOOKED_BY_ANOTHER], SignalAnswer.COOL_DOWN)


def test_what_the_waitlist_hands_over_is_nobodys_arrangement(patient: Patient) -> None:
    """Whoever is first in every queue gets all that one other gives back."""
    waiter = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    today, booked = hospital_day(patient.clock.now()), list[UUID]()
    for nth in range(REBOOKED):
        half_day = fresh(patient, numbers=1, fee_fen=0, visit_date=today + timedelta(days=3 + nth)).schedule_id
        patient.schedule_id = waiter.schedule_id = half_day
        booked.append(patient.book(PayMode.ON_SITE))
        wait(waiter, pay=PayMode.ON_SITE)
    for one in booked:
        patient.cancel(one)
    patient.work(after=timedelta(minutes=5))
    taken = select(Appointment.slot_id).where(Appointment.account_id == waiter.account_id)
    assert set(patient.read(lambda session: session.scalars(taken).all())) == {patient.slot(one).id for one in booked}
    assert noted(patient) == []


# --- what is answered


def test_the_answer_grows_and_ends_with_a_person(patient: Patient) -> None:
    now = patient.clock.now()
    drop(patient, DROPPED)
    noted(patient)
    answered(patient)
    for more in (AGAIN - 1, 1, AGAIN):
        patient.write(lambda session, _now: _let_cool(session, patient))
        drop(patient, more)
        noted(patient)
    found = signals_of(patient)
    assert [one.answer for one in found] == [SignalAnswer.COOL_DOWN, SignalAnswer.STEP_UP, SignalAnswer.REVIEW]
    assert found[1].until == now + STEP_UP
    assert found[2].until is None


def _let_cool(session: object, patient: Patient) -> None:
    for one in session.scalars(select(BookingSignal)):  # type: ignore[attr-defined]
        if one.answer is SignalAnswer.COOL_DOWN:
            one.until = patient.clock.now()


def test_a_cool_down_refuses_what_is_new_until_its_very_instant(patient: Patient) -> None:
    answered(patient, SignalAnswer.COOL_DOWN, until=timedelta(minutes=1))
    patient.clock.advance(timedelta(minutes=1) - TICK)
    with pytest.raises(Restricted) as refused:
        patient.book()
    assert (refused.value.facts["kind"], refused.value.retry_at) == ("cool_down", patient.clock.now() + TICK)
    assert codes(patient) == ["restricted"]
    patient.clock.advance(TICK)
    assert codes(patient) == []
    patient.book()


@pytest.mark.parametrize("answer", [SignalAnswer.STEP_UP, SignalAnswer.REVIEW])
def test_after_more_signs_whoever_is_booked_for_must_have_been_present(patient: Patient, answer: SignalAnswer) -> None:
    answered(patient, answer)
    assert codes(patient) == []  # this one was present
    patient.write(lambda session, _now: _matched_only(session, patient))
    assert codes(patient) == ["identity_required"]
    with pytest.raises(IdentityRequired) as refused:
        patient.book()
    assert refused.value.facts["required_level"] == IdentityLevel.PRESENT


def _matched_only(session: object, patient: Patient) -> None:
    session.get_one(Dependent, patient.dependent_id).identity_level = IdentityLevel.MATCHED  # type: ignore[attr-defined]


def test_what_a_person_has_cleared_is_over_and_weighs_nothing(patient: Patient) -> None:
    _, cool = answered(patient, SignalAnswer.REVIEW, SignalAnswer.COOL_DOWN, until=timedelta(days=1))
    listed = patient.read(lambda session: signals_in_force(session, now=patient.clock.now()))
    assert [one.answer for one in listed] == [SignalAnswer.REVIEW, SignalAnswer.COOL_DOWN]
    for one in signals_of(patient):
        patient.write(
            lambda session, now, one=one: clear_signal(session, one.id, operator="desk", why="a big family", now=now)  # type: ignore[misc]
        )
    assert codes(patient) == []
    drop(patient, DROPPED)
    assert [one.answer for one in noted(patient)] == [SignalAnswer.COOL_DOWN]
    cleared = next(one for one in signals_of(patient) if one.id == cool)
    assert (cleared.cleared_by, cleared.cleared_why) == ("desk", "a big family")


def test_what_is_not_there_cannot_be_cleared(patient: Patient) -> None:
    with pytest.raises(NotFound):
        patient.write(lambda session, now: clear_signal(session, UUID(int=1), operator="desk", why="-", now=now))
