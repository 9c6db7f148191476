"""One schedule: its time segments and what remains in each, and how fairly its numbers went."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from core.booking.watch.fairness import fairness_of
from core.catalog.timetable import schedule_segments
from core.paging import Page
from miniapp_api.cacheable import reading_shared
from miniapp_api.openapi import endpoint, open_blueprint
from models.errors import NotFound
from schemas.schedule import FairnessSchema, SegmentsPageSchema

blueprint = open_blueprint("schedules", "/api/v1/schedules")

_SEGMENTS, _FAIRNESS = SegmentsPageSchema(), FairnessSchema()  # making one takes longer than using it


@endpoint(
    blueprint,
    "GET",
    "/<uuid:schedule_id>/slots",
    reply=SegmentsPageSchema,
    also={304: None},
    refusals=(NotFound,),
    summary="The time segments of a schedule, and what remains in each",
)
def get_schedule_slots(schedule_id: UUID) -> Response:
    """For looking, and up to a second old: booking decides anew."""
    return reading_shared(
        ("slots", schedule_id),
        lambda session, now: Page(schedule_segments(session, schedule_id, now=now), None),
        _SEGMENTS,
    )


@endpoint(
    blueprint,
    "GET",
    "/<uuid:schedule_id>/fairness",
    reply=FairnessSchema,
    also={304: None},
    refusals=(NotFound,),
    summary="How fast the numbers of a schedule went, by which way, and which rules refused",
)
def get_schedule_fairness(schedule_id: UUID) -> Response:
    """For everybody, and about nobody: counts alone. What was refused is at least this often; the last seconds may be
    missing."""
    return reading_shared(("fairness", schedule_id), lambda session, _now: fairness_of(session, schedule_id), _FAIRNESS)
