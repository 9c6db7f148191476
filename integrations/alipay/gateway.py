"""The application gateway: where Alipay sends the events of an app, and checks that we are there (alipay.md 11.4)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.ports import InvalidSignature, Reply
from integrations.alipay._client import Clock
from integrations.alipay._forms import decoded, read_form
from integrations.alipay._signing import SIGN_TYPE, sign, signed_text, utc_now, verify
from integrations.alipay._xml import element, parent, read_fields
from integrations.alipay.config import AlipayAccount

CHECK = "alipay.service.check"
CLASSIC_EVENT = "alipay.mobile.public.message.notify"
CHARSETS = {"gbk": "GBK", "gb2312": "GB2312", "gb18030": "GB18030", "utf-8": "UTF-8"}
DEFAULT_CHARSET = "gbk"

NOT_SIGNED = frozenset({"sign"})
"""Here `sign_type` is signed, unlike in events about trades."""

_USER = re.compile(r"[0-9A-Za-z_.-]{1,128}")


class AlipayAppGateway:
    """Port AppGateway for one app. Every message is proven first; an answer is signed and in the posted charset.

    What an event says moves nothing here, so that a copy of one does no harm.
    """

    provider = "alipay_miniapp"

    def __init__(self, account: AlipayAccount, *, clock: Clock = utc_now) -> None:
        self.app = account.app
        self._app_id = account.app_id
        self._keys = account.keys
        self._own_key = account.signing_key
        self._has_certificates = account.certificates is not None
        self._clock = clock
        words = {"success": "false", "error_code": "VERIFY_FAILED", "biz_content": "not accepted"}
        # Made once: a stranger's noise costs no signature.
        self._refusal = self._signed("".join(element(name, word) for name, word in words.items()), DEFAULT_CHARSET)

    def answer(self, body: bytes) -> Reply:
        """Raises: InvalidSignature with a reason: unreadable, doubled_field, ambiguous, missing_sign, bad_base64,
        bad_signature, foreign_app."""
        form = read_form(body)
        charset = form.get("charset", b"").decode("ascii", "replace").lower() or DEFAULT_CHARSET
        if charset not in CHARSETS:
            raise InvalidSignature("unreadable")
        fields = decoded(form, charset)
        if not fields.get("sign"):
            raise InvalidSignature("missing_sign")
        # By our own algorithm: the posted name of one is signed and still not believed.
        verify(self._keys.each(self._clock()), signed_text(form, without=NOT_SIGNED), fields["sign"])
        service = fields.get("service")
        if service in (CHECK, CLASSIC_EVENT):
            message = _message(fields)
            self._require_ours(message.get("AppId"))
            content = self._checked() if service == CHECK else self._acknowledged(message)
            return self._signed(content, charset)
        self._require_ours(fields.get("app_id"))
        return Reply(200, b"success", "text/plain")

    def refused(self) -> Reply:
        """Signed like any answer, and the same for every reason."""
        return self._refusal

    def _require_ours(self, app_id: str | None) -> None:
        if app_id != self._app_id:
            raise InvalidSignature("foreign_app")

    def _checked(self) -> str:
        """With certificates Alipay knows our key; without, it wants to see it."""
        if self._has_certificates:
            return element("success", "true")
        der = self._own_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return element("success", "true") + element("biz_content", b64encode(der).decode())

    def _acknowledged(self, message: Mapping[str, str]) -> str:
        user = message.get("FromAlipayUserId") or message.get("FromOpenId") or message.get("FromUserId") or ""
        return parent(
            "XML",
            element("ToUserId", user if _USER.fullmatch(user) else "")
            + element("AppId", self._app_id)
            + element("CreateTime", str(_milliseconds(self._clock())))
            + element("MsgType", "ack"),
        )

    def _signed(self, content: str, charset: str) -> Reply:
        name = CHARSETS[charset]
        signature = sign(self._own_key, content.encode(charset))
        inside = parent("response", content) + element("sign", signature) + element("sign_type", SIGN_TYPE)
        text = f'<?xml version="1.0" encoding="{name}"?>' + parent("alipay", inside)
        return Reply(200, text.encode(charset), f"text/xml; charset={name}")


def _message(fields: Mapping[str, str]) -> dict[str, str]:
    try:
        return read_fields(fields.get("biz_content", ""))
    except ValueError:
        raise InvalidSignature("unreadable") from None


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
