"""The account as its holder sees it."""

from __future__ import annotations

from marshmallow import fields

from schemas.base import Instant, ReplySchema


class AccountSchema(ReplySchema):
    id = fields.UUID()
    phone_masked = fields.String(
        allow_none=True, metadata={"description": "null without a phone", "example": "138****0000"}
    )
    has_phone = fields.Boolean()


class AccountDetailsSchema(AccountSchema):
    created_at = Instant()
