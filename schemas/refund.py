"""The shape of money on its way back."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, pre_dump

from models.payment import Refund, RefundReason, RefundStatus
from schemas.base import Instant, ReplySchema
from schemas.hospital import WordsSchema
from schemas.refunds_in_words import where_it_is

_EXAMPLE = {
    "zh": "预约已取消，退款 25.00 元：已于2026年11月22日 10:05原路退回；退到银行卡的，入账可能还需 1 至 3 个工作日。",
    "en": "The appointment was cancelled. Of 25.00 yuan: it went back on 22 November 2026, 10:05 (Beijing time) the "
    "way it was paid; a bank card may show it 1 to 3 working days later.",
}


class RefundReply(ReplySchema):
    """Dumps a Refund."""

    id = fields.UUID(required=True)
    status = fields.Enum(RefundStatus, by_value=True, required=True)
    amount_fen = fields.Integer(required=True)
    reason = fields.Enum(RefundReason, by_value=True, required=True)
    succeeded_at = Instant(allow_none=True, required=True)
    words = fields.Nested(
        WordsSchema, required=True, metadata={"description": "why, how much, and where it is", "example": _EXAMPLE}
    )

    @pre_dump
    def _say(self, refund: Refund, **_: Any) -> dict[str, Any]:
        plain = ("id", "status", "amount_fen", "reason", "succeeded_at")
        return {name: getattr(refund, name) for name in plain} | {"words": where_it_is(refund)}
