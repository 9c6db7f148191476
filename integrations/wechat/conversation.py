"""What followers of an official account send, and what they are told (wechat.md 3.1 to 3.3, 1.8)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from core.ports import Answer, Incoming, IncomingKind, InvalidSignature, Reply
from integrations.wechat._push_body import Form, legible, read_body, write_body
from integrations.wechat._push_crypto import PushCipher, push_signature, require_signature
from integrations.wechat.official_config import OfficialAccountConfig, PushMode

STALE_AFTER = timedelta(hours=1)
"""A loose wall against a push from an old log: each of WeChat's three tries, 5 s apart, has a stamp of its own."""

LONGEST_TEXT = 2048
LONGEST_TITLE = 64
"""Bytes of a text, characters of a card's title."""

KINDS = {
    "subscribe": IncomingKind.FOLLOWED,
    "unsubscribe": IncomingKind.UNFOLLOWED,
    "scan": IncomingKind.SCANNED,
    "click": IncomingKind.TAPPED,
    "view": IncomingKind.OPENED,
    "view_miniprogram": IncomingKind.OPENED,
}
"""Whatever else is proven is taken as `other`, so that it is answered and not sent three times."""

SCENE_PREFIX = "qrscene_"
"""Only before the scene of somebody who begins to follow; without it the key is no scene (a payment, a product)."""

XML_TYPE = "text/xml; charset=utf-8"
JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
_SILENCE = Reply(200, b"success", TEXT_TYPE)

_STAMP = re.compile(r"[0-9]{1,10}")
_NONCE = re.compile(r"[!-~]{1,128}")
_SIGNATURE = re.compile(r"[0-9a-f]{40}")
_ECHO = re.compile(r"[!-~]{1,512}")
_WORD = re.compile(r"[!-~]{1,128}")
_SEALED = re.compile(r"[0-9A-Za-z+/]+={0,2}")
_MESSAGE_ID = re.compile(r"[0-9]{1,20}")


class WeChatConversation:
    """Port Conversation for one official account.

    Order of work: size, form, parameters, signature, stamp; only then open, read and compare. The caller limits the
    size first. Every fault is an InvalidSignature with a reason: missing_parameter, bad_parameter, too_large,
    unreadable, mode, bad_signature, stale, sealed, foreign_app, foreign_account.
    """

    provider = "wechat_official"

    def __init__(
        self,
        account: OfficialAccountConfig,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        nonce: Callable[[], str] = lambda: str(secrets.randbelow(10**10)),
        cipher: PushCipher | None = None,
    ) -> None:
        self.app = account.app
        self._account = account
        self._clock, self._nonce = clock, nonce
        self._cipher = cipher or PushCipher(account.encoding_aes_key)

    def greet(self, query: Mapping[str, str]) -> Reply:
        """Return the echostr of WeChat's check; an official account's is never encrypted. Raises: InvalidSignature."""
        stamp, nonce = _parameter(query, "timestamp", _STAMP), _parameter(query, "nonce", _NONCE)
        require_signature(_parameter(query, "signature", _SIGNATURE), self._account.token, stamp, nonce)
        return Reply(200, _parameter(query, "echostr", _ECHO).encode(), TEXT_TYPE)

    def check(self, query: Mapping[str, str], body: bytes, *, now: datetime) -> Incoming:
        """Raises: InvalidSignature."""
        form, fields = read_body(body)
        stamp, nonce = _parameter(query, "timestamp", _STAMP), _parameter(query, "nonce", _NONCE)
        is_sealed = query.get("encrypt_type", "raw") != "raw"
        self._require_mode(is_sealed)
        if is_sealed:
            told = _parameter(query, "msg_signature", _SIGNATURE)
            require_signature(told, self._account.token, stamp, nonce, _field(fields, "Encrypt", _SEALED))
        if not is_sealed or "signature" in query:  # beside msg_signature it says little, but it must be right
            require_signature(_parameter(query, "signature", _SIGNATURE), self._account.token, stamp, nonce)
        if abs(now - _instant(stamp)) > STALE_AFTER:
            raise InvalidSignature("stale")
        if is_sealed:
            form, fields = self._opened(fields)
        return self._incoming(form, fields, is_sealed=is_sealed)

    def reply(self, incoming: Incoming, answer: Answer) -> Reply:
        """A text or one card in the form of the question; a text is cut where WeChat would refuse it."""
        if answer.link is None and not legible(answer.text).strip():
            return _SILENCE
        form = Form(incoming.return_to["form"])
        stamp = int(self._clock().timestamp())
        fields: dict[str, Any] = {
            "ToUserName": incoming.follower,
            "FromUserName": incoming.return_to["account"],
            "CreateTime": stamp,
            **_content(answer),
        }
        body = write_body(form, fields)
        if incoming.return_to["sealed"] == "yes":
            body = write_body(form, self._sealed(body, stamp))
        return Reply(200, body, XML_TYPE if form is Form.XML else JSON_TYPE)

    def refused(self) -> Reply:
        return Reply(403, b"", TEXT_TYPE)

    def _require_mode(self, is_sealed: bool) -> None:
        """What the account is not set to is refused, however well it is signed."""
        if self._account.push_mode not in (PushMode.BOTH, PushMode.SECURE if is_sealed else PushMode.PLAIN):
            raise InvalidSignature("mode")

    def _opened(self, envelope: Mapping[str, str]) -> tuple[Form, dict[str, str]]:
        message, appid = self._cipher.open(envelope["Encrypt"])
        if appid != self._account.appid:
            raise InvalidSignature("foreign_app")
        form, fields = read_body(message)
        # The name on the envelope is not signed: it has to be the one inside.
        if envelope.get("ToUserName") != fields.get("ToUserName"):
            raise InvalidSignature("foreign_account")
        return form, fields

    def _incoming(self, form: Form, fields: Mapping[str, str], *, is_sealed: bool) -> Incoming:
        account, follower = _field(fields, "ToUserName", _WORD), _field(fields, "FromUserName", _WORD)
        if self._account.original_id not in ("", account):
            raise InvalidSignature("foreign_account")
        kind, key = _kind(fields)
        return Incoming(
            app=self.app,
            dedup=_dedup(fields),
            kind=kind,
            follower=follower,
            sent_at=_instant(_field(fields, "CreateTime", _STAMP)),
            key=key,
            text=legible(fields.get("Content", "")) if kind is IncomingKind.TEXT else "",
            is_proven=is_sealed,  # a plain push signs its stamp alone (wechat.md 3.1)
            return_to={"form": form, "sealed": "yes" if is_sealed else "no", "account": account},
        )

    def _sealed(self, body: bytes, stamp: int) -> dict[str, Any]:
        sealed, nonce = self._cipher.seal(body.decode(), self._account.appid), self._nonce()
        signature = push_signature(self._account.token, str(stamp), nonce, sealed)
        return {"Encrypt": sealed, "MsgSignature": signature, "TimeStamp": stamp, "Nonce": nonce}


