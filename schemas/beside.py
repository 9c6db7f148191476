"""Shapes of what is shown beside an appointment: where, by whom, which number, and what is offered instead."""

from __future__ import annotations

from marshmallow import fields

from models.hospital import Period
from models.offer import OfferKind
from schemas.base import Day, Instant, ReplySchema


class NamedReply(ReplySchema):
    id = fields.UUID(required=True)
    name = fields.String(required=True, metadata={"example": "心血管内科"})


class DoctorReply(NamedReply):
    name = fields.String(required=True, metadata={"example": "虚拟乙甲"})
    title = fields.String(required=True, metadata={"example": "主治医师"})


class AppointmentSlotReply(ReplySchema):
    sequence = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "null where the hospital gives it out and has not confirmed yet", "example": 3},
    )
    starts_at = Instant(required=True)
    ends_at = Instant(required=True, metadata={"example": "2026-11-25T02:30:00.000Z"})


class OfferReply(ReplySchema):
    """Dumps a core.booking.views.OfferView."""

    id = fields.UUID(attribute="offer.id", required=True)
    kind = fields.Enum(OfferKind, by_value=True, attribute="offer.kind", required=True)
    fee_fen = fields.Integer(
        attribute="offer.fee_fen", required=True, metadata={"description": "in all, and never more than before"}
    )
    expires_at = Instant(attribute="offer.expires_at", required=True)
    schedule_id = fields.UUID(attribute="schedule.id", required=True)
    visit_date = Day(attribute="schedule.visit_date", required=True)
    period = fields.Enum(Period, by_value=True, attribute="schedule.period", required=True)
    campus = fields.Nested(NamedReply, required=True)
    department = fields.Nested(NamedReply, required=True)
    doctor = fields.Nested(DoctorReply, allow_none=True, required=True)
    slot = fields.Nested(AppointmentSlotReply, required=True)
