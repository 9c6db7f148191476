"""One's own data: all of it, who looked at it, and its end."""

from __future__ import annotations

from typing import Any

from flask import Response

from core.refusals import AccountInUse
from core.rights.access import list_accesses
from core.rights.close import Closing, close_account
from core.rights.export import export_account
from core.transactions import OutcomeUnknown
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.patient.languages import in_language, language_asked
from schemas.account_rights import AccessSchema, AccountExportSchema, ClosingSchema
from schemas.base import PageQuery, page_schema

blueprint = patient_blueprint("account_rights", "/api/v1/account", tag="account")


@endpoint(
    blueprint,
    "GET",
    "/export",
    reply=AccountExportSchema,
    refusals=(OutcomeUnknown,),
    summary="All that is kept about oneself",
)
def export_own_account() -> Response:
    """One document, in clear: hand it to nobody. That it was handed out stands in the access log."""

    def step(command: Command) -> dict[str, Any]:
        return export_account(
            command.session, account_id=command.caller.account_id, vault=command.vault, now=command.now
        )

    return run_command(step, AccountExportSchema())


@endpoint(
    blueprint,
    "GET",
    "/access-log",
    query=PageQuery,
    reply=page_schema(AccessSchema),
    summary="Who looked at one's data, when and why",
)
def list_own_accesses(query: dict[str, Any]) -> Response:
    """Of the account and its dependents, removed ones too; the newest first. One's own looking is not in it."""
    account_id = current_caller().account_id
    return reading(
        lambda session, _now: list_accesses(session, account_id=account_id, **query), page_schema(AccessSchema)()
    )


@endpoint(blueprint, "DELETE", "", reply=ClosingSchema, refusals=(AccountInUse,), summary="Close one's account")
def close_own_account() -> Response:
    """Every login ends and what no law keeps is erased at once; the reply says of each kind of data what became of it,
    and which law says so, in the language asked for. There is no way back: a login afterwards begins a new account."""
    language = language_asked()

    def step(command: Command) -> Closing:
        caller = command.caller
        return close_account(
            command.session,
            account_id=caller.account_id,
            login_id=caller.session_id,
            language=language,
            now=command.now,
            cause=command.cause,
        )

    return in_language(run_command(step, ClosingSchema(), moves_login=True))
