"""Takes due jobs and runs them, each under its lease."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.jobs.queue import (
    LEASE,
    LeasedJob,
    enqueue,
    finish,
    fire_due,
    is_ready,
    lease_ready,
    postpone,
    put_back,
    renew,
)
from core.transactions import Overloaded
from core.workbench import Workbench
from models.job import PeriodicJob

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
_RENEW_SECONDS = LEASE.total_seconds() / 3
_LONGEST_SECONDS = 3600.0
"""So long a job may be in hand. Whatever it asks or writes ends sooner by itself; what hangs is left to others."""

# Returns when the job wants to run again, or None when it is done.
Handler = Callable[[Workbench, LeasedJob], datetime | None]


@dataclass(frozen=True)
class _InHand:
    job: LeasedJob
    since: float


Running = dict["Future[None]", _InHand]


@dataclass(frozen=True)
class Periodic:
    """A job that becomes due every so often, once however many workers look."""

    kind: str
    every: timedelta


class Runner:
    """Leases what is due and runs it in a few threads, so that one slow platform does not hold up the rest."""

    def __init__(
        self,
        workbench: Workbench,
        handlers: Mapping[str, Handler],
        *,
        periodic: tuple[Periodic, ...] = (),
        name: str,
        threads: int = 4,
        shares: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`shares`: of these kinds, so many at once at most. The other threads are never in them."""
        self._workbench, self._handlers, self._periodic = workbench, handlers, periodic
        self._name, self._threads, self._shares = name, threads, shares
        self._looked_at = self._renewed_at = 0.0

    def run_due(self) -> int:
        """Run what is due now, a handful at most, and wait for it; the number of jobs taken."""
        jobs = self._take(self._threads * 2, self._shares)
        with ThreadPoolExecutor(self._threads) as pool:
            self._see_through(self._begin(pool, jobs))
        return len(jobs)

    def run_until(self, stop: threading.Event, *, idle_seconds: float = 0.2) -> None:
        """Work until `stop` is set; what is in hand then is finished. A thread that is free takes the next job,
        whatever the others wait for, and no job is leased before there is a thread for it."""
        running: Running = {}
        with ThreadPoolExecutor(self._threads) as pool:
            while not stop.is_set():
                running = self._still(running)
                jobs = self._take_unless_away(self._threads - len(running), self._room_beside(running))
                running |= self._begin(pool, jobs)
                if len(running) == self._threads or (running and not jobs):
                    wait(running, timeout=idle_seconds, return_when=FIRST_COMPLETED)
                elif not jobs:
                    stop.wait(idle_seconds)
            self._see_through(running)

    def _begin(self, pool: ThreadPoolExecutor, jobs: Iterable[LeasedJob]) -> Running:
        return {pool.submit(self.run_one, job): _InHand(job, time.monotonic()) for job in jobs}

    def _see_through(self, running: Running) -> None:
        while running := self._still(running):
            wait(running, timeout=_LOOK_SECONDS)

    def _still(self, running: Running) -> Running:
        """Those that have not ended, each held for longer: a platform may trickle its answer for minutes, and nobody
        else begins the same meanwhile. Of a process that is gone they are free once their lease is over."""
        left = {one: held for one, held in running.items() if not one.done()}
        now = time.monotonic()
        if left and now - self._renewed_at >= _RENEW_SECONDS:
            self._renewed_at = now
            self._renew([held.job for held in left.values() if now - held.since < _LONGEST_SECONDS])
        return left

    def _renew(self, jobs: list[LeasedJob]) -> None:
        try:
            self._workbench.transactions.write(lambda session, now: renew(session, jobs, now=now))
        except Exception:
            log.exception("leases_not_renewed")  # the database may be away: there are two more times

    def _room_beside(self, running: Running) -> dict[str, int]:
        in_hand = Counter(held.job.kind for held in running.values())
        return {kind: most - in_hand[kind] for kind, most in self._shares.items()}

    def _take_unless_away(self, limit: int, room: Mapping[str, int]) -> list[LeasedJob]:
        try:
            return self._take(limit, room) if limit else []
        except Exception:
            log.exception("worker_round_failed")  # the database may be away: look again
            return []

    def _take(self, limit: int, room: Mapping[str, int]) -> list[LeasedJob]:
        self._fire_periodic()
        full = [kind for kind, left in room.items() if left <= 0]
        if not self._workbench.transactions.read(partial(_anything_due, full=full)):
            return []
        return self._workbench.transactions.write(
            lambda session, now: lease_ready(session, worker=self._name, limit=limit, room=room, now=now)
        )

    def run_one(self, job: LeasedJob) -> None:
        """Run one leased job and write down how it ended. Where that cannot be written, its lease runs out."""
        try:
            self._run(job)
        except Exception:
            log.exception("job_end_not_written", kind=job.kind, job=str(job.id))

    def _run(self, job: LeasedJob) -> None:
        transactions = self._workbench.transactions
        try:
            again_at = self._handlers[job.kind](self._workbench, job)
        except Exception as error:
            log.warning("job_failed", kind=job.kind, job=str(job.id), attempt=job.attempts, exc_info=True)
            reason, was_busy = type(error).__name__, isinstance(error, Overloaded)
            transactions.write(lambda session, now: put_back(session, job, error=reason, now=now, was_busy=was_busy))
            return
        if again_at is None:
            transactions.write(lambda session, now: finish(session, job, now=now))
        else:
            transactions.write(lambda session, _now: postpone(session, job, until=again_at))

    def _fire_periodic(self) -> None:
        if time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        for one in self._periodic:
            if self._workbench.transactions.read(partial(_is_due, periodic=one)):
                self._workbench.transactions.write(partial(_fire, periodic=one))


def _anything_due(session: Session, now: datetime, *, full: Iterable[str]) -> bool:
    return bool(session.scalar(select(exists().where(is_ready(full=full, now=now)))))


def _is_due(session: Session, now: datetime, *, periodic: Periodic) -> bool:
    from_row = select(PeriodicJob.next_at).where(PeriodicJob.name == periodic.kind)
    next_at = session.scalar(from_row)
    return next_at is None or next_at <= now


def _fire(session: Session, now: datetime, *, periodic: Periodic) -> None:
    if fire_due(session, periodic.kind, every=periodic.every, now=now):
        dedup = f"periodic:{periodic.kind}"
        enqueue(session, periodic.kind, run_at=now, now=now, dedup=dedup, bring_forward=False)
