"""Joining one's account in another wallet: what can be joined, the yes, and taking it back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.identity.join import say_yes, undo_join
from core.identity.join_offers import JoinView, Viewer, list_joins
from core.paging import Page
from core.refusals import JoinConflict, PhoneNotProven, UndoTooLate
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.services import services
from models.errors import NotFound
from schemas.account_join import AccountJoinSchema, SayYesSchema
from schemas.base import page_schema

blueprint = patient_blueprint("account_joins", "/api/v1/account/joins")


def _viewer() -> Viewer:
    caller = current_caller()
    return Viewer(caller.account_id, caller.identity_id, caller.session_id)


@endpoint(blueprint, "GET", "", reply=page_schema(AccountJoinSchema), summary="What can be joined, and what was")
def list_account_joins() -> Response:
    """Accounts of other wallets that have proven the same phone are offered while one's own proof is younger than 30
    minutes. Nothing more than this is told of another account before both have said yes."""
    viewer, vault = _viewer(), services().workbench.vault
    return reading(
        lambda session, now: Page(list_joins(session, viewer=viewer, vault=vault, now=now), None),
        page_schema(AccountJoinSchema)(),
    )


@endpoint(
    blueprint,
    "POST",
    "",
    body=SayYesSchema,
    reply=AccountJoinSchema,
    status=201,
    keyed=True,
    refusals=(NotFound, PhoneNotProven, JoinConflict),
    summary="Say yes to joining",
)
def create_account_join(body: dict[str, Any]) -> Response:
    """It takes a yes of both accounts, each with the phone proven in the 30 minutes before its own. The first one asks
    and waits for a day; the second one joins. The older account is kept, and every login of both goes on."""

    def step(command: Command) -> JoinView:
        return say_yes(
            command.session,
            viewer=_viewer(),
            join_id=body["join_id"],
            vault=command.vault,
            now=command.now,
            cause=command.cause,
        )

    return run_command(step, AccountJoinSchema(), status=201, keyed=True, moves_login=True)


@endpoint(
    blueprint,
    "DELETE",
    "/<uuid:join_id>",
    reply=AccountJoinSchema,
    refusals=(NotFound, UndoTooLate),
    summary="Undo a join, or take back a yes",
)
def undo_account_join(join_id: UUID) -> Response:
    """Within 24 hours each account gets back what it brought, with all that happened to it since. An ask that waits is
    withdrawn or declined; what is over stays as it is."""

    def step(command: Command) -> JoinView:
        return undo_join(
            command.session,
            viewer=_viewer(),
            join_id=join_id,
            vault=command.vault,
            now=command.now,
            cause=command.cause,
        )

    return run_command(step, AccountJoinSchema(), moves_login=True)
