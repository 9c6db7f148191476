"""The shapes of WeChat's answers. Only what we read is named; the rest is ignored, a secret among it included."""

from __future__ import annotations

import re

from marshmallow import ValidationError, fields, validate

from integrations.answers import AnswerSchema, text

MOST_CERTIFICATES = 16
"""Far more than the two of an overlap: opening one costs time."""


def _whole(*, required: bool = False, least: int | None = None, most: int | None = None) -> fields.Integer:
    """A whole number on the wire: not a text, not 1.0, not true."""
    return fields.Integer(strict=True, required=required, validate=validate.Range(min=least, max=most))


def _require_country(code: object) -> None:
    if type(code) not in (int, str) or re.fullmatch(r"[1-9][0-9]{0,2}", str(code)) is None:
        raise ValidationError("no country code")


# --- api.weixin.qq.com (wechat.md 0.1, 1.1, 1.6, 1.10, 2.1, 3.4 to 3.7) ----------------------------------------------


class SessionSchema(AnswerSchema):
    """jscode2session. `session_key` is not named on purpose: it never leaves this answer."""

    openid = text(128, required=True)
    unionid = text(128)


class StableTokenSchema(AnswerSchema):
    """stable_token; `expires_in` in seconds."""

    access_token = text(4096, required=True)
    expires_in = _whole(required=True, least=1)


class VerifyIdSchema(AnswerSchema):
    """getverifyid; `expires_in` in seconds."""

    verify_id = text(256, required=True)
    expires_in = _whole(required=True, least=1, most=86400)


class VerifyInfoSchema(AnswerSchema):
    """queryverifyinfo."""

    verify_ret = _whole()


class _WatermarkSchema(AnswerSchema):
    timestamp = _whole(required=True, least=0)
    appid = text(64, required=True)


class _PhoneInfoSchema(AnswerSchema):
    """`countryCode` is documented as a text and printed as a bare number in the same place."""

    number = fields.String(required=True, data_key="purePhoneNumber", validate=validate.Regexp(r"\A[0-9]{4,14}\Z"))
    country_code = fields.Raw(required=True, data_key="countryCode", validate=_require_country)
    watermark = fields.Nested(_WatermarkSchema, required=True)


class PhoneSchema(AnswerSchema):
    """getuserphonenumber."""

    phone_info = fields.Nested(_PhoneInfoSchema, required=True)


class PageLoginSchema(AnswerSchema):
    """sns/oauth2/access_token. The user's tokens are not named on purpose: nothing is asked with them."""

    openid = text(128, required=True)
    unionid = text(128)
    is_snapshotuser = _whole()


class FollowerSchema(AnswerSchema):
    """user/info; somebody who does not follow has no more than an openid."""

    openid = text(128, required=True)
    unionid = text(128)


class TicketSchema(AnswerSchema):
    """ticket/getticket; `expires_in` in seconds."""

    ticket = text(4096, required=True)
    expires_in = _whole(required=True, least=1)


class _MenuSchema(AnswerSchema):
    button = fields.List(fields.Dict(keys=fields.String()), required=True)


class MenuSchema(AnswerSchema):
    """menu/get; menus for some followers only (`conditionalmenu`) are not ours."""

    menu = fields.Nested(_MenuSchema, required=True)


class SceneCodeSchema(AnswerSchema):
    """qrcode/create; `expire_seconds` is left out for codes without end, which we never make."""

    ticket = text(1024, required=True)
    expire_seconds = _whole(required=True, least=1)
    url = text(1024, required=True)


class UrlLinkSchema(AnswerSchema):
    """generate_urllink."""

    url_link = fields.Url(schemes={"http", "https"}, require_tld=False, required=True)


class TradeManagedSchema(AnswerSchema):
    """is_trade_managed."""

    is_trade_managed = fields.Boolean(required=True, truthy={True}, falsy={False})


class _ShippedOrderSchema(AnswerSchema):
    order_state = _whole(required=True)


class ShippedOrderSchema(AnswerSchema):
    """get_order of shipping management."""

    order = fields.Nested(_ShippedOrderSchema, required=True)


# --- WeChat Pay (wechat.md 4.4 to 4.8) -------------------------------------------------------------------------------


class PrepaySchema(AnswerSchema):
    """JSAPI create."""

    prepay_id = text(128, required=True)


class H5Schema(AnswerSchema):
    """H5 create."""

    h5_url = fields.Url(schemes={"http", "https"}, require_tld=False, required=True)


