"""Operator commands about the finance ministry's electronic receipts, which hospitals send."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import click
from flask.cli import with_appcontext

from core.catalog.faults import InvalidDirectory
from core.ports import ReceiptName
from core.receipts.keep import take_receipts
from core.receipts.red_first import Awaiting, list_awaiting_red
from core.receipts.sent_file import SentFile
from core.receipts.take_out import take_receipt_out
from miniapp_api.cli_operator import operator_option, tells_when_away
from miniapp_api.services import services
from models.errors import NotFound


@click.command("import-receipts")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_appcontext
@tells_when_away
def import_receipts(file: Path) -> None:
    """Keep the electronic receipts, blue and red, that a hospital has issued as FILE says, CSV or XLSX
    (docs/operations/money.md). Refunds that waited for a red one are sent at once.

    All or nothing: with any bad row nothing is written, each is told with row, column and reason, and the exit is 1.
    Importing a file twice changes nothing.
    """
    try:
        kept = take_receipts(services().workbench, SentFile(file))
    except InvalidDirectory as error:
        for fault in error.faults:
            click.echo(str(fault))
        sys.exit(f"{len(error.faults)} faults, nothing was written")
    click.echo(f"{file.name}: {kept.blue} new receipts, {kept.red} new red ones, {kept.unchanged} known before")
    why = "its money has been sent back or is on its way, issue its red one now"
    for one in kept.too_late:
        click.echo(f"{one.source}:{one.line} number too_late: {why}")
    for one, sold_fen in kept.other_price:
        click.echo(
            f"{one.source}:{one.line} amount other_price: its appointment was sold for {Decimal(sold_fen).scaleb(-2)}"
        )


@click.command("list-red-receipts")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@with_appcontext
@tells_when_away
def list_red_receipts(limit: int) -> None:
    """Refunds that wait until the hospital has ended its receipt by a red one, and which receipts those are, oldest
    first: one line of JSON each."""
    found = services().workbench.transactions.read(lambda session, _now: list_awaiting_red(session, limit=limit))
    for one in found:
        click.echo(_told(one))


@click.command("take-receipt-out")
@click.argument("code")
@click.argument("number")
@click.option("--appointment", required=True, help="The number of the appointment under which it was imported.")
@operator_option()
@with_appcontext
@tells_when_away
def take_out(code: str, number: str, appointment: str, operator: str) -> None:
    """Take the receipt CODE NUMBER, and the red one that has ended it, out of an appointment that it is not of, where
    another patient reads it. Whoever was shown it can read who took it out. A later file may bring it under the right
    appointment."""
    name = ReceiptName(code, number)
    try:
        rows = services().workbench.transactions.write(
            lambda session, now: take_receipt_out(
                session, name=name, appointment=appointment, operator=operator, now=now
            )
        )
    except NotFound:
        sys.exit("no such receipt is kept under that appointment")
    click.echo(f"{code} {number}: {rows} taken out of {appointment}")


def _told(one: Awaiting) -> str:
    refund, since = one.refund, one.refund.awaits_red_since
    told = {
        "refund": str(refund.id),
        "amount_fen": refund.amount_fen,
        "reason": str(refund.reason),
        "out_refund_no": refund.out_refund_no,
        "out_trade_no": one.payment.out_trade_no,
        "merchant": one.payment.merchant,
        "since": None if since is None else since.isoformat(),
        "receipts": [
            {"appointment_number": number, "code": receipt.code, "number": receipt.number}
            for number, receipt in one.receipts
        ],
    }
    return json.dumps(told, ensure_ascii=False)


commands: tuple[click.Command, ...] = (import_receipts, list_red_receipts, take_out)
