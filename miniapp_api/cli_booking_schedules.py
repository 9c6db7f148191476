"""Operator commands for half days that stand: what a hospital does to a clinic that patients have numbers of."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.booking.schedule_changes import Order
from core.booking.suspend import preview_suspension, suspend_schedule
from miniapp_api.cli_people import operator_option
from miniapp_api.services import services
from models.base import new_id
from models.errors import DomainError
from models.states import Actor, Cause, CauseKind

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
_LONGEST_REASON = 200


def _order(operator: str, reason: str) -> Order:
    return Order(operator, reason, Cause(Actor.OPERATOR, CauseKind.COMMAND, str(new_id()), actor_id=operator))


def _reason(_context: click.Context, _option: click.Parameter, value: str) -> str:
    said = value.strip()
    if not said or len(said) > _LONGEST_REASON or not said.isprintable():
        raise click.BadParameter(f"1 to {_LONGEST_REASON} printable characters")
    return said


def _asked(command: F) -> F:
    """What every act on a schedule is asked for."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say what it would do."),
        click.option("--reason", required=True, callback=_reason, help="For the hospital; no patient is shown it."),
        operator_option(default="hospital"),
        click.argument("schedule_id", type=click.UUID),
    ):
        command = option(command)
    return command


def _tell(step: Callable[[Session, datetime], Any], *, dry_run: bool) -> None:
    """One line of JSON; exits 1 where it was refused, and then nothing was written."""
    transactions = services().workbench.transactions
    try:
        done = transactions.read(step) if dry_run else transactions.write(step)
    except DomainError as error:
        sys.exit(f"refused ({error.code}): {json.dumps(dict(error.facts), default=str)}")
    click.echo(json.dumps({"dry_run": dry_run} | asdict(done), ensure_ascii=False, default=str))


@click.command("suspend-schedule")
@_asked
@with_appcontext
def suspend(schedule_id: UUID, operator: str, reason: str, dry_run: bool) -> None:
    """Suspend a half day (停诊): nothing of it is sold any more, and whoever has a number gets all of their money back.

    Prints the appointments by their state, and the money to return. Doing it twice changes nothing. Whoever is at the
    hospital already (arrived) is left to the desk.
    """
    order = _order(operator, reason)
    if dry_run:
        _tell(lambda session, _now: preview_suspension(session, schedule_id=schedule_id), dry_run=True)
    else:
        _tell(
            lambda session, now: suspend_schedule(session, schedule_id=schedule_id, order=order, now=now), dry_run=False
        )


commands: tuple[click.Command, ...] = (suspend,)
