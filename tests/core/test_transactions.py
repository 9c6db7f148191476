"""What is run again, what becomes which refusal, and that a failed statement ends its transaction."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import datetime
from uuid import UUID

import pytest
from factories import make_account
from fakes import ManualClock
from harness import race
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError, InternalError
from sqlalchemy.orm import Session

from core.locks import lock_account
from core.refusals import PersonLimit
from core.transactions import Changed, Overloaded, Transactions, sqlstate
from models.account import Account
from models.database import Database, Timeouts

only_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)
only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


@pytest.fixture
def hasty(database: Database, clock: ManualClock) -> Iterator[Transactions]:
    """Waits for a lock no longer than a production web process does, and has two connections."""
    timeouts = Timeouts(lock=100, statement=20_000, idle_in_transaction=20_000)
    opened = Database(url(database), timeouts=timeouts, pool_size=1)
    yield Transactions(opened, clock)
    opened.close()


def two_accounts(transactions: Transactions) -> list[UUID]:
    return transactions.write(lambda session, now: sorted(make_account(session, now=now).id for _ in range(2)))


def accounts(transactions: Transactions) -> int:
    return transactions.read(lambda session, _now: session.scalar(select(func.count()).select_from(Account)) or 0)


def close(session: Session, account_id: UUID, now: datetime) -> None:
    session.execute(update(Account).where(Account.id == account_id).values(closed_at=now))


# --- run again


@only_postgres
def test_of_two_in_a_deadlock_one_is_run_again_and_both_succeed(transactions: Transactions) -> None:
    first, second = two_accounts(transactions)
    both_hold, runs = threading.Barrier(2), list[int]()

    def cross(one: UUID, other: UUID) -> Callable[[], None]:
        def step(session: Session, now: datetime) -> None:
            runs.append(1)
            lock_account(session, one)
            if len(runs) <= 2:
                both_hold.wait(20)
            lock_account(session, other)
            close(session, one, now)

        return lambda: transactions.write(step)

    assert race(cross(first, second), cross(second, first)) == [None, None]
    assert len(runs) == 3
    closed = transactions.read(lambda session, _now: list(session.scalars(select(Account.closed_at))))
    assert None not in closed


@only_postgres
def test_a_serialization_failure_is_run_again(transactions: Transactions) -> None:
    """We run READ COMMITTED, where only a distributed engine of the kind says 40001."""
    runs = list[int]()

    def step(session: Session, now: datetime) -> None:
        runs.append(1)
        make_account(session, now=now)
        if len(runs) == 1:
            raise_state(session, "40001")

    transactions.write(step)
    assert (len(runs), accounts(transactions)) == (2, 1)


def raise_state(session: Session, state: str) -> None:
    session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '{state}'; END $$"))


@only_postgres
@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
def test_three_times_and_no_more(transactions: Transactions, state: str) -> None:
    runs = list[int]()

    def step(session: Session, _now: datetime) -> None:
        runs.append(1)
        raise_state(session, state)

    with pytest.raises(Overloaded):
        transactions.write(step)
    assert len(runs) == 3


@pytest.mark.parametrize(("times", "ends_in"), [(1, None), (2, None), (3, Overloaded)])
def test_a_step_that_finds_its_look_outdated_looks_anew(
    transactions: Transactions, times: int, ends_in: type[Exception] | None
) -> None:
    runs = list[int]()

    def step(session: Session, now: datetime) -> None:
        make_account(session, now=now)
        runs.append(1)
        if len(runs) <= times:
            raise Changed()

    with pytest.raises(ends_in) if ends_in else nullcontext():
        transactions.write(step)
    assert (len(runs), accounts(transactions)) == (min(times + 1, 3), 0 if ends_in else 1)


@only_postgres
def test_a_lock_that_does_not_come_in_time_is_overload(transactions: Transactions, hasty: Transactions) -> None:
    (first, _), runs = two_accounts(transactions), list[int]()

    def wait(session: Session, _now: datetime) -> None:
        runs.append(1)
        lock_account(session, first)

    with transactions.database.write() as session:
        lock_account(session, first)
        with pytest.raises(Overloaded):
            hasty.write(wait)
    assert len(runs) == 3
    hasty.write(wait)


@only_sqlite
def test_a_writer_from_elsewhere_is_waited_for_and_then_overload(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes into the file without the house's lock: busy, three times, then overloaded."""
    runs = list[int]()

    def step(session: Session, now: datetime) -> None:
        runs.append(1)
        make_account(session, now=now)

    def impatient(session: Session, now: datetime) -> None:
        session.execute(text("PRAGMA busy_timeout=10"))
        step(session, now)

    transactions.write(impatient)
    outsider = Database(url(transactions.database))
    with outsider.engine.connect() as connection:
        connection.execute(text("SELECT 1"))  # BEGIN IMMEDIATE
        with pytest.raises(Overloaded):
            transactions.write(step)
    outsider.close()
    assert runs == [1]
    transactions.write(step)


