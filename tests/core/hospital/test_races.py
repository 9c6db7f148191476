"""Real threads: money that arrives while the hospital refuses, and a patient who cancels while it confirms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from arriving import at_the_desk
from exchanging import later, money_kept
from fakes import FakeAdapters, ManualClock
from fakes_hospital import FakeHospital, claim_of, connect, pay, settled
from families import bundled, elsewhere, family, ids_of
from harness import Patient, beside, join, race
from hospital_acts import suspend
from offering import Clinics, lost, make_clinics
from sqlalchemy import select

from core.ports import HospitalRefusal, HospitalSays
from core.refusals import OfferEnded
from core.transactions import Overloaded
from core.workbench import Workbench
from models.appointment import OPEN, Appointment, AppointmentStatus, CancelReason, PayMode
from models.errors import DomainError
from models.hospital_claim import HospitalClaimStatus
from models.offer import OfferStatus
from models.payment import RefundStatus
from models.schedule import SlotStatus

ROUNDS = 6


@pytest.fixture
def his(patient: Patient) -> FakeHospital:
    return connect(patient)


def another(patient: Patient) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)


def settle(patient: Patient) -> None:
    for _ in range(6):
        patient.work(after=timedelta(seconds=10))


@pytest.mark.parametrize("verb", ["hold", "confirm"])
def test_money_that_arrives_while_the_hospital_refuses_goes_back(
    patient: Patient, his: FakeHospital, verb: str
) -> None:
    for _ in range(ROUNDS):
        one = another(patient)
        appointment_id = one.book()
        if verb == "confirm":
            one.work()
        assert one.open_payment(appointment_id) is None
        trade = one.payments()[-1].out_trade_no
        his.faults = [(verb, HospitalRefusal.LIMIT)]
        told = race(one.work, lambda one=one, trade=trade: one.hear(one.gateway.pay(trade)), one.work)
        assert [said for said in told if isinstance(said, Exception)] == []
        settle(one)
        assert one.appointment(appointment_id).status is AppointmentStatus.CANCELLED
        assert claim_of(one, appointment_id).status is HospitalClaimStatus.REFUSED
        assert one.slot(appointment_id).status is SlotStatus.FREE
        one.assert_sound()
    assert [one.status for one in patient.refunds()] == [RefundStatus.PROCESSING] * ROUNDS


@pytest.mark.parametrize("verb", ["find", "hold", "confirm"])
def test_who_cancels_while_the_hospital_is_called_leaves_nothing_there(
    patient: Patient, his: FakeHospital, verb: str
) -> None:
    """The worker that is told of it does not call before the other has its answer."""
    for _ in range(3):
        one, called, worked = another(patient), Event(), Event()
        appointment_id: UUID = one.book(PayMode.ON_SITE)

        def pause(said: str, called: Event = called, worked: Event = worked) -> None:
            if said == verb and not called.is_set():
                called.set()
                assert worked.wait(30)

        def cancel(
            one: Patient = one, appointment_id: UUID = appointment_id, called: Event = called, worked: Event = worked
        ) -> None:
            assert called.wait(30)
            one.cancel(appointment_id)
            one.work()
            worked.set()

        his.meanwhile = pause
        told = race(one.work, cancel)
        assert [said for said in told if isinstance(said, Exception)] == []
        settle(one)
        assert one.appointment(appointment_id).status is AppointmentStatus.CANCELLED
        assert his.claims[one.appointment(appointment_id).number] is HospitalSays.RELEASED
        assert one.slot(appointment_id).status is SlotStatus.FREE
        one.assert_sound()
    assert his.most_at_once == 1


def test_two_workers_make_one_claim(patient: Patient, his: FakeHospital) -> None:
    for _ in range(ROUNDS):
        one = another(patient)
        appointment_id = one.book(PayMode.ON_SITE)
        his.calls.clear()
        race(one.work, one.work, one.work)
        assert one.appointment(appointment_id).status is AppointmentStatus.BOOKED
        assert (his.calls.count("hold"), his.calls.count("confirm")) == (1, 1)
        one.cancel(appointment_id)
        settle(one)
        one.assert_sound()


# --- exchanging a number

HAPPENS: dict[str, Callable[[Patient, UUID, UUID], object]] = {
    "old cancelled": lambda one, old, _new: one.cancel(old),
    "new cancelled": lambda one, _old, new: one.cancel(new),
    "old suspended": lambda one, old, _new: suspend(one, one.appointment(old).schedule_id),
    "new suspended": lambda one, _old, new: suspend(one, one.appointment(new).schedule_id),
    "old used": lambda one, old, _new: at_the_desk(one, "check_in_at_desk", old, overrule=True),
    "nothing": lambda _one, _old, _new: None,
}


@pytest.mark.parametrize(("fee", "refused"), [(5000, False), (8000, False), (8000, True)])
@pytest.mark.parametrize("what", HAPPENS)
def test_whatever_happens_while_the_hospital_answers_one_number_has_the_money(
    patient: Patient, his: FakeHospital, fee: int, what: str, refused: bool
) -> None:
    for _ in range(2):
        patient.schedule_id = beside(patient)
        one = another(patient)
        old = one.book(PayMode.ONLINE)
        pay(one, old)
        settle(one)
        new = one.reschedule(old, later(one, fee_fen=fee))
        if fee > 5000:
            one.work()
            assert one.open_payment(new) is None
            trade = one.payments()[-1].out_trade_no
        his.faults = [("confirm", HospitalRefusal.OTHER)] if refused else []
        told = race(
            one.work,
            lambda one=one, old=old, new=new: HAPPENS[what](one, old, new),
            *([lambda one=one, trade=trade: one.hear(one.gateway.pay(trade))] if fee > 5000 else [one.work]),
            one.work,
        )
        assert [said for said in told if isinstance(said, Exception) and not isinstance(said, DomainError)] == []
        settle(one)
        one.work(after=timedelta(minutes=16))
        settle(one)
        his.faults = []
        found = {each: one.appointment(each) for each in (old, new)}
        standing = [each for each in found.values() if each.status in OPEN]
        assert len(standing) <= 1
        for each in found.values():
            assert (his.claims.get(each.number) is HospitalSays.CONFIRMED) == (each in standing)
        assert money_kept(one) == sum(each.fee_fen for each in standing)
        one.assert_sound()
        for each in standing:
            at_the_desk(one, "cancel_at_desk", each.id)
        settle(one)


# --- other numbers for a lost one


@pytest.fixture
def clinics(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Clinics:
    return make_clinics(workbench, clock, adapters)


def one_or_all_of_the_money(clinics: Clinics, his: FakeHospital, old: UUID) -> None:
    """Once all is over the patient has one number, confirmed and paid for, or none and nothing is kept."""
    patient = clinics.patient
    for _ in range(3):
        settled(patient)
        patient.assert_sound()
        patient.work(after=timedelta(hours=2))
    settled(patient)
    found = patient.read(lambda session: list(session.scalars(select(Appointment))))
    standing = [one for one in found if one.status in OPEN]
    assert len(standing) <= 1
    assert patient.appointment(old).cancel_reason is CancelReason.SUSPENDED
    for one in found:
        assert (his.claims.get(one.number) is HospitalSays.CONFIRMED) == (one in standing)
    assert money_kept(patient) == sum(one.fee_fen for one in standing)
    assert not [one for one in clinics.offers() if one.status is OfferStatus.OPEN]
    patient.assert_sound()


def at_expiry(clinics: Clinics) -> None:
    """The job that ends what nobody has answered."""
    clinics.patient.clock.set(clinics.offers()[0].expires_at)
    clinics.patient.work()


AGAINST: dict[str, Callable[[Clinics, UUID], Any]] = {
    "expiry": lambda clinics, _: at_expiry(clinics),
    "another offer": lambda clinics, _: clinics.accept(clinics.offers()[1]),
    "the same again": lambda clinics, _: clinics.accept(clinics.offers()[0]),
    "refusal": lambda clinics, _: clinics.refuse(clinics.offers()[0]),
    "suspension of the other": lambda clinics, _: suspend(clinics.patient, clinics.later),
    "cancelling": lambda clinics, old: clinics.patient.cancel(old),
}


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("rival", AGAINST)
def test_taking_another_number_there_against_whatever_ends_it(clinics: Clinics, rival: str, refused: bool) -> None:
    patient, his = clinics.patient, connect(clinics.patient)
    old = lost(clinics, his)
    offer = clinics.offers()[0]
    his.faults = [("hold", HospitalRefusal.OTHER)] if refused else []
    if rival == "expiry":
        patient.clock.set(offer.expires_at - timedelta(microseconds=1))
    told = race(lambda: clinics.accept(offer), lambda: AGAINST[rival](clinics, old), patient.work, patient.work)
    assert [one for one in told if isinstance(one, Exception) and not isinstance(one, DomainError | Overloaded)] == []
    taken = [one.accepted_as_id for one in clinics.offers() if one.status is OfferStatus.ACCEPTED]
    assert set(taken) == {one for one in told if isinstance(one, UUID) and one != old}
    if len(taken) > 1:  # the second only after the hospital had said no to the first
        assert refused
    one_or_all_of_the_money(clinics, his, old)


def test_taking_another_one_while_the_hospital_refuses_the_first(clinics: Clinics) -> None:
    """Before its word is known there is none to be had; afterwards there is."""
    his = connect(clinics.patient)
    old = lost(clinics, his)
    first, second, _ = clinics.offers()
    clinics.accept(first)
    his.faults = [("hold", HospitalRefusal.LIMIT)]
    told = race(clinics.patient.work, lambda: clinics.accept(second), clinics.patient.work)
    assert told[0] is told[2] is None
    if not isinstance(told[1], UUID):
        assert isinstance(told[1], OfferEnded)
        settled(clinics.patient)
        clinics.accept(second)
    one_or_all_of_the_money(clinics, his, old)
    assert clinics.patient.read(lambda session: session.scalars(select(Appointment.status)).all()).count("booked") == 1


def test_two_of_one_loss_taken_at_once_are_one(clinics: Clinics) -> None:
    his = connect(clinics.patient)
    old = lost(clinics, his)
    first, second, third = clinics.offers()
    told = race(*(lambda one=one: clinics.accept(one) for one in (first, second, third)))
    assert sum(isinstance(one, UUID) for one in told) == 1
    assert all(isinstance(one, UUID | OfferEnded | Overloaded) for one in told)
    one_or_all_of_the_money(clinics, his, old)


# --- a bundle

BESIDES: dict[str, Callable[[Patient, UUID], object]] = {
    "a part cancelled": lambda one, part: one.cancel(part),
    "its clinic suspended": lambda one, part: suspend(one, one.appointment(part).schedule_id),
    "nothing": lambda _one, _part: None,
}


@pytest.mark.parametrize("refused", [None, "hold", "confirm"])
@pytest.mark.parametrize("what", BESIDES)
def test_a_bundle_is_had_whole_or_not_at_all_whatever_happens_while_the_hospital_answers(
    patient: Patient, his: FakeHospital, what: str, refused: str | None
) -> None:
    """It is paid while the hospital is asked, which refuses one; and the other is given back, or its clinic called off.
    What the patient has not let go, and takes place, is had together, and the money is for that alone."""
    for _ in range(3):
        one = another(patient)
        one.schedule_id = beside(patient)
        (first, _), (other, _) = family(one)
        ids = ids_of(bundled(one, [(first, one.schedule_id), (other, elsewhere(one, fee_fen=5000))]))
        if refused == "confirm":
            one.work()
        assert one.open_payment(ids[0]) is None
        trade = one.payments()[-1].out_trade_no
        his.faults_of = {one.appointment(ids[0]).number: (refused, HospitalRefusal.OTHER)} if refused else {}
        told = race(
            one.work,
            lambda one=one, trade=trade: one.hear(one.gateway.pay(trade)),
            lambda one=one, ids=ids: BESIDES[what](one, ids[1]),
            one.work,
            one.work,
        )
        assert [said for said in told if isinstance(said, Exception) and not isinstance(said, DomainError)] == []
        settled(one)
        one.work(after=timedelta(minutes=16))
        settled(one)
        his.faults_of = {}
        found = [one.appointment(each) for each in ids]
        standing = [each for each in found if each.status in OPEN]
        assert [each.status for each in standing] == ["booked"] * len(standing)
        assert len(standing) in ({0} if refused else {1} if what == "a part cancelled" else {1, 2})
        assert len(standing) == 2 or refused or what != "nothing"
        for each in found:
            assert (his.claims.get(each.number) is HospitalSays.CONFIRMED) == (each in standing)
        received = sum(each.received_fen or 0 for each in one.payments() if each.charge_id == found[0].charge_id)
        back = sum(each.amount_fen for each in one.refunds() if each.charge_id == found[0].charge_id)
        assert received - back == sum(each.fee_fen for each in standing)
        one.assert_sound()
