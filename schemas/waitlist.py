"""Shapes of the waitlist (候补): what is wished for, and what is shown of waiting."""

from __future__ import annotations

from marshmallow import fields, validate

from models.appointment import PayMode
from models.hospital import Period
from models.waitlist import WaitlistStatus
from schemas.appointment import HospitalReply
from schemas.base import Day, Id, Instant, ReplySchema, Strict, Whole
from schemas.beside import DoctorReply, NamedReply

_ID = {"example": "01900000-0000-7000-8000-000000000000"}


class WaitForNumberSchema(Strict):
    dependent_ids = fields.List(
        Id(metadata=_ID),
        required=True,
        validate=validate.Length(min=1, max=5),
        metadata={"description": "for whom, in the order in which numbers are offered to them"},
    )
    department_id = Id(required=True)
    doctor_ids = fields.List(
        Id(metadata=_ID),
        load_default=list,
        validate=validate.Length(max=20),
        metadata={"description": "any of these; none named, any of the department"},
    )
    date_from = Day(required=True, metadata={"example": "2026-11-25"})
    date_to = Day(required=True, metadata={"example": "2026-11-27", "description": "included; at most 90 days later"})
    periods = fields.List(
        fields.Enum(Period, by_value=True),
        load_default=list,
        validate=validate.Length(max=len(Period)),
        metadata={"description": "none named, any"},
    )
    max_fee_fen = Whole(
        load_default=None,
        allow_none=True,
        validate=validate.Range(min=0, max=10_000_000),
        metadata={"example": 5000, "description": "the most that one of them is to pay, after discounts for their age"},
    )
    not_within_minutes = Whole(
        load_default=0,
        validate=validate.Range(min=0, max=90 * 24 * 60),
        metadata={"description": "a number that comes later than so many minutes before its time is of no use"},
    )
    pay = fields.Enum(PayMode, by_value=True, required=True)


class WaitingDependentReply(ReplySchema):
    """Dumps a core.booking.waitlist.views.PlaceView."""

    dependent_id = fields.UUID(attribute="place.dependent_id", required=True)
    name_masked = fields.String(attribute="dependent.name_masked", required=True, metadata={"example": "测**"})
    appointment_id = fields.UUID(
        attribute="place.appointment_id",
        allow_none=True,
        required=True,
        metadata={"description": "the number that was found: pay for it before its `hold_expires_at`"},
    )
    reasons = fields.List(
        fields.String(metadata={"example": "people_ahead"}),
        required=True,
        metadata={
            "description": "why not yet: `people_ahead`, `no_number_yet`; before it, the code of the rule that refused "
            "the last number that came by, at `passed_over_at`: those of eligibility, `own_number` (one that oneself "
            "let go), `hospital_refused` (one that the hospital did not let them have), `pay_mode_not_offered`, "
            "`dependent_removed`"
        },
    )
    passed_over_at = Instant(attribute="place.skipped_at", allow_none=True, required=True)


class WaitlistEntryReply(ReplySchema):
    """Dumps a core.booking.waitlist.views.EntryView."""

    id = fields.UUID(attribute="entry.id", required=True)
    status = fields.Enum(
        WaitlistStatus,
        by_value=True,
        attribute="entry.status",
        required=True,
        metadata={
            "description": "`offered`: a number waits to be taken up by one of the dependents at least; others of them "
            "may still wait"
        },
    )
    ahead = fields.Integer(
        allow_none=True,
        required=True,
        metadata={"description": "numbers that those ahead need; null where nobody waits any more", "example": 3},
    )
    hospital = fields.Nested(HospitalReply, required=True)
    department = fields.Nested(NamedReply, required=True)
    doctors = fields.List(fields.Nested(DoctorReply), required=True)
    date_from = Day(attribute="entry.date_from", required=True, metadata={"example": "2026-11-25"})
    date_to = Day(attribute="entry.date_to", required=True, metadata={"example": "2026-11-27"})
    periods = fields.List(fields.String(metadata={"example": "morning"}), attribute="entry.periods", required=True)
    max_fee_fen = fields.Integer(
        attribute="entry.max_fee_fen", allow_none=True, required=True, metadata={"example": 5000}
    )
    not_within_minutes = fields.Integer(attribute="entry.not_within_minutes", required=True)
    pay = fields.Enum(PayMode, by_value=True, attribute="entry.pay_mode", required=True)
    dependents = fields.List(fields.Nested(WaitingDependentReply), attribute="places", required=True)
    created_at = Instant(attribute="entry.created_at", required=True)
    expires_at = Instant(attribute="entry.expires_at", required=True)
    ended_at = Instant(attribute="entry.ended_at", allow_none=True, required=True)
