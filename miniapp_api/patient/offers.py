"""Offers: the answer to a number that is held because the hospital suspended the clinic."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.booking.clinic.take_offer import accept_offer, refuse_offer
from core.booking.for_another import see_appointment
from core.refusals import AlreadyBooked, AppointmentFrozen, OfferEnded, PersonLimit
from miniapp_api.command import Command, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from models.errors import NotFound
from schemas.appointment import AppointmentReply

blueprint = patient_blueprint("offers", "/api/v1/offers")


@endpoint(
    blueprint,
    "POST",
    "/<uuid:offer_id>/acceptance",
    reply=AppointmentReply,
    keyed=True,
    refusals=(NotFound, OfferEnded, AppointmentFrozen, AlreadyBooked, PersonLimit),
    summary="Take the number that is held",
)
def take_offer(offer_id: UUID) -> Response:
    """The new appointment; the suspended one is cancelled, which never counts against the patient. It costs no more
    than before, and what it costs less goes back. Where the old one was not paid yet, the new one waits for its payment
    until `hold_expires_at`. Where the hospital's own system must agree, the new one is `pending` and awaits it; the
    suspended one stands until it has, and no other offer can be answered meanwhile. Where it refuses, those that were
    left can be taken again."""

    def step(command: Command) -> Any:
        caller = command.caller.account_id
        made = accept_offer(
            command.session,
            offer_id=offer_id,
            account_id=caller,
            now=command.now,
            cause=command.cause,
            vault=command.vault,
        )
        return see_appointment(command.session, appointment_id=made.id, account_id=caller, now=command.now)[0]

    return run_command(step, AppointmentReply(), keyed=True)


@endpoint(
    blueprint,
    "POST",
    "/<uuid:offer_id>/refusal",
    reply=AppointmentReply,
    keyed=True,
    refusals=(NotFound, OfferEnded),
    summary="Refuse one offer",
)
def refuse_own_offer(offer_id: UUID) -> Response:
    """The suspended appointment. With its last offer it is cancelled, and all that was paid goes back; to refuse all of
    them at once, cancel it."""

    def step(command: Command) -> Any:
        caller = command.caller.account_id
        left = refuse_offer(command.session, offer_id=offer_id, account_id=caller, now=command.now, cause=command.cause)
        return see_appointment(command.session, appointment_id=left.id, account_id=caller, now=command.now)[0]

    return run_command(step, AppointmentReply(), keyed=True)
