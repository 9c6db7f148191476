"""Login: a one-time code of a platform in, a token out."""

from __future__ import annotations

from marshmallow import fields

from models.account import Provider, Purpose
from schemas.account import AccountSchema
from schemas.base import Instant, ReplySchema, Strict, Text, Word


class LogInSchema(Strict):
    provider = Word(Provider, required=True)
    app = Text(64, metadata={"description": "our name of the app, where several are configured"})
    code = Text(512, required=True, metadata={"description": "the one-time code that the platform gave the client"})


class DueConsentSchema(ReplySchema):
    purpose = Word(Purpose)
    version = fields.String()
    title = fields.String(metadata={"description": "in the language asked for"})


class SessionSchema(ReplySchema):
    token = fields.String(metadata={"description": "bearer token, told only here"})
    expires_at = Instant()
    account = fields.Nested(AccountSchema)
    consents_due = fields.List(fields.Nested(DueConsentSchema))
