"""The job table as a queue: leased, fenced, tried again with pauses that grow, and dead where somebody sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import ManualClock
from harness import race
from queueing import MILLISECOND, add, lease, rows

from core.jobs.queue import (
    LEASE,
    MAX_ATTEMPTS,
    backoff,
    finish,
    postpone,
    put_back,
    renew,
)
from core.transactions import Transactions

PAUSES = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)


# --- leases


def test_a_job_is_taken_when_it_is_due_and_not_before(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions, after=MILLISECOND, number=7)
    assert lease(transactions) == []
    clock.advance(MILLISECOND)
    (job,) = lease(transactions)
    assert (job.kind, job.payload, job.attempts, job.lease_no) == ("x", {"number": 7}, 1, 1)
    assert lease(transactions) == []


def test_the_longest_waiting_come_first_and_no_more_than_asked(transactions: Transactions, clock: ManualClock) -> None:
    for seconds in (3, 1, 2):
        add(transactions, after=timedelta(seconds=seconds), number=seconds)
    clock.advance(timedelta(seconds=5))
    assert sorted(job.payload["number"] for job in lease(transactions, limit=2)) == [1, 2]
    assert [job.payload["number"] for job in lease(transactions)] == [3]


def test_of_a_kind_with_little_room_no_more_are_taken_and_nobody_waits_behind_the_rest(
    transactions: Transactions, clock: ManualClock
) -> None:
    for kind in ("x", "x", "x", "y", "y", "z", "x"):
        add(transactions, kind=kind)
        clock.advance(MILLISECOND)
    assert sorted(job.kind for job in lease(transactions, limit=4, x=1, y=1)) == ["x", "y", "z"]
    assert [job.kind for job in lease(transactions, x=0, y=5)] == ["y"]
    assert [job.kind for job in lease(transactions, limit=2, x=2)] == ["x", "x"]
    assert [job.kind for job in lease(transactions)] == ["x"]


def test_many_workers_at_once_take_each_job_once(transactions: Transactions) -> None:
    for number in range(40):
        add(transactions, number=number)
    taken = race(*[lambda: lease(transactions, limit=10)] * 2, *[lambda: lease(transactions, limit=5)] * 6)
    while more := lease(transactions):
        taken.append(more)
    numbers = [job.payload["number"] for one in taken if not isinstance(one, Exception) for job in one]
    assert sorted(numbers) == list(range(40))


def test_a_job_whose_worker_died_is_due_again_after_its_lease(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions)
    lease(transactions)
    clock.advance(LEASE)
    assert lease(transactions) == []
    clock.advance(MILLISECOND)
    (job,) = lease(transactions)
    assert (job.attempts, job.lease_no) == (2, 2)


def test_a_lease_is_made_longer_for_who_has_it(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions)
    (job,) = lease(transactions)
    clock.advance(LEASE / 2)
    transactions.write(lambda session, now: renew(session, [job], now=now))
    clock.advance(LEASE)
    assert lease(transactions) == []
    clock.advance(MILLISECOND)
    assert [one.lease_no for one in lease(transactions)] == [2], "of a worker that died it is free"


def test_nobody_holds_longer_what_is_out_of_hand(transactions: Transactions, clock: ManualClock) -> None:
    """Ended, put off or taken by another in the same moment."""
    for name in ("done", "later", "again", "taken"):
        add(transactions, dedup=name, name=name)
    held = {job.payload["name"]: job for job in lease(transactions)}
    transactions.write(lambda session, now: finish(session, held["done"], now=now))
    later = clock.now() + LEASE + 2 * MILLISECOND
    transactions.write(lambda session, now: postpone(session, held["later"], until=later))
    add(transactions, dedup="again", name="again")
    clock.advance(LEASE + MILLISECOND)
    assert {job.payload["name"] for job in lease(transactions)} == {"again", "taken"}
    transactions.write(lambda session, now: renew(session, held.values(), now=now + LEASE))
    clock.advance(LEASE + MILLISECOND)
    assert {job.payload["name"] for job in lease(transactions)} == {"again", "later", "taken"}


def test_who_lost_the_lease_decides_nothing(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions)
    (lost,) = lease(transactions)
    clock.advance(LEASE + MILLISECOND)
    (held,) = lease(transactions)
    assert not transactions.write(lambda session, now: finish(session, lost, now=now))
    assert not transactions.write(lambda session, now: put_back(session, lost, error="late", now=now))
    assert not transactions.write(lambda session, now: postpone(session, lost, until=now))
    (row,) = rows(transactions)
    assert (row.done_at, row.lease_no, row.last_error) == (None, 2, None)
    assert transactions.write(lambda session, now: finish(session, held, now=now))
    assert not transactions.write(lambda session, now: finish(session, held, now=now))
    assert rows(transactions)[0].done_at == clock.now()


# --- again, and no more


def test_pauses_grow_and_do_not_all_return_at_once() -> None:
    for attempt, seconds in enumerate((*PAUSES, 3600, 3600), start=1):
        drawn = {backoff(attempt).total_seconds() for _ in range(50)}
        assert all(seconds * 0.8 <= one <= seconds * 1.2 for one in drawn)
        assert len(drawn) > 10


def test_a_job_that_failed_comes_back_after_its_pause(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions)
    (job,) = lease(transactions)
    assert transactions.write(lambda session, now: put_back(session, job, error="e" * 600, now=now))
    (row,) = rows(transactions)
    assert clock.now() + timedelta(seconds=0.8) <= row.run_at <= clock.now() + timedelta(seconds=1.2)
    assert (row.lease_until, row.lease_by, row.attempts, row.last_error) == (None, None, 1, "e" * 500)


def test_after_many_attempts_a_job_is_dead_and_seen(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions, dedup="one")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        clock.advance(timedelta(hours=2))
        (job,) = lease(transactions)
        assert job.attempts == attempt
        transactions.write(lambda session, now, job=job: put_back(session, job, error="still", now=now))  # type: ignore[misc]
    (row,) = rows(transactions)
    assert (row.dead_at, row.done_at, row.last_error) == (clock.now(), None, "still")
    clock.advance(timedelta(days=30))
    assert lease(transactions) == []
    add(transactions, dedup="one")  # a dead one stands aside
    assert len(lease(transactions)) == 1


def test_waiting_on_purpose_is_no_failure(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions)
    for _ in range(MAX_ATTEMPTS + 5):
        clock.advance(timedelta(minutes=1))
        (job,) = lease(transactions)
        assert job.attempts == 1
        transactions.write(lambda session, now, job=job: postpone(session, job, until=now))  # type: ignore[misc]
    assert rows(transactions)[0].dead_at is None


# --- one job per subject


def test_an_open_job_of_that_name_stands_for_it(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions, dedup="one", after=timedelta(hours=1))
    add(transactions, dedup="one", after=timedelta(hours=2))
    add(transactions, dedup="two")
    assert sorted(str(one.dedup) for one in rows(transactions)) == ["one", "two"]
    assert rows(transactions)[1].run_at == clock.now() + timedelta(hours=1)


def test_work_that_is_due_earlier_brings_it_forward(transactions: Transactions, clock: ManualClock) -> None:
    add(transactions, dedup="one", after=timedelta(hours=1))
    add(transactions, dedup="one", bring_forward=False)
    assert rows(transactions)[0].run_at == clock.now() + timedelta(hours=1)
    add(transactions, dedup="one")
    assert rows(transactions)[0].run_at == clock.now()


def test_once_done_the_name_is_free_again(transactions: Transactions) -> None:
    add(transactions, dedup="one")
    (job,) = lease(transactions)
    transactions.write(lambda session, now: finish(session, job, now=now))
    add(transactions, dedup="one")
    assert len(rows(transactions)) == 2


def test_many_at_once_make_one_job(transactions: Transactions) -> None:
    assert race(*[lambda: add(transactions, dedup="one")] * 12) == [None] * 12
    assert len(rows(transactions)) == 1


def test_work_asked_for_while_its_job_is_being_run_is_run_again(transactions: Transactions) -> None:
    """The worker has looked already: what became due since then must not end with the job in hand."""
    add(transactions, dedup="one")
    (in_hand,) = lease(transactions)
    add(transactions, dedup="one")
    transactions.write(lambda session, now: finish(session, in_hand, now=now))
    assert len(lease(transactions)) == 1


def test_the_second_net_does_not_take_a_job_out_of_hand(transactions: Transactions) -> None:
    add(transactions, dedup="one")
    (in_hand,) = lease(transactions)
    add(transactions, dedup="one", bring_forward=False)
    assert transactions.write(lambda session, now: finish(session, in_hand, now=now))
    assert lease(transactions) == []


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_work_asked_for_in_the_moment_its_job_ends_is_not_lost(transactions: Transactions) -> None:
    """The worker's COMMIT and ours cross: whichever comes first, somebody looks once more."""
    for _ in range(10):
        add(transactions, dedup="one")
        (in_hand,) = lease(transactions)
        race(
            lambda: add(transactions, dedup="one"),
            lambda job=in_hand: transactions.write(lambda session, now: finish(session, job, now=now)),  # type: ignore[misc]
        )
        (again,) = lease(transactions)
        assert transactions.write(lambda session, now, job=again: finish(session, job, now=now))  # type: ignore[misc]
