"""Telling a platform that a registration is complete, where it keeps the money until it knows (发货信息管理).

Nothing that a patient waits for hangs on it: it begins once the money is here, and is a job of its own. It is told at
least once, and each time the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob, backoff, enqueue
from core.payments.charge_account import ChargeAccount, lock_charge_account
from core.ports import Delivery, ProviderError, ProviderRefused, ShippingReporter
from core.registry import Adapters
from core.workbench import Workbench
from models.account import PlatformIdentity
from models.appointment import AppointmentStatus
from models.base import new_id
from models.payment import Payment, RefundStatus
from models.sealing import ERASED, Vault
from models.shipping import ShippingOutcome, ShippingReport

log = structlog.get_logger()

REPORT = "report_shipping"
FIRST_LOOK = timedelta(minutes=1)
"""A platform takes about that long to learn of a new order; asked sooner it does not know it (decision 0060)."""
_BACK_LOOK = timedelta(hours=1)
TOO_LONG, GIVE_UP = timedelta(hours=1), timedelta(days=2)


def report_soon(
    session: Session, adapters: Adapters, account: ChargeAccount, payment: Payment, *, now: datetime
) -> bool:
    """The money is here. Once for each payment that is kept, where its platform waits for it; whether this is the
    time."""
    if adapters.shipping_reporter(payment.channel, payment.app) is None or account.kept_fen(payment) <= 0:
        return False
    if _report_of(session, payment.id) is not None:
        return False
    session.add(ShippingReport(id=new_id(), payment_id=payment.id, created_at=now, told_times=0))
    _report_at(session, payment.id, now + FIRST_LOOK, now=now)
    return True


def report_again(session: Session, payment: Payment, *, now: datetime) -> bool:
    """One that was refused is tried again; whether it was one. The charge is locked by the caller."""
    report = _report_of(session, payment.id)
    if report is None or report.outcome is not ShippingOutcome.REFUSED:
        return False
    report.reopen()
    _report_at(session, payment.id, now, now=now)
    return True


def _report_of(session: Session, payment_id: UUID) -> ShippingReport | None:
    """Whoever has locked the charge has it alone."""
    query = select(ShippingReport).where(ShippingReport.payment_id == payment_id)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _report_at(session: Session, payment_id: UUID, run_at: datetime, *, now: datetime) -> None:
    of = str(payment_id)
    enqueue(session, REPORT, run_at=run_at, now=now, dedup=f"{REPORT}:{of}", payment_id=of)


def report_shipping(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """Tell it once the registration is complete, and again until it is taken or refused for good."""
    payment_id = UUID(job.payload["payment_id"])
    taken = workbench.transactions.write(lambda session, now: _take_up(session, workbench, payment_id, now=now))
    if not isinstance(taken, _Telling):
        return taken
    answer = _tell(taken)
    return workbench.transactions.write(lambda session, now: _note(session, payment_id, answer, now=now))


@dataclass(frozen=True)
class _Telling:
    reporter: ShippingReporter
    delivery: Delivery


def _take_up(session: Session, workbench: Workbench, payment_id: UUID, *, now: datetime) -> _Telling | datetime | None:
    """When to come back, or None where nothing is to be told."""
    locked = _lock(session, payment_id)
    if locked is None:
        return None
    account, report = locked
    payment = account.payment(payment_id)
    reporter = workbench.adapters.shipping_reporter(payment.channel, payment.app)
    if reporter is None or _is_back(account, payment):
        report.end(ShippingOutcome.NOT_NEEDED, at=now)
        return None
    if _is_going_back(account, payment):
        return now + _BACK_LOOK
    if any(one.status is AppointmentStatus.PENDING for one in account.appointments):
        return now + FIRST_LOOK
    delivery = _delivery(session, report, payment, workbench.vault, now=now)
    if delivery is None:
        _refuse(report, "payer_erased", now=now)
        return None
    report.told_times += 1
    return _Telling(reporter, delivery)


def _lock(session: Session, payment_id: UUID) -> tuple[ChargeAccount, ShippingReport] | None:
    """None where there is nothing to report."""
    charge_id = session.scalar(select(Payment.charge_id).where(Payment.id == payment_id))
    if charge_id is None:
        return None
    account = lock_charge_account(session, charge_id)
    report = _report_of(session, payment_id)
    return None if report is None or not report.is_open else (account, report)


def _is_back(account: ChargeAccount, payment: Payment) -> bool:
    """The platform itself gave all of it back: it keeps nothing any more. What a hospital gave back by hand is with the
    platform still."""
    back = [one for one in account.refunds if one.payment_id == payment.id and one.status is RefundStatus.SUCCEEDED]
    return sum(one.amount_fen for one in back if not one.by_hand) >= (payment.received_fen or 0)


def _is_going_back(account: ChargeAccount, payment: Payment) -> bool:
    of_payment = [one for one in account.refunds if one.payment_id == payment.id]
    under_way = [one for one in of_payment if one.status not in {RefundStatus.SUCCEEDED, RefundStatus.CLOSED}]
    return account.kept_fen(payment) <= 0 and bool(under_way)


def _delivery(
    session: Session, report: ShippingReport, payment: Payment, vault: Vault, *, now: datetime
) -> Delivery | None:
    """None where nobody knows the payer any more."""
    payer = session.get_one(PlatformIdentity, payment.payer_identity_id)
    if payer.subject_sealed == ERASED:
        return None
    report.completed_at = report.completed_at or now
    return Delivery(
        platform_trade_no=payment.platform_trade_no or "",
        description=payment.description,
        payer=payer.subject(vault),
        completed_at=report.completed_at,
    )


def _tell(telling: _Telling) -> ProviderError | None:
    """None once it is known there."""
    try:
        telling.reporter.report(telling.delivery)
    except ProviderError as error:
        return error
    return None


def _note(session: Session, payment_id: UUID, answer: ProviderError | None, *, now: datetime) -> datetime | None:
    locked = _lock(session, payment_id)
    if locked is None:
        return None
    _, report = locked
    waits = now - (report.completed_at or now)
    if answer is None:
        report.end(ShippingOutcome.REPORTED, at=now)
        return None
    if isinstance(answer, ProviderRefused):
        report.last_refusal = answer.code
        if not answer.retryable or waits >= GIVE_UP:
            _refuse(report, answer.code, now=now)
            return None
    if waits > TOO_LONG:
        log.warning("shipping_not_reported", payment=str(payment_id), error=str(answer), alarm=True)
    return now + max(FIRST_LOOK, backoff(report.told_times))


def _refuse(report: ShippingReport, refusal: str, *, now: datetime) -> None:
    report.last_refusal = refusal
    report.end(ShippingOutcome.REFUSED, at=now)
    log.warning("shipping_report_refused", payment=str(report.payment_id), refusal=refusal, alarm=True)
