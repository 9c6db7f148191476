"""Shapes of eligibility: for whom it is asked, and every rule that refuses."""

from __future__ import annotations

from marshmallow import fields

from schemas.base import Instant, ReplySchema, Strict
from schemas.notice_version import NoticeVersion


class EligibilityQuery(Strict):
    dependent_id = fields.UUID(required=True)
    notice_version = NoticeVersion(
        metadata={"description": "optional; the version of the hospital's booking notice that was read"}
    )


class ReasonReply(ReplySchema):
    code = fields.String(required=True, metadata={"example": "not_released"})
    title = fields.String(required=True, metadata={"example": "还没到放号时间"})
    until = Instant(allow_none=True, required=True)
    facts = fields.Dict(keys=fields.String(), required=True)
    alternatives = fields.List(fields.String(), required=True, metadata={"example": []})


class EligibilityReply(ReplySchema):
    allowed = fields.Boolean(required=True, metadata={"example": False})
    reasons = fields.List(fields.Nested(ReasonReply), required=True)
