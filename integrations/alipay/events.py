"""What Alipay tells about trades (alipay.md 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError

from core.ports import InvalidSignature, MessageKind, PlatformMessage, RefundAnswer, RefundState, Reply
from integrations.alipay._forms import decoded, read_form
from integrations.alipay._keyring import KeyRing
from integrations.alipay._schemas import EventSchema
from integrations.alipay._signing import SIGN_TYPE, signed_text, verify
from integrations.alipay._trades import told_trade
from integrations.alipay.config import AlipayAccount
from integrations.answers import load

CHARSET = "utf-8"
"""The one we ask for in every call; the posted word for it is compared and never chosen by."""

ABOUT_TRADES = "trade_status_sync"
NOT_SIGNED = frozenset({"sign", "sign_type"})

_NOTHING = re.compile(r"0+(\.0+)?")


def proven(keys: KeyRing, form: dict[str, bytes], *, now: datetime) -> Mapping[str, str]:
    """The fields of what Alipay has signed as it signs events.

    Raises: InvalidSignature missing_sign, signature_type, bad_base64, bad_signature, unreadable."""
    fields = decoded(form, CHARSET)
    if not fields.get("sign"):
        raise InvalidSignature("missing_sign")
    if fields.get("sign_type", SIGN_TYPE) != SIGN_TYPE:
        raise InvalidSignature("signature_type")
    verify(keys.each(now), signed_text(form, without=NOT_SIGNED), fields["sign"])
    return fields


class AlipayMessageReader:
    """Port MessageReader for one merchant account.

    Order of work: form, algorithm, signature, charset; only then what it says; then app and seller. There is no age
    limit: Alipay sends an event again for 25 hours, and a late copy finds everything done. The caller limits the size.
    """

    provider = "alipay"

    def __init__(self, account: AlipayAccount) -> None:
        self.merchant = account.merchant
        self.app = account.app
        self._app_id = account.app_id
        self._seller_id = account.seller_id
        self._keys = account.keys

    def check(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> PlatformMessage:
        """The `sign_type` is not signed: a posted one must be ours, and never chooses the algorithm. A certificate
        that we do not know is never fetched from here.

        Raises: InvalidSignature with a reason: missing_sign, signature_type, bad_base64, bad_signature, and those of
        `read`."""
        return self._opened(proven(self._keys, read_form(body), now=now))

    def read(self, body: bytes) -> PlatformMessage:
        """Open a body that was checked before. It is not proven again: the key that proved it may be gone by now.

        Empty fields are not signed and count as absent. Raises: InvalidSignature with a reason: unreadable,
        doubled_field, ambiguous, foreign_app, foreign_seller.
        """
        return self._opened(decoded(read_form(body), CHARSET))

    def accepted(self) -> Reply:
        """Exactly these seven bytes: anything around them is a refusal."""
        return Reply(200, b"success", "text/plain")

    def refused(self) -> Reply:
        return Reply(200, b"fail", "text/plain")

    def _opened(self, fields: Mapping[str, str]) -> PlatformMessage:
        """Raises: InvalidSignature."""
        if fields.get("charset", CHARSET).lower() != CHARSET:
            raise InvalidSignature("unreadable")
        try:
            return self._message(load(EventSchema(), fields), fields)
        except ValidationError:
            # Not chained: the error carries the message.
            raise InvalidSignature("unreadable") from None

    def _message(self, event: Mapping[str, Any], fields: Mapping[str, str]) -> PlatformMessage:
        """A partial refund still says TRADE_SUCCESS: what tells of a refund is never a payment. A refund that was sent
        without a number goes by that of its trade (7.7): we send none so, and somebody must look.

        Raises: InvalidSignature, ValidationError."""
        self._require_ours(event)
        names = ("notify_type", "trade_status", "out_trade_no", "out_biz_no")
        summary = {name: event[name] for name in names if name in event}
        told = {"event_id": event["notify_id"], "merchant": self.merchant, "app": self.app, "summary": summary}
        if event["notify_type"] != ABOUT_TRADES:
            return PlatformMessage(kind=MessageKind.OTHER, **told)
        if "gmt_refund" not in event and _NOTHING.fullmatch(event.get("refund_fee", "0")):
            return PlatformMessage(kind=MessageKind.PAYMENT, trade=told_trade(fields), **told)
        number = event.get("out_biz_no", event.get("out_trade_no"))
        if number is None:
            return PlatformMessage(kind=MessageKind.OTHER, **told)
        # `refund_fee` is the sum of all refunds of the trade, so it is the amount of none: the query tells.
        refund = RefundAnswer(number, RefundState.PROCESSING)
        return PlatformMessage(kind=MessageKind.REFUND, refund=refund, **told)

    def _require_ours(self, event: Mapping[str, Any]) -> None:
        if event["app_id"] != self._app_id:
            raise InvalidSignature("foreign_app")
        if event["seller_id"] != self._seller_id:
            raise InvalidSignature("foreign_seller")
