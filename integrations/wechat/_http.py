"""Transport for api.weixin.qq.com: JSON in and out, and its error table (wechat.md section 0).

The HTTP status is 200 even for errors. Success of a read usually leaves `errcode` out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

from core.ports import ProviderError, ProviderRefused, ProviderUnavailable
from integrations.transport import DEFAULT_TIMEOUTS, Answer, Timeouts, Transport, strict_object

BUSY = -1
TOO_FREQUENT = frozenset({45009, 45011})
"""The interface's or the user's quota: the same request may succeed later."""

_RID = re.compile(r"rid: ?([0-9A-Za-z-]{1,64})")


class ApiAccount(Protocol):
    """Who calls api.weixin.qq.com: a mini-program or an official account."""

    @property
    def appid(self) -> str: ...

    @property
    def secret(self) -> str: ...

    @property
    def base_url(self) -> str: ...


class MiniappHttp:
    """Speaks to WeChat's server for one mini-program or official account.

    Queries hold secrets, so nothing of requests is chained.
    """

    def __init__(self, account: ApiAccount, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self._base_url = account.base_url.rstrip("/")
        self._transport = Transport(timeouts=timeouts, secret_urls=True)

    def get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Raises: ProviderUnavailable, ProviderRefused."""
        return _opened(self._transport.exchange("GET", self._base_url + path, params=params))

    def post(self, path: str, payload: Mapping[str, Any], *, access_token: str | None = None) -> dict[str, Any]:
        """Raises: ProviderUnavailable, ProviderRefused."""
        answer = self._transport.exchange(
            "POST",
            self._base_url + path,
            params=None if access_token is None else {"access_token": access_token},
            headers={"Content-Type": "application/json"},
            body=json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(),
        )
        return _opened(answer)


def _opened(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise ProviderUnavailable(f"answered with HTTP {answer.status}")
    try:
        content = strict_object(answer.body)
    except ValueError:
        # Not chained: the error of json holds the document, here perhaps with a token or an openid.
        raise ProviderUnavailable("answer is not a JSON object") from None
    errcode = content.get("errcode") or 0
    if type(errcode) is not int:
        raise ProviderUnavailable("errcode is not a number")
    if errcode != 0:
        raise _refusal(errcode, content.get("errmsg"))
    return content


def _refusal(errcode: int, errmsg: object) -> ProviderError:
    """An unlisted code is a refusal too: WeChat did answer, and did not do it."""
    found = _RID.search(errmsg) if isinstance(errmsg, str) else None
    rid = f"rid {found[1]}" if found else ""  # of errmsg only the rid: the rest may repeat what we sent
    if errcode == BUSY:
        return ProviderUnavailable(f"{errcode} {rid}".strip())
    return ProviderRefused(str(errcode), rid, retryable=errcode in TOO_FREQUENT)
