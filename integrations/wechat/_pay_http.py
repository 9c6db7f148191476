"""Transport for api.mch.weixin.qq.com: signs what goes out, proves what comes in, and turns its codes into our errors.

Sources: wechat.md 4.1, 4.2, 4.8; PAY /doc/v3/merchant/{4012365336, 4012525167, 4013070356, 4012791862}.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from marshmallow import ValidationError

from core.ports import InvalidSignature, ProviderError, ProviderRefused, ProviderUnavailable, TokenStore
from integrations.answers import load
from integrations.transport import (
    DEFAULT_TIMEOUTS,
    MOST_ANSWER_BYTES,
    Answer,
    Timeouts,
    Transport,
    strict_object,
)
from integrations.wechat._certificates import PATH, MerchantKeys
from integrations.wechat._fields import encrypt_field
from integrations.wechat._keys import KeyRing, PlatformKey
from integrations.wechat._schemas import RefusalSchema
from integrations.wechat._signing import Credential, prove, sign, signed_text
from integrations.wechat.config import MerchantAccount

Clock = Callable[[], datetime]


class _Means(Enum):
    UNKNOWN_OUTCOME = "it may have been done: ask, then repeat with the same numbers"
    LATER = "not done; the same may succeed later: slower, after topping up, or once our configuration is mended"
    NO = "not done"


TOO_OFTEN = "FREQUENCY_LIMITED"
SPELLINGS = {
    "ORDER_PAID": "ORDERPAID",
    "ORDERCLOSED": "ORDER_CLOSED",
    "ORDER_NOT_EXIST": "ORDERNOTEXIST",
    "RATELIMIT_EXCEEDED": TOO_OFTEN,
}
"""The same code as older or newer pages write it. Ours is the one on the right."""

CODES = {
    "SYSTEM_ERROR": _Means.UNKNOWN_OUTCOME,
    "BANK_ERROR": _Means.UNKNOWN_OUTCOME,
    "BIZERR_NEED_RETRY": _Means.UNKNOWN_OUTCOME,
    TOO_OFTEN: _Means.LATER,
    "NOT_ENOUGH": _Means.LATER,
    "SIGN_ERROR": _Means.LATER,
    "PARAM_ERROR": _Means.NO,
    "INVALID_REQUEST": _Means.NO,
    "APPID_MCHID_NOT_MATCH": _Means.LATER,
    "MCH_NOT_EXISTS": _Means.LATER,
    "NO_AUTH": _Means.LATER,
    "RULE_LIMIT": _Means.NO,
    "TRADE_ERROR": _Means.NO,
    "ACCOUNT_ERROR": _Means.NO,
    "REQUEST_BLOCKED": _Means.NO,
    "OUT_TRADE_NO_USED": _Means.NO,
    "ORDERPAID": _Means.NO,
    "ORDER_CLOSED": _Means.NO,
    "ORDERNOTEXIST": _Means.NO,
    "OPENID_MISMATCH": _Means.NO,
    "USER_ACCOUNT_ABNORMAL": _Means.NO,
    "RESOURCE_NOT_EXISTS": _Means.NO,
    "STATEMENT_CREATING": _Means.LATER,
    "NO_STATEMENT_EXIST": _Means.NO,
}

_SAFE_FIELD = re.compile(r"/[a-z_/]{1,80}")
_SAFE_ID = re.compile(r"[0-9A-Za-z-]{1,80}")


def utc_now() -> datetime:
    return datetime.now(UTC)


class PayHttp:
    """Speaks API v3 for one merchant number, whichever kind of key WeChat signs with for it."""

    def __init__(
        self,
        account: MerchantAccount,
        tokens: TokenStore,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Clock = utc_now,
        most_bytes: int = MOST_ANSWER_BYTES,
    ) -> None:
        self._base_url = account.base_url.rstrip("/")
        self._credential = Credential(account.mchid, account.serial_no)
        self._private_key = account.private_key()
        self._keys = MerchantKeys(account, tokens)
        self._clock = clock
        self._transport = Transport(timeouts=timeouts, secret_urls=False, most_bytes=most_bytes)

    def send(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None = None,
        *,
        expects: int = 200,
        sealed: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send `path` (with its query, and without any prefix of the base URL: that is what is signed). The fields of
        `sealed` go out encrypted (4.3).

        Only a proven answer with the expected status is success; its content is empty for 204.
        Raises: ProviderUnavailable, ProviderRefused.
        """
        now = self._clock()
        keys = self._keys.fresh(self._fetch_certificates, now)
        best = keys.best(now)
        if sealed and payload is not None:
            payload = {**payload, **_sealed(sealed, best)}
        body = b"" if payload is None else json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        answer = self._exchange(method, path, body, best)
        self._prove(answer, keys)
        if answer.status != expects:
            raise ProviderUnavailable(f"answered with HTTP {answer.status}")
        if expects == 204:
            return {}
        try:
            return strict_object(answer.body)
        except ValueError:
            raise ProviderUnavailable("answer is not a JSON object") from None

    def download(self, path: str) -> bytes:
        """The body of a bill, which WeChat does not sign: what it hashes to was told before, in a proven answer.

        Raises: ProviderUnavailable, ProviderRefused.
        """
        now = self._clock()
        keys = self._keys.fresh(self._fetch_certificates, now)
        answer = self._exchange("GET", path, b"", keys.best(now))
        if answer.status != 200:
            raise ProviderUnavailable(f"answered with HTTP {answer.status}")
        return answer.body

    def stamp(self, before: tuple[str, ...], after: tuple[str | bytes, ...]) -> tuple[str, str, str]:
        """Sign lines around a fresh timestamp and nonce; returns timestamp (seconds), nonce and signature."""
        timestamp, nonce = str(int(self._clock().timestamp())), secrets.token_hex(16).upper()
        return timestamp, nonce, sign(self._private_key, signed_text(*before, timestamp, nonce, *after))

    def _exchange(self, method: str, path: str, body: bytes, key: PlatformKey | None) -> Answer:
        """What came back, unproven. Raises: ProviderUnavailable, ProviderRefused (4xx and 5xx)."""
        answer = self._transport.exchange(
            method, self._base_url + path, headers=self._headers(method, path, body, key), body=body or None
        )
        if answer.status >= 400:
            raise _refusal(answer)
        return answer

    def _headers(self, method: str, path: str, body: bytes, key: PlatformKey | None) -> dict[str, str]:
        timestamp, nonce, signature = self.stamp((method, path), (body,))
        headers = {
            "Authorization": self._credential.authorization(nonce=nonce, timestamp=timestamp, signature=signature),
            "Content-Type": "application/json",
        }
        if key is not None:
            headers["Wechatpay-Serial"] = key.serial  # which key WeChat shall answer with, and what was sealed for
        return headers

    def _fetch_certificates(self, keys: KeyRing) -> Answer:
        answer = self._exchange("GET", PATH, b"", keys.best(self._clock()))
        if answer.status != 200:
            raise ProviderUnavailable(f"answered with HTTP {answer.status}")
        return answer

    def _prove(self, answer: Answer, keys: KeyRing) -> None:
        """A probe, a stale stamp or a wrong signature leaves the outcome unknown: it is never a failure (4.2)."""
        doubt = _doubt(answer, keys, self._clock())
        if doubt == "unknown_serial":
            renewed = self._keys.looked_up_again(self._fetch_certificates, self._clock())
            doubt = _doubt(answer, renewed, self._clock())
        if doubt is not None:
            raise ProviderUnavailable(f"answer is not proven: {doubt}")


