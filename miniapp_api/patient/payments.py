"""Payments: hand out a prepay, and tell how one stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import Response, request

from core.payments.ask import look_at_payment
from core.payments.open import Opened, Payer, PaymentIntent, intend_payment, note_opened, open_at_platform
from core.payments.views import own_payment, view_payment
from core.refusals import AlreadyPaid, HoldEnding, LinkOpen, NotPayable, ProviderDown
from core.transactions import OutcomeUnknown
from core.workbench import Workbench
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, Unsettled, reading, request_cause, run_two_step
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.services import services
from models.errors import NotFound
from models.payment import Channel
from schemas.appointment import OpenedPaymentReply, OpenPaymentSchema, PaymentReply

of_appointments = patient_blueprint("appointment_payments", "/api/v1/appointments")
blueprint = patient_blueprint("payments", "/api/v1/payments")


@dataclass(frozen=True)
class OpenPayment:
    """The two-step command behind POST …/payments."""

    workbench: Workbench
    appointment_id: UUID
    channel: Channel
    client_ip: str | None = field(repr=False)

    def begin(self, command: Command) -> PaymentIntent:
        caller = command.caller
        return intend_payment(
            command.session,
            self.workbench,
            appointment_id=self.appointment_id,
            channel=self.channel,
            payer=Payer(caller.account_id, caller.identity_id, caller.provider, caller.app),
            now=command.now,
            cause=command.cause,
        )

    def resume(self, command: Command, step: str) -> PaymentIntent:
        """The standing payment is found again by its charge: the same number, never a second one."""
        return self.begin(command)

    def call(self, intent: PaymentIntent) -> Opened:
        return open_at_platform(self.workbench, intent, cause=request_cause(), client_ip=self.client_ip)

    def finish(self, command: Command, intent: PaymentIntent, outcome: Opened) -> Any:
        payment, error = note_opened(command.session, outcome, now=command.now, cause=command.cause)
        if error is not None:
            return Unsettled(error)
        return view_payment(payment, client_params=outcome.client_params)


@endpoint(
    of_appointments,
    "POST",
    "/<uuid:appointment_id>/payments",
    body=OpenPaymentSchema,
    reply=OpenedPaymentReply,
    status=201,
    keyed=True,
    refusals=(NotFound, NotPayable, AlreadyPaid, HoldEnding, LinkOpen, ProviderDown),
    summary="Open a payment",
)
def open_payment(appointment_id: UUID, body: dict[str, Any]) -> Response:
    """For one's own appointment, or another's under a grant to pay: whoever pays gets back what goes back.

    Asking again for the same channel gives the same payment with fresh `client_params`, never a second number; but a
    number that the platform will not open again, as from another network, is closed, and another takes its place.

    The platform is called; where it does not answer, ask again with the same key.
    """
    plan = OpenPayment(services().workbench, appointment_id, body["channel"], request.remote_addr)
    return run_two_step(plan, OpenedPaymentReply(), status=201)


@endpoint(
    blueprint,
    "GET",
    "/<uuid:payment_id>",
    reply=PaymentReply,
    refusals=(NotFound, OutcomeUnknown),  # what the platform says is written down here
    summary="How a payment stands",
)
def get_payment(payment_id: UUID) -> Response:
    """Where the platform's event is late, the platform is asked, every few seconds at most for one payment."""
    account_id = current_caller().account_id
    look_at_payment(services().workbench, payment_id=payment_id, account_id=account_id, cause=request_cause())
    return reading(
        lambda session, _now: own_payment(session, payment_id=payment_id, account_id=account_id), PaymentReply()
    )
