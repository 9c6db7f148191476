"""One merchant's day from the platform's bill to what is left for the desk, as a job and for an operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.jobs.queue import LeasedJob, enqueue
from core.ports import BillNotReady, BillUnreadable, ProviderError
from core.reconciliation.match import match_day
from core.reconciliation.repair import repair_differences
from core.reconciliation.take import BillChanged, Taken, write_bill
from core.registry import NotConfigured
from core.workbench import Workbench
from models.reconciliation import BillDay, Difference
from models.states import Actor, Cause, CauseKind

log = structlog.get_logger()

ASK_FOR_BILLS, RECONCILE = "ask_for_bills", "reconcile_day"
_DAYS_BACK = 7
_NOT_READY, _NOT_WELL = timedelta(minutes=30), timedelta(hours=1)


@dataclass(frozen=True)
class MerchantDay:
    provider: str
    merchant: str
    day: date


def reconcile(workbench: Workbench, of: MerchantDay, *, cause: Cause) -> list[Difference]:
    """Take the bill unless it is there, match it, and repair what is safe. What is still open of the merchant.

    Raises: NotConfigured, BillNotReady, BillUnreadable, BillChanged, ProviderUnavailable, ProviderRefused."""
    source = workbench.adapters.bill_sources().get((of.provider, of.merchant))
    if source is None:
        raise NotConfigured()
    taken = Taken(source, of.day)

    def step(session: Session, now: datetime) -> list[Difference]:
        return match_day(session, workbench.adapters, write_bill(session, taken, now=now), now=now)

    if workbench.transactions.write(step):
        repair_differences(workbench, of.provider, of.merchant, cause=cause)
    left = workbench.transactions.write(step)
    if left:
        log.warning("bill_differs", provider=of.provider, day=str(of.day), open=len(left), alarm=True)
    return left


def reconcile_day(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """The job: comes back until the bill could be taken, however long that lasts within the days that are asked for."""
    of = MerchantDay(job.payload["provider"], job.payload["merchant"], date.fromisoformat(job.payload["day"]))
    now = workbench.transactions.clock.now()
    try:
        reconcile(workbench, of, cause=Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id)))
    except BillNotReady:
        return _again(of, now=now, after=_NOT_READY)
    except (BillUnreadable, BillChanged, ProviderError) as error:
        log.warning("bill_not_taken", provider=of.provider, day=str(of.day), error=type(error).__name__, alarm=True)
        return _again(of, now=now, after=_NOT_WELL)
    return None


def ask_for_bills(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    """Every merchant's days of the last week whose bill we do not have yet."""
    workbench.transactions.write(lambda session, now: _ask_for_each(session, workbench, now=now))
    return None


def _ask_for_each(session: Session, workbench: Workbench, *, now: datetime) -> None:
    yesterday = hospital_day(now) - timedelta(days=1)
    days = [yesterday - timedelta(days=back) for back in range(_DAYS_BACK)]
    rows = session.execute(select(BillDay.provider, BillDay.merchant, BillDay.day).where(BillDay.day >= days[-1]))
    taken = {MerchantDay(*row) for row in rows}
    for provider, merchant in workbench.adapters.bill_sources():
        for day in days:
            if MerchantDay(provider, merchant, day) not in taken:
                of = {"provider": provider, "merchant": merchant, "day": day.isoformat()}
                name = ":".join((RECONCILE, *of.values()))
                enqueue(session, RECONCILE, run_at=now, now=now, dedup=name, bring_forward=False, **of)


def _again(of: MerchantDay, *, now: datetime, after: timedelta) -> datetime | None:
    """None once nobody asks for that day any more: an operator may."""
    is_old = of.day < hospital_day(now) - timedelta(days=_DAYS_BACK)
    return None if is_old else now + after
