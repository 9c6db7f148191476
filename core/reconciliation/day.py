"""One merchant's day from the platform's bill to what is left for the desk, as a job and for an operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.jobs.queue import LeasedJob, enqueue
from core.ports import BillNotReady, BillUnreadable, ProviderError
from core.reconciliation.match import has_moved, match_day
from core.reconciliation.ours import Merchant
from core.reconciliation.repair import SAFE, repair_differences
from core.reconciliation.take import NOTHING, BillChanged, Taken, write_bill
from core.registry import NotConfigured
from core.workbench import Workbench
from models.database import give_time
from models.reconciliation import BillDay, Difference
from models.states import Actor, Cause, CauseKind

log = structlog.get_logger()

ASK_FOR_BILLS, RECONCILE = "ask_for_bills", "reconcile_day"
_DAYS_BACK = 7
_LONGEST_BACK = 80
"""WeChat Pay keeps its bills for three months, Alipay for years."""
_SECONDS = 30
"""How long a statement may take here: a day may have ten thousand lines, and nobody waits for them."""
_NOT_READY, _NOT_WELL = timedelta(minutes=30), timedelta(hours=1)
_LATE_FOR = timedelta(days=3)
"""For so long a bill that says nothing, of a day on which money moved, is taken for one that is late."""


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
        give_time(session, seconds=_SECONDS)
        _refuse_late(session, Merchant(of.provider, of.merchant, workbench.adapters), taken, now=now)
        return match_day(session, workbench.adapters, write_bill(session, taken, now=now), now=now)

    if workbench.transactions.write(step):
        repair_differences(workbench, of.provider, of.merchant, cause=cause)
    left = workbench.transactions.write(step)
    if left:
        log.warning("bill_differs", provider=of.provider, day=str(of.day), open=len(left), alarm=True)
    return left


def _refuse_late(session: Session, whose: Merchant, taken: Taken, *, now: datetime) -> None:
    """A platform that is late says what it says of an empty day, and is not believed for a while.

    Raises: BillNotReady."""
    is_late = taken.lacks_a_file and taken.known(session) is None and hospital_day(now) - taken.day <= _LATE_FOR
    if is_late and (taken.entries or taken.funds or has_moved(session, whose, taken.day)):
        raise BillNotReady(f"nothing told of {taken.day}")


def reconcile_day(workbench: Workbench, job: LeasedJob) -> datetime | None:
    """The job: comes back until the bill could be taken, however long that lasts within the days that are asked for."""
    of = MerchantDay(job.payload["provider"], job.payload["merchant"], date.fromisoformat(job.payload["day"]))
    now = workbench.transactions.clock.now()
    again = partial(_again, of, now=now, until=_last_day(job, of))
    try:
        left = reconcile(workbench, of, cause=Cause(Actor.SYSTEM, CauseKind.JOB, str(job.id)))
    except BillNotReady:
        return again(after=_NOT_READY)
    except (BillUnreadable, BillChanged, ProviderError) as error:
        log.warning("bill_not_taken", provider=of.provider, day=str(of.day), error=type(error).__name__, alarm=True)
        return again(after=_NOT_WELL)
    # The platform was not there to be asked, or says something else than its bill: it is asked again.
    return again(after=_NOT_WELL) if any(one.kind in SAFE and one.day == of.day for one in left) else None


def ask_for_bills(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    """Of every merchant: the days of the last week whose bill we do not have, and all since the last that we have."""
    workbench.transactions.write(lambda session, now: _ask_for_each(session, workbench, now=now))
    return None


def _ask_for_each(session: Session, workbench: Workbench, *, now: datetime) -> None:
    yesterday = hospital_day(now) - timedelta(days=1)
    sources = workbench.adapters.bill_sources()
    taken = _taken_since(session, yesterday - timedelta(days=_LONGEST_BACK))
    for provider, merchant in sorted(taken.keys() - sources.keys()):
        # Its money moves on, and its payments are nobody's in any bill.
        log.warning("merchant_gone", provider=provider, merchant=merchant, alarm=True)
    for provider, merchant in sources:
        whose = Merchant(provider, merchant, workbench.adapters)
        had = taken.get((provider, merchant), {})
        back = max(_DAYS_BACK, (yesterday - max(had, default=yesterday)).days)
        for day in (yesterday - timedelta(days=one) for one in range(back)):
            told = had.get(day)
            if told is None or (told == NOTHING and has_moved(session, whose, day)):
                _enqueue(session, MerchantDay(provider, merchant, day), now=now)


def _taken_since(session: Session, first: date) -> dict[tuple[str, str], dict[date, bytes]]:
    """What each bill came to, by merchant and day."""
    found: dict[tuple[str, str], dict[date, bytes]] = {}
    columns = select(BillDay.provider, BillDay.merchant, BillDay.day, BillDay.digest)
    for provider, merchant, day, digest in session.execute(columns.where(BillDay.day >= first)):
        found.setdefault((provider, merchant), {})[day] = digest
    return found


def _enqueue(session: Session, of: MerchantDay, *, now: datetime) -> None:
    what = {"provider": of.provider, "merchant": of.merchant, "day": of.day.isoformat()}
    until = hospital_day(now) + timedelta(days=_DAYS_BACK - 1)
    name = ":".join((RECONCILE, *what.values()))
    enqueue(session, RECONCILE, run_at=now, now=now, dedup=name, bring_forward=False, until=until.isoformat(), **what)


def _last_day(job: LeasedJob, of: MerchantDay) -> date:
    """On which it is asked for. Some jobs were written when none said so."""
    until = job.payload.get("until")
    return of.day + timedelta(days=_DAYS_BACK) if until is None else date.fromisoformat(until)


def _again(of: MerchantDay, *, now: datetime, after: timedelta, until: date) -> datetime | None:
    """None once nobody asks for that day any more: an operator may, and is told that they must."""
    if hospital_day(now) <= until:
        return now + after
    log.warning("bill_given_up", provider=of.provider, merchant=of.merchant, day=str(of.day), alarm=True)
    return None
