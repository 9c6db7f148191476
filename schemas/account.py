"""The account as its holder sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from models.account import Provider
from schemas.base import Instant, ReplySchema, Strict, Text, Word
from schemas.otp import otp_field

TYPED_PHONE = {"description": "as people type it; a code goes to mainland China alone"}
_BY_WALLET, _BY_CODE = ("provider", "code", "response", "sign"), ("phone", "otp")


class SetPhoneSchema(Strict):
    """One of two ways. What the wallet hands out in which the caller is logged in: `provider`, and `code` or `response`
    and `sign`. Or a code that was sent: `phone` and `otp`."""

    examples = {  # noqa: RUF012
        "wechat": {"provider": "wechat_miniapp", "code": "code-of-getPhoneNumber"},
        "alipay": {"provider": "alipay_miniapp", "response": "base64-of-what-my.getPhoneNumber-said", "sign": "base64"},
        "sms": {"phone": "13800000000", "otp": "012345"},
    }
    provider = Word(Provider, metadata={"description": "where the caller is logged in"})
    code = Text(512, metadata={"description": "WeChat: of getPhoneNumber, used once"})
    response = Text(8192, metadata={"description": "Alipay: `response` of my.getPhoneNumber, unchanged"})
    sign = Text(2048, metadata={"description": "Alipay: `sign` of my.getPhoneNumber, unchanged"})
    phone = Text(32, metadata={"description": "the phone that the code was sent to"})
    otp = otp_field()

    @validates_schema
    def _one_way(self, data: Mapping[str, Any], **_: Any) -> None:
        by_code = "provider" not in data and any(name in data for name in _BY_CODE)
        needed, foreign = (_BY_CODE, _BY_WALLET) if by_code else (("provider",), _BY_CODE)
        faults = {name: ["missing"] for name in needed if name not in data}
        faults |= {name: ["not_allowed"] for name in foreign if name in data}
        if faults:
            raise ValidationError(faults)


class AskPhoneCodeSchema(Strict):
    """Where the code goes."""

    examples = {"mainland": {"phone": "13800000000"}}  # noqa: RUF012
    phone = Text(32, required=True, metadata=TYPED_PHONE)


class PhoneCodeSchema(ReplySchema):
    expires_at = Instant(metadata={"description": "from then on the code proves nothing"})
    again_at = Instant(metadata={"description": "when another code may be asked for, at the earliest"})


class AccountSchema(ReplySchema):
    id = fields.UUID()
    phone_masked = fields.String(
        allow_none=True, metadata={"description": "null without a phone", "example": "138****0000"}
    )
    has_phone = fields.Boolean()


class AccountDetailsSchema(AccountSchema):
    created_at = Instant()
