"""Workers: each job in a thread, each periodic job once, and what is in hand is finished."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes import ManualClock
from harness import race
from queueing import MILLISECOND, add, rows
from sqlalchemy import select
from sqlalchemy.orm import Session
from wire import eventually

from core.jobs.queue import (
    LEASE,
    LeasedJob,
    enqueue,
    fire_due,
    renew,
)
from core.jobs.runner import Handler, Periodic, Runner
from core.transactions import Overloaded, Transactions
from core.workbench import Workbench
from models.job import PeriodicJob


def runner(workbench: Workbench, handler: Handler, *periodic: Periodic) -> Runner:
    return Runner(workbench, {"x": handler}, periodic=periodic, name="w")


# --- periodic


def test_a_periodic_job_fires_once_among_eight(transactions: Transactions, clock: ManualClock) -> None:
    def fire() -> bool:
        return transactions.write(lambda session, now: fire_due(session, "p", every=timedelta(minutes=1), now=now))

    for _ in range(3):
        assert sorted(race(*[fire] * 8), key=bool) == [False] * 7 + [True]
        clock.advance(timedelta(minutes=1) - MILLISECOND)
        assert not fire()
        clock.advance(MILLISECOND)


def test_eight_workers_run_a_periodic_job_once_a_period(
    transactions: Transactions, workbench: Workbench, clock: ManualClock
) -> None:
    ran = list[datetime]()

    def handler(_workbench: Workbench, _job: LeasedJob) -> None:
        ran.append(clock.now())

    for _ in range(3):
        workers = [runner(workbench, handler, Periodic("x", timedelta(minutes=1))) for _ in range(8)]
        race(*[one.run_due for one in workers])
        workers[0].run_due()
        clock.advance(timedelta(minutes=1))
    assert len(ran) == len(set(ran)) == 3
    assert len(transactions.read(lambda session, _now: list(session.scalars(select(PeriodicJob))))) == 1


# --- the runner


def test_a_handler_is_run_outside_of_any_transaction_and_its_job_done(
    transactions: Transactions, workbench: Workbench
) -> None:
    def handler(bench: Workbench, job: LeasedJob) -> None:
        bench.transactions.write(lambda session, now: enqueue(session, "y", run_at=now, now=now, of=str(job.id)))

    add(transactions)
    assert runner(workbench, handler).run_due() == 1
    assert {row.kind: row.done_at is not None for row in rows(transactions)} == {"x": True, "y": False}


def test_a_handler_that_names_an_instant_is_called_again_then(
    transactions: Transactions, workbench: Workbench, clock: ManualClock
) -> None:
    again = clock.now() + timedelta(minutes=3)
    add(transactions)
    runner(workbench, lambda *_: again).run_due()
    (row,) = rows(transactions)
    assert (row.run_at, row.done_at, row.attempts) == (again, None, 0)


def test_whoever_lost_to_others_tries_again_in_a_moment_but_not_for_ever(
    transactions: Transactions, workbench: Workbench, clock: ManualClock
) -> None:
    """A freed number is offered within seconds, also where its job met with a crowd ten times."""

    def lose(_workbench: Workbench, _job: LeasedJob) -> None:
        raise Overloaded()

    add(transactions)
    pauses = []
    for _ in range(15):
        assert runner(workbench, lose).run_due() == 1
        (row,) = rows(transactions)
        pauses.append((row.run_at - clock.now()).total_seconds())
        clock.advance(row.run_at - clock.now())
    assert max(pauses[:11]) < 1.3
    assert pauses[11:] == sorted(pauses[11:])
    assert pauses[14] > 20


def test_a_handler_that_raises_has_its_job_put_back(transactions: Transactions, workbench: Workbench) -> None:
    def handler(_workbench: Workbench, _job: LeasedJob) -> None:
        raise KeyError("姓名 must not be kept")

    add(transactions)
    assert runner(workbench, handler).run_due() == 1
    (row,) = rows(transactions)
    assert (row.done_at, row.last_error, row.attempts) == (None, "KeyError", 1)


def test_one_that_raises_does_not_hold_up_the_others(transactions: Transactions, workbench: Workbench) -> None:
    def handler(_workbench: Workbench, job: LeasedJob) -> None:
        if job.payload["number"] % 2:
            raise ValueError

    for number in range(8):
        add(transactions, number=number)
    runner(workbench, handler).run_due()
    assert {row.payload["number"] for row in rows(transactions) if row.done_at} == {0, 2, 4, 6}


def test_a_job_of_a_kind_nobody_knows_waits_for_somebody_who_does(
    transactions: Transactions, workbench: Workbench
) -> None:
    add(transactions, kind="unheard_of")
    runner(workbench, lambda *_: None).run_due()
    assert rows(transactions)[0].last_error == "KeyError"


def test_looking_for_work_takes_no_write_lock(transactions: Transactions, workbench: Workbench) -> None:
    with transactions.database.write():
        assert runner(workbench, lambda *_: None).run_due() == 0


def test_when_told_to_stop_a_worker_finishes_what_is_in_hand(transactions: Transactions, workbench: Workbench) -> None:
    stop, entered, go_on = threading.Event(), threading.Event(), threading.Event()

    def handler(_workbench: Workbench, _job: LeasedJob) -> None:
        entered.set()
        assert go_on.wait(20)

    add(transactions)
    worker = threading.Thread(target=runner(workbench, handler).run_until, args=(stop,), kwargs={"idle_seconds": 0.01})
    worker.start()
    assert entered.wait(20)
    stop.set()
    time.sleep(0.5)  # a look that had begun before it was told may take what is due then
    add(transactions)
    assert worker.is_alive()
    go_on.set()
    worker.join(20)
    assert not worker.is_alive()
    assert sorted(row.done_at is not None for row in rows(transactions)) == [False, True]


def test_a_round_that_fails_is_not_the_last(
    transactions: Transactions, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was away for a moment."""
    stop, done = threading.Event(), threading.Event()
    worker = runner(workbench, lambda *_: done.set())
    rounds, run_due = list[int](), worker.run_due

    def sometimes() -> int:
        rounds.append(1)
        if len(rounds) == 1:
            raise ConnectionError
        return run_due()

    monkeypatch.setattr(worker, "run_due", sometimes)
    add(transactions)
    thread = threading.Thread(target=worker.run_until, args=(stop,), kwargs={"idle_seconds": 0.01})
    thread.start()
    assert done.wait(20)
    stop.set()
    thread.join(20)


