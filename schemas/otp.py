"""The code of a text message, as it is typed in."""

from __future__ import annotations

from marshmallow import fields, validate


def otp_field() -> fields.String:
    return fields.String(
        validate=validate.Regexp(r"\A[0-9]{6}\Z"),
        metadata={"description": "six digits from the message, good for five minutes, five tries and one use"},
    )
