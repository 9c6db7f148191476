"""Links into a mini-program from outside of it (wechat.md 1.6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import ceil
from urllib.parse import urlencode

from core.ports import ProviderRefused, TokenStore
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts
from integrations.wechat._http import MiniappHttp
from integrations.wechat._schemas import UrlLinkSchema
from integrations.wechat.config import MiniappAccount
from integrations.wechat.tokens import TokenCalls

LONGEST_LINK_DAYS = 30
LONGEST_LINK_QUERY = 1024
STANDS_FOR, LASTS_BEYOND = timedelta(days=1), timedelta(days=1)
"""A link that stands is handed out for a day, and lives a day longer."""


class WeChatMiniappLinks:
    """Port MiniappLinks, into the mini-program `account`.

    `provider` and `app` say for whom the links are: the mini-program itself, or the official account it goes with.
    Source: MP /server/API/qrcode-link/url-link/api_generateurllink.
    """

    def __init__(
        self,
        account: MiniappAccount,
        tokens: TokenStore,
        *,
        provider: str = "wechat_miniapp",
        app: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.provider = provider
        self.app = account.app if app is None else app
        self._appid, self._store = account.appid, tokens
        self._calls = TokenCalls(account, MiniappHttp(account, timeouts=timeouts), tokens)

    def link(self, path: str, query: Mapping[str, str], *, lasts: timedelta) -> str:
        """Lasts whole days, rounded up. Raises: ProviderUnavailable, ProviderRefused (`invalid_page`,
        `invalid_lifetime`: refused by us, unsent)."""
        text, days = urlencode(query), ceil(lasts / timedelta(days=1))
        if not path or path.startswith("/") or "?" in path or len(text) > LONGEST_LINK_QUERY:
            raise ProviderRefused("invalid_page", "a page has no leading slash, no query in it, and a short one beside")
        if not 1 <= days <= LONGEST_LINK_DAYS:
            raise ProviderRefused("invalid_lifetime", f"a link lasts 1 to {LONGEST_LINK_DAYS} days")
        payload = {
            "path": path,
            "query": text,
            "expire_type": 1,
            "expire_interval": days,
            "env_version": "release",
        }
        answer = load_answer(UrlLinkSchema(), self._calls.post("/wxa/generate_urllink", payload))
        url_link: str = answer["url_link"]
        return url_link

    def standing_link(self, path: str, query: Mapping[str, str]) -> str:
        """All processes share it: 500,000 links and schemes may be made a day (1.6). Raises: as `link`."""

        def make() -> tuple[str, timedelta]:
            return self.link(path, query, lasts=STANDS_FOR + LASTS_BEYOND), STANDS_FOR

        return self._store.token(f"wechat_link:{self._appid}:{path}?{urlencode(query)}", make)
