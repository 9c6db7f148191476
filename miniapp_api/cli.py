"""Operator commands: `flask --app wsgi COMMAND`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext

from core.booking.day.visit_pass import check_visit_pass
from core.booking.history import show_history
from core.invariants import check_invariants
from core.tickets import BadTicket
from migrations import upgrade
from miniapp_api import (
    cli_booking,
    cli_booking_appeals,
    cli_booking_calendar,
    cli_booking_day,
    cli_booking_extra,
    cli_booking_hospital,
    cli_booking_policy,
    cli_booking_schedules,
    cli_booking_supply,
    cli_catalog,
    cli_keys,
    cli_money,
    cli_official,
    cli_people,
    cli_receipts,
    cli_refunds,
    cli_shipping,
)
from miniapp_api.cli_operator import operator_option
from miniapp_api.services import services
from miniapp_api.worker import work
from models.appointment import AppointmentStatus
from models.errors import NotFound

_GROUPS = (
    cli_booking,
    cli_booking_calendar,
    cli_booking_extra,
    cli_booking_schedules,
    cli_booking_hospital,
    cli_booking_policy,
    cli_booking_supply,
    cli_booking_day,
    cli_booking_appeals,
    cli_catalog,
    cli_keys,
    cli_money,
    cli_refunds,
    cli_official,
    cli_people,
    cli_receipts,
    cli_shipping,
)


def register(app: Flask) -> None:
    """Give the app its commands."""
    for command in (worker, migrate, invariants, history, check_pass):
        app.cli.add_command(command)
    for group in _GROUPS:
        for command in group.commands:
            app.cli.add_command(command)


def _print(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str))


@click.command("worker")
@with_appcontext
def worker() -> None:
    """Run deferred work until stopped."""
    work(services().workbench)


@click.command("migrate")
@with_appcontext
def migrate() -> None:
    """Bring the database to the newest schema."""
    upgrade(services().config.database_url)
    _print({"migrated": True})


@click.command("invariants")
@with_appcontext
def invariants() -> None:
    """Check what must always hold; exits 1 when something does not."""
    broken = services().workbench.transactions.read(lambda session, now: check_invariants(session, now=now))
    for one in broken:
        _print({"invariant": one.invariant, "row": one.row})
    if broken:
        sys.exit(1)
    _print({"broken": 0})


@click.command("history")
@click.argument("appointment")
@operator_option(default="support")
@with_appcontext
def history(appointment: str, operator: str) -> None:
    """Every move of an appointment, its slot, payments and refunds, each with its cause. By its id or its number."""
    moves = services().workbench.transactions.write(
        lambda session, now: show_history(session, appointment, operator=operator, now=now)
    )
    if not moves:
        sys.exit("no such appointment")
    for move in moves:
        _print(move)


@click.command("check-pass")
@click.argument("code")
@operator_option(default="desk")
@with_appcontext
def check_pass(code: str, operator: str) -> None:
    """What the desk sees when it reads a visit pass; exits 1 when it is not good."""
    workbench = services().workbench
    try:
        found = workbench.transactions.write(
            lambda session, now: check_visit_pass(session, workbench.tickets, code, operator=operator, now=now)
        )
    except (BadTicket, NotFound) as error:
        sys.exit(f"not a good pass: {error}")
    if found.status not in {AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED}:
        sys.exit(f"not a good pass: the appointment is {found.status}")
    _print({"appointment_id": found.id, "number": found.number, "status": found.status, "visit_date": found.visit_date})