def _kind(fields: Mapping[str, str]) -> tuple[IncomingKind, str]:
    """The kind, and the key that belongs to it."""
    if _field(fields, "MsgType", _WORD) != "event":
        return (IncomingKind.TEXT if fields["MsgType"] == "text" else IncomingKind.OTHER), ""
    kind = KINDS.get(fields.get("Event", "").lower(), IncomingKind.OTHER)
    key = legible(fields.get("EventKey", ""))
    if kind is IncomingKind.FOLLOWED:
        key = key.removeprefix(SCENE_PREFIX) if key.startswith(SCENE_PREFIX) else ""
    elif kind in (IncomingKind.OTHER, IncomingKind.UNFOLLOWED):
        key = ""
    return kind, key


def _dedup(fields: Mapping[str, str]) -> str:
    """A message has a number; an event is known by who, when and what, as a digest, since who is an openid (3.1)."""
    if fields["MsgType"] != "event" and "MsgId" in fields:
        return f"message:{_field(fields, 'MsgId', _MESSAGE_ID)}"
    names = ("FromUserName", "CreateTime", "MsgType", "Event", "EventKey")
    told = "\n".join(fields.get(name, "") for name in names)
    return f"event:{hashlib.sha256(told.encode()).hexdigest()}"


def _content(answer: Answer) -> dict[str, Any]:
    if answer.link is None:
        return {"MsgType": "text", "Content": _cut(legible(answer.text), LONGEST_TEXT)}
    card = {
        "Title": legible(answer.link.title)[:LONGEST_TITLE],
        "Description": _cut(legible(answer.link.description), LONGEST_TEXT),
        "PicUrl": "",
        "Url": answer.link.url,
    }
    return {"MsgType": "news", "ArticleCount": 1, "Articles": [card]}


def _cut(text: str, most: int) -> str:
    """At most so many bytes, the last of them an ellipsis, and no character in halves."""
    raw = text.encode()
    return text if len(raw) <= most else raw[: most - 3].decode(errors="ignore") + "…"


def _instant(stamp: str) -> datetime:
    return datetime.fromtimestamp(int(stamp), UTC)


def _parameter(query: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    """Raises: InvalidSignature."""
    if name not in query:
        raise InvalidSignature("missing_parameter")
    if pattern.fullmatch(query[name]) is None:
        raise InvalidSignature("bad_parameter")
    return query[name]


def _field(fields: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    """Raises: InvalidSignature."""
    value = fields.get(name, "")
    if pattern.fullmatch(value) is None:
        raise InvalidSignature("unreadable")
    return value
