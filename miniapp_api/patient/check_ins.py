"""The day: checking in by place and time, and saying that what stands in one's name is not one's own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.booking.day.check_in import Whereabouts, check_in_by_place
from core.booking.day.not_me import report_not_me
from core.booking.for_another import see_appointment
from core.catalog.hospitals import Point
from core.refusals import (
    AppointmentFrozen,
    CheckInAtDesk,
    CheckInRefused,
    CheckInTooEarly,
    CheckInTooLate,
    IdentityRequired,
    ScheduleSuspended,
    TooFar,
)
from miniapp_api.command import Command, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from models.errors import NotFound
from schemas.appointment import AppointmentReply
from schemas.day import CheckInSchema, NotMeReply

of_appointments = patient_blueprint("check_ins", "/api/v1/appointments", tag="appointments")
not_me = patient_blueprint("not_me", "/api/v1/account/not-me", tag="appointments")


@endpoint(
    of_appointments,
    "POST",
    "/<uuid:appointment_id>/check-in",
    body=CheckInSchema,
    reply=AppointmentReply,
    keyed=True,
    refusals=(
        NotFound,
        AppointmentFrozen,
        CheckInAtDesk,
        CheckInRefused,
        CheckInTooEarly,
        CheckInTooLate,
        ScheduleSuspended,
        TooFar,
    ),
    summary="Check in by place and time",
)
def check_in(appointment_id: UUID, body: dict[str, Any]) -> Response:
    """One's own, or another's under a grant to book. The place decides, and is neither stored nor logged; the desk is
    always open instead. Whoever has arrived cancels at the desk alone. `GET` of the appointment tells who is ahead."""

    def step(command: Command) -> Any:
        account_id = command.caller.account_id
        check_in_by_place(
            command.session,
            appointment_id=appointment_id,
            account_id=account_id,
            where=Whereabouts(Point(body["lat"], body["lng"]), body["accuracy_m"]),
            now=command.now,
            cause=command.cause,
        )
        command.session.flush()
        shown, _ = see_appointment(
            command.session, appointment_id=appointment_id, account_id=account_id, now=command.now
        )
        return shown

    return run_command(step, AppointmentReply(), keyed=True)


@endpoint(
    not_me,
    "POST",
    "",
    reply=NotMeReply,
    refusals=(IdentityRequired,),
    summary="Not me: freeze what others booked in one's name",
)
def report_not_me_of_oneself() -> Response:
    """For whoever is verified here as `self` in person. Every open number that other accounts have taken in one's name
    is frozen: nobody checks in with it until the desk has seen whose it is."""

    def step(command: Command) -> dict[str, int]:
        frozen = report_not_me(
            command.session, account_id=command.caller.account_id, now=command.now, cause=command.cause
        )
        return {"frozen": frozen}

    return run_command(step, NotMeReply())
