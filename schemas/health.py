"""Health: which check failed, and nothing about how."""

from __future__ import annotations

from marshmallow import fields, validate

from schemas.base import ReplySchema

_OUTCOMES = ("ok", "failed")


class HealthSchema(ReplySchema):
    status = fields.String(validate=validate.Equal("ok"))


class ReadinessSchema(ReplySchema):
    status = fields.String(validate=validate.OneOf(("ready", "not_ready")))
    database = fields.String(validate=validate.OneOf(_OUTCOMES))
    migrations = fields.String(validate=validate.OneOf(_OUTCOMES))
    keys = fields.String(validate=validate.OneOf(_OUTCOMES))
