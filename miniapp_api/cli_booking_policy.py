"""Operator command for a policy that is not in force yet: what it would have done."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from core.booking.policy import BookingPolicy, InvalidPolicy
from core.booking.policy_checks import read_policy_json
from core.booking.replay.simulate import AS_TODAY, LEFT_OUT, REPLAYED, Asked, Refused, Totals, UnknownCode, simulate
from miniapp_api.services import services
from models.errors import Unavailable

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("simulate")
@click.argument("policy", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--hospital", required=True, help="Its code.")
@click.option("--department", "departments", multiple=True, help="A code; POLICY is put over that of the department.")
@click.option("--from", "first", type=_DAY, help="The first day of booking.")
@click.option("--to", "last", type=_DAY, help="The last day of booking, included.")
@with_appcontext
def simulate_command(
    policy: Path, hospital: str, departments: tuple[str, ...], first: datetime | None, last: datetime | None
) -> None:
    """Replay past bookings under the keys of POLICY, a JSON file, and tell who would have been refused.

    One line of JSON for each of them, in the order of booking, then one with the totals. Reads, and writes nothing.
    Exits 1 where POLICY is none, a code is not known, or there is no day from --from to --to.
    """
    if first and last and last < first:
        sys.exit("--to lies before --from")
    asked = Asked(hospital, _read(policy), departments, first and first.date(), last and last.date())
    try:
        totals = simulate(services().workbench.transactions, asked, told=lambda one: _say(_told(one)))
    except UnknownCode as error:
        sys.exit(f"no such hospital, or no such department of it: {error.code}")
    except Unavailable as error:
        sys.exit(f"the database is busy or away ({error.code}): run the command again")
    _say(_totals(totals))


def _read(file: Path) -> BookingPolicy:
    try:
        return BookingPolicy.parse(read_policy_json(file.read_text("utf-8-sig")))
    except UnicodeDecodeError:
        sys.exit(f"{file.name}: not in UTF-8")
    except ValueError as error:
        sys.exit(f"{file.name}: this is no JSON: {error}")
    except InvalidPolicy as error:
        for fault in error.faults:
            click.echo(f"{file.name}: {fault.key} {fault.code}: {fault.detail}")
        sys.exit(f"{len(error.faults)} faults")


def _told(one: Refused) -> dict[str, Any]:
    rules = [{"code": error.code, "facts": error.facts, "retry_at": error.retry_at} for error in one.errors]
    return {"number": one.number, "name": one.name_masked, "booked_at": one.booked_at, "refused_by": rules}


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "replayed": totals.replayed,
        "refused": totals.refused,
        "by_rule": dict(sorted(totals.by_rule.items())),
        "rules_as_they_were": REPLAYED,
        "rules_as_of_today": AS_TODAY,
        "rules_left_out": LEFT_OUT,
    }


def _say(line: dict[str, Any]) -> None:
    click.echo(json.dumps(line, ensure_ascii=False, default=str))


commands: tuple[click.Command, ...] = (simulate_command,)
