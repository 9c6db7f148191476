"""Login: a one-time code of a platform in, a token out."""

from __future__ import annotations

from marshmallow import fields

from models.account import Provider, Purpose
from schemas.account import AccountSchema
from schemas.base import Instant, ReplySchema, Strict, Text, Word


class LogInSchema(Strict):
    provider = Word(Provider, required=True)
    app = Text(64, metadata={"description": "our name of the app, where several are configured"})
    code = Text(
        512,
        required=True,
        metadata={"description": "the one-time code that the platform gave the client", "example": "0b3Qx1000"},
    )


class DueConsentSchema(ReplySchema):
    purpose = Word(Purpose)
    version = fields.String(metadata={"example": "2026-11"})
    title = fields.String(metadata={"description": "in the language asked for", "example": "服务协议与隐私告知"})


class SessionSchema(ReplySchema):
    token = fields.String(
        metadata={
            "description": "bearer token, told only here",
            "example": "7s0m3W4y3x9dN2cQ5tLh8vJkRbZpAeGfUiYoTwXqMnE",
        }
    )
    expires_at = Instant(metadata={"example": "2026-12-25T02:00:00.000Z"})
    account = fields.Nested(AccountSchema)
    consents_due = fields.List(fields.Nested(DueConsentSchema))
