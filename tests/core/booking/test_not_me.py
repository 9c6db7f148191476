"""L-24: what was booked in another's name is frozen until the desk has seen whose it is."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from arriving import at_segment, at_the_desk, build_campus, come
from families import states
from harness import REQUEST, Patient, beside, join, same_person
from hospital_acts import offer_instead
from sqlalchemy import select

from core.booking.clinic.take_offer import accept_offer
from core.booking.day.not_me import is_frozen, report_not_me
from core.refusals import AppointmentFrozen, IdentityRequired
from models.appointment import AppointmentStatus, CancelReason, PayMode
from models.arrival import NotMeReport
from models.notice import Notice
from models.person import Dependent, PersonIdentifier, Relationship
from models.schedule import Schedule


def report(patient: Patient) -> int:
    return patient.write(
        lambda session, now: report_not_me(session, account_id=patient.account_id, now=now, cause=REQUEST)
    )


def holder_of(patient: Patient, *, level: int) -> Patient:
    """The person whom another account books for, with an account of their own."""

    def find(session: object) -> PersonIdentifier:
        whom = session.get_one(Dependent, patient.dependent_id)  # type: ignore[attr-defined]
        found: PersonIdentifier = session.get_one(PersonIdentifier, whom.identifier_id)  # type: ignore[attr-defined]
        return found

    return join(
        patient.workbench,
        patient.clock,
        patient.adapters,
        patient.schedule_id,
        person=patient.read(find),
        relationship=Relationship.SELF,
        level=level,
    )


def test_l_24_one_tap_freezes_what_others_booked_in_ones_name(patient: Patient) -> None:
    booked = patient.book(PayMode.ON_SITE)
    build_campus(patient)
    me = holder_of(patient, level=2)
    assert (report(me), report(me)) == (1, 0)
    at_segment(patient, booked)
    with pytest.raises(AppointmentFrozen):
        come(patient, booked)
    with pytest.raises(AppointmentFrozen):
        at_the_desk(patient, "check_in_at_desk", booked, overrule=True)
    told = patient.read(lambda session: [(one.account_id, one.kind) for one in session.scalars(select(Notice))])
    assert (patient.account_id, "appointment_frozen") in told
    patient.assert_sound()


def test_l_24_whoever_was_never_present_freezes_nothing(patient: Patient) -> None:
    patient.book(PayMode.ON_SITE)
    with pytest.raises(IdentityRequired):
        report(holder_of(patient, level=1))
    with pytest.raises(IdentityRequired):
        report(same_person(patient))
    assert patient.read(lambda session: session.scalars(select(NotMeReport)).all()) == []


def test_l_24_ones_own_and_a_strangers_numbers_stay_as_they_are(patient: Patient) -> None:
    patient.book(PayMode.ON_SITE)
    stranger = join(
        patient.workbench, patient.clock, patient.adapters, patient.schedule_id, relationship=Relationship.SELF
    )
    stranger.book(PayMode.ON_SITE)
    assert report(stranger) == 0


def test_l_24_a_mismatch_at_the_desk_freezes_and_the_desk_decides(patient: Patient) -> None:
    booked = patient.book(PayMode.ON_SITE)
    assert at_the_desk(patient, "report_at_desk", booked)
    assert not at_the_desk(patient, "report_at_desk", booked)
    at_segment(patient, booked)
    with pytest.raises(AppointmentFrozen):
        at_the_desk(patient, "check_in_at_desk", booked)
    assert at_the_desk(patient, "decide_at_desk", booked, confirmed=False)
    assert not at_the_desk(patient, "decide_at_desk", booked, confirmed=True)
    assert at_the_desk(patient, "check_in_at_desk", booked).status is AppointmentStatus.ARRIVED


def test_l_24_a_number_that_is_another_persons_is_taken_back_with_the_money(patient: Patient) -> None:
    booked = patient.paid()
    at_the_desk(patient, "report_at_desk", booked)
    assert at_the_desk(patient, "decide_at_desk", booked, confirmed=True)
    gone = patient.appointment(booked)
    assert (gone.status, gone.cancel_reason) == (AppointmentStatus.CANCELLED, CancelReason.DESK)
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    assert not at_the_desk(patient, "report_at_desk", booked)  # it has ended
    patient.assert_sound()


def test_l_24_a_frozen_number_is_given_for_no_other_one(patient: Patient) -> None:
    booked, there = patient.paid(), beside(patient)
    at_the_desk(patient, "report_at_desk", booked)
    offer = patient.write(lambda session, now: offer_instead(session, booked, there, now=now))
    of = {"offer_id": offer.id, "account_id": patient.account_id, "cause": REQUEST, "vault": patient.workbench.vault}
    with pytest.raises(AppointmentFrozen):
        patient.write(lambda session, now: accept_offer(session, now=now, **of))
    at_the_desk(patient, "decide_at_desk", booked, confirmed=False)
    patient.write(lambda session, now: accept_offer(session, now=now, **of))
    patient.assert_sound()


def exchanging(patient: Patient) -> tuple[UUID, UUID]:
    """A paid number, and a dearer one beside it whose difference is open at the platform."""
    old = patient.paid()
    day = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).visit_date)
    new = patient.reschedule(old, beside(patient, visit_date=day + timedelta(days=1), fee_fen=8000))
    assert patient.open_payment(new) is None
    return old, new


def test_l_24_nobody_pays_their_way_out_of_it_by_an_exchange(patient: Patient) -> None:
    old, new = exchanging(patient)
    assert at_the_desk(patient, "report_at_desk", old)
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()
    assert states(patient, [old, new]) == ["booked", "error"]
    assert patient.read(lambda session: is_frozen(session, old))
    assert [one.amount_fen for one in patient.refunds()] == [3000]
    patient.assert_sound()


@pytest.mark.parametrize("frozen_first", [True, False])
def test_what_the_desk_takes_back_ends_with_what_was_to_take_its_place(patient: Patient, frozen_first: bool) -> None:
    old, new = exchanging(patient)
    if frozen_first:
        at_the_desk(patient, "report_at_desk", old)
        assert at_the_desk(patient, "decide_at_desk", old, confirmed=True)
    else:
        at_the_desk(patient, "cancel_at_desk", old)
    patient.work()
    assert states(patient, [old, new]) == ["desk", "error"]
    assert (sum(one.amount_fen for one in patient.refunds()), patient.payments()[-1].status) == (5000, "closed")
    patient.assert_sound()
