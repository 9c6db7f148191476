"""An appointment that its hospital must agree to: each way a call can end, for each thing that is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fakes_hospital import LOST, FakeHospital, claim_of, connect, pay, settled
from harness import Patient
from sqlalchemy import func, select

from core.ports import HospitalRefusal, HospitalSays
from models.appointment import AppointmentStatus, CancelReason, PayMode
from models.hospital_card import HospitalCard
from models.hospital_claim import HospitalClaim
from models.job import Job
from models.payment import RefundStatus
from models.schedule import SlotStatus, WithheldReason

HELD_PATH = ["none", "held", "confirmed"]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def his(patient: Patient) -> FakeHospital:
    return connect(patient)


def claim_moves(patient: Patient, appointment_id: UUID) -> list[str]:
    return [one.to_status for one in patient.moves(claim_of(patient, appointment_id).id)]


def test_a_hospital_without_a_system_costs_nothing(patient: Patient) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    assert patient.read(lambda session: session.scalar(select(func.count()).select_from(HospitalClaim))) == 0
    assert patient.read(lambda session: session.scalar(select(func.count()).select_from(Job))) == 0


def about_claims(his: FakeHospital) -> list[str]:
    """Without what other jobs pull."""
    return [call for call in his.calls if call not in {"half_days", "visits"}]


def test_free_or_paid_on_site_is_held_and_confirmed_at_once(patient: Patient, his: FakeHospital) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    waiting = patient.appointment(appointment_id)
    assert (waiting.status, waiting.awaiting) == (AppointmentStatus.PENDING, ["hospital"])
    assert (his.calls, patient.slot(appointment_id).status) == ([], SlotStatus.HELD)
    patient.work()
    booked = patient.appointment(appointment_id)
    assert (booked.status, booked.hospital_sequence) == (AppointmentStatus.BOOKED, 77)
    assert about_claims(his) == ["find", "create", "hold", "confirm"]
    assert (his.paid, claim_moves(patient, appointment_id)) == ({booked.number: 0}, HELD_PATH)
    assert claim_of(patient, appointment_id).hospital_number == f"HIS{booked.number}"
    patient.assert_sound()


def test_what_is_to_be_paid_is_held_first_and_confirmed_with_the_money(patient: Patient, his: FakeHospital) -> None:
    appointment_id = patient.book()
    patient.work()
    held = patient.appointment(appointment_id)
    assert (held.awaiting, his.claims) == (["payment", "hospital"], {held.number: HospitalSays.HELD})
    assert his.orders[held.number].until == held.close_by
    pay(patient, appointment_id)
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    assert his.paid == {held.number: 5000}
    patient.assert_sound()


def test_the_record_there_becomes_a_card_and_is_found_again(patient: Patient, his: FakeHospital) -> None:
    first = patient.book(PayMode.ON_SITE)
    patient.work()
    patient.cancel(first)
    patient.work()
    again = patient.book(PayMode.ON_SITE)
    patient.work()
    assert his.calls.count("create") == 1
    (card,) = patient.read(lambda session: session.scalars(select(HospitalCard)).all())
    assert (card.dependent_id, card.is_current) == (patient.dependent_id, True)
    assert his.orders[patient.appointment(again).number].patient == "MR000001"


# --- each call, each way to go wrong


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("verb", ["find", "create", "hold", "confirm"])
def test_what_is_not_answered_is_asked_back_until_it_is_known(
    patient: Patient, his: FakeHospital, verb: str, how: Any
) -> None:
    his.faults = [(verb, how)]
    appointment_id = patient.book()
    patient.work()
    pay(patient, appointment_id)
    settled(patient)
    appointment = patient.appointment(appointment_id)
    assert (appointment.status, his.faults) == (AppointmentStatus.BOOKED, [])
    assert his.claims == {appointment.number: HospitalSays.CONFIRMED}
    patient.assert_sound()


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("paid", [False, True])
def test_the_number_comes_back_only_once_the_hospital_has_it(
    patient: Patient, his: FakeHospital, paid: bool, how: Any
) -> None:
    appointment_id = patient.book()
    patient.work()
    if paid:
        pay(patient, appointment_id)
        patient.work()
    his.faults, his.away = [("release", how)], True
    patient.cancel(appointment_id)
    settled(patient, most=5)
    slot = patient.slot(appointment_id)
    assert (slot.status, slot.withheld_reason) == (SlotStatus.WITHHELD, WithheldReason.CLOSING)
    assert [one.status for one in patient.refunds()] == [RefundStatus.DUE] * paid
    patient.assert_sound()
    his.away = False
    settled(patient)
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    assert list(his.claims.values()) == [HospitalSays.RELEASED]
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING] * paid
    patient.assert_sound()


@pytest.mark.parametrize("reason", [one for one in HospitalRefusal if one is not HospitalRefusal.OURS])
@pytest.mark.parametrize("verb", ["hold", "confirm"])
def test_a_refusal_ends_the_claim_and_gives_the_money_back(
    patient: Patient, his: FakeHospital, verb: str, reason: HospitalRefusal
) -> None:
    appointment_id = patient.book()
    his.faults = [(verb, reason)]
    if verb == "confirm":
        patient.work()
    pay(patient, appointment_id)
    settled(patient)
    appointment = patient.appointment(appointment_id)
    assert (appointment.status, appointment.cancel_reason) == (
        AppointmentStatus.CANCELLED,
        CancelReason.HOSPITAL_REFUSED,
    )
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING]
    taken = reason is HospitalRefusal.TAKEN
    assert patient.slot(appointment_id).status is (SlotStatus.SUSPENDED if taken else SlotStatus.FREE)
    assert "release" not in his.calls
    patient.assert_sound()


def test_a_number_that_the_hospital_keeps_is_not_sold_again_and_two_people_decide_about_the_money(
    patient: Patient, his: FakeHospital
) -> None:
    appointment_id = patient.book()
    patient.work()
    pay(patient, appointment_id)
    patient.work()
    his.faults = [("release", HospitalRefusal.USED)]
    patient.cancel(appointment_id)
    settled(patient)
    assert patient.slot(appointment_id).status is SlotStatus.SUSPENDED
    assert [one.status for one in patient.refunds()] == [RefundStatus.DESK]
    assert his.calls.count("release") == 1
    patient.assert_sound()


# --- time


def test_an_unpaid_number_lapses_there_too(patient: Patient, his: FakeHospital) -> None:
    appointment_id = patient.book()
    patient.work()
    patient.work(after=16 * MINUTE)
    settled(patient, most=3)
    gone = patient.appointment(appointment_id)
    assert (gone.cancel_reason, his.claims) == (CancelReason.PAYMENT_TIMEOUT, {gone.number: HospitalSays.RELEASED})
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


def test_a_hold_that_ends_does_not_end_what_was_paid(patient: Patient, his: FakeHospital) -> None:
    appointment_id = patient.book()
    patient.work()
    his.away = True
    pay(patient, appointment_id)
    patient.work()
    patient.work(after=16 * MINUTE)
    assert patient.appointment(appointment_id).awaiting == ["hospital"]
    patient.assert_sound()


def test_a_hospital_that_is_down_for_an_hour_confirms_what_was_paid_and_gets_nothing_that_lapsed(
    patient: Patient, his: FakeHospital
) -> None:
    paid = patient.book()
    patient.work()
    his.away = True
    pay(patient, paid)
    for _ in range(30):
        patient.work(after=2 * MINUTE)
        patient.assert_sound()
    assert patient.appointment(paid).awaiting == ["hospital"]
    his.away = False
    settled(patient)
    assert patient.appointment(paid).status is AppointmentStatus.BOOKED
    assert len(about_claims(his)) < 60, "asked slower and slower"


def test_a_hospital_that_never_answers_is_given_up_and_the_money_goes_back(patient: Patient, his: FakeHospital) -> None:
    appointment_id = patient.book()
    patient.work()
    his.away = True
    pay(patient, appointment_id)
    for _ in range(80):
        patient.work(after=2 * MINUTE)
    gone = patient.appointment(appointment_id)
    assert (gone.status, gone.cancel_reason) == (AppointmentStatus.CANCELLED, CancelReason.ERROR)
    for _ in range(80):
        patient.work(after=2 * MINUTE)
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING], "nobody's money waits for long"
    assert patient.slot(appointment_id).status is SlotStatus.WITHHELD, "the hospital may still have it"
    patient.assert_sound()
    his.away = False
    settled(patient)
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


# --- what happens while a call is under way


@pytest.mark.parametrize("verb", ["find", "hold", "confirm"])
def test_cancelled_while_the_hospital_is_being_called(patient: Patient, his: FakeHospital, verb: str) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)

    def cancel(called: str) -> None:
        if called == verb:
            his.meanwhile = lambda _verb: None
            patient.cancel(appointment_id)
            assert patient.slot(appointment_id).status is SlotStatus.WITHHELD

    his.meanwhile = cancel
    patient.work()
    settled(patient, most=6)
    number = patient.appointment(appointment_id).number
    assert his.claims == {number: HospitalSays.RELEASED}
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


def test_a_worker_that_died_in_the_call_is_asked_back(patient: Patient, his: FakeHospital) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)

    class Killed(BaseException):
        pass

    def die(called: str) -> None:
        if called == "confirm":
            his.meanwhile = lambda _verb: None
            raise Killed

    his.meanwhile = die
    patient.work()
    assert claim_of(patient, appointment_id).calling == "confirm"
    patient.assert_sound()
    settled(patient)
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    assert claim_moves(patient, appointment_id) == ["none", "held", "unknown", "held", "confirmed"]
    patient.assert_sound()


def test_a_call_that_is_still_on_its_way_holds_nothing_after_the_release(patient: Patient, his: FakeHospital) -> None:
    """The hold reaches the hospital after all; but the claim was released before it was ever known there."""
    his.faults = [("hold", "before")]
    appointment_id = patient.book(PayMode.ON_SITE)
    patient.work()
    patient.cancel(appointment_id)
    settled(patient, most=5)
    number = patient.appointment(appointment_id).number
    assert his.claims == {number: HospitalSays.RELEASED}
    patient.assert_sound()


def test_lost_work_is_found(patient: Patient, his: FakeHospital) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    patient.write(lambda session, _now: session.query(Job).delete())
    patient.work(after=3 * MINUTE)
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
