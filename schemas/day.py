"""Shapes of the day itself, and of coming again on the same registration."""

from __future__ import annotations

from marshmallow import fields, validate

from schemas.base import Day, Degrees, Instant, ReplySchema, Strict, Whole


class CheckInSchema(Strict):
    """Where the phone is. It decides, and is neither stored nor logged."""

    lat = Degrees(
        required=True,
        validate=validate.Range(min=-90, max=90),
        metadata={
            "description": "GCJ-02, as wx.getLocation with type gcj02 and my.getLocation give it",
            "example": 32.06,
        },
    )
    lng = Degrees(required=True, validate=validate.Range(min=-180, max=180), metadata={"example": 118.78})
    accuracy_m = Whole(
        load_default=0,
        validate=validate.Range(min=0, max=1_000_000),
        metadata={"description": "what the phone says of its own error; 500 m at most count", "example": 30},
    )


class NotMeReply(ReplySchema):
    frozen = fields.Integer(
        required=True, metadata={"description": "how many numbers are frozen by this", "example": 1}
    )


class ArrivalReply(ReplySchema):
    at = Instant(required=True, metadata={"example": "2026-11-25T01:40:00.000Z"})
    late = fields.Boolean(required=True, metadata={"description": "behind some of those who were in time"})
    people_ahead = fields.Integer(
        allow_none=True, required=True, metadata={"description": "who are called before; null once seen", "example": 2}
    )


class BookFollowUpSchema(Strict):
    schedule_id = fields.UUID(required=True)
    segment_starts_at = Instant(
        metadata={"description": "absent: the last one that suits", "example": "2026-11-26T02:00:00.000Z"}
    )


class FollowUpReply(ReplySchema):
    until = Day(
        required=True, metadata={"description": "the last day on which it can be used", "example": "2026-11-27"}
    )
    appointment_id = fields.UUID(
        allow_none=True,
        required=True,
        metadata={"description": "the appointment that uses it, null as long as none does", "example": None},
    )
