"""Operator commands about bookings as a whole."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from uuid import UUID

import click
from flask.cli import with_appcontext

from core.booking.watch.clusters import clear_signal, signals_in_force
from core.booking.watch.fairness import fairness_of
from miniapp_api.cli_operator import operator_option
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


@click.command("booking-signals")
@with_appcontext
def tell_signals() -> None:
    """Signs of resale that are in force, the heaviest first: one line of JSON each. For operators alone."""
    transactions = services().workbench.transactions
    for one in transactions.read(lambda session, now: signals_in_force(session, now=now)):
        told = {"id": one.id, "account_id": one.account_id, "kind": one.kind, "answer": one.answer}
        click.echo(json.dumps(told | {"until": one.until, "seen_at": one.created_at, **one.facts}, default=str))


@click.command("clear-signal")
@click.argument("signal_id", type=click.UUID)
@operator_option()
@click.option("--why", required=True, help="What was found; the patient can read it.")
@with_appcontext
def clear_one(signal_id: UUID, operator: str, why: str) -> None:
    """A person has looked at a sign of resale and found nothing: what was answered to it ends at once."""
    if not why.strip():
        raise click.BadParameter("say what was found", param_hint="--why")
    try:
        cleared = services().workbench.transactions.write(
            lambda session, now: clear_signal(session, signal_id, operator=operator, why=why.strip(), now=now)
        )
    except NotFound:
        sys.exit("no such signal")
    click.echo(json.dumps({"id": cleared.id, "cleared_at": cleared.cleared_at}, default=str))


commands: list[click.Command] = [clear_one, tell_fairness, tell_signals]
