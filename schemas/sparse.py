"""Replies whose optional fields are left out where there is nothing to say."""

from __future__ import annotations

from typing import Any

from marshmallow import post_dump

from schemas.base import ReplySchema


class SparseReply(ReplySchema):
    """A field marked `optional` in its metadata is absent instead of null."""

    @post_dump
    def _leave_out(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        optional = {
            field.data_key or name for name, field in self.dump_fields.items() if field.metadata.get("optional")
        }
        return {name: value for name, value in data.items() if value is not None or name not in optional}
