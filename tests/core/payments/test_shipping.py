"""What is paid where the platform keeps the money until it knows of the delivery is reported, once it is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Semaphore, Thread
from typing import Any
from uuid import UUID

import pytest
from fakes import FakeShipping
from fakes_hospital import connect, pay
from happenings import in_hand
from harness import Patient, beside, far_away, insistently, join, race
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs
from wire import eventually

from core.booking.endings.sweep import sweep
from core.jobs.queue import new_job
from core.payments.refund_desk import Word, say_of_refund
from core.payments.shipping import FIRST_LOOK, GIVE_UP, REPORT, TOO_LONG, report_shipping
from core.payments.shipping_desk import Concern, list_unreported, look_at_concerns, report_since, watch_shipping
from core.ports import Delivery, ProviderRefused, ProviderUnavailable, RefundState
from core.registry import NotConfigured
from miniapp_api.worker import make_runner
from models.account import PlatformIdentity
from models.appointment import AppointmentStatus
from models.job import Job
from models.payment import Payment, RefundStatus
from models.refund_decision import RefundWay
from models.sealing import ERASED
from models.shipping import ShippingOutcome, ShippingReport

LATER = timedelta(hours=1)


@pytest.fixture
def platform(patient: Patient) -> FakeShipping:
    """WeChat, where the app is subject to it."""
    platform = FakeShipping()
    patient.adapters.shipping.append(platform)
    return platform


def reports(patient: Patient) -> list[ShippingReport]:
    query = select(ShippingReport).order_by(ShippingReport.id)
    return patient.read(lambda session: list(session.scalars(query)))


def outcomes(patient: Patient) -> list[ShippingOutcome | None]:
    return [one.outcome for one in reports(patient)]


def waiting(patient: Patient) -> int:
    """Jobs that are to report something."""
    query = select(Job.id).where(Job.kind == REPORT, Job.done_at.is_(None))
    return len(patient.read(lambda session: session.scalars(query).all()))


def unreported(patient: Patient) -> list[UUID]:
    found = patient.write(lambda session, now: list_unreported(session, limit=50, now=now))
    return [payment.id for _, payment in found]


def tell(patient: Patient, payment: Payment) -> Callable[[], Any]:
    """The job that reports it, as a worker has it in hand."""
    return insistently(lambda: report_shipping(patient.workbench, in_hand(REPORT, payment_id=payment.id)))


# --- what is told, and of what


def test_a_registration_that_is_paid_is_reported_once(patient: Patient, platform: FakeShipping) -> None:
    appointment_id = patient.paid()
    assert (platform.heard, outcomes(patient)) == ([], [None]), "a platform takes a moment to learn of the order"
    patient.work(after=FIRST_LOOK)
    (payment,) = patient.payments()
    payer = patient.read(lambda session: session.get_one(PlatformIdentity, payment.payer_identity_id))
    told = Delivery(
        platform_trade_no=f"T{payment.out_trade_no}",
        description=f"预约挂号费 {patient.appointment(appointment_id).number}",
        payer=payer.subject(patient.workbench.vault),
        completed_at=patient.clock.now(),
    )
    assert platform.heard == [told]
    (report,) = reports(patient)
    assert (report.outcome, report.ended_at) == (ShippingOutcome.REPORTED, patient.clock.now())
    patient.hear(patient.gateway.trades[payment.out_trade_no])
    patient.work(after=LATER)
    patient.cancel(appointment_id)
    patient.work(after=LATER)
    assert (platform.heard, waiting(patient), unreported(patient)) == ([told], 0, [])
    patient.assert_sound()


@pytest.mark.parametrize("unlike", [{"is_on": False}, {"app": "clinic"}, {"channel": "wechat_h5"}])
def test_what_nobody_waits_for_makes_no_work(
    patient: Patient, platform: FakeShipping, unlike: dict[str, str | bool]
) -> None:
    for name, value in unlike.items():
        setattr(platform, name, value)
    patient.paid()
    patient.work(after=LATER)
    everything = select(Job.id).where(Job.kind == REPORT)
    assert patient.read(lambda session: session.scalars(everything).all()) == []
    assert (reports(patient), platform.heard) == ([], [])


def test_it_waits_for_the_hospital_that_has_to_agree(patient: Patient, platform: FakeShipping) -> None:
    his = connect(patient)
    appointment_id = patient.book()
    patient.work()
    pay(patient, appointment_id)
    his.away = True
    for _ in range(5):
        patient.work(after=timedelta(minutes=1))
    assert patient.appointment(appointment_id).status is AppointmentStatus.PENDING
    assert (platform.heard, outcomes(patient)) == ([], [None])
    his.away = False
    patient.work(after=timedelta(minutes=3))
    assert patient.appointment(appointment_id).status is AppointmentStatus.BOOKED
    patient.work(after=FIRST_LOOK)
    assert (len(platform.heard), outcomes(patient)) == (1, [ShippingOutcome.REPORTED])


def test_each_payment_of_a_charge_is_reported(patient: Patient, platform: FakeShipping) -> None:
    first = patient.paid()
    dearer = beside(patient, fee_fen=8000)
    patient.work(after=FIRST_LOOK)
    second = patient.reschedule(first, dearer)
    pay(patient, second)
    patient.work()
    patient.work(after=FIRST_LOOK)
    assert [one.platform_trade_no for one in platform.heard] == [f"T{one.out_trade_no}" for one in patient.payments()]
    assert outcomes(patient) == [ShippingOutcome.REPORTED] * 2


# --- what went back


def test_what_went_back_before_is_not_reported(patient: Patient, platform: FakeShipping) -> None:
    patient.cancel(patient.paid())
    patient.work(after=FIRST_LOOK)
    assert outcomes(patient) == [None], "it is on its way back and may still stay"
    patient.hear(patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    patient.work(after=LATER)
    assert (platform.heard, outcomes(patient)) == ([], [ShippingOutcome.NOT_NEEDED])
    patient.assert_sound()


def test_money_that_comes_too_late_is_nobodys_delivery(patient: Patient, platform: FakeShipping) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    number = patient.payments()[0].out_trade_no
    patient.cancel(appointment_id)
    patient.hear(patient.gateway.pay(number))
    patient.work(after=LATER)
    assert patient.refunds()
    assert (reports(patient), platform.heard) == ([], [])


def test_what_a_hospital_gave_back_by_hand_is_with_the_platform_still(patient: Patient, platform: FakeShipping) -> None:
    patient.cancel(patient.paid())
    patient.gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    patient.work()
    (refund,) = patient.refunds()
    for operator in ("clerk-1", "clerk-2"):
        word = Word(RefundWay.BY_HAND, "柜台现金退款", operator)
        patient.write(lambda session, now, word=word: say_of_refund(session, refund.id, word, now=now))
    patient.work(after=FIRST_LOOK)
    patient.work(after=FIRST_LOOK)
    assert (patient.refunds()[0].status, patient.refunds()[0].by_hand) == (RefundStatus.SUCCEEDED, True)
    patient.work(after=LATER)
    assert (len(platform.heard), outcomes(patient)) == (1, [ShippingOutcome.REPORTED])


def test_an_app_that_is_not_subject_any_more_reports_nothing(patient: Patient, platform: FakeShipping) -> None:
    patient.paid()
    platform.is_on = False
    patient.work(after=FIRST_LOOK)
    assert (platform.heard, outcomes(patient)) == ([], [ShippingOutcome.NOT_NEEDED])


# --- answers


@pytest.mark.parametrize("heard", [True, False])
def test_without_an_answer_the_same_is_told_again(patient: Patient, platform: FakeShipping, heard: bool) -> None:
    (platform.lost if heard else platform.failures).append(ProviderUnavailable("timeout", sent=True))
    patient.paid()
    patient.work(after=FIRST_LOOK)
    assert outcomes(patient) == [None]
    patient.work(after=FIRST_LOOK * 2)
    assert outcomes(patient) == [ShippingOutcome.REPORTED]
    assert len(platform.heard) == 1 + heard
    assert set(platform.heard) == {platform.heard[0]}, "each time the same, also the instant"


def test_an_order_that_is_not_known_yet_alarms_nobody(patient: Patient, platform: FakeShipping) -> None:
    platform.failures = [ProviderRefused("10060001", retryable=True)] * 2
    patient.paid()
    with capture_logs() as logs:
        for _ in range(4):
            patient.work(after=FIRST_LOOK)
    assert outcomes(patient) == [ShippingOutcome.REPORTED]
    assert not any(one.get("alarm") for one in logs)


def test_what_is_refused_for_good_alarms_at_once_and_is_shown(patient: Patient, platform: FakeShipping) -> None:
    platform.failures = [ProviderRefused("10060031")]
    patient.paid()
    (payment,) = patient.payments()
    with capture_logs() as logs:
        patient.work(after=FIRST_LOOK)
    (alarm,) = [one for one in logs if one.get("alarm")]
    assert (alarm["event"], alarm["payment"], alarm["refusal"]) == (
        "shipping_report_refused",
        str(payment.id),
        "10060031",
    )
    (report,) = reports(patient)
    assert (report.outcome, report.last_refusal) == (ShippingOutcome.REFUSED, "10060031")
    assert unreported(patient) == [payment.id]
    patient.work(after=LATER)
    assert (platform.heard, waiting(patient)) == ([], 0)


def test_what_cannot_be_told_for_two_days_is_left_to_people(patient: Patient, platform: FakeShipping) -> None:
    platform.failures = [ProviderRefused("48001", retryable=True)] * 500
    patient.paid()
    with capture_logs() as logs:
        patient.work(after=FIRST_LOOK)
        patient.work(after=TOO_LONG - FIRST_LOOK)
        assert not any(one.get("alarm") for one in logs)
        for _ in range(GIVE_UP // LATER + 3):
            patient.work(after=LATER)
    assert outcomes(patient) == [ShippingOutcome.REFUSED]
    told = [one["event"] for one in logs if one.get("alarm")]
    assert set(told[:-1]) == {"shipping_not_reported"}
    assert told[-1] == "shipping_report_refused"
    assert len(platform.failures) > 400, "slower and slower"


def test_silence_is_never_given_up(patient: Patient, platform: FakeShipping) -> None:
    platform.failures = [ProviderUnavailable("timeout")] * 500
    patient.paid()
    for _ in range(60):
        patient.work(after=LATER)
    assert outcomes(patient) == [None]
    assert unreported(patient) == [patient.payments()[0].id]
    platform.failures.clear()
    patient.work(after=2 * LATER)
    assert (outcomes(patient), unreported(patient)) == ([ShippingOutcome.REPORTED], [])


def test_of_a_payer_who_was_erased_nothing_can_be_told(patient: Patient, platform: FakeShipping) -> None:
    patient.paid()

    def erase(session: Session, _now: Any) -> None:
        session.execute(update(PlatformIdentity).values(subject_sealed=ERASED))

    patient.write(erase)
    patient.work(after=FIRST_LOOK)
    (report,) = reports(patient)
    assert (report.outcome, report.last_refusal, platform.heard) == (ShippingOutcome.REFUSED, "payer_erased", [])


# --- twice, at once, and lost


def test_two_workers_at_once_tell_the_same(patient: Patient, platform: FakeShipping) -> None:
    patient.paid()
    patient.clock.advance(FIRST_LOOK)
    job = tell(patient, patient.payments()[0])
    with far_away(patient.workbench.transactions.database):
        for result in race(job, job, job):
            assert result is None, result
    assert 1 <= len(platform.heard) <= 3
    assert len(set(platform.heard)) == 1
    assert outcomes(patient) == [ShippingOutcome.REPORTED]
    assert job() is None, "and later again"
    assert len(platform.heard) <= 3
    patient.assert_sound()


def test_a_cancellation_at_the_same_moment(patient: Patient, platform: FakeShipping) -> None:
    appointment_id = patient.paid()
    patient.clock.advance(FIRST_LOOK)
    cancel = insistently(lambda: patient.cancel(appointment_id))
    with far_away(patient.workbench.transactions.database):
        told, cancelled = race(tell(patient, patient.payments()[0]), cancel)
    assert not isinstance(told, Exception), told
    assert not isinstance(cancelled, Exception), cancelled
    assert patient.appointment(appointment_id).status is AppointmentStatus.CANCELLED
    assert outcomes(patient) == ([ShippingOutcome.REPORTED] if platform.heard else [None])
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    patient.work(after=LATER)
    assert outcomes(patient) == [ShippingOutcome.REPORTED if platform.heard else ShippingOutcome.NOT_NEEDED]
    patient.assert_sound()


def test_an_answer_that_comes_after_another_ones_changes_nothing(patient: Patient, platform: FakeShipping) -> None:
    patient.paid()
    patient.clock.advance(FIRST_LOOK)
    job, report = tell(patient, patient.payments()[0]), platform.report

    def overtaken(delivery: Delivery) -> None:
        platform.report = report  # type: ignore[method-assign]
        job()
        raise ProviderRefused("10060031")

    platform.report = overtaken  # type: ignore[method-assign]
    assert job() is None
    assert outcomes(patient) == [ShippingOutcome.REPORTED]


def test_a_platform_that_hangs_holds_up_nobody_who_pays(patient: Patient, platform: FakeShipping) -> None:
    patient.paid()
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    second = other.book()
    other.open_payment(second)
    patient.clock.advance(FIRST_LOOK)
    inside, go_on, stop = Semaphore(0), Event(), Event()

    def hangs(_: Delivery) -> None:
        inside.release()
        go_on.wait(timeout=60)

    platform.report = hangs  # type: ignore[method-assign]
    patient.write(lambda session, now: session.add_all(same_again(patient.payments()[0], now)))
    worker = Thread(target=lambda: make_runner(patient.workbench).run_until(stop, idle_seconds=0.02))
    worker.start()
    try:
        assert inside.acquire(timeout=30)
        patient.hear(patient.gateway.pay(patient.payments()[1].out_trade_no))
        eventually(
            lambda: patient.appointment(second).status is AppointmentStatus.BOOKED, "booked beside it", within=30
        )
        assert not inside.acquire(blocking=False), "one at a time"
    finally:
        stop.set()
        go_on.set()
        worker.join()


def same_again(payment: Payment, now: datetime) -> list[Job]:
    of = {"payment_id": str(payment.id)}
    return [new_job(REPORT, run_at=now, now=now, dedup=None, payload=of) for _ in range(6)]


def test_a_report_whose_job_was_lost_gets_one_again(patient: Patient, platform: FakeShipping) -> None:
    patient.paid()

    def lose(session: Session, _now: Any) -> None:
        session.execute(delete(Job))

    patient.write(lose)
    patient.clock.advance(timedelta(minutes=2, seconds=1))
    sweep(patient.workbench, in_hand("sweep"))
    assert waiting(patient) == 1
    patient.work()
    assert outcomes(patient) == [ShippingOutcome.REPORTED]
    patient.clock.advance(LATER)
    sweep(patient.workbench, in_hand("sweep"))
    assert waiting(patient) == 0


# --- operators


def test_what_was_paid_before_it_was_set_and_what_was_refused_is_reported_on_demand(
    patient: Patient, platform: FakeShipping
) -> None:
    platform.is_on = False
    patient.paid()
    before = patient.clock.now()
    assert reports(patient) == []
    with pytest.raises(NotConfigured):
        report_since(patient.workbench, "patient", since=before)
    platform.is_on, platform.failures = True, [ProviderRefused("10060031")]
    with pytest.raises(NotConfigured):
        report_since(patient.workbench, "clinic", since=before)
    assert report_since(patient.workbench, "patient", since=before + timedelta(seconds=1)) == 0
    assert [report_since(patient.workbench, "patient", since=before) for _ in range(2)] == [1, 0]
    patient.work(after=FIRST_LOOK)
    assert outcomes(patient) == [ShippingOutcome.REFUSED]
    assert report_since(patient.workbench, "patient", since=before) == 1
    patient.work()
    assert (len(platform.heard), outcomes(patient), unreported(patient)) == (1, [ShippingOutcome.REPORTED], [])
    assert report_since(patient.workbench, "patient", since=before) == 0


def test_what_went_back_is_not_reported_on_demand(patient: Patient, platform: FakeShipping) -> None:
    platform.is_on = False
    before = patient.clock.now()
    patient.cancel(patient.paid())
    patient.work()
    platform.is_on = True
    assert report_since(patient.workbench, "patient", since=before) == 0


@pytest.mark.parametrize(
    ("is_on", "managed", "alarms"),
    [(True, True, 0), (False, False, 0), (False, True, 1), (True, False, 1)],
)
def test_an_app_that_is_set_otherwise_than_its_platform_says_alarms(
    *, patient: Patient, platform: FakeShipping, is_on: bool, managed: bool, alarms: int
) -> None:
    platform.is_on, platform.managed = is_on, managed
    assert look_at_concerns(patient.workbench) == [Concern("patient", is_on, managed)]
    with capture_logs() as logs:
        watch_shipping(patient.workbench, in_hand("watch_shipping"))
    alarmed = [one for one in logs if one.get("alarm")]
    assert len(alarmed) == alarms
    assert all((one["event"], one["app"]) == ("shipping_setting_differs", "patient") for one in alarmed)


def test_a_platform_that_says_nothing_alarms_nobody(patient: Patient, platform: FakeShipping) -> None:
    platform.unasked = [ProviderUnavailable("timeout"), ProviderRefused("48001")]
    with capture_logs() as logs:
        watch_shipping(patient.workbench, in_hand("watch_shipping"))
    assert not any(one.get("alarm") for one in logs)
    (concern,) = look_at_concerns(patient.workbench)
    assert (concern.is_managed, concern.is_settled) == (None, False)
