"""What every payment platform's event goes through: signature over the raw bytes, one transaction, its own word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from flask import Response, request

from core.payments.inbox import keep_refused, receive_event
from core.ports import InvalidSignature, MessageReader, PlatformMessage, Reply
from core.registry import NotConfigured
from miniapp_api.services import services
from models.errors import NotFound

log = structlog.get_logger()

# Proven, and about somebody else's money: a stranger cannot send it, so our own configuration or keys are wrong.
_FOREIGN = frozenset({"foreign_app", "foreign_seller", "foreign_merchant"})

_LONGEST_HEADER = 1024
_NONE: Mapping[str, str] = {}


def receive(provider: str, merchant: str, *, kept_headers: Sequence[str] = ()) -> Response:
    """Take one event of the merchant account at `provider`, and answer in the platform's words.

    `kept_headers` are stored beside the raw bytes. Raises: NotFound, Overloaded."""
    workbench = services().workbench
    try:
        reader = workbench.adapters.reader(provider, merchant)
    except NotConfigured:
        raise NotFound() from None
    body = request.get_data(cache=False)
    headers = {name: request.headers[name][:_LONGEST_HEADER] for name in kept_headers if name in request.headers}
    try:
        message = reader.check(dict(request.headers), body, now=workbench.transactions.clock.now())
    except InvalidSignature as error:
        keep_sample(reader.provider, reader.merchant, error.reason, headers=headers, body=body)
        return answered(reader.refused())
    _store(reader, message, headers, body)
    return answered(reader.accepted())


def answered(reply: Reply) -> Response:
    """A platform's own word as a response."""
    return Response(reply.body, status=reply.status, content_type=reply.content_type)


def _store(reader: MessageReader, message: PlatformMessage, headers: dict[str, str], body: bytes) -> None:
    workbench = services().workbench
    workbench.transactions.write(
        lambda session, now: receive_event(
            session, message, provider=reader.provider, headers=headers, body=body, vault=workbench.vault, now=now
        )
    )


def keep_sample(
    provider: str, account: str, reason: str, *, headers: Mapping[str, str] = _NONE, body: bytes = b""
) -> None:
    """Log a refusal, and keep what came unless too much of it does."""
    foreign = {"alarm": True} if reason in _FOREIGN else {}
    log.warning("message_refused", provider=provider, merchant=account, reason=reason, **foreign)
    if not services().samples.admits():
        return
    workbench = services().workbench
    workbench.transactions.write(
        lambda session, now: keep_refused(
            session,
            provider=provider,
            merchant=account,
            reason=reason,
            headers=headers,
            body=body,
            vault=workbench.vault,
            now=now,
        )
    )
