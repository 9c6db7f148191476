"""The shapes of WeChat's answers. Only what we read is named; the rest is ignored, a secret among it included."""

from __future__ import annotations

import re
from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from core.ports import ProviderUnavailable

MOST_CERTIFICATES = 16
"""Far more than the two of an overlap: opening one costs time."""


class _AnswerSchema(Schema):
    """What WeChat leaves out it sometimes sends as null or as an empty text: both count as absent."""

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def _drop_empty(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None and value != ""}


def _whole(*, required: bool = False, least: int | None = None, most: int | None = None) -> fields.Integer:
    """A whole number on the wire: not a text, not 1.0, not true."""
    return fields.Integer(strict=True, required=required, validate=validate.Range(min=least, max=most))


def _text(longest: int, *, required: bool = False) -> fields.String:
    return fields.String(required=required, validate=validate.Length(min=1, max=longest))


def _require_country(code: object) -> None:
    if type(code) not in (int, str) or re.fullmatch(r"[1-9][0-9]{0,2}", str(code)) is None:
        raise ValidationError("no country code")


def load_answer(schema: Schema, content: Any) -> dict[str, Any]:
    """Raises: ProviderUnavailable."""
    try:
        return load(schema, content)
    except ValidationError as error:
        raise misfit(error) from None


def misfit(error: ValidationError) -> ProviderUnavailable:
    """For an answer that does not fit: names its fields, never their values.

    To be raised `from None`: the error of marshmallow carries the whole answer.
    """
    return ProviderUnavailable(f"answer does not fit: {', '.join(sorted(map(str, error.messages_dict)))}")


def load(schema: Schema, content: Any) -> dict[str, Any]:
    """Raises: ValidationError."""
    return cast("dict[str, Any]", schema.load(content))


# --- api.weixin.qq.com (wechat.md 0.1, 1.1, 1.6, 2.1, 3.4 to 3.7) ----------------------------------------------------


class SessionSchema(_AnswerSchema):
    """jscode2session. `session_key` is not named on purpose: it never leaves this answer."""

    openid = _text(128, required=True)
    unionid = _text(128)


class StableTokenSchema(_AnswerSchema):
    """stable_token; `expires_in` in seconds."""

    access_token = _text(4096, required=True)
    expires_in = _whole(required=True, least=1)


class VerifyIdSchema(_AnswerSchema):
    """getverifyid; `expires_in` in seconds."""

    verify_id = _text(256, required=True)
    expires_in = _whole(required=True, least=1, most=86400)


class VerifyInfoSchema(_AnswerSchema):
    """queryverifyinfo."""

    verify_ret = _whole()


class _WatermarkSchema(_AnswerSchema):
    timestamp = _whole(required=True, least=0)
    appid = _text(64, required=True)


class _PhoneInfoSchema(_AnswerSchema):
    """`countryCode` is documented as a text and printed as a bare number in the same place."""

    number = fields.String(required=True, data_key="purePhoneNumber", validate=validate.Regexp(r"\A[0-9]{4,14}\Z"))
    country_code = fields.Raw(required=True, data_key="countryCode", validate=_require_country)
    watermark = fields.Nested(_WatermarkSchema, required=True)


class PhoneSchema(_AnswerSchema):
    """getuserphonenumber."""

    phone_info = fields.Nested(_PhoneInfoSchema, required=True)


class PageLoginSchema(_AnswerSchema):
    """sns/oauth2/access_token. The user's tokens are not named on purpose: nothing is asked with them."""

    openid = _text(128, required=True)
    unionid = _text(128)
    is_snapshotuser = _whole()


class FollowerSchema(_AnswerSchema):
    """user/info; somebody who does not follow has no more than an openid."""

    openid = _text(128, required=True)
    unionid = _text(128)


class TicketSchema(_AnswerSchema):
    """ticket/getticket; `expires_in` in seconds."""

    ticket = _text(4096, required=True)
    expires_in = _whole(required=True, least=1)


