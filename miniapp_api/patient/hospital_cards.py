"""The cards that hospitals gave a dependent (就诊卡): add, list, choose the current one, remove."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.dependents.cards import CardView, NewCard, add_card, list_cards, make_current, remove_card
from core.paging import Page
from core.refusals import ConsentRequired, HospitalCardExists, HospitalCardLimit
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from models.errors import NotFound
from schemas.base import page_schema
from schemas.hospital_card import AddHospitalCardSchema, HospitalCardSchema

of_dependents = patient_blueprint("hospital_cards", "/api/v1/dependents", tag="dependents")


@endpoint(
    of_dependents,
    "GET",
    "/<uuid:dependent_id>/hospital-cards",
    reply=page_schema(HospitalCardSchema),
    refusals=(NotFound,),
    summary="A dependent's cards",
)
def list_hospital_cards(dependent_id: UUID) -> Response:
    """The first one added first, all on one page."""
    account_id = current_caller().account_id
    return reading(
        lambda session, _now: Page(list_cards(session, account_id=account_id, dependent_id=dependent_id), None),
        page_schema(HospitalCardSchema)(),
    )


@endpoint(
    of_dependents,
    "POST",
    "/<uuid:dependent_id>/hospital-cards",
    body=AddHospitalCardSchema,
    reply=HospitalCardSchema,
    status=201,
    keyed=True,
    refusals=(NotFound, ConsentRequired, HospitalCardExists, HospitalCardLimit),
    summary="Add a card",
)
def create_hospital_card(dependent_id: UUID, body: dict[str, Any]) -> Response:
    """就诊卡可选填，用于到院就诊时关联病历。Optional: with it the hospital finds the patient's file."""
    wanted = NewCard(**body)

    def step(command: Command) -> CardView:
        return add_card(
            command.session,
            account_id=command.caller.account_id,
            dependent_id=dependent_id,
            wanted=wanted,
            vault=command.vault,
            now=command.now,
        )

    return run_command(step, HospitalCardSchema(), status=201, keyed=True)


@endpoint(
    of_dependents,
    "PUT",
    "/<uuid:dependent_id>/hospital-cards/<uuid:card_id>/current",
    reply=HospitalCardSchema,
    refusals=(NotFound,),
    summary="Make this card the current one of its hospital",
)
def set_current_hospital_card(dependent_id: UUID, card_id: UUID) -> Response:
    """The one before is no longer; cards of other hospitals stay as they are."""

    def step(command: Command) -> CardView:
        account_id = command.caller.account_id
        return make_current(command.session, account_id=account_id, dependent_id=dependent_id, card_id=card_id)

    return run_command(step, HospitalCardSchema())


@endpoint(
    of_dependents,
    "DELETE",
    "/<uuid:dependent_id>/hospital-cards/<uuid:card_id>",
    status=204,
    refusals=(NotFound,),
    summary="Remove a card",
)
def delete_hospital_card(dependent_id: UUID, card_id: UUID) -> Response:
    """It is erased, and appointments no longer name it. The newest of the others of its hospital becomes current."""

    def step(command: Command) -> None:
        account_id = command.caller.account_id
        remove_card(command.session, account_id=account_id, dependent_id=dependent_id, card_id=card_id)

    return run_command(step, None, status=204)
