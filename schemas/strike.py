"""Shapes of strikes and of the appeals against them."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, pre_dump

from core.booking.strikes.views import StrikeView
from models.strike import AppealStatus, Lift, StrikeKind
from schemas.appointment import HospitalReply
from schemas.base import Day, Instant, ReplySchema, Strict, Text
from schemas.hospital import WordsSchema
from schemas.strikes_in_words import evidence_of


class AppealSchema(Strict):
    text = Text(
        500,
        required=True,
        lines=True,
        metadata={
            "description": "what the hospital should know; kept sealed, and read by whoever decides",
            "example": "当天已到院就诊，窗口未登记报到。",
        },
    )


class AppealReply(ReplySchema):
    status = fields.Enum(AppealStatus, by_value=True, attribute="appeal.status", required=True)
    filed_at = Instant(attribute="appeal.filed_at", required=True)
    decide_by = Instant(
        attribute="appeal.decide_by",
        required=True,
        metadata={"description": "until then the hospital answers", "example": "2026-11-27T16:00:00.000Z"},
    )
    decided_at = Instant(attribute="appeal.decided_at", allow_none=True, required=True)
    answer = fields.String(
        allow_none=True, required=True, metadata={"description": "the hospital's own words", "example": None}
    )


class StrikeReply(ReplySchema):
    """Dumps a core.booking.strikes.views.StrikeView."""

    id = fields.UUID(attribute="strike.id", required=True)
    appointment_id = fields.UUID(attribute="appointment.id", required=True)
    number = fields.String(attribute="appointment.number", required=True, metadata={"example": "261122048213975"})
    visit_date = Day(attribute="appointment.visit_date", required=True)
    dependent_id = fields.UUID(attribute="appointment.dependent_id", required=True)
    hospital = fields.Nested(HospitalReply, required=True)
    kind = fields.Enum(StrikeKind, by_value=True, attribute="strike.kind", required=True)
    platform_wide = fields.Boolean(
        attribute="strike.platform_wide",
        required=True,
        metadata={"description": "counts and restricts at other hospitals that have it so, too", "example": False},
    )
    at = Instant(attribute="strike.at", required=True)
    evidence = fields.Nested(WordsSchema, required=True)
    restricts_until = Instant(
        allow_none=True,
        required=True,
        metadata={"description": "no new booking until then; null where it restricts nothing, or without an end"},
    )
    restricts_until_appeal = fields.Boolean(
        required=True,
        metadata={"description": "no new booking until the hospital has granted an appeal", "example": False},
    )
    paused_at = Instant(
        attribute="strike.paused_at",
        allow_none=True,
        required=True,
        metadata={"description": "since then it does not count, as the hospital has not answered in time"},
    )
    lifted_at = Instant(attribute="strike.lifted_at", allow_none=True, required=True)
    lifted_why = fields.Enum(Lift, by_value=True, allow_none=True, required=True)
    may_appeal = fields.Boolean(required=True)
    appeal = fields.Nested(AppealReply, allow_none=True, required=True)

    @pre_dump
    def _give_reasons(self, view: StrikeView, **_: Any) -> dict[str, Any]:
        plain = (
            "strike",
            "appointment",
            "hospital",
            "appeal",
            "restricts_until",
            "restricts_until_appeal",
            "lifted_why",
            "may_appeal",
        )
        return {name: getattr(view, name) for name in plain} | {"evidence": evidence_of(view.strike.kind)}