class _MenuSchema(_AnswerSchema):
    button = fields.List(fields.Dict(keys=fields.String()), required=True)


class MenuSchema(_AnswerSchema):
    """menu/get; menus for some followers only (`conditionalmenu`) are not ours."""

    menu = fields.Nested(_MenuSchema, required=True)


class SceneCodeSchema(_AnswerSchema):
    """qrcode/create; `expire_seconds` is left out for codes without end, which we never make."""

    ticket = _text(1024, required=True)
    expire_seconds = _whole(required=True, least=1)
    url = _text(1024, required=True)


class UrlLinkSchema(_AnswerSchema):
    """generate_urllink."""

    url_link = fields.Url(schemes={"http", "https"}, require_tld=False, required=True)


# --- WeChat Pay (wechat.md 4.4 to 4.8) -------------------------------------------------------------------------------


class PrepaySchema(_AnswerSchema):
    """JSAPI create."""

    prepay_id = _text(128, required=True)


class _TradeAmountSchema(_AnswerSchema):
    total = _whole(required=True, least=1)
    currency = _text(16, required=True)


class TradeSchema(_AnswerSchema):
    """Query by number, and the opened resource of TRANSACTION.SUCCESS; an unpaid order lacks the optional half.

    Its amount is not read: parts of it are missing while the order is unpaid, and it counts only when it was paid.
    """

    mchid = _text(32, required=True)
    appid = _text(64)
    out_trade_no = _text(64, required=True)
    trade_state = _text(32, required=True)
    transaction_id = _text(64)
    bank_type = _text(64)
    success_time = fields.AwareDateTime(format="iso")


class PaidTradeSchema(TradeSchema):
    """The same for an order that was paid: then number and amount must be there."""

    transaction_id = _text(64, required=True)
    amount = fields.Nested(_TradeAmountSchema, required=True)


class _RefundAmountSchema(_AnswerSchema):
    refund = _whole(required=True, least=1)


class RefundSchema(_AnswerSchema):
    """Refund and refund query."""

    out_refund_no = _text(64, required=True)
    out_trade_no = _text(64, required=True)
    refund_id = _text(64, required=True)
    status = _text(32, required=True)
    success_time = fields.AwareDateTime(format="iso")
    user_received_account = _text(256)
    amount = fields.Nested(_RefundAmountSchema, required=True)


class RefundNoticeSchema(RefundSchema):
    """The opened resource of REFUND.*: `refund_status` where a query says `status`; no appid, no currency."""

    mchid = _text(32, required=True)
    status = fields.String(required=True, data_key="refund_status", validate=validate.Length(min=1, max=32))


class RefusalSchema(_AnswerSchema):
    """The body of a 4xx or 5xx."""

    code = fields.String(required=True, validate=validate.Regexp(r"\A[A-Z][A-Z0-9_]{1,63}\Z"))
    detail = fields.Raw()


class ResourceSchema(_AnswerSchema):
    """The sealed part of a message."""

    algorithm = _text(64, required=True)
    ciphertext = _text(1024 * 1024, required=True)
    nonce = _text(64, required=True)
    associated_data = fields.String(load_default="")


class EnvelopeSchema(_AnswerSchema):
    """A message as it came over the wire."""

    id = _text(64, required=True)
    event_type = _text(64, required=True)
    resource = fields.Nested(ResourceSchema, required=True)


class _SealedCertificateSchema(_AnswerSchema):
    serial_no = fields.String(required=True, validate=validate.Regexp(r"\A[0-9A-F]{1,64}\Z"))
    encrypt_certificate = fields.Nested(ResourceSchema, required=True)


class CertificatesSchema(_AnswerSchema):
    """GET /v3/certificates."""

    data = fields.List(
        fields.Nested(_SealedCertificateSchema), required=True, validate=validate.Length(min=1, max=MOST_CERTIFICATES)
    )
