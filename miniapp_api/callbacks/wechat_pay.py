"""What WeChat Pay sends about the money of one merchant account."""

from __future__ import annotations

from flask import Response

from miniapp_api.callbacks.events import receive
from miniapp_api.openapi import endpoint, signed_blueprint

blueprint = signed_blueprint("wechat_pay", "/callbacks")
PROVIDER = "wechat_pay"

_KEPT_HEADERS = (
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "Wechatpay-Signature",
    "Wechatpay-Serial",
    "Wechatpay-Signature-Type",
    "Request-Id",
)


@endpoint(blueprint, "POST", "/wechat-pay/<merchant>", summary="Payment events of one merchant")
def wechat_payment_event(merchant: str) -> Response:
    return receive(PROVIDER, merchant, kept_headers=_KEPT_HEADERS)


@endpoint(blueprint, "POST", "/wechat-refund/<merchant>", summary="Refund events of one merchant")
def wechat_refund_event(merchant: str) -> Response:
    return receive(PROVIDER, merchant, kept_headers=_KEPT_HEADERS)
