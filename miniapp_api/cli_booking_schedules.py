"""Operator commands for half days that stand: what a hospital does to a clinic that patients have numbers of."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.booking.clinic.change_clinic import close_schedule, move_schedule, reopen_schedule, substitute_doctor
from core.booking.clinic.schedule_changes import ChangeRefused, Order
from core.booking.clinic.suspend import preview_suspension, suspend_schedule
from core.clock import HOSPITAL_ZONE
from miniapp_api.cli_operator import by_operator, operator_option
from miniapp_api.services import services
from models.errors import DomainError

_LONGEST_REASON = 200


def _order(operator: str, reason: str) -> Order:
    return Order(operator, reason, by_operator(operator))


def _reason(_context: click.Context, _option: click.Parameter, value: str) -> str:
    said = value.strip()
    if not said or len(said) > _LONGEST_REASON or not said.isprintable():
        raise click.BadParameter(f"1 to {_LONGEST_REASON} printable characters")
    return said


def _asked(step: Callable[..., None]) -> Callable[..., None]:
    """What every act on a schedule is asked for; it is given the order."""

    @wraps(step)
    def command(operator: str, reason: str, **given: Any) -> None:
        step(order=_order(operator, reason), **given)

    for option in (
        click.option("--dry-run", is_flag=True, help="Only say what it would do."),
        click.option("--reason", required=True, callback=_reason, help="For the hospital; no patient is shown it."),
        operator_option(default="hospital"),
        click.argument("schedule_id", type=click.UUID),
    ):
        option(command)
    return command


class _OnlyLooked(Exception):
    """Ends a dry run: what was done is undone."""

    def __init__(self, done: Any) -> None:
        self.done = done


def _tell(step: Callable[[Session, datetime], Any], *, dry_run: bool) -> None:
    """One line of JSON; exits 1 where it was refused, and then nothing was written. A dry run does it and undoes it."""

    def tried(session: Session, now: datetime) -> Any:
        done = step(session, now)
        if dry_run:
            raise _OnlyLooked(done)
        return done

    try:
        done = services().workbench.transactions.write(tried)
    except _OnlyLooked as looked:
        done = looked.done
    except ChangeRefused as error:
        sys.exit(f"refused: {error}")
    except DomainError as error:
        sys.exit(f"refused ({error.code}): {json.dumps(dict(error.facts), default=str)}")
    click.echo(json.dumps({"dry_run": dry_run} | asdict(done), ensure_ascii=False, default=str))


@click.command("suspend-schedule")
@_asked
@with_appcontext
def suspend(schedule_id: UUID, order: Order, dry_run: bool) -> None:
    """Suspend a half day (停诊): nothing of it is sold any more, and whoever has a number gets all of their money back.

    Prints the appointments by their state, and the money to return. Doing it twice changes nothing. Whoever is at the
    hospital already (arrived) is left to the desk, and so is whoever the clock alone took for seen (presumed_seen).
    """
    if dry_run:
        _tell(lambda session, now: preview_suspension(session, schedule_id=schedule_id, now=now), dry_run=True)
    else:
        _tell(
            lambda session, now: suspend_schedule(session, schedule_id=schedule_id, order=order, now=now), dry_run=False
        )


@click.command("substitute-doctor")
@_asked
@click.argument("doctor_id", type=click.UUID)
@click.option("--fee-fen", type=click.IntRange(0), help="What it costs from now on; without it, what it costs now.")
@with_appcontext
def substitute(schedule_id: UUID, doctor_id: UUID, fee_fen: int | None, order: Order, dry_run: bool) -> None:
    """Give a half day to another doctor (替诊). Whoever has a number keeps it at no extra charge, is told, and may
    leave without a strike; a cheaper doctor gives the difference back."""
    _tell(
        lambda session, now: substitute_doctor(
            session, schedule_id=schedule_id, doctor_id=doctor_id, fee_fen=fee_fen, order=order, now=now
        ),
        dry_run=dry_run,
    )


@click.command("move-schedule")
@_asked
@click.option("--starts-at", type=click.DateTime(["%Y-%m-%dT%H:%M"]), required=True, help="The hospital's own time.")
@click.option("--campus", type=click.UUID, help="Without it, the campus stays.")
@with_appcontext
def move(schedule_id: UUID, starts_at: datetime, campus: UUID | None, order: Order, dry_run: bool) -> None:
    """Move a half day to another time of its day, or to another campus. Numbers keep their order; whoever has one is
    told, and may leave without a strike until it begins."""
    at = starts_at.replace(tzinfo=HOSPITAL_ZONE).astimezone(UTC)
    _tell(
        lambda session, now: move_schedule(
            session, schedule_id=schedule_id, starts_at=at, campus_id=campus, order=order, now=now
        ),
        dry_run=dry_run,
    )


@click.command("close-schedule")
@_asked
@with_appcontext
def close(schedule_id: UUID, order: Order, dry_run: bool) -> None:
    """Sell nothing more of a half day; whoever has a number keeps it."""
    _tell(lambda session, now: close_schedule(session, schedule_id=schedule_id, order=order, now=now), dry_run=dry_run)


@click.command("reopen-schedule")
@_asked
@with_appcontext
def reopen(schedule_id: UUID, order: Order, dry_run: bool) -> None:
    """Let a closed or suspended half day take place after all. Numbers whose patients lost them stay out of sale."""
    _tell(lambda session, now: reopen_schedule(session, schedule_id=schedule_id, order=order, now=now), dry_run=dry_run)


commands: tuple[click.Command, ...] = (suspend, substitute, move, close, reopen)
