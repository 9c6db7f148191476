"""Jobs that come again or too late, and merchants that are gone: a number is let go by its own closing only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import FakeAdapters, ManualClock
from harness import REQUEST, Patient, join, make_patient

from core.booking.endings.release import close_payments
from core.jobs.queue import LeasedJob, lease_ready, postpone
from core.payments.ask import look_at_payment
from core.ports import PaymentGateway, TradeState
from core.registry import NotConfigured
from core.workbench import Workbench
from models.appointment import AppointmentStatus
from models.base import new_id
from models.payment import PaymentStatus
from models.schedule import SlotStatus


def test_an_old_closing_that_runs_again_does_not_let_go_of_what_another_still_closes(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    first = make_patient(workbench, clock, adapters, numbers=1)
    second = join(workbench, clock, adapters, first.schedule_id)
    earlier = first.book()
    first.open_payment(earlier)
    first.cancel(earlier)
    first.work()
    assert first.slot(earlier).status is SlotStatus.FREE

    later = second.book()
    second.open_payment(later)
    first.gateway.down = "before"
    second.cancel(later)
    charge = first.appointment(earlier).charge_id
    again = LeasedJob(new_id(), "close_payments", {"charge_id": str(charge)}, 1, 1)
    assert close_payments(workbench, again) is None
    assert second.slot(later).status is SlotStatus.WITHHELD
    first.work(after=timedelta(seconds=1))
    assert second.slot(later).status is SlotStatus.WITHHELD
    second.assert_sound()


def test_a_merchant_that_is_no_longer_configured_does_not_hold_a_number_past_the_cap(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)

    def gone(*_: object) -> PaymentGateway:
        raise NotConfigured("demo")

    monkeypatch.setattr(patient.adapters, "gateway_of", gone)
    patient.work(after=timedelta(minutes=16))
    assert patient.appointment(appointment_id).status is AppointmentStatus.PENDING
    patient.work(after=timedelta(minutes=31))
    assert patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    assert patient.payments()[0].status is PaymentStatus.UNKNOWN
    patient.assert_sound()


def test_a_platform_that_hangs_is_not_asked_any_more_once_the_cap_has_passed(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.down = "before"
    patient.clock.advance(timedelta(minutes=46))
    patient.gateway.calls.clear()
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED
    assert [verb for verb, _ in patient.gateway.calls if verb == "close_payment"] == []


def test_a_patient_who_looks_again_and_again_is_asked_for_now_and_then_and_slows_no_job(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    payment_id = patient.payments()[0].id
    patient.gateway.calls.clear()
    for _ in range(20):
        look_at_payment(patient.workbench, payment_id=payment_id, account_id=patient.account_id, cause=REQUEST)
        patient.clock.advance(timedelta(seconds=1))
    assert len([verb for verb, _ in patient.gateway.calls if verb == "find_payment"]) in {3, 4}
    assert patient.payments()[0].asked_times == 0


@pytest.mark.parametrize("lost", [False, True], ids=["in time", "without an answer"])
def test_a_number_that_is_being_opened_is_not_closed_by_a_platform_that_does_not_know_it_yet(
    patient: Patient, *, lost: bool
) -> None:
    """The patient cancels while the call is under way: it arrives after the closing, and must be closed then."""
    appointment_id = patient.book()
    intent = patient.intend(appointment_id)
    patient.cancel(appointment_id)
    patient.work()
    assert patient.payments()[0].status is PaymentStatus.CREATED
    assert patient.slot(appointment_id).status is SlotStatus.WITHHELD
    patient.gateway.down = "after" if lost else None
    assert patient.finish_opening(intent) is not None  # no sheet for a number that is given up
    patient.gateway.down = None
    patient.work(after=timedelta(minutes=1))
    assert patient.payments()[0].status is PaymentStatus.CLOSED
    assert [one.state for one in patient.gateway.trades.values()] == [TradeState.CLOSED]
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


def test_a_number_that_never_arrived_is_closed_once_no_call_can_be_under_way(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.intend(appointment_id)
    patient.cancel(appointment_id)
    patient.work(after=timedelta(seconds=29))
    assert patient.payments()[0].status is PaymentStatus.CREATED
    patient.work(after=timedelta(seconds=31))
    assert patient.payments()[0].status is PaymentStatus.CLOSED
    assert patient.slot(appointment_id).status is SlotStatus.FREE
    patient.assert_sound()


def test_a_number_goes_back_as_soon_as_its_prepay_is_known_to_be_closed(patient: Patient) -> None:
    """Whoever hears it: the closing of the hold, which may pause for a minute by now, or the asking back."""
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.down = "before"
    patient.work(after=timedelta(minutes=16))
    assert patient.appointment(appointment_id).status is AppointmentStatus.PENDING
    patient.gateway.down = None
    patient.gateway.close_payment(patient.payments()[-1].out_trade_no)  # a closing whose answer was lost
    for _ in range(60):
        patient.work(after=timedelta(seconds=1))
        closed = patient.payments()[-1].status is PaymentStatus.CLOSED
        assert closed == (patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED)
        patient.assert_sound()
    assert closed


def test_an_end_of_hold_that_looked_too_early_looks_again_at_once(patient: Patient) -> None:
    """A worker has it in hand, and has seen the prepay open, when the asking back hears that it is closed."""
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.clock.advance(timedelta(minutes=16))
    [ending] = [one for one in _leased(patient) if one.kind == "end_hold"]
    patient.gateway.close_payment(patient.payments()[-1].out_trade_no)  # as above
    look_at_payment(
        patient.workbench, payment_id=patient.payments()[-1].id, account_id=patient.account_id, cause=REQUEST
    )
    assert patient.payments()[-1].status is PaymentStatus.CLOSED
    later = patient.clock.now() + timedelta(minutes=1)
    assert not patient.workbench.transactions.write(lambda session, _now: postpone(session, ending, until=later))
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED
    patient.assert_sound()


def _leased(patient: Patient) -> list[LeasedJob]:
    return patient.workbench.transactions.write(
        lambda session, now: lease_ready(session, worker="another", limit=100, now=now)
    )
