"""One's own account."""

from __future__ import annotations

from typing import Any

from flask import Response

from core.identity.phone import about_to_prove, ask_phone, keep_phone
from core.ports import PhoneProver
from core.refusals import ConsentRequired, PhoneNotProven, ProviderDown
from core.registry import NotConfigured
from miniapp_api.auth import Caller, current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.services import services
from models.account import Account
from models.errors import FieldError, ValidationFailed
from schemas.account import AccountDetailsSchema, SetPhoneSchema

blueprint = patient_blueprint("account", "/api/v1/account")


@endpoint(blueprint, "GET", "", reply=AccountDetailsSchema, summary="One's own account")
def get_account() -> Response:
    account_id = current_caller().account_id
    return reading(lambda session, _now: session.get_one(Account, account_id), AccountDetailsSchema())


@endpoint(
    blueprint,
    "PUT",
    "/phone",
    body=SetPhoneSchema,
    reply=AccountDetailsSchema,
    refusals=(ConsentRequired, PhoneNotProven, ProviderDown),
    summary="Prove one's phone",
)
def set_account_phone(body: dict[str, Any]) -> Response:
    """By what the wallet hands out in which the caller is logged in. Proving again replaces the number.

    Several accounts may prove one number: see `GET /api/v1/account/joins`.
    """
    caller, workbench = current_caller(), services().workbench
    prover = _prover(caller, body["provider"])
    user = workbench.transactions.read(
        lambda session, _now: about_to_prove(
            session, account_id=caller.account_id, identity_id=caller.identity_id, vault=workbench.vault
        )
    )
    phone = ask_phone(prover, {name: body[name] for name in body if name != "provider"}, user=user)

    def step(command: Command) -> Account:
        return keep_phone(
            command.session,
            account_id=command.caller.account_id,
            identity_id=command.caller.identity_id,
            phone=phone,
            vault=command.vault,
            now=command.now,
            cause=command.cause,
        )

    return run_command(step, AccountDetailsSchema())


def _prover(caller: Caller, provider: str) -> PhoneProver:
    """Raises: ValidationFailed."""
    if provider != caller.provider:
        raise ValidationFailed(FieldError("#/provider", "other_login"))
    try:
        return services().workbench.adapters.phone_prover(caller.provider, caller.app)
    except NotConfigured:
        raise ValidationFailed(FieldError("#/provider", "not_configured")) from None
