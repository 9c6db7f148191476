"""Grown-ups agree themselves to be booked for: asked for and said here, and taken back from either side."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.dependents.agreed_by_me import list_given, take_back
from core.dependents.agreement_codes import Saying, agree_by_code, ask_to_agree, try_to_agree
from core.dependents.agreement_words import agreement_text
from core.dependents.agreements import agree_by_face, revoke_agreement
from core.dependents.hand_over import take_over
from core.dependents.phones import masked_phone
from core.dependents.views import DependentView
from core.idempotency import StoredReply
from core.paging import Page
from core.refusals import AgreementNotGiven, ConsentRequired, IdentityRequired, OwnPhone, PhoneNotProven, ProviderDown
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, dump, reading, respond, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.patient.asking import callers_asker
from miniapp_api.patient.dependents import view_of
from miniapp_api.patient.languages import in_language, language_asked
from miniapp_api.services import services
from models.errors import NotFound
from schemas.agreement import (
    AskAgreementSchema,
    AskedAgreementSchema,
    GiveAgreementSchema,
    GivenAgreementSchema,
    SaidWay,
)
from schemas.base import page_schema
from schemas.dependent import DependentSchema

of_dependents = patient_blueprint("dependent_agreements", "/api/v1/dependents", tag="agreements")
blueprint = patient_blueprint("agreements", "/api/v1/account/agreements")
hand_overs = patient_blueprint("hand_overs", "/api/v1/account/hand-over", tag="agreements")


@endpoint(
    of_dependents,
    "POST",
    "/<uuid:dependent_id>/agreement",
    body=AskAgreementSchema,
    reply=AskedAgreementSchema,
    status=202,
    refusals=(NotFound, ConsentRequired, OwnPhone, ProviderDown),
    summary="Ask a grown-up to agree",
)
def ask_for_agreement(dependent_id: UUID, body: dict[str, Any]) -> Response:
    """Sends six digits to the dependent's own phone, which they hand on if they agree to the text in the reply. The
    limits are those of `POST /api/v1/account/phone/otp`. `face` and the desk need not be asked for. `not_needed` for
    oneself and for whoever is under 18, for whom a guardian consents."""
    saying = Saying(callers_asker(), dependent_id)
    intent = ask_to_agree(services().workbench, saying, limits=services().config.code_limits)
    text = agreement_text(language=language_asked())
    told = {
        "phone_masked": masked_phone(intent.phone),
        "expires_at": intent.expires_at,
        "again_at": intent.again_at,
        "version": text.version,
        "title": text.title,
        "text": text.text,
    }
    return in_language(respond(StoredReply(202, dump(AskedAgreementSchema(), told))))


@endpoint(
    of_dependents,
    "PUT",
    "/<uuid:dependent_id>/agreement",
    body=GiveAgreementSchema,
    reply=DependentSchema,
    refusals=(NotFound, ConsentRequired, OwnPhone, PhoneNotProven, AgreementNotGiven),
    summary="A grown-up has agreed",
)
def give_agreement(dependent_id: UUID, body: dict[str, Any]) -> Response:
    """By the code, or by a face check of the dependent that was passed within a day. `not_needed` as where it is asked
    for."""
    return _by_code(dependent_id, body) if body["way"] is SaidWay.PHONE_CODE else _by_face(dependent_id, body)


def _by_code(dependent_id: UUID, body: dict[str, Any]) -> Response:
    workbench, saying = services().workbench, Saying(callers_asker(), dependent_id, body["version"])
    code_id = workbench.transactions.write(
        lambda session, now: try_to_agree(session, saying, otp=body["otp"], vault=workbench.vault, now=now)
    )

    def step(command: Command) -> DependentView:
        agreed = agree_by_code(command.session, saying, code_id=code_id, vault=command.vault, now=command.now)
        return view_of(command, agreed)

    return run_command(step, DependentSchema())


def _by_face(dependent_id: UUID, body: dict[str, Any]) -> Response:
    def step(command: Command) -> DependentView:
        agreed = agree_by_face(
            command.session,
            account_id=command.caller.account_id,
            dependent_id=dependent_id,
            version=body["version"],
            now=command.now,
        )
        return view_of(command, agreed)

    return run_command(step, DependentSchema())


@endpoint(
    of_dependents,
    "DELETE",
    "/<uuid:dependent_id>/agreement",
    status=204,
    refusals=(NotFound,),
    summary="Give an agreement back",
)
def revoke_dependent_agreement(dependent_id: UUID) -> Response:
    """At once: nothing new is booked for them. What is booked stays. Where none holds nothing changes."""

    def step(command: Command) -> None:
        revoke_agreement(
            command.session, account_id=command.caller.account_id, dependent_id=dependent_id, now=command.now
        )

    return run_command(step, None, status=204)


@endpoint(blueprint, "GET", "", reply=page_schema(GivenAgreementSchema), summary="Who books for oneself")
def list_given_agreements() -> Response:
    """Agreements that one has given to other accounts and that hold. Empty until oneself is verified."""
    account_id = current_caller().account_id
    return reading(
        lambda session, _now: Page(list_given(session, account_id=account_id), None),
        page_schema(GivenAgreementSchema)(),
    )


@endpoint(
    blueprint,
    "DELETE",
    "/<uuid:agreement_id>",
    status=204,
    refusals=(NotFound,),
    summary="Take back one's agreement",
)
def take_back_agreement(agreement_id: UUID) -> Response:
    """At once: that account books nothing new for oneself."""

    def step(command: Command) -> None:
        take_back(command.session, account_id=command.caller.account_id, agreement_id=agreement_id, now=command.now)

    return run_command(step, None, status=204)


@endpoint(
    hand_overs,
    "POST",
    "",
    status=204,
    refusals=(IdentityRequired,),
    summary="Take one's record over at 18",
)
def take_over_own_record() -> Response:
    """Ends every guardianship over oneself. Former guardians see `handed_over_at`, and book nothing more unless one
    agrees. For whoever is 18 and verified here as `self`, under the document that the guardians have."""

    def step(command: Command) -> None:
        take_over(command.session, account_id=command.caller.account_id, now=command.now, cause=command.cause)

    return run_command(step, None, status=204)
