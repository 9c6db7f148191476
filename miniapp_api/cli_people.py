"""Operator commands about people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import click
from flask.cli import with_appcontext

from core.identity.on_site import verify_on_site
from core.rights.catalogue import listing
from miniapp_api.services import services
from models.base import new_id
from models.errors import NotFound
from models.states import Actor, Cause, CauseKind

OPERATOR_MAX = 64
F = TypeVar("F", bound=Callable[..., Any])


def operator_option(default: str | None = None) -> Callable[[F], F]:
    """Whose name goes into the log that the patient can read. Without a default it must be said."""
    given: dict[str, Any] = {"required": True} if default is None else {"default": default, "show_default": True}
    return click.option("--operator", callback=_operator, help="Who does it; the patient can read the name.", **given)


def _operator(_context: click.Context, _option: click.Parameter, value: str) -> str:
    name = value.strip()
    if not name or len(name) > OPERATOR_MAX or not name.isprintable():
        raise click.BadParameter(f"1 to {OPERATOR_MAX} printable characters")
    return name


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
    cause = Cause(actor=Actor.OPERATOR, kind=CauseKind.COMMAND, id=str(new_id()), actor_id=operator)

    def step(session: Any, now: Any) -> dict[str, Any]:
        check = verify_on_site(session, dependent_id=dependent_id, operator=operator, now=now, cause=cause)
        return {"dependent_id": dependent_id, "check_id": check.id, "status": check.status, "level": check.level}

    try:
        told = services().workbench.transactions.write(step)
    except NotFound:
        sys.exit("no such dependent")
    click.echo(json.dumps(told, default=str))


@click.command("data-catalogue")
def show_catalogue() -> None:
    """Print the grade of every column, as a Markdown table."""
    click.echo(listing())


commands: list[click.Command] = [verify_dependent, show_catalogue]
