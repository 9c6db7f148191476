"""Calls that need an app's access token, which all processes share through the TokenStore port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from core.ports import ProviderRefused, ProviderUnavailable, TokenStore
from integrations.answers import load_answer
from integrations.wechat._http import ApiAccount, MiniappHttp
from integrations.wechat._schemas import StableTokenSchema

TOKEN_REFUSED_CODES = frozenset({"40001", "40014", "42001"})
"""Wrong, not the latest, or expired: a new token and one repeat may help."""

RENEWED_BEFORE_END = 360
"""Seconds. WeChat starts the next token 300 s before the end (0.1); one minute more covers clocks and slow calls."""

SHORTEST_LIFE = 60
LONGEST_LIFE = 7200 - RENEWED_BEFORE_END


class TokenCalls:
    """Calls with the access token and, when WeChat does not accept it, once more with a new one."""

    def __init__(self, account: ApiAccount, http: MiniappHttp, store: TokenStore) -> None:
        self._account = account
        self._http = http
        self._store = store
        self._name = f"wechat_access_token:{account.appid}"

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Raises: ProviderUnavailable, ProviderRefused."""
        return self._with_token(lambda token: self._http.get(path, {"access_token": token, **(params or {})}))

    def post(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Raises: ProviderUnavailable, ProviderRefused."""
        return self._with_token(lambda token: self._http.post(path, payload, access_token=token))

    def _with_token(self, call: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        token = self._store.token(self._name, self._fetch)
        try:
            return call(token)
        except ProviderRefused as refusal:
            if refusal.code not in TOKEN_REFUSED_CODES:
                raise
            renewed = self._store.token(self._name, self._fetch, rejected=token)
        # Exactly one repeat: a token that is refused for good must not turn into a storm of fetches.
        return call(renewed)

    def _fetch(self) -> tuple[str, timedelta]:
        """Ask for the stable token and say how long to use it.

        Never with force_refresh: that kills the token of every other process, and is limited to 20 a day.
        Source: SV /api/base/api_getstableaccesstoken.
        """
        wanted = {
            "grant_type": "client_credential",
            "appid": self._account.appid,
            "secret": self._account.secret,
            "force_refresh": False,
        }
        try:
            answer = load_answer(StableTokenSchema(), self._http.post("/cgi-bin/stable_token", wanted))
        except ProviderUnavailable as error:
            # Whatever happened to the fetch, the call that needed the token has not been sent.
            raise ProviderUnavailable(f"no access token: {error}", sent=False) from error
        seconds = max(SHORTEST_LIFE, answer["expires_in"] - RENEWED_BEFORE_END)
        return answer["access_token"], timedelta(seconds=min(seconds, LONGEST_LIFE))
