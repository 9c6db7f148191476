"""Real threads: money that arrives while the hospital refuses, and a patient who cancels while it confirms."""

from __future__ import annotations

from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest
from fakes_hospital import FakeHospital, claim_of, connect
from harness import Patient, join, race

from core.ports import HospitalRefusal, HospitalSays
from models.appointment import AppointmentStatus, PayMode
from models.hospital_claim import HospitalClaimStatus
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
