"""Strikes: what counts against the people one books for, and saying why it should not."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.booking.strikes.appeals import file_appeal
from core.booking.strikes.refusals import AlreadyAppealed, NotAppealable
from core.booking.strikes.views import StrikeView, list_strikes, view_strike
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.services import services
from models.errors import NotFound
from schemas.base import PageQuery, page_schema
from schemas.strike import AppealSchema, StrikeReply

blueprint = patient_blueprint("strikes", "/api/v1/strikes")


@endpoint(
    blueprint,
    "GET",
    "",
    query=PageQuery,
    reply=page_schema(StrikeReply),
    summary="What counts against one's dependents",
)
def list_own_strikes(query: dict[str, Any]) -> Response:
    """The newest first, of appointments that this account booked: numbers that nobody came with, or that were given
    back. A strike counts for the person, whatever account booked; what another account booked is not told."""
    account_id, vault = current_caller().account_id, services().workbench.vault
    return reading(
        lambda session, _now: list_strikes(session, account_id=account_id, vault=vault, **query),
        page_schema(StrikeReply)(),
    )


@endpoint(
    blueprint,
    "POST",
    "/<uuid:strike_id>/appeal",
    body=AppealSchema,
    reply=StrikeReply,
    status=201,
    keyed=True,
    refusals=(NotFound, AlreadyAppealed, NotAppealable),
    summary="Appeal against a strike",
)
def appeal_strike(strike_id: UUID, body: dict[str, Any]) -> Response:
    """Once for each strike. Somebody of the hospital reads it and answers before `decide_by`, within two working days.
    Where the answer is late, the strike does not count until it has come."""

    def step(command: Command) -> StrikeView:
        account_id = command.caller.account_id
        file_appeal(
            command.session,
            account_id=account_id,
            strike_id=strike_id,
            text=body["text"],
            vault=command.vault,
            now=command.now,
            cause=command.cause,
        )
        return view_strike(command.session, account_id=account_id, strike_id=strike_id, vault=command.vault)

    return run_command(step, StrikeReply(), status=201, keyed=True)
