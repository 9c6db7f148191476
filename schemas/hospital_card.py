"""Cards of hospitals (就诊卡): what is typed of one, and what is shown, masked."""

from __future__ import annotations

from marshmallow import fields

from core.dependents.documents import masked_number
from schemas.base import Flag, Id, Instant, ReplySchema, Strict, Text
from schemas.masked import Masked


class AddHospitalCardSchema(Strict):
    hospital_id = Id(required=True)
    number = Text(
        200,
        required=True,
        metadata={
            "description": "就诊卡号或电子健康卡号: 4 to 64 letters, digits and hyphens, as on the card",
            "example": "0012345678",
        },
    )
    is_current = Flag(
        load_default=True,
        metadata={"description": "whether it stands for the others of its hospital from now on; the first always does"},
    )


class CardHospitalSchema(ReplySchema):
    id = fields.UUID()
    name = fields.String(metadata={"example": "南京鼓楼医院"})


class HospitalCardSchema(ReplySchema):
    """Dumps a core.dependents.cards.CardView."""

    id = fields.UUID(attribute="card.id")
    hospital = fields.Nested(CardHospitalSchema)
    number_masked = Masked(
        masked_number, lambda view, vault: view.card.number(vault), metadata={"example": "00******78"}
    )
    is_current = fields.Boolean(attribute="card.is_current", metadata={"description": "one of each hospital is"})
    created_at = Instant(attribute="card.created_at")
