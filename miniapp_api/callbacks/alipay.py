"""What Alipay sends: events about money, events and checks of an app, and people who come back from its pages."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import structlog
from flask import Response, request

from core.ports import InvalidSignature
from core.registry import NotConfigured
from core.transactions import Overloaded
from miniapp_api.callbacks.events import answered, receive
from miniapp_api.openapi import endpoint, open_blueprint, signed_blueprint
from miniapp_api.services import services
from models.account import Provider
from models.errors import NotFound

blueprint = signed_blueprint("alipay", "/callbacks")
pages = open_blueprint("alipay_pages", "/callbacks", tag="alipay")
PROVIDER = "alipay"
FORM = "application/x-www-form-urlencoded"

_PAGES = Path(__file__).parent.parent / "static"
_AFTER_FACE = (_PAGES / "identity" / "returned.html").read_text()
_AFTER_PAYMENT = (_PAGES / "payment" / "returned.html").read_text()
_NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_EVENT = {
    "notify_type": "trade_status_sync",
    "notify_id": "2026112500222102000012345678901234",
    "app_id": "2021000000000001",
    "seller_id": "2088000000000001",
    "out_trade_no": "P20261125K7QZ2M9TB4XW8HN3C",
    "trade_no": "2026112522001400000000000001",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "15.00",
    "charset": "utf-8",
    "sign_type": "RSA2",
    "sign": "<base64>",
}
_CHECK = {"service": "alipay.service.check", "charset": "GBK", "biz_content": "<XML>…</XML>", "sign": "<base64>"}

log = structlog.get_logger()


@endpoint(
    blueprint,
    "POST",
    "/alipay/<merchant>",
    media_type=FORM,
    sent=_EVENT,
    summary="Payment and refund events of one merchant",
)
def alipay_event(merchant: str) -> Response:
    """An event has no age limit, since it is sent again for 25 hours: its notify_id and the states make it harmless."""
    return receive(PROVIDER, merchant)


@endpoint(
    blueprint,
    "POST",
    "/alipay-gateway/<app>",
    media_type=FORM,
    stateless=True,
    refusals=(Overloaded,),
    sent=_CHECK,
    summary="Events of one app, and its check",
)
def alipay_app_event(app: str) -> Response:
    """The platform checks the address once; whatever else it tells is taken and not acted on.

    The database is read only where a signature fits no key that this process holds."""
    try:
        gateway = services().workbench.adapters.app_gateway(app)
    except NotConfigured:
        raise NotFound() from None
    try:
        return answered(gateway.answer(request.get_data(cache=False)))
    except InvalidSignature as error:
        log.warning("message_refused", provider=gateway.provider, app=app, reason=error.reason)
        return answered(gateway.refused())


def _shown(page: str) -> Response:
    """With the page's one style allowed by its digest."""
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; {_NOTHING_ELSE}"
    return Response(page, mimetype="text/html", headers={"Content-Security-Policy": policy})


@endpoint(
    pages, "GET", "/alipay-identity/<app>", page=True, stateless=True, summary="Where Alipay's identity page ends"
)
def alipay_identity_return(app: str) -> Response:
    """Where Alipay's identity page sends people back to. It decides nothing: the platform is asked by the server."""
    if not _has_face_check(app):
        raise NotFound()
    return _shown(_AFTER_FACE)


def _has_face_check(app: str) -> bool:
    return any(services().workbench.adapters.face_verifiers(Provider.ALIPAY_MINIAPP, app))


@endpoint(
    pages,
    "GET",
    "/alipay-return/<merchant>",
    page=True,
    stateless=True,
    refusals=(Overloaded,),
    summary="Where Alipay's cashier ends",
)
def alipay_payment_return(merchant: str) -> Response:
    """Where Alipay's cashier sends people back to: with a signed query who has paid, without any who has not. It
    decides nothing, whatever it says: the platform's event does, and what it says when it is asked. So the page is the
    same where nothing proves the query: who has just paid is not to read that nothing is here.

    The database is read only where a signature fits no key that this process holds."""
    try:
        returned = services().workbench.adapters.payment_return(merchant)
        if request.query_string:
            returned.check(request.query_string)
    except NotConfigured:
        raise NotFound() from None
    except InvalidSignature as error:
        log.warning("return_refused", merchant=merchant, reason=error.reason)
    return _shown(_AFTER_PAYMENT)
