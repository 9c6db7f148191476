"""Real threads: money that arrives while the hospital refuses, and a patient who cancels while it confirms."""

from __future__ import annotations

from datetime import timedelta
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
    for _ in range(8):
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


def test_who_cancels_while_the_hospital_confirms_leaves_nothing_there(patient: Patient, his: FakeHospital) -> None:
    for _ in range(ROUNDS):
        one = another(patient)
        appointment_id: UUID = one.book(PayMode.ON_SITE)
        told = race(one.work, lambda one=one, appointment_id=appointment_id: one.cancel(appointment_id), one.work)
        assert [said for said in told if isinstance(said, Exception)] == []
        settle(one)
        assert one.appointment(appointment_id).status is AppointmentStatus.CANCELLED
        assert his.claims.get(one.appointment(appointment_id).number) in {None, HospitalSays.RELEASED}
        assert one.slot(appointment_id).status is SlotStatus.FREE
        one.assert_sound()


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