def _sealed(fields: Mapping[str, str], key: PlatformKey | None) -> dict[str, str]:
    """Raises: ProviderUnavailable (unsent), ProviderRefused `invalid_field` for one that is too long."""
    if key is None:
        raise ProviderUnavailable("no key of WeChat Pay to seal a field with", sent=False)
    try:
        return {name: encrypt_field(key.key, text) for name, text in fields.items()}
    except ValueError:
        raise ProviderRefused("invalid_field") from None


def _doubt(answer: Answer, keys: KeyRing, now: datetime) -> str | None:
    """Why the answer is not proven, if it is not."""
    try:
        prove(answer.headers, answer.body, keys=keys, now=now)
    except InvalidSignature as error:
        return error.reason
    return None


def _refusal(answer: Answer) -> ProviderError:
    """4xx and 5xx are not signed. One without a code of WeChat Pay is somebody else's word, so it proves nothing."""
    too_often = answer.status == 429
    if answer.status >= 500:
        return ProviderUnavailable(f"answered with HTTP {answer.status}{_request_id(answer)}")
    try:
        refusal = load(RefusalSchema(), strict_object(answer.body))
    except (ValueError, ValidationError):
        words = f"answered with HTTP {answer.status} and no code{_request_id(answer)}"
        return ProviderUnavailable(words, too_often=too_often)
    code = SPELLINGS.get(refusal["code"], refusal["code"])
    means = CODES.get(code)
    where = f"HTTP {answer.status}{_field(refusal.get('detail'))}{_request_id(answer)}"
    if means is _Means.UNKNOWN_OUTCOME:
        return ProviderUnavailable(f"{code} {where}", too_often=too_often)
    if means is None:
        where = f"(a code that is not listed) {where}"
    too_often = too_often or code == TOO_OFTEN
    return ProviderRefused(code, where, retryable=means is _Means.LATER, too_often=too_often)


def _field(detail: object) -> str:
    """Which field was wrong. Never its value, and never the message, which may repeat the value."""
    name = detail.get("field") if isinstance(detail, dict) else None
    return f" field {name}" if isinstance(name, str) and _SAFE_FIELD.fullmatch(name) else ""


def _request_id(answer: Answer) -> str:
    found = answer.headers.get("Request-ID", "")
    return f" request {found}" if _SAFE_ID.fullmatch(found) else ""
