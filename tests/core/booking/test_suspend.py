"""A suspended half day sells nothing, and whoever had a number of it gets all of their money back (rules.md 2.10)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from harness import REQUEST, Patient, beside, join, race
from hospital_acts import suspend
from sqlalchemy import delete, select

from core.booking.clinic.affected import settle_suspension
from core.jobs.queue import LeasedJob
from core.payments.inbox import apply_event
from core.refusals import NotPayable, NumbersInFlight, ScheduleSuspended, SoldOut
from core.transactions import Overloaded
from models.appointment import Appointment, AppointmentStatus, CancelReason, PayMode
from models.base import new_id
from models.job import Job
from models.notice import Notice
from models.payment import PaymentStatus, RefundReason, RefundStatus
from models.platform import PlatformEvent
from models.schedule import SlotStatus
from models.schedule_change import ScheduleChange


def beside_me(patient: Patient, count: int) -> list[Patient]:
    return [join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id) for _ in range(count)]


def in_hand(schedule_id: UUID) -> LeasedJob:
    return LeasedJob(new_id(), "settle_suspension", {"schedule_id": str(schedule_id)}, 1, 1)


def assert_ended(patient: Patient, *appointment_ids: UUID) -> None:
    for one in appointment_ids:
        ended = patient.appointment(one)
        assert (ended.status, ended.cancel_reason) == (AppointmentStatus.CANCELLED, CancelReason.SUSPENDED)
    assert {slot.status for slot in patient.slots()} == {SlotStatus.SUSPENDED}


def test_f_92_everybody_is_told_and_gets_their_money_back(patient: Patient) -> None:
    """L-12. One paid, one paying with an open prepay, one who pays on site: each once, however often it is said."""
    paying, on_site = beside_me(patient, 2)
    paid, held, there = patient.paid(), paying.book(), on_site.book(PayMode.ON_SITE)
    assert paying.open_payment(held) is None
    done = suspend(patient)
    assert (done.news, done.version, done.counts.paid_fen) == (True, 1, 5000)
    assert done.counts.appointments == {"booked": 2, "pending": 1}
    with pytest.raises(ScheduleSuspended):
        beside_me(patient, 1)[0].book()
    with pytest.raises(NotPayable):
        paying.intend(held)
    assert suspend(patient).news is False
    patient.work(after=timedelta(seconds=40))
    patient.work(after=timedelta(seconds=40))
    again = suspend(patient)
    patient.work()
    assert (again.news, again.version, again.counts.appointments) == (False, 1, {"cancelled": 3})
    assert_ended(patient, paid, held, there)
    assert [(one.amount_fen, one.reason) for one in patient.refunds()] == [(5000, RefundReason.SUSPENDED)]
    assert patient.payments()[-1].status is PaymentStatus.CLOSED
    told = patient.read(lambda session: session.scalars(select(Notice.reason).where(Notice.reason.is_not(None))).all())
    assert list(told) == ["suspended"] * 3
    assert len(patient.read(lambda session: session.scalars(select(ScheduleChange)).all())) == 1
    patient.assert_sound()


def test_what_was_cut_off_after_suspending_is_taken_up_by_the_sweep(patient: Patient) -> None:
    """The worker is gone, its job with it; and the platform is away when the money should go."""
    paid = patient.paid()
    suspend(patient)
    patient.write(lambda session, _now: session.execute(delete(Job).where(Job.kind == "settle_suspension")))
    patient.gateway.down = "before"
    patient.work(after=timedelta(minutes=3))
    patient.work(after=timedelta(minutes=3))
    assert_ended(patient, paid)
    assert patient.refunds()[0].status is RefundStatus.UNKNOWN
    patient.gateway.down = None
    for _ in range(2):  # asked about, then sent under the same number
        patient.work(after=timedelta(minutes=10))
    assert patient.refunds()[0].status is RefundStatus.PROCESSING
    patient.assert_sound()


def test_whoever_is_at_the_hospital_already_is_left_to_the_desk(patient: Patient) -> None:
    appointment_id = patient.paid()
    patient.write(
        lambda session, now: session.get_one(Appointment, appointment_id).check_in(session, at=now, cause=REQUEST)
    )
    assert suspend(patient).counts.appointments == {"arrived": 1}
    patient.work()
    assert patient.appointment(appointment_id).status is AppointmentStatus.ARRIVED
    assert patient.refunds() == []
    patient.assert_sound()


def test_suspending_waits_for_claims_under_way(patient: Patient) -> None:
    """Whoever books at the same moment is either refused or seen by the job: nobody keeps a number that is dead."""
    patient.schedule_id = beside(patient, numbers=10)
    strangers = beside_me(patient, 15)
    results = race(lambda: suspend(patient), *(lambda one=one: one.book(PayMode.ON_SITE) for one in strangers))
    for one in results:
        refused = (ScheduleSuspended, SoldOut, NumbersInFlight, Overloaded)
        assert not isinstance(one, Exception) or isinstance(one, refused), one
    patient.work()
    assert_ended(patient, *(one for one in results if isinstance(one, UUID)))
    patient.assert_sound()


@pytest.mark.parametrize("order", ["suspend first", "payment first", "payment between", "at once"])
def test_a_payment_that_arrives_while_its_clinic_is_suspended_goes_back(patient: Patient, order: str) -> None:
    held = patient.book()
    assert patient.open_payment(held) is None
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    job = in_hand(patient.schedule_id)
    if order == "payment first":
        patient.work()
    suspend(patient)
    if order == "payment between":
        (stored,) = patient.read(lambda session: list(session.scalars(select(PlatformEvent.id))))
        apply_event(patient.workbench, LeasedJob(new_id(), "apply_event", {"platform_event_id": str(stored)}, 1, 1))
        assert patient.appointment(held).status is AppointmentStatus.BOOKED
    if order == "at once":
        settled, _ = race(lambda: settle_suspension(patient.workbench, job), patient.work)
        assert settled is None
    elif order == "suspend first":
        settle_suspension(patient.workbench, job)
    patient.work(after=timedelta(minutes=1))
    assert_ended(patient, held)
    assert [one.amount_fen for one in patient.refunds()] == [5000]
    assert len(patient.gateway.refunds) == 1
    patient.assert_sound()
