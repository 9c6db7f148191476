"""Operator commands about bookings as a whole."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from uuid import UUID

import click
from flask.cli import with_appcontext

from core.booking.fairness import fairness_of
from miniapp_api.services import services
from models.errors import NotFound


@click.command("fairness")
@click.argument("schedule_id", type=click.UUID)
@with_appcontext
def tell_fairness(schedule_id: UUID) -> None:
    """How fast the numbers of a schedule went, through which ways, and what was refused by which rule."""
    try:
        told = services().workbench.transactions.read(lambda session, _now: fairness_of(session, schedule_id))
    except NotFound:
        sys.exit("no such schedule")
    said = asdict(told) | {"seconds_to_sold_out": told.seconds_to_sold_out}
    click.echo(json.dumps(said, default=str))


commands: list[click.Command] = [tell_fairness]
