"""Operator commands of supply: half days from a hospital's file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.catalog.faults import Fault, InvalidDirectory
from core.catalog.import_file import Beyond, Imported, import_schedules
from core.catalog.import_rows import read_import
from miniapp_api.cli_operator import by_operator, operator_option
from miniapp_api.services import services
from models.errors import Unavailable


class _Undone(Exception):
    """Everything was tried, and nothing is to be kept."""

    def __init__(self, done: Imported) -> None:
        self.done = done
        super().__init__()


@click.command("import-schedules")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Tell what would happen, and write nothing.")
@operator_option(default="clerk")
@with_appcontext
def import_schedules_command(file: Path, operator: str, dry_run: bool) -> None:
    """Publish or change half days as FILE says, CSV or XLSX (docs/operations/booking.md).

    All or nothing: with any bad row nothing is written, each is told with row, column and reason, and the exit is 1.
    """
    cause = by_operator(operator)
    faults: list[Fault] = []
    rows = read_import(file, faults)

    def step(session: Session, now: datetime) -> Imported:
        done = import_schedules(session, file.name, rows, faults, now=now, cause=cause)
        if dry_run:
            raise _Undone(done)
        return done

    try:
        done = services().workbench.transactions.write(step)
    except _Undone as tried:
        click.echo("nothing was written; this would happen:")
        done = tried.done
    except InvalidDirectory as error:
        for fault in error.faults:
            click.echo(str(fault))
        sys.exit(f"{len(error.faults)} faults, nothing was written")
    except Unavailable as error:
        sys.exit(f"the database is busy or away ({error.code}): run the command again")
    for line in _told(file.name, done):
        click.echo(line)


def _told(file: str, done: Imported) -> Iterator[str]:
    yield (
        f"{file}: {done.new.schedules} new half days with {done.new.slots} numbers, {done.replaced} made anew, "
        f"{done.refitted} with other numbers, {done.unchanged} unchanged"
    )
    if done.refitted:
        yield f"numbers added: {done.numbers_added}, taken back: {done.numbers_removed}"
    for line in done.for_nobody:
        yield f"{file}:{line} nobody can book it: the ages of its department and policies exclude one another"
    for one in done.at_one_time:
        yield f"{file}:{one.line} the doctor has another clinic at that time: {one.other}"
    for changed in done.changed_since:
        yield f"{file}:{changed.line} the hospital has changed it since, it is not published again: {changed.now}"
    for beyond in done.beyond:
        yield _beyond(file, beyond)


def _beyond(file: str, beyond: Beyond) -> str:
    kept = ", ".join(f"{number} ({appointment_id})" for number, appointment_id in beyond.appointments)
    return (
        f"{file}:{beyond.line} {len(beyond.appointments)} patients keep numbers beyond the new capacity, "
        f"nothing was cancelled: {kept}"
    )


commands: tuple[click.Command, ...] = (import_schedules_command,)
