"""Several rules at once in their order, and what another account's appointments may tell: nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from eligible import codes, elsewhere, look, set_schedule, set_slots, why
from harness import Patient, beside, relatives, same_person
from sqlalchemy import delete, update

from core.refusals import PersonLimit
from models.account import Consent
from models.agreement import Agreement
from models.appointment import PayMode
from models.errors import NotFound
from models.person import Dependent
from models.schedule import ScheduleStatus, SlotStatus

# --- several at once, in their order


def test_every_rule_that_refuses_is_told_and_the_most_telling_first(patient: Patient) -> None:
    patient.book()
    set_slots(patient, SlotStatus.BOOKED)
    set_schedule(patient, status=ScheduleStatus.SUSPENDED)
    patient.write(
        lambda session, _now: session.execute(delete(Consent).where(Consent.account_id == patient.account_id))
    )
    patient.write(lambda session, _now: session.execute(update(Dependent).values(identity_level=0)))
    assert codes(patient) == [
        "schedule_suspended",
        "consent_required",
        "consent_required",
        "identity_required",
        "already_booked",
        "hold_open",
        "sold_out",
    ]


def test_each_reason_comes_with_another_way(patient: Patient) -> None:
    set_slots(patient, SlotStatus.BOOKED)
    set_schedule(patient, release_at=patient.clock.now() + timedelta(days=1))
    patient.write(lambda session, _now: session.execute(update(Dependent).values(identity_level=0)))
    assert [(reason.error.code, reason.alternatives) for reason in look(patient).reasons] == [
        ("not_released", ["wait_for_release"]),
        ("identity_required", ["identity_check", "desk"]),
        ("sold_out", ["desk"]),
    ]


# --- what another account has is not told


def typed_only(other: Patient) -> None:
    change = update(Dependent).where(Dependent.id == other.dependent_id).values(identity_level=0)
    other.write(lambda session, _now: session.execute(change))


def not_agreed(other: Patient) -> None:
    theirs = delete(Agreement).where(Agreement.dependent_id == other.dependent_id)
    other.write(lambda session, _now: session.execute(theirs))


def without_consent(other: Patient) -> None:
    theirs = delete(Consent).where(Consent.account_id == other.account_id)
    other.write(lambda session, _now: session.execute(theirs))


@pytest.mark.parametrize("lacks", [typed_only, not_agreed, without_consent])
def test_whoever_may_not_book_for_somebody_learns_nothing_of_them(
    patient: Patient, lacks: Callable[[Patient], None]
) -> None:
    """However many half days a stranger tries with a number they have got hold of."""
    stranger = same_person(patient)
    lacks(stranger)
    before = codes(stranger)
    assert before
    had = patient.book(PayMode.ON_SITE)
    assert codes(stranger) == before
    patient.cancel(had)
    patient.book()
    assert codes(stranger) == before


def book_online(other: Patient) -> None:
    other.book()


def book_on_site(other: Patient) -> None:
    other.book(PayMode.ON_SITE)


def book_beside(other: Patient) -> None:
    other.book(PayMode.ON_SITE, schedule_id=beside(other))


def book_beside_online(other: Patient) -> None:
    other.book(schedule_id=beside(other))


def book_two_elsewhere(other: Patient) -> None:
    for _ in range(2):
        other.book(PayMode.ON_SITE, schedule_id=elsewhere(other))


def hold_another_day(other: Patient) -> None:
    other.book(schedule_id=elsewhere(other, visit_date=date(2026, 11, 26)))


@pytest.mark.parametrize(
    "act", [book_online, book_on_site, book_beside, book_beside_online, book_two_elsewhere, hold_another_day]
)
def test_a_limit_reached_through_another_account_is_the_generic_one(
    patient: Patient, act: Callable[[Patient], None]
) -> None:
    """Whatever they did: one answer, one reason, no fact."""
    act(same_person(patient))
    refused = why(patient)
    assert isinstance(refused, PersonLimit)
    assert (refused.facts, refused.retry_at) == ({}, None)
    assert look(patient).reasons[0].alternatives == ["desk"]


def test_a_limit_that_only_both_together_reach_is_hidden_too(patient: Patient) -> None:
    generous = {"max_open_per_person_department_day": 2}
    other = same_person(patient)
    patient.book(PayMode.ON_SITE, schedule_id=beside(patient, terms=generous))
    other.book(PayMode.ON_SITE, schedule_id=beside(patient, terms=generous))
    assert codes(patient, beside(patient, terms=generous)) == ["person_limit"]


def test_the_holds_of_another_accounts_dependents_are_none_of_ours(patient: Patient) -> None:
    other = same_person(patient)
    for relative in relatives(other):
        other.book(dependent_id=relative)
    assert codes(patient) == []


def test_the_dependent_of_another_account_does_not_exist(patient: Patient) -> None:
    other = same_person(patient)
    other.dependent_id = patient.dependent_id
    with pytest.raises(NotFound):
        look(other)


def test_cancelling_elsewhere_frees_the_person(patient: Patient) -> None:
    other = same_person(patient)
    appointment_id = other.book(PayMode.ON_SITE)
    assert codes(patient) == ["person_limit"]
    other.cancel(appointment_id)
    assert codes(patient) == []
