"""The shape of a finance ministry's electronic receipt (医疗收费电子票据)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, pre_dump

from core.receipts.views import ReceiptView
from schemas.base import Day, ReplySchema
from schemas.hospital import WordsSchema
from schemas.words import Words

WHAT_IT_IS = Words(
    "医疗收费电子票据，由医院开具、财政部门监制（财政电子票据），不是税务发票。"
    "凭票据代码、票据号码和校验码可在财政部门的电子票据查验平台查验。",
    "A medical receipt that the hospital has issued, of the finance ministry's kind (财政电子票据): not a tax invoice. "
    "With its code, number and check code it can be verified at the finance ministry's site.",
)
_REDDENED = Words(
    f"{WHAT_IT_IS.zh}医院已开具红字票据冲销本票据，本票据不再作为报销凭证。",
    f"{WHAT_IT_IS.en} The hospital has ended it with a red receipt: it proves no payment any more.",
)
_OPENS_IT = "the patient's own account alone is told, and never in a list; null for whoever looks under a grant"


class RedReceiptReply(ReplySchema):
    """Dumps a ReceiptView."""

    code = fields.String(required=True, metadata={"description": "票据代码", "example": "11060126"})
    number = fields.String(required=True, metadata={"description": "票据号码", "example": "0000012345"})
    check_code = fields.String(
        allow_none=True, required=True, metadata={"description": f"校验码; {_OPENS_IT}", "example": "3f9a1c"}
    )
    url = fields.String(
        allow_none=True,
        required=True,
        metadata={
            "description": f"where it is looked at and downloaded, if the hospital says; {_OPENS_IT}",
            "example": "https://einvoice.example.cn/r/3f9a1c",
        },
    )
    amount_fen = fields.Integer(required=True, metadata={"description": "as on its face: below zero on a red one"})
    issued_on = Day(required=True, metadata={"description": "开票日期"})


class ReceiptReply(RedReceiptReply):
    red = fields.Nested(
        RedReceiptReply,
        allow_none=True,
        required=True,
        metadata={"description": "红字票据: the one that has ended it", "example": None},
    )
    words = fields.Nested(WordsSchema, required=True)

    @pre_dump
    def _say(self, receipt: ReceiptView, **_: Any) -> dict[str, Any]:
        return vars(receipt) | {"words": WHAT_IT_IS if receipt.red is None else _REDDENED}
