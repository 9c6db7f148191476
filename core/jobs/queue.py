"""The job table as a queue: at least once, leased, fenced; a handler is therefore idempotent."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from models.base import new_id
from models.job import Job, PeriodicJob

LEASE = timedelta(seconds=30)
MAX_ATTEMPTS = 40
_SOON_AGAIN = 10
_BACKOFF_SECONDS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)


@dataclass(frozen=True)
class LeasedJob:
    """A job in hand. `lease_no` proves that it still is."""

    id: UUID
    kind: str
    payload: Mapping[str, Any]
    attempts: int
    lease_no: int


def enqueue(
    session: Session,
    kind: str,
    *,
    run_at: datetime,
    now: datetime,
    dedup: str | None = None,
    bring_forward: bool = True,
    **payload: Any,
) -> None:
    """Make work due, in the transaction that makes it true. With `dedup`, an open job of that name stands for it.

    It is brought forward when this work is due earlier, and one that a worker has in hand is taken out of its hand:
    the worker may have looked before this work was there. Without `bring_forward` it is left as it is."""
    if dedup is not None:
        named = select(Job).where(Job.dedup == dedup, Job.done_at.is_(None), Job.dead_at.is_(None))
        if bring_forward:  # waits for a worker that is just finishing it, and looks again
            named = named.with_for_update().execution_options(populate_existing=True)
        standing = session.scalars(named).one_or_none()
        if standing is not None:
            if bring_forward:
                _run_again(standing, run_at=run_at)
            return
    session.add(new_job(kind, run_at=run_at, now=now, dedup=dedup, payload=payload))


def _run_again(standing: Job, *, run_at: datetime) -> None:
    if standing.lease_until is None:
        standing.run_at = min(standing.run_at, run_at)
    else:
        standing.run_at, standing.lease_until, standing.lease_by = run_at, None, None
        standing.lease_no += 1


def new_job(kind: str, *, run_at: datetime, now: datetime, dedup: str | None, payload: Mapping[str, Any]) -> Job:
    return Job(
        id=new_id(),
        kind=kind,
        payload=dict(payload),
        dedup=dedup,
        run_at=run_at,
        created_at=now,
        attempts=0,
        lease_no=0,
    )


def is_ready(*, full: Iterable[str] = (), now: datetime) -> ColumnElement[bool]:
    """Due and in nobody's hand, and of none of the kinds of which there are enough in hand."""
    is_free = or_(Job.lease_until.is_(None), Job.lease_until < now)
    others = Job.kind.not_in(list(full))
    return and_(Job.done_at.is_(None), Job.dead_at.is_(None), Job.run_at <= now, is_free, others)


def lease_ready(
    session: Session, *, worker: str, limit: int, now: datetime, room: Mapping[str, int] = MappingProxyType({})
) -> list[LeasedJob]:
    """Take up to `limit` due jobs, the oldest first, and of a kind that `room` names no more than it says; a job whose
    lease has run out is due again."""
    ids = _choose(session, limit=limit, room=dict(room), now=now)
    if not ids:
        return []
    taken = session.execute(
        update(Job)
        .where(Job.id.in_(ids))
        .values(lease_until=now + LEASE, lease_by=worker, attempts=Job.attempts + 1, lease_no=Job.lease_no + 1)
        .returning(Job.id, Job.kind, Job.payload, Job.attempts, Job.lease_no)
    )
    return [LeasedJob(*row) for row in taken]


def _choose(session: Session, *, limit: int, room: dict[str, int], now: datetime) -> list[UUID]:
    """Where a kind becomes full it looks again, past all others of that kind: nobody else waits for them."""
    chosen: list[UUID] = []
    while True:
        full, wanted = [kind for kind, left in room.items() if left <= 0], limit - len(chosen)
        ready = select(Job.id, Job.kind).where(is_ready(full=full, now=now), Job.id.not_in(chosen))
        ready = ready.order_by(Job.run_at, Job.id).limit(wanted).with_for_update(skip_locked=True)
        found = session.execute(ready).all()
        for job_id, kind in found:
            if room.get(kind, 1) > 0:
                chosen.append(job_id)
                room |= {kind: room[kind] - 1} if kind in room else {}
        if len(found) < wanted or len(chosen) == limit:
            return chosen


def renew(session: Session, jobs: Iterable[LeasedJob], *, now: datetime) -> None:
    """Whoever still has them in hand needs longer. One that was taken out of its hand, or has ended, stays so."""
    for job in sorted(jobs, key=lambda one: one.id):
        held = (Job.id == job.id, Job.lease_no == job.lease_no, Job.lease_until.is_not(None))
        longer = update(Job).where(*held).values(lease_until=now + LEASE)
        session.execute(longer.execution_options(synchronize_session=False))


def finish(session: Session, job: LeasedJob, *, now: datetime) -> bool:
    """Returns False where the lease was lost: whoever holds it now decides."""
    return _settle(session, job, done_at=now, lease_until=None)


def put_back(session: Session, job: LeasedJob, *, error: str, now: datetime, was_busy: bool = False) -> bool:
    """Try again later, with jitter; after many attempts park it as dead, where operators see it.

    `was_busy`: others had the rows, or the database had no room. That is over in a moment, and somebody may be waiting
    for what the job would do: its pauses begin to grow later."""
    if job.attempts >= MAX_ATTEMPTS:
        return _settle(session, job, dead_at=now, lease_until=None, last_error=error[:500])
    pause = backoff(max(1, job.attempts - _SOON_AGAIN) if was_busy else job.attempts)
    return _settle(session, job, run_at=now + pause, lease_until=None, last_error=error[:500])


def postpone(session: Session, job: LeasedJob, *, until: datetime) -> bool:
    """Not yet: the same job again at `until`, without counting as a failure."""
    return _settle(session, job, run_at=until, lease_until=None, attempts=0)


def backoff(attempt: int) -> timedelta:
    """The pause after the `attempt`-th try: growing, with ±20 % so that many do not return at once."""
    base = _BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS)) - 1]
    return timedelta(seconds=base * random.uniform(0.8, 1.2))


def _settle(session: Session, job: LeasedJob, **values: Any) -> bool:
    changed = session.scalars(
        update(Job)
        .where(Job.id == job.id, Job.lease_no == job.lease_no, Job.done_at.is_(None))
        .values(lease_by=None, **values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()
    return bool(changed)


def fire_due(session: Session, name: str, *, every: timedelta, now: datetime) -> bool:
    """True for exactly one caller per period, however many schedulers ask."""
    if not session.scalar(select(exists().where(PeriodicJob.name == name))):
        session.add(PeriodicJob(id=new_id(), name=name, next_at=now + every))
        session.flush()
        return True
    moved = session.scalars(
        update(PeriodicJob)
        .where(PeriodicJob.name == name, PeriodicJob.next_at <= now)
        .values(next_at=now + every)
        .returning(PeriodicJob.id)
        .execution_options(synchronize_session=False)
    ).all()
    return bool(moved)
