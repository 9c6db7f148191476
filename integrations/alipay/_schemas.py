"""The shapes of Alipay's answers and events. Only what we read is named; the rest is ignored.

All values are texts on this wire, amounts too.
"""

from __future__ import annotations

from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from core.ports import ProviderUnavailable

AMOUNT = r"\A(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?\Z"
STAMP = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?\Z"


class _AnswerSchema(Schema):
    """What Alipay leaves out it sometimes sends as null or as an empty text: both count as absent."""

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def _drop_empty(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None and value != ""}


def _text(longest: int, *, required: bool = False) -> fields.String:
    return fields.String(required=required, validate=validate.Length(min=1, max=longest))


def _shaped(pattern: str, *, required: bool = False) -> fields.String:
    return fields.String(required=required, validate=validate.Regexp(pattern))


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


# --- login and face (alipay.md 5.2, 6.1) ------------------------------------------------------------------------------


class TokenSchema(_AnswerSchema):
    """alipay.system.oauth.token. `access_token` must be there and is not used: it never leaves this answer."""

    access_token = _text(512, required=True)
    open_id = _text(128)
    union_id = _text(128)
    user_id = _text(64)


class CertifyStartSchema(_AnswerSchema):
    """alipay.user.certify.open.initialize."""

    certify_id = _shaped(r"\A[0-9A-Za-z_-]{1,128}\Z", required=True)


class CertifyResultSchema(_AnswerSchema):
    """alipay.user.certify.open.query."""

    passed = fields.String(required=True, validate=validate.OneOf(["T", "F"]))
    fail_reason = _text(1024)
    certify_id = _text(128)


# --- money (alipay.md 7, 8) -------------------------------------------------------------------------------------------


class CreatedSchema(_AnswerSchema):
    """alipay.trade.create."""

    out_trade_no = _text(64, required=True)
    trade_no = _text(64, required=True)


class TradeSchema(_AnswerSchema):
    """A trade in an answer and in an event; when it was paid is `send_pay_date` in one and `gmt_payment` in the
    other. An unpaid one lacks most."""

    out_trade_no = _text(64, required=True)
    trade_status = _text(32, required=True)
    trade_no = _text(64)
    send_pay_date = _shaped(STAMP)
    gmt_payment = _shaped(STAMP)
    fund_bill_list = fields.Raw()


class PaidTradeSchema(TradeSchema):
    """The same for a trade that was paid: then number and amount must be there."""

    trade_no = _text(64, required=True)
    total_amount = _shaped(AMOUNT, required=True)


class ClosedSchema(_AnswerSchema):
    """alipay.trade.close."""

    out_trade_no = _text(64, required=True)


class RefundTakenSchema(_AnswerSchema):
    """alipay.trade.refund. Its `refund_fee` is the sum of all refunds of the trade, so it is not read."""

    out_trade_no = _text(64, required=True)
    fund_change = _text(1, required=True)


class _DepositBackSchema(_AnswerSchema):
    has_deposit_back = fields.Raw()
    dback_status = _text(8)


class RefundSchema(_AnswerSchema):
    """alipay.trade.fastpay.refund.query. Without a status it has told nothing: then all else may be missing."""

    refund_status = _text(32)
    out_trade_no = _text(64)
    out_request_no = _text(64)
    refund_amount = _shaped(AMOUNT)
    gmt_refund_pay = _shaped(STAMP)
    deposit_back_info = fields.Nested(_DepositBackSchema)


class DoneRefundSchema(RefundSchema):
    """The same with a status: then it must say of what, and how much."""

    out_trade_no = _text(64, required=True)
    out_request_no = _text(64, required=True)
    refund_amount = _shaped(AMOUNT, required=True)


class EventSchema(_AnswerSchema):
    """An event as it came over the wire, before its trade is read."""

    notify_id = _text(128, required=True)
    notify_type = _text(64, required=True)
    app_id = _text(32, required=True)
    seller_id = _text(32, required=True)
    out_trade_no = _text(64)
    out_biz_no = _text(64)
    trade_status = _text(32)
    gmt_refund = _text(64)
    refund_fee = _text(64)
