"""Operator commands about people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.dependents.agreements import agree_at_desk, revoke_at_desk
from core.dependents.guardians import confirm_guardian
from core.dependents.merge_at_desk import merge_at_desk
from core.dependents.signals import crowded_persons
from core.identity.on_site import verify_on_site
from core.rights.catalogue import listing
from core.rights.minors import minors_year
from miniapp_api.cli_operator import by_operator, operator_option
from miniapp_api.services import services
from models.agreement import Agreement
from models.errors import NotFound, Unavailable, ValidationFailed
from models.guardian import GuardianEvidence, GuardianRelation

T = TypeVar("T")


@click.command("verify-on-site")
@click.argument("dependent_id", type=click.UUID)
@operator_option()
@click.option(
    "--document-seen",
    is_flag=True,
    required=True,
    help="You have seen the holder and the document, and both agree with what is stored.",
)
@with_appcontext
def verify_dependent(dependent_id: UUID, operator: str, document_seen: bool) -> None:
    """Pass a dependent's identity check at the desk. Prints one line of JSON."""
    if not document_seen:
        raise click.UsageError("--document-seen is missing: nobody is verified unseen")
    cause = by_operator(operator)

    def step(session: Session, now: datetime) -> dict[str, Any]:
        check = verify_on_site(session, dependent_id=dependent_id, operator=operator, now=now, cause=cause)
        return {"dependent_id": dependent_id, "check_id": check.id, "status": check.status, "level": check.level}

    click.echo(json.dumps(_write(step), default=str))


@click.command("agree-on-site")
@click.argument("dependent_id", type=click.UUID)
@operator_option()
@click.option(
    "--holder-seen",
    is_flag=True,
    required=True,
    help="You have seen the person and their document, and they agree to be booked for by this account.",
)
@with_appcontext
def agree_on_site(dependent_id: UUID, operator: str, holder_seen: bool) -> None:
    """A grown-up agrees at the desk that an account books for them. Prints one line of JSON."""
    if not holder_seen:
        raise click.UsageError("--holder-seen is missing: nobody agrees unseen")
    cause = by_operator(operator)
    told = _write(
        lambda session, now: _told_agreement(
            agree_at_desk(session, dependent_id=dependent_id, operator=operator, now=now, cause=cause)
        )
    )
    click.echo(json.dumps(told, default=str))


@click.command("data-catalogue")
def show_catalogue() -> None:
    """Print the grade of every column, as a Markdown table."""
    click.echo(listing())


@click.command("revoke-agreement")
@click.argument("dependent_id", type=click.UUID)
@operator_option()
@with_appcontext
def revoke_on_site(dependent_id: UUID, operator: str) -> None:
    """The person takes it back at the desk, at once. Prints one line of JSON."""
    cause = by_operator(operator)
    ended = _write(
        lambda session, now: revoke_at_desk(session, dependent_id=dependent_id, operator=operator, now=now, cause=cause)
    )
    click.echo(json.dumps({"dependent_id": dependent_id, "revoked": ended}, default=str))


@click.command("confirm-guardian")
@click.argument("dependent_id", type=click.UUID)
@operator_option()
@click.option("--relation", type=click.Choice([str(one) for one in GuardianRelation]), required=True, help="GB/T 4761.")
@click.option("--evidence", type=click.Choice([str(one) for one in GuardianEvidence]), required=True)
@click.option("--evidence-seen", is_flag=True, required=True, help="You have seen it, and it names both.")
@with_appcontext
def confirm_guardianship(dependent_id: UUID, operator: str, relation: str, evidence: str, evidence_seen: bool) -> None:
    """The desk has seen what shows that a minor's guardian is one. Prints one line of JSON."""
    if not evidence_seen:
        raise click.UsageError("--evidence-seen is missing: nothing is confirmed unseen")
    cause = by_operator(operator)

    def step(session: Session, now: datetime) -> dict[str, Any]:
        ward = confirm_guardian(
            session,
            dependent_id=dependent_id,
            operator=operator,
            relation=GuardianRelation(relation),
            evidence=GuardianEvidence(evidence),
            now=now,
            cause=cause,
        )
        return {"dependent_id": ward.id, "relation": ward.guardian_relation, "confirmed_at": ward.guardian_confirmed_at}

    click.echo(json.dumps(_write(step), default=str))


@click.command("merge-records")
@click.argument("dependent_id", type=click.UUID)
@click.argument("other_id", type=click.UUID)
@operator_option()
@click.option(
    "--documents-seen",
    is_flag=True,
    required=True,
    help="You have seen the person and both documents, and both are theirs.",
)
@with_appcontext
def merge_records(dependent_id: UUID, other_id: UUID, operator: str, documents_seen: bool) -> None:
    """Two dependents, of one account or of two, are one human being under two documents: every limit counts them as one
    from now on. Neither account is told. Refused where birth date or sex differ. Prints one line of JSON."""
    if not documents_seen:
        raise click.UsageError("--documents-seen is missing: nobody is merged unseen")
    cause = by_operator(operator)
    merged = _write(
        lambda session, now: merge_at_desk(
            session, first=dependent_id, second=other_id, operator=operator, now=now, cause=cause
        )
    )
    click.echo(json.dumps({"dependent_id": dependent_id, "other_id": other_id, "merged": merged}, default=str))


@click.command("crowded-persons")
@with_appcontext
def tell_crowded_persons() -> None:
    """Persons whom more than three accounts have added within 30 days: one line of JSON each. For operators alone."""
    transactions = services().workbench.transactions
    for one in transactions.read(lambda session, now: crowded_persons(session, now=now)):
        told = {"person_id": one.person_id, "accounts": one.accounts, "newest_at": one.newest_at}
        click.echo(json.dumps(told, default=str))


@click.command("minors-report")
@click.argument("year", type=click.IntRange(2020, 2100))
@with_appcontext
def tell_minors_year(year: int) -> None:
    """The year's figures on minors' data, for the yearly audit: counts, nobody's name. Prints one line of JSON."""
    transactions = services().workbench.transactions
    click.echo(json.dumps(asdict(transactions.read(lambda session, now: minors_year(session, year, now=now)))))


def _told_agreement(given: Agreement) -> dict[str, Any]:
    return {"dependent_id": given.dependent_id, "agreement_id": given.id, "way": given.way, "given_at": given.given_at}


def _write(step: Callable[[Session, datetime], T]) -> T:
    try:
        return services().workbench.transactions.write(step)
    except NotFound:
        sys.exit("no such dependent")
    except ValidationFailed as refusal:
        sys.exit(", ".join(f"{error.pointer.removeprefix('#/')}: {error.code}" for error in refusal.errors))
    except Unavailable as error:
        sys.exit(f"the database is busy or away ({error.code}): run the command again")


commands: list[click.Command] = [
    agree_on_site,
    confirm_guardianship,
    merge_records,
    revoke_on_site,
    show_catalogue,
    tell_crowded_persons,
    tell_minors_year,
    verify_dependent,
]
