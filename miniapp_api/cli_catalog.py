"""Operator commands of the catalogue: load a directory, publish the coming days."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click
from flask.cli import with_appcontext

from core.catalog.directory import Loaded, load_directory
from core.catalog.faults import InvalidDirectory
from core.catalog.folder import HOSPITALS, Directory, read_directory
from core.catalog.for_nobody import half_days_for_nobody
from core.catalog.pinyin import InvalidOverrides, Overrides
from core.catalog.publish import HORIZON_DAYS, extend_schedules
from core.catalog.recompile import half_days_not_found, recompile_terms
from core.catalog.texts import spell_out
from miniapp_api.services import services
from models.errors import Unavailable

_READINGS = Path(__file__).resolve().parent.parent / "data" / "pinyin_overrides.json"


@click.command("load-directory")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--readings",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=_READINGS,
    help="Table of pinyin readings that the dictionary does not know.",
)
@with_appcontext
def load_directory_command(folder: Path, readings: Path) -> None:
    """Load hospitals, departments, doctors, rosters and rules from FOLDER, and publish the coming days.

    All or nothing: with any bad row nothing is written, each is told with file, line and reason, and the exit is 1.
    """
    transactions = services().workbench.transactions
    try:
        directory = read_directory(folder)
        texts = spell_out(directory, Overrides.read(readings))
        loaded = transactions.write(lambda session, now: load_directory(session, directory, texts=texts, now=now))
    except InvalidOverrides as error:
        sys.exit(f"the table of readings is unusable, nothing was written: {error}")
    except InvalidDirectory as error:
        _say(str(fault) for fault in error.faults)
        sys.exit(f"{len(error.faults)} faults, nothing was written")
    except Unavailable as error:
        sys.exit(f"the database is busy or away ({error.code}): run the command again")
    _say(_summary(loaded))
    _say(_paid_elsewhere(directory))
    _publish(HORIZON_DAYS)


@click.command("extend-schedules")
@click.option("--days", type=click.IntRange(1, 366), default=HORIZON_DAYS, show_default=True)
@with_appcontext
def extend_schedules_command(days: int) -> None:
    """Publish the rosters of the coming days; what stands is left alone."""
    _publish(days)


commands: tuple[click.Command, ...] = (load_directory_command, extend_schedules_command)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _paid_elsewhere(directory: Directory) -> Iterable[str]:
    """Where the money of a hospital is not received by an account of its own: nobody can pay online to a name that is
    no account's, and one without a name is paid to another's, where there are several."""
    accounts = {merchant for _, merchant in services().workbench.adapters.bill_sources()}
    for row in directory.hospitals:
        if row.merchant is not None and row.merchant not in accounts:
            yield f"{HOSPITALS}:{row.line} merchant not_configured: nobody can pay online to {row.merchant}"
    nameless = sum(row.merchant is None for row in directory.hospitals)
    if nameless and len(accounts) > 1:
        yield f"{HOSPITALS}: {nameless} hospitals name no merchant, and are paid to the first account of each app"


def _summary(loaded: Loaded) -> Iterable[str]:
    for file, tally in loaded.files.items():
        yield (
            f"{file}: {tally.added} new, {tally.changed} changed, {tally.retired} retired, {tally.unchanged} unchanged"
        )
    if loaded.withdrawn:
        yield f"withdrawn before release, because their roster changed: {loaded.withdrawn} schedules"


def _publish(days: int) -> None:
    transactions = services().workbench.transactions
    try:
        made = extend_schedules(transactions, days=days)
        renewed = recompile_terms(transactions)
        missing, nobody = transactions.read(half_days_not_found), transactions.read(half_days_for_nobody)
    except Unavailable as error:
        sys.exit(f"publishing stopped, the database is busy or away ({error.code}): a worker goes on within the hour")
    _say([f"published: {made.schedules} schedules with {made.slots} numbers", f"terms renewed: {renewed} schedules"])
    _say(f"policy of a half day that is not published: {name}" for name in missing)
    _say(f"nobody can book, the ages exclude one another: {one}" for one in nobody)
