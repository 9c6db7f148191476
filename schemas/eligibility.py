"""Shapes of eligibility: for whom it is asked, and every rule that refuses."""

from __future__ import annotations

from marshmallow import fields

from models.appointment import PayerKind
from models.charge import FeeKind
from schemas.base import Instant, ReplySchema, Strict
from schemas.facts import Facts
from schemas.hospital import WordsSchema
from schemas.notice_version import NoticeVersion


class EligibilityQuery(Strict):
    dependent_id = fields.UUID(required=True)
    segment_starts_at = Instant(
        metadata={"description": "optional; absent: any segment", "example": "2026-11-25T02:00:00.000Z"}
    )
    notice_version = NoticeVersion(
        metadata={"description": "optional; the version of the hospital's booking notice that was read"}
    )


class ReasonReply(ReplySchema):
    code = fields.String(required=True, metadata={"example": "not_released"})
    title = fields.String(required=True, metadata={"example": "还没到放号时间"})
    words = fields.Nested(WordsSchema, required=True)
    until = Instant(
        allow_none=True, required=True, metadata={"description": "when it passes by itself, where that is known"}
    )
    facts = Facts(keys=fields.String(), required=True)
    alternatives = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "what may be done instead; another segment, day or doctor and the waitlist are named only "
            "where they are open in this department now, and an appeal only where a strike can be appealed against",
            "example": [],
        },
    )


class PriceLineReply(ReplySchema):
    kind = fields.Enum(FeeKind, by_value=True, required=True)
    amount_fen = fields.Integer(required=True, metadata={"example": 5000})
    legal_basis = fields.String(attribute="basis", required=True, metadata={"example": "hospital price list"})


class PayerReply(ReplySchema):
    payer_kind = fields.Enum(PayerKind, by_value=True, required=True)
    offered = fields.Boolean(required=True)
    words = fields.Nested(WordsSchema, required=True)


class TravelGapReply(ReplySchema):
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    minutes = fields.Integer(required=True, metadata={"example": 60})


class WarningReply(ReplySchema):
    code = fields.String(required=True, metadata={"example": "travel_gap"})
    words = fields.Nested(WordsSchema, required=True)
    facts = fields.Nested(TravelGapReply, required=True)


class EligibilityReply(ReplySchema):
    allowed = fields.Boolean(required=True, metadata={"example": False})
    reasons = fields.List(fields.Nested(ReasonReply), required=True)
    warnings = fields.List(
        fields.Nested(WarningReply),
        required=True,
        metadata={"description": "what speaks against it and refuses nothing", "example": []},
    )
    fee_fen = fields.Integer(
        attribute="price.due_fen",
        required=True,
        metadata={"description": "what this dependent pays: the schedule's fee, less any discount for their age"},
    )
    fee_lines = fields.List(fields.Nested(PriceLineReply), attribute="price.lines", required=True)
    payers = fields.List(
        fields.Nested(PayerReply),
        required=True,
        metadata={"description": "as whom one may pay here, and what follows from it"},
    )
