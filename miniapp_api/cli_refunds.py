"""Operator commands about refunds that are left to people."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from uuid import UUID

import click
from flask.cli import with_appcontext

from core.payments.refund_desk import AtDesk, DeskRefusal, Word, list_at_desk, say_of_refund
from core.payments.to_card import give_to_card
from core.ports import PayeeCard, ProviderRefused, ProviderUnavailable
from core.registry import NotConfigured
from miniapp_api.cli_operator import by_operator, operator_option, tells_when_away
from miniapp_api.services import services
from models.errors import NotFound
from models.payment import RefundStatus
from models.refund_decision import RefundWay

WHY_MAX = 500
_CARD_NUMBER = re.compile(r"[0-9]{12,19}")
_HOLDER_MAX = 50


def reason_of(why: str) -> str:
    """Raises: BadParameter."""
    if not why.strip() or len(why) > WHY_MAX or not why.isprintable():
        raise click.BadParameter(f"1 to {WHY_MAX} printable characters", param_hint="--why")
    return why.strip()


@click.command("list-refunds")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@with_appcontext
@tells_when_away
def list_refunds(limit: int) -> None:
    """Refunds that no platform makes by itself, or refuses for a day by now, oldest first, each with what the first
    operator said of it: one line of JSON each."""
    found = services().workbench.transactions.read(lambda session, now: list_at_desk(session, limit=limit, now=now))
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
    word = Word(RefundWay(way.replace("-", "_")), reason_of(why), operator)
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
    reason = reason_of(why)
    number = click.prompt("Card number", hide_input=True, value_proc=_number)
    holder = click.prompt("Name on the card", hide_input=True, value_proc=_holder)
    if number in re.sub(r"\D", "", unicodedata.normalize("NFKC", reason)) or holder in reason:
        raise click.BadParameter("says nothing of the card or its holder: it is kept", param_hint="--why")
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


commands: tuple[click.Command, ...] = (list_refunds, decide_refund, refund_to_card)
