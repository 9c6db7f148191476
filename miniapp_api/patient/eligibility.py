"""May this dependent have a number here, and for how much? Every rule that refuses, in plain words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response

from core.booking.for_another import explain_to
from core.dependents.granted import Use
from core.payments.insurance import OFFERED
from core.transactions import OutcomeUnknown
from miniapp_api.auth import current_caller
from miniapp_api.command import reading_and_noting
from miniapp_api.errors import sentences_of, title_of
from miniapp_api.openapi import endpoint, patient_blueprint
from models.errors import NotFound
from schemas.eligibility import EligibilityQuery, EligibilityReply
from schemas.fees_in_words import PAYERS
from schemas.travel_in_words import near

blueprint = patient_blueprint("eligibility", "/api/v1/schedules")


@endpoint(
    blueprint,
    "GET",
    "/<uuid:schedule_id>/eligibility",
    query=EligibilityQuery,
    reply=EligibilityReply,
    refusals=(NotFound, OutcomeUnknown),
    summary="Every rule that refuses",
)
def get_eligibility(schedule_id: UUID, query: dict[str, Any]) -> Response:
    """All of them, not only the first, and what it would cost. Booking succeeds exactly if nothing refuses at that
    instant, with the same `notice_version`. The dependent is one's own, or another account's under a grant to book."""
    account_id, dependent_id = current_caller().account_id, query["dependent_id"]

    def look(session: Any, now: Any) -> tuple[dict[str, Any], list[Use]]:
        said, uses = explain_to(
            session,
            schedule_id=schedule_id,
            dependent_id=dependent_id,
            account_id=account_id,
            now=now,
            notice_version=query.get("notice_version"),
            segment_starts_at=query.get("segment_starts_at"),
        )
        reasons = [
            {
                "code": reason.error.code,
                "title": title_of(reason.error),
                "words": sentences_of(reason.error),
                "until": reason.error.retry_at,
                "facts": reason.error.facts,
                "alternatives": reason.alternatives,
            }
            for reason in said.reasons
        ]
        payers = [{"payer_kind": kind, "offered": kind in OFFERED, "words": words} for kind, words in PAYERS.items()]
        warnings = [{"code": "travel_gap", "words": near(gap), "facts": asdict(gap)} for gap in said.travel_gaps]
        told = {"allowed": said.allowed, "reasons": reasons, "warnings": warnings}
        return told | {"price": said.price, "payers": payers}, uses

    return reading_and_noting(look, EligibilityReply())
