"""Operator commands about what WeChat is told of deliveries, where it keeps the money until then."""

from __future__ import annotations

import json
import sys
from datetime import datetime

import click
from flask.cli import with_appcontext

from core.clock import HOSPITAL_ZONE
from core.payments.shipping_desk import list_unreported, look_at_concerns, report_since
from core.registry import NotConfigured
from miniapp_api.cli_operator import tells_when_away
from miniapp_api.services import services
from models.payment import Payment
from models.shipping import ShippingReport


@click.command("check-shipping")
@with_appcontext
@tells_when_away
def check_shipping() -> None:
    """Ask the platform of each app that it could concern whether it keeps the money until deliveries are reported: one
    line of JSON each, beside what the app is set to. Exits 1 where the two differ, or where there was no answer."""
    concerns = look_at_concerns(services().workbench)
    for one in concerns:
        click.echo(json.dumps({"app": one.app, "trade_managed": one.is_on, "platform_says": one.is_managed}))
    sys.exit(0 if all(one.is_settled for one in concerns) else 1)


@click.command("list-shipping")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@with_appcontext
@tells_when_away
def list_shipping(limit: int) -> None:
    """Payments whose delivery was refused for good or has been untold for an hour, oldest first: one line of JSON
    each."""
    found = services().workbench.transactions.read(lambda session, now: list_unreported(session, limit=limit, now=now))
    for report, payment in found:
        click.echo(_told(report, payment))


@click.command("report-shipping")
@click.argument("app")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    required=True,
    help="When the first of them was paid, at the hospital's time.",
)
@with_appcontext
@tells_when_away
def report_shipping(app: str, since: datetime) -> None:
    """Report what was paid in the APP since then and is not reported: what came before it was set to `trade_managed`,
    and what was refused."""
    try:
        count = report_since(services().workbench, app, since=since.replace(tzinfo=HOSPITAL_ZONE))
    except NotConfigured:
        sys.exit("not_trade_managed")
    click.echo(json.dumps({"app": app, "to_report": count}))


def _told(report: ShippingReport, payment: Payment) -> str:
    told = {
        "payment": str(payment.id),
        "app": payment.app,
        "merchant": payment.merchant,
        "out_trade_no": payment.out_trade_no,
        "platform_trade_no": payment.platform_trade_no,
        "paid_at": None if payment.paid_at is None else payment.paid_at.isoformat(),
        "told_times": report.told_times,
        "last_refusal": report.last_refusal,
        "refused": not report.is_open,
    }
    return json.dumps(told, ensure_ascii=False)


commands: tuple[click.Command, ...] = (check_shipping, list_shipping, report_shipping)
