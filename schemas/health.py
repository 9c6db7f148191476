"""Health: which check failed, and of keys which key. Nothing more about how."""

from __future__ import annotations

from marshmallow import fields, validate

from schemas.base import ReplySchema

_OUTCOMES = ("ok", "failed")


class HealthSchema(ReplySchema):
    status = fields.String(validate=validate.Equal("ok"))


class KeyFaultSchema(ReplySchema):
    reason = fields.String(validate=validate.OneOf(("key_missing", "key_wrong")))
    ring = fields.String(validate=validate.OneOf(("sealing", "hashing", "tickets")))
    key_id = fields.Integer()


class ReadinessSchema(ReplySchema):
    status = fields.String(validate=validate.OneOf(("ready", "not_ready")))
    database = fields.String(validate=validate.OneOf(_OUTCOMES))
    migrations = fields.String(validate=validate.OneOf(_OUTCOMES))
    keys = fields.String(validate=validate.OneOf((*_OUTCOMES, "key_missing", "key_wrong")))
    key_faults = fields.List(
        fields.Nested(KeyFaultSchema), metadata={"optional": True, "description": "only where there are some"}
    )
