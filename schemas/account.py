"""The account as its holder sees it."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, pre_load

from models.account import Provider
from schemas.base import Instant, ReplySchema, Strict, Text, Word

_BY_SMS = {"description": "the way by SMS is not open yet: refused as `not_configured`"}


class SetPhoneSchema(Strict):
    """Either `code`, or `response` and `sign`: what the wallet in which the caller is logged in hands out."""

    examples = {  # noqa: RUF012
        "wechat": {"provider": "wechat_miniapp", "code": "code-of-getPhoneNumber"},
        "alipay": {"provider": "alipay_miniapp", "response": "base64-of-what-my.getPhoneNumber-said", "sign": "base64"},
    }
    provider = Word(Provider, required=True, metadata={"description": "where the caller is logged in"})
    code = Text(512, metadata={"description": "WeChat: of getPhoneNumber, used once"})
    response = Text(8192, metadata={"description": "Alipay: `response` of my.getPhoneNumber, unchanged"})
    sign = Text(2048, metadata={"description": "Alipay: `sign` of my.getPhoneNumber, unchanged"})
    phone = fields.Raw(metadata=_BY_SMS)
    otp = fields.Raw(metadata=_BY_SMS)

    @pre_load
    def _refuse_sms(self, data: Any, **_: Any) -> Any:
        typed = [name for name in ("phone", "otp") if name in data]
        if typed:
            raise ValidationError({name: ["not_configured"] for name in typed})
        return data


class AccountSchema(ReplySchema):
    id = fields.UUID()
    phone_masked = fields.String(
        allow_none=True, metadata={"description": "null without a phone", "example": "138****0000"}
    )
    has_phone = fields.Boolean()


class AccountDetailsSchema(AccountSchema):
    created_at = Instant()
