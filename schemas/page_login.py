"""Login of a web page, as a browser asks for it."""

from __future__ import annotations

from marshmallow import fields, validate

from core.identity.page_login import HOME, LONGEST_TARGET, TARGET
from schemas.base import Strict


class PageLoginQuerySchema(Strict):
    to = fields.String(
        load_default=HOME,
        validate=[validate.Length(max=LONGEST_TARGET), validate.Regexp(TARGET)],
        metadata={"description": "the page of ours to go to afterwards", "example": HOME},
    )
