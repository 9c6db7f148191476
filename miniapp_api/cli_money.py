"""Operator commands about money: a day's reconciliation, what is left of it, and its closing sheet."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.payments.refund_desk import DeskRefusal
from core.ports import BillNotReady, BillUnreadable, ProviderError
from core.reconciliation.day import MerchantDay, reconcile
from core.reconciliation.desk import list_open, say_of
from core.reconciliation.give_back import returns_of, say_give_back
from core.reconciliation.sheet import closing_sheet
from core.reconciliation.take import BillChanged
from core.registry import NotConfigured
from miniapp_api.cli_operator import by_operator, operator_option, tells_when_away
from miniapp_api.cli_refunds import reason_of
from miniapp_api.services import services
from models.bill_return import BillReturn
from models.errors import NotFound
from models.reconciliation import Difference

_REFUSALS = {
    NotConfigured: "no_such_merchant",
    BillNotReady: "bill_not_ready",
    BillUnreadable: "bill_unreadable",
    BillChanged: "bill_changed",
}


def _day(_context: click.Context, _option: click.Parameter, value: datetime) -> date:
    return value.date()


_whose = (
    click.argument("provider"),
    click.argument("merchant"),
    click.argument("day", type=click.DateTime(["%Y-%m-%d"]), callback=_day),
)


def _of_a_day(command: Any) -> Any:
    for argument in reversed(_whose):
        command = argument(command)
    return command


@click.command("reconcile-day")
@_of_a_day
@operator_option("reconciliation")
@with_appcontext
@tells_when_away
def reconcile_one(provider: str, merchant: str, day: date, operator: str) -> None:
    """Take the bill of the MERCHANT at the PROVIDER (wechat_pay, alipay) for that DAY, hold it against our records, and
    repair what is safe: one line of JSON for each difference that is left. Exits 1 where any is, or where there is no
    bill to be had. Doing it twice changes nothing."""
    workbench = services().workbench
    if day >= hospital_day(workbench.transactions.clock.now()):
        sys.exit("day_not_over")
    try:
        left = reconcile(workbench, MerchantDay(provider, merchant, day), cause=by_operator(operator))
    except (BillChanged, ProviderError) as error:
        sys.exit(_REFUSALS.get(type(error), "provider_unavailable"))
    for one in left:
        click.echo(_told(one))
    sys.exit(1 if left else 0)


@click.command("list-differences")
@click.option("--merchant", help="Only of this merchant account.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@with_appcontext
@tells_when_away
def list_differences(merchant: str | None, limit: int) -> None:
    """What no bill and no repair has settled, oldest first: one line of JSON each."""

    def look(session: Session, _now: datetime) -> list[str]:
        found = list_open(session, merchant=merchant, limit=limit)
        returns = returns_of(session, found)
        return [_told(one, returns.get(one.id)) for one in found]

    for line in services().workbench.transactions.read(look):
        click.echo(line)


@click.command("end-difference")
@click.argument("difference", type=click.UUID)
@click.option("--why", required=True, help="What was found and done.")
@operator_option()
@with_appcontext
@tells_when_away
def end_difference(difference: UUID, why: str, operator: str) -> None:
    """Say why a DIFFERENCE may rest. It takes two operators: the first one's reason is kept, and with the second one's
    word it ends. Exits 2 while it waits for another."""
    reason = reason_of(why)
    try:
        ended = services().workbench.transactions.write(
            lambda session, now: say_of(session, difference, operator=operator, why=reason, now=now)
        )
    except (NotFound, DeskRefusal) as error:
        sys.exit(error.code)
    click.echo(json.dumps({"difference": str(difference), "ended": ended}))
    sys.exit(0 if ended else 2)


@click.command("give-back-unknown")
@click.argument("difference", type=click.UUID)
@click.option("--why", required=True, help="Why it is ours to give back.")
@operator_option()
@with_appcontext
@tells_when_away
def give_back(difference: UUID, why: str, operator: str) -> None:
    """Have money sent back of which only the bill knows: a DIFFERENCE theirs_only about a payment under a number as we
    make them, as after a restore. It takes two operators. Exits 2 while it waits for another."""
    reason = reason_of(why)
    try:
        decided = services().workbench.transactions.write(
            lambda session, now: say_give_back(session, difference, operator=operator, why=reason, now=now)
        )
    except (NotFound, DeskRefusal) as error:
        sys.exit(error.code)
    click.echo(json.dumps({"difference": str(difference), "decided": decided}))
    sys.exit(0 if decided else 2)


@click.command("closing-sheet")
@_of_a_day
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False, writable=True), help="A file in .csv or .xlsx.")
@with_appcontext
@tells_when_away
def print_sheet(provider: str, merchant: str, day: date, to: Path | None) -> None:
    """The closing sheet of a day whose bill was taken, printed or written to a file."""
    try:
        sheet = services().workbench.transactions.read(
            lambda session, _now: closing_sheet(session, provider=provider, merchant=merchant, day=day)
        )
    except NotFound as error:
        sys.exit(error.code)
    if to is None:
        for row in sheet.rows():
            click.echo("\t".join(str(cell) for cell in row))
    elif to.suffix == ".xlsx":
        to.write_bytes(sheet.as_xlsx())
    elif to.suffix == ".csv":
        to.write_bytes(sheet.as_csv())
    else:
        raise click.BadParameter("a file in .csv or .xlsx", param_hint="--to")


def _told(one: Difference, back: BillReturn | None = None) -> str:
    said = {
        "id": str(one.id),
        "day": one.day.isoformat(),
        "provider": one.provider,
        "merchant": one.merchant,
        "kind": str(one.kind),
        "entry": one.entry,
        "number": one.number,
        "facts": one.facts,
        "first_by": one.first_by,
    }
    if back is not None:
        said["give_back"] = {
            "amount_fen": back.amount_fen,
            "why": back.why,
            "first_by": back.first_by,
            "decided": back.is_in_course,
            "outcome": back.outcome and str(back.outcome),
            "last_refusal": back.last_refusal,
        }
    return json.dumps(said, ensure_ascii=False)


commands: tuple[click.Command, ...] = (
    reconcile_one,
    list_differences,
    end_difference,
    give_back,
    print_sheet,
)
