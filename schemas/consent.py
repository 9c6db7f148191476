"""Consents: the texts, and what an account said to them."""

from __future__ import annotations

from marshmallow import fields

from models.account import Purpose
from schemas.base import Flag, Id, Instant, ReplySchema, Strict, Text, Word
from schemas.sparse import SparseReply

_DEPENDENT = {"description": "named by the purposes face, health and minor, and by no other"}


class ConsentTextSchema(ReplySchema):
    purpose = Word(Purpose)
    version = fields.String(metadata={"example": "2026-11"})
    title = fields.String(metadata={"example": "服务协议与隐私告知"})
    text = fields.String(
        metadata={"description": "plain text, paragraphs parted by an empty line", "example": "我们是谁……"}
    )


class GiveConsentSchema(Strict):
    purpose = Word(Purpose, required=True)
    version = Text(
        32, required=True, metadata={"description": "the version of the text that was shown", "example": "2026-11"}
    )
    granted = Flag(required=True, metadata={"description": "false withdraws"})
    dependent_id = Id(metadata=_DEPENDENT)


class ConsentSchema(SparseReply):
    """The newest word of an account on one purpose, and on one dependent where the purpose names one."""

    purpose = Word(Purpose)
    version = fields.String(metadata={"example": "2026-11"})
    granted = fields.Boolean()
    dependent_id = fields.UUID(metadata={**_DEPENDENT, "optional": True})
    at = Instant()
