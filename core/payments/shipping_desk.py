"""What operators see and do about deliveries that platforms wait for, and the look at whom it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob
from core.payments.charge_account import lock_charge_account
from core.payments.shipping import TOO_LONG, report_again, report_soon
from core.ports import ProviderError, ShippingReporter
from core.registry import NotConfigured
from core.workbench import Workbench
from models.payment import Payment, PaymentStatus
from models.shipping import ShippingOutcome, ShippingReport

log = structlog.get_logger()

_CHUNK = 500


@dataclass(frozen=True)
class Concern:
    """Whether an app is set to report (`is_on`), and whether its platform says that it has to; None: no answer."""

    app: str
    is_on: bool
    is_managed: bool | None

    @property
    def is_settled(self) -> bool:
        return self.is_managed is self.is_on


def look_at_concerns(workbench: Workbench) -> list[Concern]:
    """Ask each platform of each app that it could concern."""
    return [Concern(one.app, one.is_on, _said(one)) for one in workbench.adapters.shipping_reporters()]


def _said(reporter: ShippingReporter) -> bool | None:
    try:
        return reporter.is_managed()
    except ProviderError as error:
        log.info("shipping_not_answered", app=reporter.app, error=str(error))
        return None


def watch_shipping(workbench: Workbench, _job: LeasedJob) -> None:
    """A platform may make an app subject to it on any day, and keeps its money from then on."""
    for one in look_at_concerns(workbench):
        if one.is_managed is not None and not one.is_settled:
            log.warning("shipping_setting_differs", app=one.app, is_managed=one.is_managed, alarm=True)


def list_unreported(session: Session, *, limit: int, now: datetime) -> list[tuple[ShippingReport, Payment]]:
    """Those that were refused for good, and those that have waited too long; the oldest first."""
    waits = and_(ShippingReport.outcome.is_(None), ShippingReport.created_at < now - TOO_LONG)
    query = (
        select(ShippingReport, Payment)
        .join(Payment, Payment.id == ShippingReport.payment_id)
        .where(or_(waits, ShippingReport.outcome == ShippingOutcome.REFUSED))
        .order_by(ShippingReport.created_at, ShippingReport.id)
    )
    return [(report, payment) for report, payment in session.execute(query.limit(limit))]


def report_since(workbench: Workbench, app: str, *, since: datetime) -> int:
    """Report what was paid in the app since then and is not reported: what came before the app was set to it, and what
    was refused. How many it is about. Raises: NotConfigured."""
    reporter = next((one for one in workbench.adapters.shipping_reporters() if one.app == app and one.is_on), None)
    if reporter is None:
        raise NotConfigured(app)
    found = _unreported(workbench, reporter, since)
    return sum(workbench.transactions.write(partial(_report, workbench=workbench, payment=one)) for one in found)


def _unreported(workbench: Workbench, reporter: ShippingReporter, since: datetime) -> Iterator[Payment]:
    of_app = and_(Payment.channel == reporter.channel, Payment.app == reporter.app)
    untold = or_(ShippingReport.id.is_(None), ShippingReport.outcome == ShippingOutcome.REFUSED)
    query = (
        select(Payment)
        .outerjoin(ShippingReport, ShippingReport.payment_id == Payment.id)
        .where(of_app, Payment.status == PaymentStatus.SUCCEEDED, Payment.paid_at >= since, untold)
        .order_by(Payment.id)
        .limit(_CHUNK)
    )
    found = workbench.transactions.read(partial(_chunk, query=query))
    while found:
        yield from found
        found = workbench.transactions.read(partial(_chunk, query=query.where(Payment.id > found[-1].id)))


def _chunk(session: Session, _now: datetime, *, query: Select[Payment]) -> list[Payment]:
    return list(session.scalars(query))


def _report(session: Session, now: datetime, *, workbench: Workbench, payment: Payment) -> bool:
    account = lock_charge_account(session, payment.charge_id)
    paid = account.payment(payment.id)
    return report_again(session, paid, now=now) or report_soon(session, workbench.adapters, account, paid, now=now)
