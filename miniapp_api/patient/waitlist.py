"""The waitlist (候补): wait for a number, see how far, leave."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.booking.waitlist.refusals import NumbersFree, WaitlistClosed, WaitlistExists, WaitlistLimit
from core.booking.waitlist.views import EntryView, list_entries, view_of_entry
from core.booking.waitlist.wait import WaitWish, leave_waitlist, wait_for_number
from miniapp_api.auth import current_caller
from miniapp_api.command import Command, reading, run_command
from miniapp_api.openapi import endpoint, patient_blueprint
from models.errors import NotFound
from schemas.base import PageQuery, page_schema
from schemas.waitlist import WaitForNumberSchema, WaitlistEntryReply

blueprint = patient_blueprint("waitlist", "/api/v1/waitlist-entries")


@endpoint(
    blueprint,
    "GET",
    "",
    query=PageQuery,
    reply=page_schema(WaitlistEntryReply),
    summary="What one waits for",
)
def list_waitlist_entries(query: dict[str, Any]) -> Response:
    """The newest first, with how many are ahead and why no number was given yet."""
    account_id = current_caller().account_id
    return reading(
        lambda session, _now: list_entries(session, account_id=account_id, **query), page_schema(WaitlistEntryReply)()
    )


@endpoint(
    blueprint,
    "POST",
    "",
    body=WaitForNumberSchema,
    reply=WaitlistEntryReply,
    status=201,
    keyed=True,
    refusals=(NotFound, NumbersFree, WaitlistClosed, WaitlistExists, WaitlistLimit),
    summary="Wait for a number",
)
def create_waitlist_entry(body: dict[str, Any]) -> Response:
    """Where every half day that would do is full. Each number that comes back goes to the first who waits and may have
    it, and is held for them as an appointment to pay for; what a rule refuses is passed over and keeps its place."""

    def step(command: Command) -> EntryView:
        entry = wait_for_number(
            command.session,
            account_id=command.caller.account_id,
            wish=WaitWish(**body),
            now=command.now,
            cause=command.cause,
        )
        return view_of_entry(command.session, entry)

    return run_command(step, WaitlistEntryReply(), status=201, keyed=True)


@endpoint(
    blueprint,
    "DELETE",
    "/<uuid:entry_id>",
    status=204,
    refusals=(NotFound,),
    summary="Wait no more",
)
def delete_waitlist_entry(entry_id: UUID) -> Response:
    """At any time. A number that is on offer stays to be paid for or cancelled. Doing it again changes nothing."""

    def step(command: Command) -> None:
        leave_waitlist(
            command.session,
            account_id=command.caller.account_id,
            entry_id=entry_id,
            now=command.now,
            cause=command.cause,
        )

    return run_command(step, None, status=204)
