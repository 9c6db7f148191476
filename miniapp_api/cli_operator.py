"""Who gives an operator command: the name that goes into the log, and the cause of what the command moves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from models.base import new_id
from models.errors import Unavailable
from models.states import Actor, Cause, CauseKind

OPERATOR_MAX = 64
F = TypeVar("F", bound=Callable[..., Any])


def by_operator(operator: str) -> Cause:
    """One command of this operator."""
    return Cause(actor=Actor.OPERATOR, kind=CauseKind.COMMAND, id=str(new_id()), actor_id=operator)


def operator_option(default: str | None = None) -> Callable[[F], F]:
    """Whose name goes into the log that the patient can read. Without a default it must be said."""
    given: dict[str, Any] = {"required": True} if default is None else {"default": default, "show_default": True}
    return click.option("--operator", callback=_operator, help="Who does it; the patient can read the name.", **given)


def tells_when_away(command: F) -> F:
    """A command that says so where the database cannot answer now, and exits 1."""

    @wraps(command)
    def run(*given: Any, **named: Any) -> Any:
        try:
            return command(*given, **named)
        except Unavailable as error:
            sys.exit(f"the database is busy or away ({error.code}): run the command again")

    return cast(F, run)


def _operator(_context: click.Context, _option: click.Parameter, value: str) -> str:
    name = value.strip()
    if not name or len(name) > OPERATOR_MAX or not name.isprintable():
        raise click.BadParameter(f"1 to {OPERATOR_MAX} printable characters")
    return name
