"""Identity checks: begin one, and ask how it ended. The platform is called between the transactions, never in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Response

from core.identity.checks import (
    BegunCheck,
    CheckRequest,
    Started,
    StartIntent,
    ask_start,
    begin_check,
    note_unanswered,
    resume_check,
    store_start,
)
from core.identity.completion import (
    CheckState,
    ask_result,
    complete_check,
    look_up_question,
    shown_status,
    state_of,
)
from core.identity.methods import Ways
from core.identity.phone_check import pass_by_code, try_check
from core.refusals import CheckLimit, ConsentRequired, PhoneNotProven, ProviderDown
from core.workbench import Workbench
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, run_command, run_two_step
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.patient.asking import callers_asker
from miniapp_api.patient.dependents import callers_ways
from miniapp_api.services import services
from models.errors import NotFound
from models.identity_check import IdentityMethod
from schemas.identity_check import BeginCheckSchema, CheckStateSchema, CompleteCheckSchema, IdentityCheckSchema

of_dependents = patient_blueprint("dependent_identity_checks", "/api/v1/dependents", tag="identity_checks")
blueprint = patient_blueprint("identity_checks", "/api/v1/identity-checks")


@dataclass(frozen=True)
class BeginCheck:
    """The two-step command behind POST …/identity-checks."""

    workbench: Workbench
    dependent_id: UUID
    method: IdentityMethod
    ways: Ways

    def begin(self, command: Command) -> StartIntent:
        caller = command.caller
        request = CheckRequest(caller.account_id, caller.identity_id, self.dependent_id, self.method, self.ways)
        return begin_check(command.session, request=request, vault=command.vault, now=command.now, cause=command.cause)

    def resume(self, command: Command, step: str) -> StartIntent:
        return resume_check(
            command.session,
            account_id=command.caller.account_id,
            step=step,
            ways=self.ways,
            vault=command.vault,
            now=command.now,
        )

    def call(self, intent: StartIntent) -> Started:
        try:
            return ask_start(self.workbench.adapters, intent)
        except ProviderDown as down:
            raise self.workbench.transactions.write(
                lambda session, now: note_unanswered(session, check_id=intent.check_id, ways=self.ways, now=now)
            ) from down

    def finish(self, command: Command, intent: StartIntent, outcome: Started) -> dict[str, Any]:
        begun = store_start(
            command.session,
            intent=intent,
            outcome=outcome,
            vault=command.vault,
            now=command.now,
            cause=command.cause,
        )
        return _told(begun)


@endpoint(
    of_dependents,
    "POST",
    "/<uuid:dependent_id>/identity-checks",
    body=BeginCheckSchema,
    reply=IdentityCheckSchema,
    status=201,
    keyed=True,
    refusals=(NotFound, ConsentRequired, CheckLimit, ProviderDown),
    summary="Begin an identity check",
)
def create_identity_check(dependent_id: UUID, body: dict[str, Any]) -> Response:
    """`on_site` waits for the hospital's desk, up to 30 days, and is the same check however often it is asked for.
    `guardian` is passed at once, by what the minor's guardian has proven. `name_match` is answered at once, or stays
    `pending` while the register does not answer; five a day for each account. `phone_otp` sends six digits to the
    dependent's phone, for the completion; within the limits of `POST /api/v1/account/phone/otp`.

    A check that the platform refused to open comes back as `failed` and is kept under its key: try again with a new
    one, or at the desk. `provider_unavailable` names the other ways, and is no try of the three a day.
    """
    plan = BeginCheck(services().workbench, dependent_id, body["method"], callers_ways())
    return run_two_step(plan, IdentityCheckSchema(), status=201)


@endpoint(
    blueprint,
    "POST",
    "/<uuid:check_id>/completion",
    body=CompleteCheckSchema,
    reply=CheckStateSchema,
    refusals=(NotFound, ConsentRequired, PhoneNotProven),
    summary="How an identity check ended",
)
def complete_identity_check(check_id: UUID, body: dict[str, Any]) -> Response:
    """The platform is asked, a register not more than twice a minute: until then the check stays as it is. What the
    client was told is no proof, and is not even looked at. With `otp`, the code of a
    `phone_otp` check is used up; a wrong one is `phone_refused`, and the check waits for the right one."""
    if "otp" in body:
        return _complete_by_code(check_id, body["otp"])
    workbench, account_id = services().workbench, current_caller().account_id
    question = workbench.transactions.write(
        lambda session, now: look_up_question(
            session, account_id=account_id, check_id=check_id, vault=workbench.vault, now=now
        )
    )
    answer = ask_result(workbench.adapters, question)
    return run_command(
        lambda command: complete_check(
            command.session, check_id=check_id, answer=answer, now=command.now, cause=command.cause
        ),
        CheckStateSchema(),
    )


def _complete_by_code(check_id: UUID, guess: str) -> Response:
    workbench, caller = services().workbench, callers_asker()
    code_id = workbench.transactions.write(
        lambda session, now: try_check(
            session, caller=caller, check_id=check_id, guess=guess, vault=workbench.vault, now=now
        )
    )
    if code_id is None:
        raise PhoneNotProven()

    def step(command: Command) -> CheckState:
        passed = pass_by_code(
            command.session,
            caller=caller,
            check_id=check_id,
            code_id=code_id,
            vault=command.vault,
            now=command.now,
            cause=command.cause,
        )
        return state_of(command.session, passed)

    return run_command(step, CheckStateSchema())


def _told(begun: BegunCheck) -> dict[str, Any]:
    check = begun.check
    return {
        "id": check.id,
        "method": check.method,
        "status": shown_status(check),
        "expires_at": check.expires_at,
        "client_params": begun.client_params,
        "reason": check.reason,
    }
