"""Operator commands of the day: check in, call, pass over, see, take back, and what to do about a stranger's number.

NAMED is the number that the patient reads out, or the code of their visit pass.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.booking.day import at_desk
from core.booking.day.queue import queue_to_call
from core.booking.follow_up import right
from core.tickets import BadTicket
from miniapp_api.cli_operator import by_operator, operator_option
from miniapp_api.services import services
from models.appointment import Appointment
from models.errors import DomainError
from schemas.facts import facts_in_json


@click.command("check-in")
@click.argument("named")
@operator_option(default="desk")
@click.option("--overrule", is_flag=True, help="Although it is too early or too late.")
@with_appcontext
def check_in(named: str, operator: str, overrule: bool) -> None:
    """The patient is here, and waits to be called; exits 1 where that is refused. Once is as good as twice."""
    _do(
        named,
        lambda session, appointment_id, now: _told(
            at_desk.check_in_at_desk(
                session,
                appointment_id=appointment_id,
                operator=operator,
                overrule=overrule,
                now=now,
                cause=by_operator(operator),
            )
        ),
    )


@click.command("queue")
@click.argument("schedule_id", type=click.UUID)
@with_appcontext
def queue(schedule_id: UUID) -> None:
    """Who waits, in the order in which they are called: one line of JSON each."""
    try:
        waiting = services().workbench.transactions.read(lambda session, _now: queue_to_call(session, schedule_id))
    except DomainError as error:
        sys.exit(error.code)
    for one in waiting:
        arrival = one.arrival
        said = {
            "number": one.number,
            "sequence": one.sequence,
            "arrived_at": arrival.at,
            "late": arrival.late,
            "passed": arrival.passed,
        }
        click.echo(json.dumps(said, default=str))


@click.command("pass-number")
@click.argument("named")
@operator_option(default="desk")
@with_appcontext
def pass_number(named: str, operator: str) -> None:
    """They were called and did not answer: behind some of those who wait."""

    def step(session: Session, appointment_id: UUID, now: datetime) -> dict[str, Any]:
        passed = at_desk.pass_number(session, appointment_id=appointment_id, operator=operator, now=now)
        return {"appointment_id": appointment_id, "passed": passed.passed}

    _do(named, step)


@click.command("fulfil")
@click.argument("named")
@operator_option(default="desk")
@with_appcontext
def fulfil(named: str, operator: str) -> None:
    """The doctor has seen them; of a no-show, the correction that they were there."""
    _do(
        named,
        lambda session, appointment_id, now: _told(
            at_desk.fulfil(
                session, appointment_id=appointment_id, operator=operator, now=now, cause=by_operator(operator)
            )
        ),
    )


@click.command("cancel-at-desk")
@click.argument("named")
@operator_option(default="desk")
@with_appcontext
def cancel_at_desk(named: str, operator: str) -> None:
    """Take a number back after the deadline, or after they arrived; also of a suspended half day, where nobody but the
    clock says that they were seen. What was paid goes back."""
    _do(
        named,
        lambda session, appointment_id, now: _told(
            at_desk.cancel_at_desk(
                session, appointment_id=appointment_id, operator=operator, now=now, cause=by_operator(operator)
            )
        ),
    )


@click.command("allow-follow-up")
@click.argument("named")
@operator_option(default="desk")
@with_appcontext
def allow_follow_up(named: str, operator: str) -> None:
    """They were here, and may come once more on the same registration (续诊); tells until when."""

    def step(session: Session, appointment_id: UUID, now: datetime) -> dict[str, Any]:
        until = right.allow_follow_up(session, appointment_id=appointment_id, operator=operator, now=now)
        return {"appointment_id": appointment_id, "until": until}

    _do(named, step)


@click.command("report-not-me")
@click.argument("named")
@operator_option()
@with_appcontext
def report_not_me(named: str, operator: str) -> None:
    """Their document is not that of whom the number names: nobody checks in with it until `decide-not-me`."""

    def step(session: Session, appointment_id: UUID, now: datetime) -> dict[str, Any]:
        frozen = at_desk.report_at_desk(
            session, appointment_id=appointment_id, operator=operator, now=now, cause=by_operator(operator)
        )
        return {"appointment_id": appointment_id, "frozen": frozen}

    _do(named, step)


@click.command("decide-not-me")
@click.argument("named")
@click.argument("found", type=click.Choice(["confirmed", "cleared"]))
@operator_option()
@with_appcontext
def decide_not_me(named: str, found: str, operator: str) -> None:
    """`confirmed`: it was taken in another's name, and is cancelled. `cleared`: it was the right person after all."""

    def step(session: Session, appointment_id: UUID, now: datetime) -> dict[str, Any]:
        decided = at_desk.decide_at_desk(
            session,
            appointment_id=appointment_id,
            confirmed=found == "confirmed",
            operator=operator,
            now=now,
            cause=by_operator(operator),
        )
        return {"appointment_id": appointment_id, "decided": decided}

    _do(named, step)


@click.command("lift-strike")
@click.argument("named")
@operator_option()
@with_appcontext
def lift_strike(named: str, operator: str) -> None:
    """The hospital has heard the patient: what was held against them for this appointment counts no longer."""

    def step(session: Session, appointment_id: UUID, now: datetime) -> dict[str, Any]:
        lifted = at_desk.lift_at_desk(
            session, appointment_id=appointment_id, operator=operator, now=now, cause=by_operator(operator)
        )
        return {"appointment_id": appointment_id, "lifted": lifted}

    _do(named, step)


def _do(named: str, step: Callable[[Session, UUID, datetime], dict[str, Any]]) -> None:
    """Prints one line of JSON, or exits 1 with the code and the facts of the refusal."""
    workbench = services().workbench

    def whole(session: Session, now: datetime) -> dict[str, Any]:
        appointment_id = at_desk.appointment_named(session, workbench.tickets, named, now=now)
        return step(session, appointment_id, now)

    try:
        said = workbench.transactions.write(whole)
    except BadTicket as error:
        sys.exit(f"not a good pass: {error}")
    except DomainError as error:
        facts = facts_in_json(error.facts)
        sys.exit(f"{error.code} {json.dumps(facts) if facts else ''}".strip())
    click.echo(json.dumps(said, default=str))


def _told(appointment: Appointment) -> dict[str, Any]:
    return {"appointment_id": appointment.id, "number": appointment.number, "status": appointment.status}


commands: tuple[click.Command, ...] = (
    allow_follow_up,
    cancel_at_desk,
    check_in,
    decide_not_me,
    fulfil,
    lift_strike,
    pass_number,
    queue,
    report_not_me,
)
