"""Dependents: what is typed of them, and what their account is shown, masked."""

from __future__ import annotations

from marshmallow import fields

from models.identity_check import IdentityMethod
from models.person import IdentityStatus, IdType, Relationship, Sex
from schemas.base import Day, Instant, ReplySchema, Strict, Text, Word
from schemas.sparse import SparseReply

_FROZEN = {
    "description": "never changes here: 409 `identity_frozen` once matched, 422 `not_changeable` before; remove the "
    "dependent and add it anew"
}
IDENTITY_FIELDS = ("name", "id_type", "id_number", "birth_date", "sex")


class AddDependentSchema(Strict):
    name = Text(200, required=True, metadata={"example": "测试甲"})
    id_type = Word(IdType, required=True)
    id_number = Text(64, metadata={"description": "as printed on the document", "example": "330102199001019973"})
    phone = Text(
        40,
        required=True,
        metadata={"description": "the dependent's, or of whoever looks after them", "example": "13800000000"},
    )
    relationship = Word(Relationship, required=True)
    birth_date = Day(metadata={"description": "must agree with the document where that says it"})
    sex = Word(Sex, metadata={"description": "must agree with the document where that says it"})
    address = Text(400)
    region_code = Text(12, metadata={"description": "GB/T 2260"})


class ChangeDependentSchema(Strict):
    phone = Text(40, metadata={"example": "13800000001"})
    address = Text(400, allow_none=True, metadata={"description": "null takes it away", "example": None})
    region_code = Text(12, allow_none=True, metadata={"description": "GB/T 2260; null takes it away"})
    name = fields.Raw(metadata=_FROZEN)
    id_type = fields.Raw(metadata=_FROZEN)
    id_number = fields.Raw(metadata=_FROZEN)
    birth_date = fields.Raw(metadata=_FROZEN)
    sex = fields.Raw(metadata=_FROZEN)


class IdentitySchema(SparseReply):
    status = Word(IdentityStatus)
    level = fields.Integer(metadata={"description": "0 typed, 1 name and number matched, 2 the person was present"})
    methods = fields.List(Word(IdentityMethod), metadata={"description": "the checks that are open now"})
    checked_at = Instant(metadata={"optional": True})


class DependentSchema(ReplySchema):
    """Dumps a core.dependents.views.DependentView."""

    id = fields.UUID(attribute="dependent.id")
    name_masked = fields.String(attribute="dependent.name_masked", metadata={"example": "测**"})
    id_type = Word(IdType, attribute="dependent.id_type")
    id_number_masked = fields.String(attribute="dependent.id_number_masked", metadata={"example": "330***********9973"})
    phone_masked = fields.String(attribute="dependent.phone_masked", metadata={"example": "138****0000"})
    sex = Word(Sex, attribute="dependent.sex")
    birth_date = Day(attribute="dependent.birth_date", metadata={"example": "1990-01-01"})
    age = fields.Integer(metadata={"description": "full years, today at the hospital", "example": 36})
    relationship = Word(Relationship, attribute="dependent.relationship_")
    is_default = fields.Boolean(attribute="dependent.is_default")
    identity = fields.Nested(IdentitySchema)
    hospital_cards = fields.List(
        fields.Dict(keys=fields.String()),
        dump_default=list,
        metadata={"description": "none are kept yet", "example": []},
    )
