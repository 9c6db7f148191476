"""A crash between any two lines leaves no half: each step is cut off at each of its statements, then run again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from harness import Patient
from sqlalchemy import event, select

from core.jobs.queue import LeasedJob
from core.payments.inbox import apply_event
from core.ports import RefundState
from models import Base
from models.base import new_id
from models.database import Database
from models.platform import PlatformEvent

Step = Callable[[], Any]


class Crash(Exception):
    """The process is gone."""


@contextmanager
def crash_at(database: Database, place: int) -> Iterator[list[str]]:
    """Every statement and COMMIT counts; the one at `place` does not happen. Yields what has been reached."""
    reached = list[str]()

    def arrive(what: str) -> None:
        reached.append(what)
        if len(reached) == place:
            raise Crash(what)

    def before_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        arrive(statement)

    def before_commit(connection: Any) -> None:
        if len(reached) + 1 == place:
            connection.connection.rollback()  # what the database does when the process is gone
        arrive("COMMIT")

    event.listen(database.engine, "before_cursor_execute", before_statement)
    event.listen(database.engine, "commit", before_commit)
    try:
        yield reached
    finally:
        event.remove(database.engine, "before_cursor_execute", before_statement)
        event.remove(database.engine, "commit", before_commit)


def everything(database: Database) -> dict[str, list[Any]]:
    with database.read() as session:
        return {
            table.name: sorted(map(repr, session.execute(select(table)).all())) for table in Base.metadata.sorted_tables
        }


def booking(patient: Patient) -> Step:
    return patient.book


def cancelling_unpaid(patient: Patient) -> Step:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    return lambda: patient.cancel(appointment_id)


def cancelling_paid(patient: Patient) -> Step:
    """The claim ends and the refund is due, or neither."""
    appointment_id = patient.paid()
    return lambda: patient.cancel(appointment_id)


def intending_to_pay(patient: Patient) -> Step:
    appointment_id = patient.book()
    return lambda: patient.intend(appointment_id)


def receiving_an_event(patient: Patient) -> Step:
    patient.open_payment(patient.book())
    message, body = patient.message(patient.gateway.pay(patient.payments()[0].out_trade_no)), os.urandom(16)
    patient.adapters.the_reader.messages[body] = message
    return lambda: patient.write(lambda session, now: patient.receive_in(session, message, body, now))


def applying(patient: Patient) -> Step:
    (stored,) = patient.read(
        lambda session: session.scalars(select(PlatformEvent.id).where(PlatformEvent.state == "received")).all()
    )
    job = LeasedJob(new_id(), "apply_event", {"platform_event_id": str(stored)}, 1, 1)
    return lambda: apply_event(patient.workbench, job)


def applying_a_payment(patient: Patient) -> Step:
    patient.open_payment(patient.book())
    patient.hear(patient.gateway.pay(patient.payments()[0].out_trade_no))
    return applying(patient)


def applying_late_money(patient: Patient) -> Step:
    """Not kept: its refund is due with it."""
    patient.open_payment(patient.book())
    number = patient.payments()[0].out_trade_no
    said = patient.gateway.pay(number)
    patient.gateway.down = "before"
    patient.work(after=timedelta(minutes=15))
    patient.work(after=timedelta(minutes=30))
    patient.gateway.down = None
    patient.hear(said)
    return applying(patient)


def applying_a_closed_refund(patient: Patient) -> Step:
    """Its successor is due with it."""
    patient.cancel(patient.paid())
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.CLOSED))
    return applying(patient)


STEPS = (
    booking,
    cancelling_unpaid,
    cancelling_paid,
    intending_to_pay,
    receiving_an_event,
    applying_a_payment,
    applying_late_money,
    applying_a_closed_refund,
)


@pytest.mark.parametrize("prepare", STEPS)
def test_a_crash_between_any_two_lines_leaves_no_half(
    patient: Patient, database: Database, prepare: Callable[[Patient], Step]
) -> None:
    step = prepare(patient)
    before, place = everything(database), 0
    while True:
        place += 1
        try:
            with crash_at(database, place) as reached:
                step()
        except Crash:
            assert everything(database) == before, f"half a step stayed, cut off at {reached[-1]}"
            continue
        break
    assert place == len(reached) + 1 >= 4
    assert everything(database) != before
    patient.assert_sound()
    patient.work()
    patient.assert_sound()
