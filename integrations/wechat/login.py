"""Login of the WeChat mini-program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from core.ports import LoginRefused, PlatformUser, ProviderRefused, ProviderUnavailable
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts
from integrations.wechat._http import MiniappHttp
from integrations.wechat._schemas import SessionSchema
from integrations.wechat.config import MiniappAccount

REFUSED_CODES = {
    "40029": "the code is not valid",
    "40163": "the code was used before",
    "40226": "WeChat blocks this user as high risk",
    "41008": "the code is missing",
}

UNION_PROVIDER = "wechat_miniapp"
"""Under which the union ids of WeChat's apps are kept: an official account's user is the mini-program's."""


class WeChatMiniappLogin:
    """Port LoginPlatform.

    Needs no access token, so a failing token endpoint does not stop logins.
    Source: MP /server/API/user-login/api_code2session.
    """

    provider = "wechat_miniapp"

    def __init__(self, account: MiniappAccount, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self.app = account.app
        self._account = account
        self._http = MiniappHttp(account, timeouts=timeouts)

    def exchange_code(self, code: str) -> PlatformUser:
        """Turn the code of wx.login (single use, 5 minutes) into the user. The session_key in the answer is not read.

        Raises: LoginRefused, ProviderUnavailable (also for 100 logins a minute of one user), ProviderRefused when
        the mini-program itself is configured wrongly (40013, 40125) or the code of the error is unlisted.
        """
        asked = {
            "appid": self._account.appid,
            "secret": self._account.secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        answer = ask_login(self._http, "/sns/jscode2session", asked, SessionSchema())
        return PlatformUser(
            self.provider,
            self.app,
            open_id=answer["openid"],
            union_id=answer.get("unionid"),
            union_provider=UNION_PROVIDER,
        )


def ask_login(http: MiniappHttp, path: str, asked: Mapping[str, str], schema: Schema) -> dict[str, Any]:
    """Ask for the user behind a code. Raises: LoginRefused, ProviderUnavailable, ProviderRefused."""
    try:
        return load_answer(schema, http.get(path, asked))
    except ProviderRefused as refusal:
        if refusal.code in REFUSED_CODES:
            raise LoginRefused(refusal.code, REFUSED_CODES[refusal.code]) from refusal
        if refusal.retryable:  # 45011, 45009
            raise ProviderUnavailable(f"login refused for now: {refusal}", sent=False) from refusal
        raise
