"""What WeChat Pay sends: stamp and signature over the raw bytes, one transaction, the platform's own word."""

from __future__ import annotations

import structlog
from flask import Response, request

from core.payments.inbox import keep_refused, receive_event
from core.ports import InvalidSignature, MessageReader, PlatformMessage, Reply
from core.registry import NotConfigured
from miniapp_api.callbacks.throttle import Throttle
from miniapp_api.openapi import endpoint, signed_blueprint
from miniapp_api.services import services
from models.errors import NotFound

blueprint = signed_blueprint("wechat_pay", "/callbacks")
PROVIDER = "wechat_pay"

log = structlog.get_logger()

# A flood of forgeries must not become a flood of writes: a sample is enough to look at.
_KEPT_PER_SECOND = 5
_kept = Throttle(_KEPT_PER_SECOND)

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
    return _receive(merchant)


@endpoint(blueprint, "POST", "/wechat-refund/<merchant>", summary="Refund events of one merchant")
def wechat_refund_event(merchant: str) -> Response:
    return _receive(merchant)


def _receive(merchant: str) -> Response:
    workbench = services().workbench
    try:
        reader = workbench.adapters.reader(PROVIDER, merchant)
    except NotConfigured:
        raise NotFound() from None
    body = request.get_data(cache=False)
    try:
        message = reader.check(dict(request.headers), body, now=workbench.transactions.clock.now())
    except InvalidSignature as error:
        _keep_refused(reader, error.reason, body)
        return _reply(reader.refused())
    _store(reader, message, body)
    return _reply(reader.accepted())


def _store(reader: MessageReader, message: PlatformMessage, body: bytes) -> None:
    headers = _headers()
    services().workbench.transactions.write(
        lambda session, now: receive_event(
            session, message, provider=reader.provider, headers=headers, body=body, now=now
        )
    )


def _keep_refused(reader: MessageReader, reason: str, body: bytes) -> None:
    log.warning("message_refused", provider=reader.provider, merchant=reader.merchant, reason=reason)
    if not _kept.admits():
        return
    headers = _headers()
    services().workbench.transactions.write(
        lambda session, now: keep_refused(
            session,
            provider=reader.provider,
            merchant=reader.merchant,
            reason=reason,
            headers=headers,
            body=body,
            now=now,
        )
    )


def _headers() -> dict[str, str]:
    return {name: request.headers[name][:1024] for name in _KEPT_HEADERS if name in request.headers}


def _reply(reply: Reply) -> Response:
    return Response(reply.body, status=reply.status, content_type=reply.content_type)
