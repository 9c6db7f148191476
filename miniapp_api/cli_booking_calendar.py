"""Operator commands of the calendar: load public holidays and 调休, and see how far they reach."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.catalog.calendar import load_calendar, open_on_holidays, read_calendar
from core.catalog.coverage import Coverage, calendar_coverage
from core.catalog.faults import InvalidDirectory
from core.catalog.publish import HORIZON_DAYS
from core.catalog.recompile import recompile_terms
from core.catalog.store import Tally
from core.clock import hospital_day
from miniapp_api.services import services
from models.errors import Unavailable

_DAYS = Path(__file__).resolve().parent.parent / "data" / "calendar_days.csv"


@click.command("load-calendar")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=_DAYS)
@with_appcontext
def load_calendar_command(file: Path) -> None:
    """Load public holidays and 调休 from FILE (date,kind,name); without one, those that we know.

    The years that FILE names become what it says, others are left alone. All or nothing.
    """

    def step(session: Session, now: datetime) -> tuple[Tally, int, Coverage]:
        tally = load_calendar(session, rows)
        standing = open_on_holidays(session, today=hospital_day(now))
        return tally, standing, calendar_coverage(session, window_days=HORIZON_DAYS, now=now)

    try:
        rows = read_calendar(file)
        transactions = services().workbench.transactions
        tally, standing, coverage = transactions.write(step)
        renewed = recompile_terms(transactions, every=True)
    except InvalidDirectory as error:
        for fault in error.faults:
            click.echo(str(fault))
        sys.exit(f"{len(error.faults)} faults, nothing was written")
    except Unavailable as error:
        sys.exit(f"the database is busy or away ({error.code}): run the command again")
    click.echo(
        f"{file.name}: {tally.added} new, {tally.changed} changed, {tally.retired} retired, {tally.unchanged} unchanged"
    )
    click.echo(f"half days to come whose times follow the new calendar: {renewed}")
    if standing:
        click.echo(f"open on a public holiday, suspend them unless they are meant: {standing} schedules")
    click.echo(_told(coverage))


@click.command("calendar-coverage")
@with_appcontext
def tell_coverage() -> None:
    """How far the calendar reaches; exits 1 where it is less than what is published ahead and 30 days more."""
    coverage = services().workbench.transactions.read(
        lambda session, now: calendar_coverage(session, window_days=HORIZON_DAYS, now=now)
    )
    if coverage.runs_out:
        sys.exit(_told(coverage))
    click.echo(_told(coverage))


def _told(coverage: Coverage) -> str:
    until = "nothing of this year" if coverage.until is None else f"everything until {coverage.until}"
    ending = ": LOAD THE NEXT YEAR" if coverage.runs_out else ""
    return f"the calendar tells {until}, needed is {coverage.needed}{ending}"


commands: tuple[click.Command, ...] = (load_calendar_command, tell_coverage)