@only_postgres
def test_a_connection_lost_before_the_end_is_run_again(transactions: Transactions) -> None:
    runs = list[int]()

    def step(session: Session, now: datetime) -> None:
        runs.append(1)
        make_account(session, now=now)
        if len(runs) == 1:
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    transactions.write(step)
    assert (len(runs), accounts(transactions)) == (2, 1)


@only_postgres
@pytest.mark.parametrize("then_asks", [True, False])
def test_a_transaction_that_paused_too_long_is_run_again_or_overload(
    database: Database, transactions: Transactions, clock: ManualClock, then_asks: bool
) -> None:
    """The machine stood still in the middle, and the server gave up on us."""
    short = Transactions(Database(url(database), timeouts=Timeouts(idle_in_transaction=250)), clock)
    runs = list[int]()

    def step(session: Session, now: datetime) -> None:
        runs.append(1)
        backend = session.scalar(text("SELECT pg_backend_pid()"))
        if len(runs) % 2:
            wait_until_gone(transactions, backend)
        if then_asks:
            make_account(session, now=now)

    if then_asks:
        short.write(step)
        assert (len(runs), accounts(transactions)) == (2, 1)
    else:
        with pytest.raises(Overloaded):
            short.read(step)
    short.database.close()


def wait_until_gone(transactions: Transactions, backend: int | None) -> None:
    there = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
    deadline = time.monotonic() + 20
    while transactions.read(lambda session, _now: session.scalar(there, {"pid": backend})):
        assert time.monotonic() < deadline


# --- what ends a transaction


def test_what_a_step_raises_is_what_is_told_and_nothing_stays(transactions: Transactions) -> None:
    runs = list[int]()

    def step(session: Session, now: datetime) -> None:
        runs.append(1)
        make_account(session, now=now)
        raise PersonLimit()

    with pytest.raises(PersonLimit):
        transactions.write(step)
    assert (runs, accounts(transactions)) == ([1], 0)


@only_postgres
def test_a_failed_statement_does_not_go_on_in_its_transaction(transactions: Transactions) -> None:
    """Who swallows an error finds the door shut: nothing of the step is kept."""

    def step(session: Session, now: datetime) -> None:
        make_account(session, now=now)
        with pytest.raises(DBAPIError):
            raise_state(session, "22012")
        make_account(session, now=now)

    with pytest.raises(InternalError) as refused:
        transactions.write(step)
    assert sqlstate(refused.value) == "25P02"
    assert accounts(transactions) == 0


@only_postgres
@pytest.mark.parametrize("state", ["53300", "57014", "57P01", "08006"])
def test_a_database_that_has_no_room_or_no_time_is_overload(transactions: Transactions, state: str) -> None:
    def step(session: Session, _now: datetime) -> None:
        raise_state(session, state)

    with pytest.raises(Overloaded):
        transactions.write(step)
    with pytest.raises(Overloaded):
        transactions.read(step)


@only_postgres
def test_a_statement_that_takes_too_long_is_overload(database: Database, clock: ManualClock) -> None:
    """F-36."""
    short = Database(url(database), timeouts=Timeouts(statement=50))
    with pytest.raises(Overloaded):
        Transactions(short, clock).read(lambda session, _now: session.execute(text("SELECT pg_sleep(5)")))
    short.close()


@only_postgres
def test_a_mistake_of_ours_is_no_overload(transactions: Transactions) -> None:
    with pytest.raises(DBAPIError, match="division"):
        transactions.write(lambda session, _now: session.execute(text("SELECT 1/0")))


# --- no connection to be had


@only_postgres
def test_when_all_connections_are_taken_it_is_overload(hasty: Transactions) -> None:
    with hasty.database.read() as one, hasty.database.read() as two:
        one.execute(text("SELECT 1"))
        two.execute(text("SELECT 1"))
        for door in (hasty.read, hasty.write):
            with pytest.raises(Overloaded):
                door(lambda session, _now: session.execute(text("SELECT 1")))
    hasty.read(lambda session, _now: session.execute(text("SELECT 1")))


def test_a_postgres_that_is_away_is_said_at_once(clock: ManualClock) -> None:
    """F-36."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = Database(f"postgresql://nobody@127.0.0.1:{nobody.getsockname()[1]}/nothing")
        started = time.monotonic()
        for door in (Transactions(away, clock).read, Transactions(away, clock).write):
            with pytest.raises(Overloaded):
                door(lambda session, _now: session.execute(text("SELECT 1")))
        assert time.monotonic() - started < 2
        away.close()
