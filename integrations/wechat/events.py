"""What WeChat Pay sends us. Sources: wechat.md 4.2, 4.7; PAY /docs/merchant/products/notification/introduction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError

from core.ports import InvalidSignature, MessageKind, PlatformMessage, Reply, TokenStore
from integrations.answers import load
from integrations.transport import strict_object
from integrations.wechat._answers import told_refund, told_trade
from integrations.wechat._certificates import MerchantKeys
from integrations.wechat._parties import parties_of, told_parties
from integrations.wechat._schemas import EnvelopeSchema, RefundNoticeSchema
from integrations.wechat._signing import AEAD_ALGORITHM, open_sealed, prove
from integrations.wechat.config import MerchantAccount, require_appid

KINDS = {
    "TRANSACTION.SUCCESS": MessageKind.PAYMENT,
    "REFUND.SUCCESS": MessageKind.REFUND,
    "REFUND.ABNORMAL": MessageKind.REFUND,
    "REFUND.CLOSED": MessageKind.REFUND,
}
"""Whatever else is proven is taken as `other`, so that it is answered and not sent 15 times."""

_REFUSED = b'{"code":"FAIL","message":"not accepted"}'
"""One text for every reason: a sender who has to guess learns nothing."""


class WeChatPayMessageReader:
    """Port MessageReader for one merchant number. `apps`: our name of each app that pays to it, by its appid.

    The key comes from the configuration or the store, never from a call: else anybody could make us call out. Order
    of work: headers, scheme, stamp, serial, signature over the raw bytes; only then JSON; then open, then compare. The
    caller limits the size first. Raises: ValueError for an app that the account does not have.
    """

    provider = "wechat_pay"

    def __init__(self, account: MerchantAccount, apps: Mapping[str, str], *, tokens: TokenStore) -> None:
        self.merchant = account.merchant
        self._parties = parties_of(account)
        self._apps = {require_appid(account, appid): app for appid, app in apps.items()}
        self._keys = MerchantKeys(account, tokens)
        self._apiv3_key = account.apiv3_key.encode()

    def check(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> PlatformMessage:
        """A stamp 300 seconds or more away from `now` is refused.

        Raises: InvalidSignature with a reason: missing_header, doubled_header, bad_header, signature_type, stale,
        unknown_serial, not_in_force, signtest, bad_base64, bad_signature, and those of `read`.
        """
        prove(headers, body, keys=self._keys, now=now)
        return self.read(body)

    def read(self, body: bytes) -> PlatformMessage:
        """Open a body that was checked before; its sealed part still proves itself, the envelope around it does not.

        Raises: InvalidSignature with a reason: unreadable, algorithm, sealed, foreign_merchant, foreign_app.
        """
        try:
            envelope = load(EnvelopeSchema(), strict_object(body))
            content = strict_object(self._open(envelope["resource"]))
            return self._message(envelope, content)
        except (ValueError, ValidationError):
            # Not chained: both kinds of error carry the text that they could not read.
            raise InvalidSignature("unreadable") from None

    def accepted(self) -> Reply:
        return Reply(204)

    def refused(self) -> Reply:
        return Reply(401, _REFUSED)

    def _open(self, resource: Mapping[str, str]) -> bytes:
        if resource["algorithm"] != AEAD_ALGORITHM:
            raise InvalidSignature("algorithm")
        return open_sealed(
            self._apiv3_key,
            nonce=resource["nonce"],
            associated_data=resource["associated_data"],
            ciphertext=resource["ciphertext"],
        )

    def _message(self, envelope: Mapping[str, Any], content: dict[str, Any]) -> PlatformMessage:
        """Raises: InvalidSignature, ValidationError."""
        event_id, event_type = envelope["id"], envelope["event_type"]
        summary = {"event_type": event_type}
        kind = KINDS.get(event_type, MessageKind.OTHER)
        if kind is MessageKind.PAYMENT:
            trade = told_trade(content)
            app = self._apps.get(self._paid_in(content) or "")
            if app is None:
                raise InvalidSignature("foreign_app")
            return PlatformMessage(event_id, kind, self.merchant, app=app, trade=trade, summary=summary)
        if kind is MessageKind.REFUND:
            refund = told_refund(RefundNoticeSchema(), content)
            self._paid_in(content)  # a refund message names no app
            summary["out_trade_no"] = refund.out_trade_no
            return PlatformMessage(event_id, kind, self.merchant, refund=refund.answer, summary=summary)
        # Opened with our own APIv3 key; some kinds name no merchant inside.
        if any(content.get(name, number) != number for name, number in self._parties.ids.items()):
            raise InvalidSignature("foreign_merchant")
        return PlatformMessage(event_id, kind, self.merchant, summary=summary)

    def _paid_in(self, content: dict[str, Any]) -> str | None:
        """The appid, if it is told. Raises: InvalidSignature, ValidationError."""
        parties = told_parties(self._parties, content)
        if not parties.are_ours:
            raise InvalidSignature("foreign_merchant")
        return parties.appid
