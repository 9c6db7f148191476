"""Transport for Alipay's gateway: python-alipay-sdk builds and signs, we send, prove and sort (alipay.md 1, 12).

What is ours in it: POST over the shared session, Alipay's wall clock, extraction that knows texts, errors with types.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from core.ports import InvalidSignature, ProviderUnavailable
from integrations.alipay._answers import SignedAnswer, read_answer
from integrations.alipay._codes import SUCCESS, failure_of
from integrations.alipay._keyring import CertifiedKey
from integrations.alipay._sdk import AliPay
from integrations.alipay._signing import SIGN_TYPE, open_content, sign, utc_now, verify, wall_clock
from integrations.alipay.config import AlipayAccount
from integrations.transport import DEFAULT_TIMEOUTS, Answer, Timeouts, Transport, strict_object

Clock = Callable[[], datetime]

IN_QUERY = frozenset(
    {
        *("app_id", "method", "format", "charset", "sign_type", "sign", "timestamp", "version"),
        *("notify_url", "return_url", "app_cert_sn", "alipay_root_cert_sn"),
    }
)
"""The common parameters, as the official SDKs place them. `charset` must be there: the gateway needs it before it can
decode a body. Everything else is in the body, so that no name and no code stands in a URL."""

DOWNLOAD = "alipay.open.app.alipaycert.download"
FORM = "application/x-www-form-urlencoded;charset=utf-8"

_SAFE_TRACE = re.compile(r"[0-9A-Za-z-]{1,80}")


class AlipayClient(AliPay):  # type: ignore[misc]  # the library has no types
    """Speaks to the gateway in the name of one app. All its methods may be called from several threads."""

    def __init__(
        self, account: AlipayAccount, *, timeouts: Timeouts = DEFAULT_TIMEOUTS, clock: Clock = utc_now
    ) -> None:
        self._account = account
        self._own_key = account.signing_key
        self._clock = clock
        # The query is signed and whole: whoever reads it in a log could send the call once more.
        self._transport = Transport(timeouts=timeouts, secret_urls=True)
        super().__init__(account.app_id, sign_type=SIGN_TYPE)
        self._gateway = account.gateway

    def call(self, method: str, biz_content: Mapping[str, Any] | None = None, **params: str) -> dict[str, Any]:
        """Return the content of a proven success. Raises: ProviderUnavailable, ProviderRefused."""
        content: dict[str, Any] = self.server_api(method, dict(biz_content or {}), **params)
        return content

    def page_url(self, method: str, biz_content: Mapping[str, Any], **params: str) -> str:
        """The signed address of a page of Alipay's, to be opened by the patient's phone and never by us."""
        return f"{self._gateway}?{self.client_api(method, dict(biz_content), **params)}"

    # --- what the library calls ---------------------------------------------------------------------------------------

    def _load_key(self) -> None:
        """Nothing: the account has read and checked the keys."""

    def _sign(self, unsigned_string: str) -> str:
        return sign(self._own_key, unsigned_string.encode())

    def build_body(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The fields of a call. An empty one is not sent: the gateway drops it, and the signature would not fit."""
        fields = super().build_body(*args, **kwargs)
        fields["timestamp"] = wall_clock(self._clock())
        fields["app_cert_sn"] = self._account.app_cert_sn
        fields["alipay_root_cert_sn"] = self._account.root_cert_sn
        return {name: value for name, value in fields.items() if value}

    def verified_sync_response(self, data: dict[str, Any], response_type: str) -> dict[str, Any]:
        """Raises: ProviderUnavailable, ProviderRefused."""
        answer = self._post(data)
        where = _trace(answer)
        told = _told(answer, response_type, where)
        try:
            self._prove(told)
            content = self._content(told)
        except (InvalidSignature, ValueError) as error:
            raise ProviderUnavailable(f"answer is not proven: {_reason(error)}{where}") from None
        # The success of alipay.system.oauth.token has no code (2).
        code = content.get("code", SUCCESS if "access_token" in content else None)
        if told.sign is None or told.failed or code != SUCCESS:
            raise failure_of(content, proven=told.sign is not None, where=where)
        return content

    # --- how it is sent and proven ------------------------------------------------------------------------------------

    def _post(self, data: dict[str, Any]) -> Answer:
        signed = dict(self._ordered_data(data))
        signed["sign"] = self._sign("&".join(f"{name}={value}" for name, value in signed.items()))
        query = {name: value for name, value in signed.items() if name in IN_QUERY}
        body = {name: value for name, value in signed.items() if name not in IN_QUERY}
        return self._transport.exchange(
            "POST", self._gateway, params=query, headers={"Content-Type": FORM}, body=urlencode(body).encode()
        )

    def _prove(self, told: SignedAnswer) -> None:
        """An answer without a signature passes: it can only become a failure. Raises: InvalidSignature."""
        if told.sign is None:
            return
        key = self._account.keys.named(told.cert_sn, self._clock())
        if key is None and told.cert_sn:
            key = self._renewed(told.cert_sn)
        if key is None:
            raise InvalidSignature("unknown_certificate")
        verify([key], told.node, told.sign)

    def _renewed(self, name: str) -> RSAPublicKey | None:
        """Alipay has renewed its certificate, or somebody says so."""
        now = self._clock()
        return self._account.keys.renewed(name, lambda: self._download(name, now), now=now)

    def _download(self, name: str, now: datetime) -> CertifiedKey | None:
        """The key of the certificate called `name`. Its answer must be signed with a key known before or with this
        very one, whose chain is checked first. Raises: ProviderUnavailable."""
        answer = self._post(self.build_body(DOWNLOAD, {"alipay_cert_sn": name}))
        told = _told(answer, DOWNLOAD.replace(".", "_") + "_response", "")
        try:
            content = self._content(told)
            pem = b64decode(str(content.get("alipay_cert_content", "")), validate=True).decode("ascii")
            fetched = self._account.keys.proven(pem, now=now)
            if fetched is None or fetched.name != name:
                return None
            verify([fetched.key, *self._account.keys.all(now)], told.node, told.sign or "")
        except (InvalidSignature, ValueError):
            return None
        return fetched

    def _content(self, told: SignedAnswer) -> dict[str, Any]:
        """The answer itself. Raises: ValueError, InvalidSignature."""
        if not told.is_sealed:
            return strict_object(told.node)
        if self._account.aes_key is None:
            raise ValueError("sealed, and we have no key")
        return strict_object(open_content(self._account.content_key(), json.loads(told.node)))


def _told(answer: Answer, node: str, where: str) -> SignedAnswer:
    if answer.status != 200:
        raise ProviderUnavailable(f"answered with HTTP {answer.status}{where}", too_often=answer.status == 429)
    try:
        return read_answer(answer.body, node)
    except (ValueError, RecursionError):
        # Not chained: the error of json holds the document.
        raise ProviderUnavailable(f"answer cannot be read{where}") from None


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, InvalidSignature) else "unreadable"


def _trace(answer: Answer) -> str:
    """Alipay's support asks for it (1.1)."""
    found = answer.headers.get("trace_id", "")
    return f" trace {found}" if _SAFE_TRACE.fullmatch(found) else ""
