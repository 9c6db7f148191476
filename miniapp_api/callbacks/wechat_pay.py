"""What WeChat Pay sends about the money of one merchant account."""

from __future__ import annotations

from flask import Response

from miniapp_api.callbacks.events import receive
from miniapp_api.openapi import endpoint, signed_blueprint

blueprint = signed_blueprint("wechat_pay", "/callbacks")
PROVIDER = "wechat_pay"

_EVENT = {
    "id": "EV-2026112510000000000000000001",
    "create_time": "2026-11-25T10:00:00+08:00",
    "event_type": "TRANSACTION.SUCCESS",
    "resource_type": "encrypt-resource",
    "summary": "支付成功",
    "resource": {
        "algorithm": "AEAD_AES_256_GCM",
        "original_type": "transaction",
        "associated_data": "transaction",
        "nonce": "vS3mXzQ9tR2k",
        "ciphertext": "<base64>",
    },
}
_KEPT_HEADERS = (
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "Wechatpay-Signature",
    "Wechatpay-Serial",
    "Wechatpay-Signature-Type",
    "Request-Id",
)


@endpoint(blueprint, "POST", "/wechat-pay/<merchant>", sent=_EVENT, summary="Payment events of one merchant")
def wechat_payment_event(merchant: str) -> Response:
    """Signed over stamp, nonce and raw body, at most 300 seconds old; an event sent twice counts once."""
    return receive(PROVIDER, merchant, kept_headers=_KEPT_HEADERS)


@endpoint(blueprint, "POST", "/wechat-refund/<merchant>", sent=_EVENT, summary="Refund events of one merchant")
def wechat_refund_event(merchant: str) -> Response:
    """As the payment events. What the refund is now is asked of the platform."""
    return receive(PROVIDER, merchant, kept_headers=_KEPT_HEADERS)
