"""The phone of one's own account: proven by the wallet in which one is logged in, or by a code sent to it."""

from __future__ import annotations

from typing import Any

from flask import Response

from core.idempotency import StoredReply
from core.identity.caller import Caller
from core.identity.phone import about_to_prove, ask_phone, keep_phone
from core.identity.phone_codes import Asker, ask_for_code, prove_by_code, read_own_phone, try_code
from core.ports import PhoneProver
from core.refusals import ConsentRequired, PhoneNotProven, ProviderDown
from core.registry import NotConfigured
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, dump, respond, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.patient.asking import callers_asker
from miniapp_api.services import services
from models.account import Account
from models.errors import FieldError, ValidationFailed
from schemas.account import AccountDetailsSchema, AskPhoneCodeSchema, PhoneCodeSchema, SetPhoneSchema

blueprint = patient_blueprint("account_phone", "/api/v1/account/phone", tag="account")


@endpoint(
    blueprint,
    "POST",
    "/otp",
    body=AskPhoneCodeSchema,
    reply=PhoneCodeSchema,
    status=202,
    refusals=(ConsentRequired, ProviderDown),
    summary="Ask for a code by text message",
)
def send_phone_code(body: dict[str, Any]) -> Response:
    """Sends six digits to the phone, for `PUT /api/v1/account/phone`. A code before it for the same phone ends.

    The answer is the same whatever the number. How often one may ask is limited for each phone, account and network,
    and for the day; `retry_at` tells when there is room again.
    """
    intent = ask_for_code(services().workbench, _asker(body["phone"]), limits=services().config.code_limits)
    return respond(StoredReply(202, dump(PhoneCodeSchema(), intent)))


@endpoint(
    blueprint,
    "PUT",
    "",
    body=SetPhoneSchema,
    reply=AccountDetailsSchema,
    refusals=(ConsentRequired, PhoneNotProven, ProviderDown),
    summary="Prove one's phone",
)
def set_account_phone(body: dict[str, Any]) -> Response:
    """By what the wallet hands out in which the caller is logged in, or by a code that was sent to the phone and asked
    for by this login. Proving again replaces the number. What somebody else agreed to by a code to it ends: a phone of
    one's own is nobody else's word.

    Several accounts may prove one number: see `GET /api/v1/account/joins`.
    """
    return _prove_by_code(body) if "otp" in body else _prove_by_wallet(body)


def _prove_by_code(body: dict[str, Any]) -> Response:
    asker, workbench = _asker(body["phone"]), services().workbench
    code_id = workbench.transactions.write(
        lambda session, now: try_code(session, asker=asker, guess=body["otp"], vault=workbench.vault, now=now)
    )
    if code_id is None:
        raise PhoneNotProven()

    def step(command: Command) -> Account:
        return prove_by_code(
            command.session, asker=asker, code_id=code_id, vault=command.vault, now=command.now, cause=command.cause
        )

    return run_command(step, AccountDetailsSchema())


def _prove_by_wallet(body: dict[str, Any]) -> Response:
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


def _asker(typed: str) -> Asker:
    """The caller, about this phone. Raises: ValidationFailed."""
    return callers_asker(read_own_phone(typed))


def _prover(caller: Caller, provider: str) -> PhoneProver:
    """Raises: ValidationFailed."""
    if provider != caller.provider:
        raise ValidationFailed(FieldError("#/provider", "other_login"))
    try:
        return services().workbench.adapters.phone_prover(caller.provider, caller.app)
    except NotConfigured:
        raise ValidationFailed(FieldError("#/provider", "not_configured")) from None