class DirectPartiesSchema(AnswerSchema):
    """Whom a trade or a message is about; a refund names no app."""

    mchid = text(32, required=True)
    appid = text(64)


class PartnerPartiesSchema(AnswerSchema):
    """The same where a partner signs for a sub-merchant, whose own app is there if the order named it."""

    sp_mchid = text(32, required=True)
    sub_mchid = text(32, required=True)
    sp_appid = text(64)
    sub_appid = text(64)


class _TradeAmountSchema(AnswerSchema):
    total = _whole(required=True, least=1)
    currency = text(16, required=True)


class TradeSchema(AnswerSchema):
    """Query by number, and the opened resource of TRANSACTION.SUCCESS; an unpaid order lacks the optional half.

    Its amount is not read: parts of it are missing while the order is unpaid, and it counts only when it was paid.
    """

    out_trade_no = text(64, required=True)
    trade_state = text(32, required=True)
    transaction_id = text(64)
    bank_type = text(64)
    success_time = fields.AwareDateTime(format="iso")


class PaidTradeSchema(TradeSchema):
    """The same for an order that was paid: then number and amount must be there."""

    transaction_id = text(64, required=True)
    amount = fields.Nested(_TradeAmountSchema, required=True)


class _RefundAmountSchema(AnswerSchema):
    refund = _whole(required=True, least=1)


class RefundSchema(AnswerSchema):
    """Refund and refund query."""

    out_refund_no = text(64, required=True)
    out_trade_no = text(64, required=True)
    refund_id = text(64, required=True)
    status = text(32, required=True)
    success_time = fields.AwareDateTime(format="iso")
    user_received_account = text(256)
    amount = fields.Nested(_RefundAmountSchema, required=True)


class RefundNoticeSchema(RefundSchema):
    """The opened resource of REFUND.*: `refund_status` where a query says `status`; no appid, no currency."""

    status = fields.String(required=True, data_key="refund_status", validate=validate.Length(min=1, max=32))


class _SealedBillSchema(AnswerSchema):
    encrypt_key = text(1024, required=True)
    nonce = fields.String(required=True, validate=validate.Length(min=8, max=64))
    download_url = text(2048, required=True)


class SealedBillsSchema(AnswerSchema):
    """Where the sealed files of a sub-merchant's bill are."""

    download_bill_list = fields.List(fields.Nested(_SealedBillSchema), required=True, validate=validate.Length(equal=1))


def _status(kind: str, *, optional: bool) -> fields.String:
    words = [f"{kind}_{state}" for state in ("CREATED", "SUCCESS", "REFUND", "FAIL")]
    return fields.String(required=True, validate=validate.OneOf([*words, f"NO_{kind}"] if optional else words))


class MixedOrderSchema(AnswerSchema):
    """An insurance order, as WeChat answers and tells of it (5)."""

    mix_pay_status = _status("MIX_PAY", optional=False)
    self_pay_status = _status("SELF_PAY", optional=True)
    med_ins_pay_status = _status("MED_INS_PAY", optional=True)


class BillSchema(AnswerSchema):
    """Where the file of a bill is, and what it hashes to once it is unpacked."""

    hash_type = fields.String(required=True, validate=validate.OneOf(["SHA1"]))
    hash_value = fields.String(required=True, validate=validate.Regexp(r"\A[0-9A-Fa-f]{40}\Z"))
    download_url = text(2048, required=True)


class RefusalSchema(AnswerSchema):
    """The body of a 4xx or 5xx."""

    code = fields.String(required=True, validate=validate.Regexp(r"\A[A-Z][A-Z0-9_]{1,63}\Z"))
    detail = fields.Raw()


class ResourceSchema(AnswerSchema):
    """The sealed part of a message."""

    algorithm = text(64, required=True)
    ciphertext = text(1024 * 1024, required=True)
    nonce = text(64, required=True)
    associated_data = fields.String(load_default="")


class EnvelopeSchema(AnswerSchema):
    """A message as it came over the wire."""

    id = text(64, required=True)
    event_type = text(64, required=True)
    resource = fields.Nested(ResourceSchema, required=True)


class _SealedCertificateSchema(AnswerSchema):
    serial_no = fields.String(required=True, validate=validate.Regexp(r"\A[0-9A-F]{1,64}\Z"))
    encrypt_certificate = fields.Nested(ResourceSchema, required=True)


class CertificatesSchema(AnswerSchema):
    """GET /v3/certificates."""

    data = fields.List(
        fields.Nested(_SealedCertificateSchema), required=True, validate=validate.Length(min=1, max=MOST_CERTIFICATES)
    )
