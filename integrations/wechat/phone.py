"""The phone number that WeChat vouches for (wechat.md 1.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from core.ports import PhoneRefused, ProviderRefused, ProviderUnavailable, TokenStore
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts
from integrations.wechat._http import MiniappHttp
from integrations.wechat._schemas import PhoneSchema
from integrations.wechat.config import MiniappAccount
from integrations.wechat.tokens import TokenCalls

PATH = "/wxa/business/getuserphonenumber"
OLDEST_SECONDS = 600
"""Since the person agreed: a code lives 5 minutes, and two honest clocks may differ by 5 more."""

REFUSED_CODES = {
    "40029": "the code is not valid",
    "40163": "the code was used before",
    "40013": "the code is of another app",  # so this interface says; elsewhere it means an unknown appid
    "40003": "the code is of another user",
}

_CODE = re.compile(r"[!-~]{1,256}")


class WeChatPhoneProver:
    """Port PhoneProver. `code` comes from a button with open-type getPhoneNumber (single use, 5 minutes); the code of
    wx.login is another one.

    Source: MP /framework/open-ability/getPhoneNumber.
    """

    provider = "wechat_miniapp"
    takes = frozenset({"code"})

    def __init__(
        self,
        account: MiniappAccount,
        tokens: TokenStore,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.app = account.app
        self._appid = account.appid
        self._calls = TokenCalls(account, MiniappHttp(account, timeouts=timeouts), tokens)
        self._clock = clock

    def read_phone(self, proof: Mapping[str, str], *, user: str) -> str:
        """The number with its country code. `user` is sent along, so that WeChat refuses another person's code.

        Raises: PhoneRefused, ProviderUnavailable (also for an interface whose quota is used up), ProviderRefused when
        the mini-program itself is configured wrongly.
        """
        code = proof.get("code", "")
        if _CODE.fullmatch(code) is None:
            raise PhoneRefused("invalid_code")
        try:
            content = self._calls.post(PATH, {"code": code, "openid": user})
        except ProviderRefused as refusal:
            if refusal.code in REFUSED_CODES:
                raise PhoneRefused(refusal.code, REFUSED_CODES[refusal.code]) from refusal
            if refusal.retryable:  # 45011, 45009
                raise ProviderUnavailable(f"phone refused for now: {refusal}", sent=False) from refusal
            raise
        return self._number(load_answer(PhoneSchema(), content)["phone_info"])

    def _number(self, told: Mapping[str, Any]) -> str:
        """Raises: PhoneRefused."""
        mark = told["watermark"]
        if mark["appid"] != self._appid:
            raise PhoneRefused("foreign_app")
        if abs(self._clock().timestamp() - mark["timestamp"]) > OLDEST_SECONDS:
            raise PhoneRefused("stale")
        return f"+{told['country_code']}{told['number']}"
