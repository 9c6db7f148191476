"""Appointments: book, look, cancel, show the visit pass."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request

from core.booking.book import Wish, book_and_view
from core.booking.endings.cancel import cancel_appointment
from core.booking.follow_up.refusals import NoFollowUp
from core.booking.follow_up.use import Again, book_follow_up
from core.booking.for_another import see_appointment, see_appointments, show_appointment, show_pass
from core.booking.reschedule import Move, reschedule_appointment
from core.booking.rules.refusals import ClosedHours, Overlaps, PeriodLimit, RebookTooSoon
from core.refusals import (
    AgreementRequired,
    AlreadyBooked,
    AppointmentFrozen,
    CancelDeadlinePassed,
    ConsentRequired,
    FeeChanged,
    FieldsRequired,
    HoldOpen,
    IdentityRequired,
    NotCancellable,
    NotEligible,
    NoticeUnread,
    NotPayable,
    NotReleased,
    NotReschedulable,
    NumbersInFlight,
    PersonLimit,
    Restricted,
    ScheduleClosed,
    ScheduleSuspended,
    SoldOut,
)
from core.transactions import OutcomeUnknown
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading_and_noting, run_command
from miniapp_api.full_lately import full_lately
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.services import services
from models.errors import NotFound
from schemas.appointment import (
    AppointmentInFullReply,
    AppointmentPageReply,
    AppointmentReply,
    BookAppointmentSchema,
    CancelAppointmentSchema,
    ListAppointmentsQuery,
    RescheduleAppointmentSchema,
    VisitPassReply,
)
from schemas.day import BookFollowUpSchema

blueprint = patient_blueprint("appointments", "/api/v1/appointments")

_REPLY = AppointmentReply()  # making one takes longer than using it

BOOKING_REFUSALS = (
    AlreadyBooked,
    AgreementRequired,
    ClosedHours,
    ConsentRequired,
    FieldsRequired,
    HoldOpen,
    IdentityRequired,
    NotEligible,
    NoticeUnread,
    NotReleased,
    NumbersInFlight,
    Overlaps,
    PeriodLimit,
    PersonLimit,
    RebookTooSoon,
    Restricted,
    ScheduleClosed,
    ScheduleSuspended,
    SoldOut,
)


@endpoint(
    blueprint,
    "POST",
    "",
    body=BookAppointmentSchema,
    reply=AppointmentReply,
    status=201,
    keyed=True,
    refusals=(NotFound, FeeChanged, *BOOKING_REFUSALS),
    summary="Book a number",
)
def create_appointment(body: dict[str, Any]) -> Response:
    """The first free number of the schedule, or of the segment asked for, is the dependent's at once.

    With a fee to pay online it is held until `hold_expires_at` and waits for a payment; the refusals are those of
    eligibility. The dependent may be another account's under a grant to book: the appointment is that account's then.
    Where they say what they come for, the consent to that is asked for as well.
    """

    caller = current_caller()
    wish = Wish(**body, booked_through=caller.provider)

    def step(command: Command) -> Any:
        return book_and_view(
            command.session,
            account_id=caller.account_id,
            wish=wish,
            now=command.now,
            cause=command.cause,
            vault=command.vault,
        )

    try:
        return run_command(step, _REPLY, status=201, keyed=True, planned_once=True)
    except (SoldOut, NumbersInFlight) as refusal:
        full_lately().remember(request.get_json(), refusal)
        raise


@endpoint(
    blueprint,
    "GET",
    "",
    query=ListAppointmentsQuery,
    reply=AppointmentPageReply,
    refusals=(OutcomeUnknown,),  # what is shown under a grant is written down
    summary="One's own appointments",
)
def list_own_appointments(query: dict[str, Any]) -> Response:
    """And those that a grant lets one see; whoever may only pay sees those that wait for it. The granter can read that
    they were shown."""
    account_id = current_caller().account_id
    return reading_and_noting(
        lambda session, now: see_appointments(
            session,
            account_id=account_id,
            status=query.get("status"),
            dependent_id=query.get("dependent_id"),
            cursor=query.get("cursor"),
            limit=query["limit"],
            now=now,
        ),
        AppointmentPageReply(),
    )


@endpoint(
    blueprint,
    "GET",
    "/<uuid:appointment_id>",
    reply=AppointmentInFullReply,
    refusals=(NotFound, OutcomeUnknown),
    summary="One appointment",
)
def get_appointment(appointment_id: UUID) -> Response:
    """One's own, with what the patient comes for, which no list shows; or one that a grant lets one see."""
    account_id, vault = current_caller().account_id, services().workbench.vault
    return reading_and_noting(
        lambda session, now: show_appointment(
            session, appointment_id=appointment_id, account_id=account_id, vault=vault, now=now
        ),
        AppointmentInFullReply(),
    )


