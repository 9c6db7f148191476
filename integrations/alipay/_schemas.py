"""The shapes of Alipay's answers and events. Only what we read is named; the rest is ignored.

All values are texts on this wire, amounts too.
"""

from __future__ import annotations

from marshmallow import fields, validate

from integrations.answers import AnswerSchema, text

AMOUNT = r"\A(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?\Z"
STAMP = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?\Z"


def _shaped(pattern: str, *, required: bool = False) -> fields.String:
    return fields.String(required=required, validate=validate.Regexp(pattern))


# --- login and face (alipay.md 5.2, 6.1) ------------------------------------------------------------------------------


class TokenSchema(AnswerSchema):
    """alipay.system.oauth.token. `access_token` must be there and is not used: it never leaves this answer."""

    access_token = text(512, required=True)
    open_id = text(128)
    union_id = text(128)
    user_id = text(64)


class CertifyStartSchema(AnswerSchema):
    """alipay.user.certify.open.initialize."""

    certify_id = _shaped(r"\A[0-9A-Za-z_-]{1,128}\Z", required=True)


class CertifyResultSchema(AnswerSchema):
    """alipay.user.certify.open.query."""

    passed = fields.String(required=True, validate=validate.OneOf(["T", "F"]))
    fail_reason = text(1024)
    certify_id = text(128)


# --- money (alipay.md 7, 8) -------------------------------------------------------------------------------------------


class CreatedSchema(AnswerSchema):
    """alipay.trade.create."""

    out_trade_no = text(64, required=True)
    trade_no = text(64, required=True)


class TradeSchema(AnswerSchema):
    """A trade in an answer and in an event; when it was paid is `send_pay_date` in one and `gmt_payment` in the
    other. An unpaid one lacks most."""

    out_trade_no = text(64, required=True)
    trade_status = text(32, required=True)
    trade_no = text(64)
    send_pay_date = _shaped(STAMP)
    gmt_payment = _shaped(STAMP)
    fund_bill_list = fields.Raw()


class PaidTradeSchema(TradeSchema):
    """The same for a trade that was paid: then number and amount must be there."""

    trade_no = text(64, required=True)
    total_amount = _shaped(AMOUNT, required=True)


class ClosedSchema(AnswerSchema):
    """alipay.trade.close."""

    out_trade_no = text(64, required=True)


class RefundTakenSchema(AnswerSchema):
    """alipay.trade.refund. Its `refund_fee` is the sum of all refunds of the trade, so it is not read."""

    out_trade_no = text(64, required=True)
    fund_change = text(1, required=True)


class _DepositBackSchema(AnswerSchema):
    has_deposit_back = fields.Raw()
    dback_status = text(8)


class RefundSchema(AnswerSchema):
    """alipay.trade.fastpay.refund.query. Without a status it has told nothing: then all else may be missing."""

    refund_status = text(32)
    out_trade_no = text(64)
    out_request_no = text(64)
    refund_amount = _shaped(AMOUNT)
    gmt_refund_pay = _shaped(STAMP)
    deposit_back_info = fields.Nested(_DepositBackSchema)


class DoneRefundSchema(RefundSchema):
    """The same with a status: then it must say of what, and how much."""

    out_trade_no = text(64, required=True)
    out_request_no = text(64, required=True)
    refund_amount = _shaped(AMOUNT, required=True)


class BillPlaceSchema(AnswerSchema):
    """alipay.data.dataservice.bill.downloadurl.query."""

    bill_download_url = text(4096)
    bill_file_code = text(64)


class EventSchema(AnswerSchema):
    """An event as it came over the wire, before its trade is read."""

    notify_id = text(128, required=True)
    notify_type = text(64, required=True)
    app_id = text(32, required=True)
    seller_id = text(32, required=True)
    out_trade_no = text(64)
    out_biz_no = text(64)
    trade_status = text(32)
    gmt_refund = text(64)
    refund_fee = text(64)
