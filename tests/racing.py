"""What the races over HTTP share: what a patient asks for, how everybody fared, and the hospital's side of the town."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from threading import Event, Thread
from typing import Any, TypeVar
from uuid import UUID

from crowd import APP, Stranger, Town
from fakes import FakeAdapters, ManualClock
from harness import REQUEST, Patient, make_runner, make_workbench
from sqlalchemy import exists, select
from sqlalchemy.orm import Session
from wire import Reply, eventually

from core.clock import DatabaseClock
from core.payments.close import write_answer
from core.payments.open import Payer
from core.transactions import Transactions
from core.workbench import Workbench
from models.account import PlatformIdentity
from models.job import Job

R = TypeVar("R")


def book(stranger: Stranger, schedule_id: UUID, pay: str) -> Reply:
    return stranger.phone.post("/appointments", stranger.wish(schedule_id, pay))


def tried(*replies: Reply | Exception) -> list[Reply]:
    """Every one of them answered."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return [reply for reply in replies if isinstance(reply, Reply)]


def outcomes(replies: list[Reply]) -> Counter[tuple[int, str | None]]:
    return Counter((reply.status, reply.code) for reply in replies)


def in_turn(first: Callable[[], R], second: Callable[[], R]) -> tuple[Callable[[], R], Callable[[], R]]:
    """Both for a race, where the second begins once the first has had its answer."""
    done = Event()

    def lead() -> R:
        try:
            return first()
        finally:
            done.set()

    def follow() -> R:
        assert done.wait(60)
        return second()

    return lead, follow


def back_office(town: Town) -> Workbench:
    """Where the operator's commands and the worker's jobs run, beside the processes that serve patients, with a
    platform in memory."""
    transactions = Transactions(town.database, DatabaseClock(town.database))
    return make_workbench(transactions, town.vault, FakeAdapters(ManualClock(datetime.now(UTC))))


def at_the_office(office: Workbench, stranger: Stranger, schedule_id: UUID) -> Patient:
    """The same person as the use cases know them."""
    adapters: Any = office.adapters
    query = select(PlatformIdentity.id).where(PlatformIdentity.account_id == stranger.account_id)
    identity_id = office.transactions.read(lambda session, _now: session.scalars(query).one())
    payer = Payer(stranger.account_id, identity_id, str(stranger.provider), APP)
    return Patient(
        office, adapters.the_gateway.clock, adapters, stranger.account_id, payer, stranger.dependent_id, schedule_id
    )


def pay(patient: Patient, appointment_id: UUID) -> None:
    """Its prepay is opened, and paid at the platform in memory, which is asked."""
    intent = patient.intend(appointment_id)
    assert patient.finish_opening(intent) is None
    assert intent.payment is not None
    paid = patient.gateway.pay(intent.payment.out_trade_no)
    write_answer(patient.workbench, intent.payment, paid, cause=REQUEST)


@contextmanager
def workers(workbench: Workbench, *, count: int = 2) -> Iterator[None]:
    """So many of them beside the test, each with its threads, as so many worker processes."""
    over = Event()
    runners = [make_runner(workbench) for _ in range(count)]
    threads = [Thread(target=partial(one.run_until, over, idle_seconds=0.05)) for one in runners]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in threads:
            one.join()


def all_done(workbench: Workbench) -> None:
    """Wait until nothing is left that is due by now."""

    def none_due(session: Session, now: datetime) -> bool:
        due = exists().where(Job.run_at <= now, Job.done_at.is_(None), Job.dead_at.is_(None))
        return not session.scalar(select(due))

    eventually(lambda: workbench.transactions.read(none_due), "no job is due", every=0.02)
