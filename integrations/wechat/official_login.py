"""Login of a web page that was opened inside WeChat (wechat.md 3.5)."""

from __future__ import annotations

import re
from urllib.parse import quote

from core.ports import PlatformUser, ProviderRefused, ProviderUnavailable, StandInUser, TokenStore
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts
from integrations.wechat._http import MiniappHttp
from integrations.wechat._schemas import FollowerSchema, PageLoginSchema
from integrations.wechat.login import UNION_PROVIDER, ask_login
from integrations.wechat.official_config import OfficialAccountConfig
from integrations.wechat.tokens import TokenCalls

SCOPE = "snsapi_base"
"""Asks nobody for consent. The other scope shows a snapshot page to whoever did not tap first."""

NOT_GRANTED = "48001"

_STATE = re.compile(r"[0-9A-Za-z]{1,128}")


class WeChatPageLogin:
    """Port PageLogin. Source: SV /api/webdev/access/api_snsaccesstoken.

    With this scope WeChat tells the union id, if at all, only of followers and only when it is asked for one: it is
    what makes a page's visitor and the mini-program's user one account.
    """

    provider = "wechat_official"

    def __init__(
        self, account: OfficialAccountConfig, tokens: TokenStore, *, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> None:
        self.app = account.app
        self._account = account
        self._http = MiniappHttp(account, timeouts=timeouts)
        self._calls = TokenCalls(account, self._http, tokens)

    def authorization_url(self, *, return_url: str, state: str) -> str:
        """WeChat looks at the order of the parameters, and at the fragment. Raises: ValueError (`state`)."""
        if _STATE.fullmatch(state) is None:
            raise ValueError("state must be 1 to 128 letters and digits")
        asked = (
            ("appid", self._account.appid),
            ("redirect_uri", return_url),
            ("response_type", "code"),
            ("scope", SCOPE),
            ("state", state),
        )
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked)
        return f"{self._account.open_url.rstrip('/')}/connect/oauth2/authorize?{query}#wechat_redirect"

    def exchange_code(self, code: str) -> PlatformUser:
        """Turn the code of the redirect (single use, 5 minutes) into the visitor.

        Raises: LoginRefused, StandInUser, ProviderUnavailable, ProviderRefused (as the mini-program's login; also when
        WeChat does not say who the follower is: a login without its union id would be a second account).
        """
        asked = {
            "appid": self._account.appid,
            "secret": self._account.secret,
            "code": code,
            "grant_type": "authorization_code",
        }
        answer = ask_login(self._http, "/sns/oauth2/access_token", asked, PageLoginSchema())
        if answer.get("is_snapshotuser"):
            raise StandInUser("snapshot", "WeChat showed a snapshot page to somebody who is not there")
        open_id = answer["openid"]
        union_id = answer.get("unionid") or self._union_id(open_id)
        return PlatformUser(self.provider, self.app, open_id=open_id, union_id=union_id, union_provider=UNION_PROVIDER)

    def _union_id(self, open_id: str) -> str | None:
        """Source: SV /api/usermanage/userinfo/api_userinfo."""
        try:
            told = load_answer(FollowerSchema(), self._calls.get("/cgi-bin/user/info", {"openid": open_id}))
        except ProviderRefused as refusal:
            if refusal.code == NOT_GRANTED:
                return None
            raise
        if told["openid"] != open_id:
            raise ProviderUnavailable("answer is about another follower")
        union_id: str | None = told.get("unionid")
        return union_id
