"""The clock."""

from __future__ import annotations

from schemas.base import Instant, ReplySchema


class TimeSchema(ReplySchema):
    now = Instant()