@endpoint(
    blueprint,
    "POST",
    "/<uuid:appointment_id>/cancellation",
    body=CancelAppointmentSchema,
    reply=AppointmentReply,
    keyed=True,
    refusals=(NotFound, NotCancellable, CancelDeadlinePassed),
    summary="Cancel before the deadline",
)
def cancel_own_appointment(appointment_id: UUID, body: dict[str, Any]) -> Response:
    """One's own, or another's under a grant to book. What was paid goes back whole to whoever paid it; `refund` tells
    how far it is. A number that is not paid yet is let go at once."""

    def step(command: Command) -> Any:
        account_id = command.caller.account_id
        cancel_appointment(
            command.session,
            appointment_id=appointment_id,
            account_id=account_id,
            now=command.now,
            cause=command.cause,
        )
        command.session.flush()
        shown, _ = see_appointment(
            command.session, appointment_id=appointment_id, account_id=account_id, now=command.now
        )
        return shown

    return run_command(step, _REPLY, keyed=True)


@endpoint(
    blueprint,
    "POST",
    "/<uuid:appointment_id>/rescheduling",
    body=RescheduleAppointmentSchema,
    reply=AppointmentReply,
    keyed=True,
    refusals=(NotFound, NotReschedulable, AppointmentFrozen, CancelDeadlinePassed, FeeChanged, *BOOKING_REFUSALS),
    summary="Exchange the number for one of another time",
)
def reschedule_own_appointment(appointment_id: UUID, body: dict[str, Any]) -> Response:
    """Before the same deadline as cancelling, in the same hospital and as near to the old number as its terms say; the
    reply is the new appointment, and it is paid like the old one.

    Where nothing more is to be paid, the old number is let go at once, and what it cost more goes back. A dearer one is
    `pending` until the difference is paid, and one of a hospital that hands out its numbers itself until that has
    confirmed it (`awaiting` says what), with the old one kept; unpaid or refused, it ends and the old one stays.
    Cancelling the old one meanwhile ends both. One's own, or another's under a grant to book.
    """

    def step(command: Command) -> Any:
        account_id, now = command.caller.account_id, command.now
        new_id = reschedule_appointment(
            command.session,
            appointment_id=appointment_id,
            account_id=account_id,
            to=Move(**body, booked_through=command.caller.provider),
            now=now,
            cause=command.cause,
            vault=command.vault,
        )
        command.session.flush()
        shown, _ = see_appointment(command.session, appointment_id=new_id, account_id=account_id, now=now)
        return shown

    return run_command(step, _REPLY, keyed=True)


@endpoint(
    blueprint,
    "POST",
    "/<uuid:appointment_id>/follow-up",
    body=BookFollowUpSchema,
    reply=AppointmentReply,
    status=201,
    keyed=True,
    refusals=(NotFound, NoFollowUp, *BOOKING_REFUSALS),
    summary="Come again on the same registration",
)
def create_follow_up(appointment_id: UUID, body: dict[str, Any]) -> Response:
    """续诊: of one's own appointment with a `follow_up`, up to its last day, in the same department at the same campus,
    with a doctor of the same or a lower rank. It costs nothing, needs no free number, and counts for no limit.
    Cancelled in time, or suspended, it can be had again."""

    def step(command: Command) -> Any:
        return book_follow_up(
            command.session,
            account_id=command.caller.account_id,
            visit_id=appointment_id,
            again=Again(**body, booked_through=command.caller.provider),
            now=command.now,
            cause=command.cause,
            vault=command.vault,
        )

    return run_command(step, _REPLY, status=201, keyed=True)


@endpoint(
    blueprint,
    "GET",
    "/<uuid:appointment_id>/visit-pass",
    reply=VisitPassReply,
    refusals=(NotFound, NotPayable, OutcomeUnknown),
    summary="A short-lived code for the desk",
)
def get_visit_pass(appointment_id: UUID) -> Response:
    """Good for minutes and of no use to anybody else: show it at the desk and ask for a new one the next time."""
    account_id, tickets = current_caller().account_id, services().workbench.tickets
    return reading_and_noting(
        lambda session, now: show_pass(session, tickets, appointment_id=appointment_id, account_id=account_id, now=now),
        VisitPassReply(),
    )
