"""Dependents: add, look, change how they are reached, switch, remove."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.dependents.add import NewDependent, add_dependent
from core.dependents.contact import Change, change_contact
from core.dependents.give_document import GivenDocument, give_document
from core.dependents.guardians import ToldGuardian, name_guardian
from core.dependents.remove import make_default, remove_dependent
from core.dependents.views import DependentView, list_dependents, own_dependent_view, view_dependent
from core.identity.methods import Ways
from core.identity.phone_check import Codes
from core.refusals import ChangeLimit, ConsentRequired, DependentExists, DependentInUse, DependentLimit, IdentityFrozen
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.patient.asking import callers_asker
from miniapp_api.services import services
from models.errors import NotFound
from models.person import Dependent
from schemas.base import PageQuery, page_schema
from schemas.dependent import (
    IDENTITY_FIELDS,
    AddDependentSchema,
    ChangeDependentSchema,
    DependentInFullSchema,
    DependentSchema,
    GiveDocumentSchema,
    NameGuardianSchema,
)

blueprint = patient_blueprint("dependents", "/api/v1/dependents")


def callers_ways() -> Ways:
    """The ways to prove identity that work where the caller is logged in."""
    caller, adapters = current_caller(), services().workbench.adapters
    return Ways(
        faces=adapters.face_verifiers(caller.provider, caller.app),
        matcher=adapters.name_matcher(),
        codes=Codes(callers_asker(), services().config.code_limits) if adapters.sms_gateways() else None,
    )


@endpoint(blueprint, "GET", "", query=PageQuery, reply=page_schema(DependentSchema), summary="One's own dependents")
def list_own_dependents(query: dict[str, Any]) -> Response:
    """The first one added first."""
    account_id, ways = current_caller().account_id, callers_ways()
    return reading(
        lambda session, now: list_dependents(session, account_id=account_id, ways=ways, now=now, **query),
        page_schema(DependentSchema)(),
    )


@endpoint(
    blueprint,
    "POST",
    "",
    body=AddDependentSchema,
    reply=DependentSchema,
    status=201,
    keyed=True,
    refusals=(NotFound, ConsentRequired, DependentExists, DependentLimit, ChangeLimit),
    summary="Add a dependent",
)
def create_dependent(body: dict[str, Any]) -> Response:
    """Sex and birth date come from the number where it says them. A minor is stored too, and asked about at booking.
    `self` may be somebody else once in half a year."""
    wanted = NewDependent(**{"id_number": None, **body})

    def step(command: Command) -> DependentView:
        account_id = command.caller.account_id
        added = add_dependent(
            command.session, account_id=account_id, wanted=wanted, vault=command.vault, now=command.now
        )
        return view_of(command, added)

    return run_command(step, DependentSchema(), status=201, keyed=True)


@endpoint(
    blueprint, "GET", "/<uuid:dependent_id>", reply=DependentInFullSchema, refusals=(NotFound,), summary="One dependent"
)
def get_dependent(dependent_id: UUID) -> Response:
    """With what was told of their health, which no list shows."""
    account_id, ways, vault = current_caller().account_id, callers_ways(), services().workbench.vault
    return reading(
        lambda session, now: own_dependent_view(
            session, account_id=account_id, dependent_id=dependent_id, ways=ways, vault=vault, now=now
        ),
        DependentInFullSchema(),
    )


@endpoint(
    blueprint,
    "PATCH",
    "/<uuid:dependent_id>",
    body=ChangeDependentSchema,
    reply=DependentSchema,
    refusals=(
        NotFound,
        ChangeLimit,
        IdentityFrozen,
        ConsentRequired,
        DependentInUse,
        DependentExists,
        DependentLimit,
    ),
    summary="Change how a dependent is reached, or correct who it is",
)
def change_dependent(dependent_id: UUID, body: dict[str, Any]) -> Response:
    """Phone (once in half a year), e-mail, address, region, insurance number, guardian, and what was told of their
    health. Who somebody is may be corrected until it is matched, once in half a year and oneself once, under the same
    checks as adding; while a number stands only the name (`dependent_in_use`). Once `sensitive_identity` is withdrawn
    the phone may still be put right, and the rest be taken away."""
    identity = {name: body[name] for name in IDENTITY_FIELDS if name in body}
    change = Change({name: value for name, value in body.items() if name not in identity}, identity)

    def step(command: Command) -> DependentView:
        account_id = command.caller.account_id
        changed = change_contact(
            command.session,
            account_id=account_id,
            dependent_id=dependent_id,
            change=change,
            vault=command.vault,
            now=command.now,
            cause=command.cause,
        )
        return view_of(command, changed)

    return run_command(step, DependentSchema())


@endpoint(
    blueprint,
    "PUT",
    "/<uuid:dependent_id>/document",
    body=GiveDocumentSchema,
    reply=DependentSchema,
    refusals=(NotFound, ConsentRequired, DependentExists, IdentityFrozen),
    summary="A number for whom had none",
)
def give_dependent_document(dependent_id: UUID, body: dict[str, Any]) -> Response:
    """For `guardian_bound`, and for `birth_certificate` once a resident ID has come. Birth date and sex stay as they
    are, and what was proven is to be proven anew. Saying it once more changes nothing."""

    def step(command: Command) -> DependentView:
        changed = give_document(
            command.session,
            account_id=command.caller.account_id,
            dependent_id=dependent_id,
            given=GivenDocument(**body),
            vault=command.vault,
            now=command.now,
        )
        return view_of(command, changed)

    return run_command(step, DependentSchema())


@endpoint(
    blueprint,
    "PUT",
    "/<uuid:dependent_id>/guardian",
    body=NameGuardianSchema,
    reply=DependentSchema,
    refusals=(NotFound, ConsentRequired, DependentExists),
    summary="A minor's guardian, and what shows it",
)
def name_dependent_guardian(dependent_id: UUID, body: dict[str, Any]) -> Response:
    """Kind and number of the evidence, never a picture of it. The desk may confirm what it has seen. The `minor`
    consent is asked for beside it before anything is booked."""

    def step(command: Command) -> DependentView:
        named = name_guardian(
            command.session,
            account_id=command.caller.account_id,
            dependent_id=dependent_id,
            told=ToldGuardian(**body),
            vault=command.vault,
            now=command.now,
            cause=command.cause,
        )
        return view_of(command, named)

    return run_command(step, DependentSchema())


@endpoint(
    blueprint,
    "PUT",
    "/<uuid:dependent_id>/default",
    reply=DependentSchema,
    refusals=(NotFound,),
    summary="Propose this dependent first",
)
def set_default_dependent(dependent_id: UUID) -> Response:
    """切换就诊人. The one before is no longer proposed first."""

    def step(command: Command) -> DependentView:
        account_id = command.caller.account_id
        return view_of(command, make_default(command.session, account_id=account_id, dependent_id=dependent_id))

    return run_command(step, DependentSchema())


@endpoint(
    blueprint,
    "DELETE",
    "/<uuid:dependent_id>",
    status=204,
    refusals=(NotFound, DependentInUse),
    summary="Remove a dependent",
)
def delete_dependent(dependent_id: UUID) -> Response:
    """Contact data is erased at once, name and document too where no hospital was ever told of them. Appointments that
    have been stay in the list. The same person can be added again."""

    def step(command: Command) -> None:
        remove_dependent(
            command.session,
            account_id=command.caller.account_id,
            dependent_id=dependent_id,
            now=command.now,
            cause=command.cause,
        )

    return run_command(step, None, status=204)


def view_of(command: Command, dependent: Dependent) -> DependentView:
    """As the caller is shown it."""
    return view_dependent(command.session, dependent, ways=callers_ways(), now=command.now)