def test_one_kind_never_has_more_than_its_share_of_the_threads(
    transactions: Transactions, workbench: Workbench
) -> None:
    """However many wait for a platform that trickles, the others are done meanwhile."""
    stop, go_on = threading.Event(), threading.Event()
    in_hand, most = Counter[str](), Counter[str]()

    def handler(_workbench: Workbench, job: LeasedJob) -> None:
        in_hand[job.kind] += 1
        most[job.kind] = max(most[job.kind], in_hand[job.kind])
        if job.kind == "slow":
            assert go_on.wait(60)
        in_hand[job.kind] -= 1

    for kind in ["slow"] * 5 + ["x"] * 6:
        add(transactions, kind=kind)
    worker = Runner(workbench, {"x": handler, "slow": handler}, name="w", threads=3, shares={"slow": 1})
    thread = threading.Thread(target=worker.run_until, args=(stop,), kwargs={"idle_seconds": 0.01})
    thread.start()
    try:
        eventually(lambda: all(row.done_at for row in rows(transactions) if row.kind == "x"), "the others are done")
        go_on.set()
        eventually(lambda: all(row.done_at for row in rows(transactions)), "and then the slow ones too")
    finally:
        go_on.set()
        stop.set()
        thread.join(20)
    assert most["slow"] == 1


# --- what takes longer than its lease


class Slow:
    """A handler that waits for a platform; who began when."""

    def __init__(self) -> None:
        self.begun, self.go_on = list[int](), threading.Event()

    def __call__(self, _workbench: Workbench, job: LeasedJob) -> None:
        self.begun.append(job.lease_no)
        assert self.go_on.wait(60)


@contextmanager
def at_work(*workers: Runner) -> Iterator[threading.Event]:
    stop = threading.Event()
    threads = [threading.Thread(target=one.run_until, args=(stop,), kwargs={"idle_seconds": 0.01}) for one in workers]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def held_until(transactions: Transactions) -> datetime | None:
    return rows(transactions)[0].lease_until


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.jobs.runner._RENEW_SECONDS", 0.01)
    monkeypatch.setattr("core.jobs.runner._LOOK_SECONDS", 0.02)


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("is_stopped", [False, True], ids=["working", "told to stop"])
def test_what_outlives_its_lease_is_begun_by_nobody_else(
    transactions: Transactions, workbench: Workbench, clock: ManualClock, is_stopped: bool
) -> None:
    slow = Slow()
    add(transactions)
    first, second = runner(workbench, slow), runner(workbench, slow)
    with at_work(second), at_work(first) as stop:
        eventually(lambda: slow.begun, "one has it")
        if is_stopped:
            stop.set()
        for _ in range(5):
            now = clock.advance(LEASE * 0.9)
            eventually(lambda now=now: (held_until(transactions) or now) > now + LEASE * 0.5, "it is held for longer")
        assert slow.begun == [1]
        slow.go_on.set()
        eventually(lambda: rows(transactions)[0].done_at, "it is done")


@pytest.mark.usefixtures("_often")
def test_what_hangs_is_left_to_others(
    transactions: Transactions, workbench: Workbench, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.jobs.runner._LONGEST_SECONDS", 0.0)
    slow = Slow()
    add(transactions)
    with at_work(runner(workbench, slow)):
        eventually(lambda: slow.begun, "it is in hand")
        clock.advance(LEASE + MILLISECOND)
        eventually(lambda: slow.begun == [1, 2], "and then with another thread")
        slow.go_on.set()


@pytest.mark.usefixtures("_often")
def test_a_database_that_is_away_for_a_moment_costs_no_lease(
    transactions: Transactions, workbench: Workbench, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, tries = Slow(), list[int]()

    def fail_once(*args: Any, **more: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError
        renew(*args, **more)

    monkeypatch.setattr("core.jobs.runner.renew", fail_once)
    add(transactions)
    with at_work(runner(workbench, slow)):
        eventually(lambda: slow.begun, "it is in hand")
        now = clock.advance(LEASE * 0.9)
        eventually(lambda: (held_until(transactions) or now) > now + LEASE * 0.5, "it is held for longer")
        slow.go_on.set()


def test_work_is_due_only_with_what_made_it_due(transactions: Transactions) -> None:
    def step(session: Session, now: datetime) -> None:
        enqueue(session, "x", run_at=now, now=now)
        raise ValueError

    with pytest.raises(ValueError):
        transactions.write(step)
    assert rows(transactions) == []
