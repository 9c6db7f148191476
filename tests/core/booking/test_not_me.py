"""L-24: what was booked in another's name is frozen until the desk has seen whose it is."""

from __future__ import annotations

import pytest
from arriving import at_segment, at_the_desk, build_campus, come
from harness import Patient, join, same_person
from sqlalchemy import select

from core.booking.day.not_me import report_not_me
from core.refusals import AppointmentFrozen, IdentityRequired
from models.appointment import AppointmentStatus, CancelReason, PayMode
from models.arrival import NotMeReport
from models.notice import Notice
from models.person import Dependent, PersonIdentifier, Relationship


def report(patient: Patient) -> int:
    return patient.write(lambda session, now: report_not_me(session, account_id=patient.account_id, now=now))


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
