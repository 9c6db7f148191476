"""What an official account's followers send: proven over the raw bytes, noted in one transaction, answered at once."""

from __future__ import annotations

import structlog
from flask import Response, request

from core.conversation.answer import SILENCE, Follower, answer_follower
from core.conversation.receive import receive_message
from core.ports import Answer, Conversation, Incoming, InvalidSignature, PlatformUser
from core.registry import NotConfigured
from miniapp_api.callbacks.events import answered, keep_sample
from miniapp_api.limits import is_past_limit
from miniapp_api.openapi import endpoint, signed_blueprint
from miniapp_api.pages import login_address
from miniapp_api.services import services
from models.errors import NotFound

blueprint = signed_blueprint("wechat_official", "/callbacks")

_SENT = {
    "ToUserName": "gh_0000000000ab",
    "FromUserName": "<openid>",
    "CreateTime": 1795572000,
    "MsgType": "text",
    "Content": "心内科",
    "MsgId": 6054768590064713,
}

log = structlog.get_logger()


@endpoint(blueprint, "GET", "/wechat-official/<app>", stateless=True, summary="The platform's check of our address")
def greet_official_account(app: str) -> Response:
    """The `echostr` of the query, where its signature proves it."""
    conversation = _conversation(app)
    try:
        return answered(conversation.greet(request.args.to_dict()))
    except InvalidSignature as error:
        log.warning("message_refused", provider=conversation.provider, app=app, reason=error.reason)
        return answered(conversation.refused())


@endpoint(
    blueprint,
    "POST",
    "/wechat-official/<app>",
    media_type="text/xml",
    sent=_SENT,
    summary="Messages and events of an official account's followers",
)
def hear_follower(app: str) -> Response:
    """Plain or encrypted, in XML or JSON; answered in the form it came in. What is sent again is answered again and
    counted once; who writes more than a person can is answered with silence. Neither words nor names are kept."""
    conversation, workbench = _conversation(app), services().workbench
    body = request.get_data(cache=False)
    try:
        incoming = conversation.check(request.args.to_dict(), body, now=workbench.transactions.clock.now())
    except InvalidSignature as error:
        keep_sample(conversation.provider, app, error.reason)
        return answered(conversation.refused())
    workbench.transactions.write(
        lambda session, now: receive_message(
            session, incoming, provider=conversation.provider, vault=workbench.vault, now=now
        )
    )
    return answered(conversation.reply(incoming, _answer(conversation, incoming)))


def _conversation(app: str) -> Conversation:
    """Raises: NotFound."""
    try:
        return services().workbench.adapters.conversation(app)
    except NotConfigured:
        raise NotFound() from None


def _answer(conversation: Conversation, incoming: Incoming) -> Answer:
    workbench, app = services().workbench, conversation.app
    if is_past_limit(conversation.provider, app, incoming.follower):
        return SILENCE
    follower = Follower(
        PlatformUser(conversation.provider, app, open_id=incoming.follower),
        enter=lambda target: login_address(app, target),
    )
    return workbench.transactions.read(
        lambda session, now: answer_follower(session, incoming, follower, vault=workbench.vault, now=now)
    )
