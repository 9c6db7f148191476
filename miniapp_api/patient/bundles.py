"""Numbers for several dependents at once."""

from __future__ import annotations

from typing import Any

from flask import Response

from core.booking.book import Wish
from core.booking.bundle import BundleView, book_bundle
from core.refusals import FeeChanged
from miniapp_api.command import Command, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.patient.appointments import BOOKING_REFUSALS
from models.errors import NotFound
from schemas.bundle import BookBundleSchema, BundleReply

blueprint = patient_blueprint("bundles", "/api/v1/appointments/bundles")


@endpoint(
    blueprint,
    "POST",
    "",
    body=BookBundleSchema,
    reply=BundleReply,
    status=201,
    keyed=True,
    refusals=(NotFound, FeeChanged, *BOOKING_REFUSALS),
    summary="Book numbers for several dependents",
)
def create_bundle(body: dict[str, Any]) -> Response:
    """All of them or none, for one's own dependents on one half day of one hospital; with one doctor the numbers are
    neighbours as far as free ones allow. The rules are those of every booking, and a refusal names the `dependent_id`.

    It is one open hold on one charge: a payment opened under any of the appointments pays for all that still wait.
    After that each is cancelled, given back and exchanged alone. Where the hospital's own system must agree, all are
    `pending` until it has agreed to all of them, and where it refuses one all are cancelled (`hospital_refused`).
    """

    def step(command: Command) -> BundleView:
        of_all = {"pay": body["pay"], "payer_kind": body["payer_kind"], "booked_through": command.caller.provider}
        return book_bundle(
            command.session,
            account_id=command.caller.account_id,
            wishes=[Wish(**one, **of_all) for one in body["items"]],
            now=command.now,
            cause=command.cause,
            vault=command.vault,
        )

    return run_command(step, BundleReply(), status=201, keyed=True)
