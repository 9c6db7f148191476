"""Shapes of a bundle: numbers for several dependents at once, and what is shown of them together."""

from __future__ import annotations

from marshmallow import fields, validate

from core.booking.bundle import LEAST
from core.booking.policy import MOST_IN_BUNDLE
from models.appointment import PayerKind, PayMode
from schemas.appointment import AppointmentReply, BookAppointmentSchema, ChargeReply
from schemas.base import Instant, ReplySchema, Strict

_ID = "01900000-0000-7000-8000-00000000000{}"


class BundleItemSchema(BookAppointmentSchema):
    """As one booking; how it is paid is said of all of them."""

    class Meta(BookAppointmentSchema.Meta):
        exclude = ("pay", "payer_kind")


class BookBundleSchema(Strict):
    items = fields.List(
        fields.Nested(BundleItemSchema),
        required=True,
        validate=validate.Length(min=LEAST, max=MOST_IN_BUNDLE),
        metadata={
            "description": "one for each dependent, all on one half day of one hospital",
            "example": [{"schedule_id": _ID.format(1), "dependent_id": _ID.format(nth)} for nth in (2, 3)],
        },
    )
    pay = fields.Enum(PayMode, by_value=True, required=True)
    payer_kind = fields.Enum(PayerKind, by_value=True, load_default=PayerKind.SELF_PAY)


class BundleReply(ReplySchema):
    """Dumps a core.booking.bundle.BundleView."""

    items = fields.List(
        fields.Nested(AppointmentReply), required=True, metadata={"description": "in the order of the request"}
    )
    charge = fields.Nested(ChargeReply, attribute="money", required=True)
    hold_expires_at = Instant(
        allow_none=True,
        required=True,
        metadata={
            "description": "until when all of it must be paid, with one payment under any of the appointments",
            "example": "2026-11-22T02:15:00.000Z",
        },
    )
