"""Operator commands that give one patient a number: a doctor's extra one, or one that is kept for a channel."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.booking.extra import ExtraReason, ExtraRefused, Order, issue_extra_number
from core.booking.kept import KeptOrder, KeptRefused, issue_kept_number
from core.booking.views import AppointmentView
from miniapp_api.cli_operator import by_operator, operator_option
from miniapp_api.services import services
from models.appointment import PayMode
from models.errors import DomainError, NotFound
from models.schedule import PoolChannel


@click.command("issue-extra-number")
@click.argument("schedule_id", type=click.UUID)
@click.argument("dependent_id", type=click.UUID)
@click.option("--doctor", required=True, help="The code of the doctor who gives it.")
@click.option("--reason", type=click.Choice([str(one) for one in ExtraReason]), required=True)
@click.option("--pay", type=click.Choice([str(one) for one in PayMode]), default=str(PayMode.ONLINE), show_default=True)
@operator_option()
@with_appcontext
def issue_extra_number_command(
    *, schedule_id: UUID, dependent_id: UUID, doctor: str, reason: str, pay: str, operator: str
) -> None:
    """Give one patient a number beside those of a half day (加号). Prints one line of JSON."""
    order = Order(schedule_id, dependent_id, doctor, ExtraReason(reason), operator, PayMode(pay))
    _issue("extra number", partial(issue_extra_number, order=order), operator)


@click.command("issue-kept-number")
@click.argument("schedule_id", type=click.UUID)
@click.argument("dependent_id", type=click.UUID)
@click.option("--channel", type=click.Choice([str(one) for one in PoolChannel]), required=True)
@click.option(
    "--pay", type=click.Choice([str(one) for one in PayMode]), default=str(PayMode.ON_SITE), show_default=True
)
@operator_option()
@with_appcontext
def issue_kept_number_command(*, schedule_id: UUID, dependent_id: UUID, channel: str, pay: str, operator: str) -> None:
    """Give one patient a number that is kept for a channel. Prints one line of JSON."""
    order = KeptOrder(schedule_id, dependent_id, PoolChannel(channel), operator, PayMode(pay))
    _issue("kept number", partial(issue_kept_number, order=order), operator)


def _issue(what: str, issue: Callable[..., AppointmentView], operator: str) -> None:
    cause, workbench = by_operator(operator), services().workbench

    def step(session: Session, now: datetime) -> dict[str, Any]:
        made = issue(session, now=now, cause=cause, vault=workbench.vault).appointment
        told = {"appointment_id": made.id, "number": made.number, "status": made.status}
        return told | {"hold_expires_at": made.hold_expires_at}

    try:
        told = workbench.transactions.write(step)
    except (ExtraRefused, KeptRefused) as error:
        sys.exit(f"no {what}: {error}")
    except NotFound:
        sys.exit("no such half day or dependent")
    except DomainError as error:
        sys.exit(f"no {what}: {error.code}")
    click.echo(json.dumps(told, default=str))


commands: tuple[click.Command, ...] = (issue_extra_number_command, issue_kept_number_command)
