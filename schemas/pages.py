"""What browsers ask the web pages for."""

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


class OpenMiniappQuerySchema(Strict):
    scene = fields.String(
        metadata={"description": "what to open: `doctor:`, `department:` or `appointment:` and an id"}
    )
    account = fields.String(metadata={"description": "our name of the official account; the first one without"})
