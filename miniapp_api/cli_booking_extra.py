"""The operator command with which a doctor gives one person an extra number."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.booking.extra import ExtraReason, ExtraRefused, Order, issue_extra_number
from miniapp_api.cli_operator import by_operator, operator_option
from miniapp_api.services import services
from models.appointment import PayMode
from models.errors import DomainError, NotFound


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
    cause = by_operator(operator)
    order = Order(schedule_id, dependent_id, doctor, ExtraReason(reason), operator, PayMode(pay))
    workbench = services().workbench

    def step(session: Session, now: datetime) -> dict[str, Any]:
        made = issue_extra_number(session, order, now=now, cause=cause, vault=workbench.vault).appointment
        told = {"appointment_id": made.id, "number": made.number, "status": made.status}
        return told | {"hold_expires_at": made.hold_expires_at}

    try:
        told = workbench.transactions.write(step)
    except ExtraRefused as error:
        sys.exit(f"no extra number: {error}")
    except NotFound:
        sys.exit("no such half day or dependent")
    except DomainError as error:
        sys.exit(f"no extra number: {error.code}")
    click.echo(json.dumps(told, default=str))


commands: tuple[click.Command, ...] = (issue_extra_number_command,)
