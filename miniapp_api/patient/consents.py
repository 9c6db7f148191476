"""Consents: the texts for everybody to read, and what one's own account said to them."""

from __future__ import annotations

from typing import Any

from flask import Response

from core.identity.consent_texts import consent_texts
from core.identity.consents import record_consent, standing_consents
from core.paging import Page
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, open_blueprint, patient_blueprint
from miniapp_api.patient.languages import in_language, language_asked
from models.errors import NotFound
from schemas.base import page_schema
from schemas.consent import ConsentSchema, ConsentTextSchema, GiveConsentSchema

texts = open_blueprint("consent_texts", "/api/v1/consent-texts", tag="consents")
blueprint = patient_blueprint("consents", "/api/v1/account/consents")


@endpoint(texts, "GET", "", reply=page_schema(ConsentTextSchema), summary="The texts in force")
def list_consent_texts() -> Response:
    """In the language asked for; the Chinese text binds."""
    language = language_asked()
    page = Page(consent_texts(language=language), None)
    return in_language(reading(lambda _session, _now: page, page_schema(ConsentTextSchema)()))


@endpoint(blueprint, "GET", "", reply=page_schema(ConsentSchema), summary="What one's own account agreed to")
def list_consents() -> Response:
    """The newest word on each purpose, and on each dependent where the purpose names one."""
    account_id = current_caller().account_id
    return reading(
        lambda session, _now: Page(standing_consents(session, account_id=account_id), None),
        page_schema(ConsentSchema)(),
    )


@endpoint(
    blueprint,
    "POST",
    "",
    body=GiveConsentSchema,
    reply=ConsentSchema,
    status=201,
    refusals=(NotFound,),
    summary="Agree to a text, or withdraw",
)
def create_consent(body: dict[str, Any]) -> Response:
    """Withdrawing takes effect at once. Saying what already holds changes nothing."""

    def step(command: Command) -> Any:
        return record_consent(
            command.session,
            account_id=command.caller.account_id,
            purpose=body["purpose"],
            version=body["version"],
            granted=body["granted"],
            dependent_id=body.get("dependent_id"),
            provider=command.caller.provider,
            identity_id=command.caller.identity_id,
            now=command.now,
            cause=command.cause,
        )

    return run_command(step, ConsentSchema(), status=201)
