"""Operator commands about appeals against strikes: which are open, and what the hospital says of one."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.booking.strikes.appeals import Decision, OpenAppeal, decide_appeal, read_open_appeals, strike_named
from miniapp_api.cli_operator import by_operator, operator_option
from miniapp_api.services import services
from models.errors import DomainError

ANSWER_MAX = 500


def _answer(_context: click.Context, _option: click.Parameter, value: str) -> str:
    answer = value.strip()
    if not answer or len(answer) > ANSWER_MAX or not answer.replace("\n", "").isprintable():
        raise click.BadParameter(f"1 to {ANSWER_MAX} printable characters")
    return answer


@click.command("list-appeals")
@operator_option()
@click.option("--hospital", help="Only of the hospital with this code.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@with_appcontext
def list_appeals(operator: str, hospital: str | None, limit: int) -> None:
    """Appeals that wait for an answer, those due first ahead: one line of JSON each, with what the patient says. That
    the operator has read them is noted for the patients."""
    workbench = services().workbench

    def step(session: Session, now: datetime) -> list[dict[str, Any]]:
        found = read_open_appeals(
            session, hospital_code=hospital, limit=limit, operator=operator, vault=workbench.vault, now=now
        )
        return [_told(one, now=now) for one in found]

    try:
        found = workbench.transactions.write(step)
    except DomainError as error:
        sys.exit(error.code)
    for said in found:
        click.echo(json.dumps(said, default=str, ensure_ascii=False))


@click.command("decide-appeal")
@click.argument("named")
@click.option("--grant", "verdict", flag_value="grant", help="The strike is lifted.")
@click.option("--reject", "verdict", flag_value="reject", help="The strike counts as before.")
@click.option("--answer", required=True, callback=_answer, help="What the patient reads.")
@operator_option()
@with_appcontext
def decide(named: str, verdict: str | None, answer: str, operator: str) -> None:
    """Answer the appeal against a strike, NAMED by its id or by the number of the appointment. The patient is told.
    Exits 1 where nobody appealed, or where it was decided otherwise."""
    if verdict is None:
        raise click.UsageError("--grant or --reject")
    workbench = services().workbench

    def step(session: Session, now: datetime) -> dict[str, Any]:
        strike_id = strike_named(session, named)
        decided = decide_appeal(
            session,
            strike_id=strike_id,
            decision=Decision(granted=verdict == "grant", answer=answer, operator=operator),
            vault=workbench.vault,
            now=now,
            cause=by_operator(operator),
        )
        return {"strike_id": strike_id, "decided": decided}

    try:
        said = workbench.transactions.write(step)
    except DomainError as error:
        sys.exit(error.code)
    click.echo(json.dumps(said, default=str))


def _told(one: OpenAppeal, *, now: datetime) -> dict[str, Any]:
    strike, appeal = one.strike, one.appeal
    return {
        "strike_id": strike.id,
        "number": one.number,
        "kind": strike.kind,
        "at": strike.at,
        "evidence": strike.evidence,
        "filed_at": appeal.filed_at,
        "decide_by": appeal.decide_by,
        "late": now >= appeal.decide_by,
        "text": one.text,
    }


commands: tuple[click.Command, ...] = (decide, list_appeals)
