"""Operator commands about money: a day's reconciliation, what is left of it, its closing sheet, and refunds that are
left to people."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext

from core.clock import hospital_day
from core.payments.refund_desk import AtDesk, DeskRefusal, Word, list_at_desk, say_of_refund
from core.payments.to_card import give_to_card
from core.ports import BillNotReady, BillUnreadable, PayeeCard, ProviderError, ProviderRefused, ProviderUnavailable
from core.reconciliation.day import MerchantDay, reconcile
from core.reconciliation.desk import list_open, say_of
from core.reconciliation.give_back import say_give_back
from core.reconciliation.sheet import closing_sheet
from core.reconciliation.take import BillChanged
from core.registry import NotConfigured
from miniapp_api.cli_operator import by_operator, operator_option, tells_when_away
from miniapp_api.services import services
from models.errors import NotFound
from models.payment import RefundStatus
from models.reconciliation import Difference
from models.refund_decision import RefundWay

WHY_MAX = 500
_CARD_NUMBER = re.compile(r"[0-9]{12,19}")
_HOLDER_MAX = 50
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
    found = services().workbench.transactions.read(
        lambda session, _now: list_open(session, merchant=merchant, limit=limit)
    )
    for one in found:
        click.echo(_told(one))


@click.command("end-difference")
@click.argument("difference", type=click.UUID)
@click.option("--why", required=True, help="What was found and done.")
@operator_option()
@with_appcontext
@tells_when_away
def end_difference(difference: UUID, why: str, operator: str) -> None:
    """Say why a DIFFERENCE may rest. It takes two operators: the first one's reason is kept, and with the second one's
    word it ends. Exits 2 while it waits for another."""
    reason = _reason(why)
    try:
        ended = services().workbench.transactions.write(
            lambda session, now: say_of(session, difference, operator=operator, why=reason, now=now)
        )
    except NotFound as error:
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
    reason = _reason(why)
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


@click.command("list-refunds")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@with_appcontext
@tells_when_away
def list_refunds(limit: int) -> None:
    """Refunds that no platform makes by itself, oldest first, each with what the first operator said of it: one line of
    JSON each."""
    found = services().workbench.transactions.read(lambda session, _now: list_at_desk(session, limit=limit))
    for one in found:
        click.echo(_told_of_refund(one))


@click.command("decide-refund")
@click.argument("refund", type=click.UUID)
@click.option(
    "--way",
    type=click.Choice([one.replace("_", "-") for one in RefundWay if one is not RefundWay.TO_CARD]),
    required=True,
    help="Sent again, or given back by the hospital.",
)
@click.option("--why", required=True, help="What was found and done.")
@operator_option()
@with_appcontext
@tells_when_away
def decide_refund(refund: UUID, way: str, why: str, operator: str) -> None:
    """Say what becomes of a REFUND that is left to people. It takes two operators who say the same: the first one's
    reason is kept, and with the second one's word it is done. Exits 2 while it waits for another."""
    word = Word(RefundWay(way.replace("-", "_")), _reason(why), operator)
    try:
        decided = services().workbench.transactions.write(
            lambda session, now: say_of_refund(session, refund, word, now=now)
        )
    except (NotFound, DeskRefusal) as error:
        sys.exit(error.code)
    click.echo(json.dumps({"refund": str(refund), "decided": decided}))
    sys.exit(0 if decided else 2)


def _number(typed: str) -> str:
    """Raises: BadParameter, which does not repeat it."""
    number = "".join(typed.split())
    if _CARD_NUMBER.fullmatch(number) is None:
        raise click.BadParameter("12 to 19 digits")
    return number


def _holder(typed: str) -> str:
    """Raises: BadParameter, which does not repeat it."""
    name = unicodedata.normalize("NFKC", typed).strip()
    if not name or len(name) > _HOLDER_MAX or not name.isprintable():
        raise click.BadParameter(f"1 to {_HOLDER_MAX} printable characters")
    return name


@click.command("refund-to-card")
@click.argument("refund", type=click.UUID)
@click.option("--bank", required=True, help="The platform's word for the card's bank: ICBC_DEBIT.")
@click.option("--why", required=True, help="What was found.")
@operator_option()
@with_appcontext
@tells_when_away
def refund_to_card(refund: UUID, bank: str, why: str, operator: str) -> None:
    """Have the platform send an abnormal REFUND to another card of the payer. It takes two operators who each type the
    same card, number and name, when asked: neither is shown, kept or logged. With the second one's word it is sent.
    Exits 2 while it waits for another."""
    reason = _reason(why)
    number = click.prompt("Card number", hide_input=True, value_proc=_number)
    holder = click.prompt("Name on the card", hide_input=True, value_proc=_holder)
    said = {"why": reason, "operator": operator}
    try:
        status = give_to_card(
            services().workbench, refund, PayeeCard(bank, number, holder), **said, cause=by_operator(operator)
        )
    except (NotFound, DeskRefusal, ProviderRefused) as error:
        sys.exit(error.code)
    except NotConfigured:
        sys.exit("no_such_merchant")
    except ProviderUnavailable as error:
        sys.exit("outcome_unknown" if error.sent else "provider_unavailable")
    click.echo(json.dumps({"refund": str(refund), "decided": status is not None, "status": status}))
    sys.exit(2 if status is None else status is RefundStatus.ABNORMAL)


def _reason(why: str) -> str:
    """Raises: BadParameter."""
    if not why.strip() or len(why) > WHY_MAX or not why.isprintable():
        raise click.BadParameter(f"1 to {WHY_MAX} printable characters", param_hint="--why")
    return why.strip()


def _told_of_refund(one: AtDesk) -> str:
    refund, payment, said = one.refund, one.payment, one.decision
    told = {
        "id": str(refund.id),
        "status": str(refund.status),
        "amount_fen": refund.amount_fen,
        "reason": str(refund.reason),
        "last_refusal": refund.last_refusal,
        "out_refund_no": refund.out_refund_no,
        "out_trade_no": payment.out_trade_no,
        "channel": str(payment.channel),
        "merchant": payment.merchant,
        "since": refund.created_at.isoformat(),
        "waits_since": one.since.isoformat(),
        "way": None if said is None else str(said.way),
        "why": None if said is None else said.why,
        "first_by": None if said is None else said.first_by,
        "decided": said is not None and said.is_in_course,
    }
    return json.dumps(told, ensure_ascii=False)


def _told(one: Difference) -> str:
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
    return json.dumps(said, ensure_ascii=False)


commands: tuple[click.Command, ...] = (
    reconcile_one,
    list_differences,
    end_difference,
    give_back,
    print_sheet,
    list_refunds,
    decide_refund,
    refund_to_card,
)
