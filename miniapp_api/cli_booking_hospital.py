"""Operator commands of hospitals with a system of their own."""

from __future__ import annotations

import json
import sys

import click
from flask.cli import with_appcontext

from core.hospital.connect import connect_hospital
from core.registry import NotConfigured
from miniapp_api.services import services
from models.errors import NotFound


@click.command("connect-hospital")
@click.argument("code")
@click.argument("system", required=False)
@with_appcontext
def connect_hospital_command(code: str, system: str | None) -> None:
    """Have every new booking of the hospital CODE agreed to by SYSTEM, a row of `hospital_systems` in the accounts.

    Without SYSTEM its numbers are ours again. Bookings that stand keep the way they were made. Prints one line of JSON;
    exits 1 where the hospital or the system is not known.
    """
    workbench = services().workbench
    try:
        if system is not None:
            workbench.adapters.hospital_system(system)
        done = workbench.transactions.write(lambda session, _now: connect_hospital(session, code, system=system))
    except NotConfigured:
        sys.exit(f"no such system among the accounts: {system}")
    except NotFound:
        sys.exit(f"no such hospital: {code}")
    click.echo(json.dumps(vars(done)))


commands: tuple[click.Command, ...] = (connect_hospital_command,)
