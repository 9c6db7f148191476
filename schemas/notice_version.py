"""The version of a booking notice, as a client names the one that was read."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate


class NoticeVersion(fields.String):
    """The word that a hospital's details show; nothing can be read from it."""

    def __init__(self, **more: Any) -> None:
        form = validate.Regexp(r"\A[0-9a-f]{16}\Z")
        more["metadata"] = {"example": "3f9a1c0b7e5d2a48"} | more.get("metadata", {})
        super().__init__(validate=form, **more)
