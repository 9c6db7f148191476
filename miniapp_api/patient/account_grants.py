"""Letting another account see, book or pay for oneself: the offer, the code, and the end of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.dependents.grants import GrantView, Offer, Wanted, accept_grant, end_grant, list_grants, offer_grant
from core.paging import Page
from core.refusals import ConsentRequired, GrantLimit, GrantRefused, IdentityRequired
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from models.errors import NotFound
from schemas.base import page_schema
from schemas.grant import AcceptGrantSchema, GrantOfferSchema, GrantSchema, OfferGrantSchema

blueprint = patient_blueprint("account_grants", "/api/v1/account/grants")


@endpoint(blueprint, "GET", "", reply=page_schema(GrantSchema), summary="Grants that one gave, and that one holds")
def list_account_grants() -> Response:
    """The newest first, those that have ended too. Whom one may book for under a grant stands here, beside one's own
    in `GET /api/v1/dependents`."""
    account_id = current_caller().account_id
    return reading(
        lambda session, now: Page(list_grants(session, account_id=account_id, now=now), None),
        page_schema(GrantSchema)(),
    )


@endpoint(
    blueprint,
    "POST",
    "",
    body=OfferGrantSchema,
    reply=GrantOfferSchema,
    status=201,
    keyed=True,
    refusals=(NotFound, ConsentRequired, IdentityRequired, GrantLimit),
    summary="Offer a grant over oneself",
)
def create_account_grant(body: dict[str, Any]) -> Response:
    """Gives a code to pass on to the relative, who types it in an account of their own within 30 minutes. An offer
    that still waits is replaced. What is done under a grant stands in the access log."""

    def step(command: Command) -> Offer:
        return offer_grant(
            command.session,
            account_id=command.caller.account_id,
            wanted=Wanted(**body),
            vault=command.vault,
            now=command.now,
        )

    return run_command(step, GrantOfferSchema(), status=201, keyed=True)


@endpoint(
    blueprint,
    "POST",
    "/acceptance",
    body=AcceptGrantSchema,
    reply=GrantSchema,
    status=201,
    keyed=True,
    refusals=(ConsentRequired, GrantRefused, GrantLimit),
    summary="Accept a grant by its code",
)
def accept_account_grant(body: dict[str, Any]) -> Response:
    """It is in force from then on. An older one of the same granter is replaced. The granter sees the masked name of
    who is `self` here."""

    def step(command: Command) -> GrantView:
        return accept_grant(
            command.session,
            account_id=command.caller.account_id,
            identity_id=command.caller.identity_id,
            code=body["code"],
            vault=command.vault,
            now=command.now,
        )

    return run_command(step, GrantSchema(), status=201, keyed=True)


@endpoint(
    blueprint,
    "DELETE",
    "/<uuid:grant_id>",
    reply=GrantSchema,
    refusals=(NotFound,),
    summary="End a grant, or take back an offer",
)
def end_account_grant(grant_id: UUID) -> Response:
    """By either side, at once: nothing begins under it any more. What was booked stays booked for the granter, and the
    holder no longer sees it."""

    def step(command: Command) -> GrantView:
        return end_grant(command.session, account_id=command.caller.account_id, grant_id=grant_id, now=command.now)

    return run_command(step, GrantSchema())
