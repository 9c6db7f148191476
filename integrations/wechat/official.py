"""What is asked of WeChat in the name of an official account (wechat.md 3.4 to 3.7)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from core.ports import ProviderRefused, SceneCode, TokenStore
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts
from integrations.wechat._http import MiniappHttp
from integrations.wechat._schemas import MenuSchema, SceneCodeSchema, TicketSchema
from integrations.wechat.menu import MenuPlace, plain_buttons, wire_menu
from integrations.wechat.official_config import OfficialAccountConfig
from integrations.wechat.tokens import TokenCalls

LONGEST_SCENE_LIFE = timedelta(seconds=2_592_000)
LONGEST_SCENE = 64
NO_MENU = "46003"

TICKET_LIFE = 7200
TICKET_MARGIN = 60
"""Seconds. A page uses its signature at once, so the ticket need not last much longer."""


class WeChatOfficialAccount:
    """Port OfficialAccount. `place` tells what entries of a menu open. Source: SV /api/custommenu, /api/qrcode."""

    provider = "wechat_official"

    def __init__(
        self,
        account: OfficialAccountConfig,
        tokens: TokenStore,
        *,
        place: MenuPlace,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.app = account.app
        self._appid = account.appid
        self._tokens = tokens
        self._place = place
        self._clock = clock
        self._calls = TokenCalls(account, MiniappHttp(account, timeouts=timeouts), tokens)

    def menu(self) -> Sequence[Mapping[str, Any]] | None:
        """The buttons that everybody sees, or None. Raises: ProviderUnavailable, ProviderRefused."""
        try:
            answer = load_answer(MenuSchema(), self._calls.get("/cgi-bin/menu/get"))
        except ProviderRefused as refusal:
            if refusal.code == NO_MENU:
                return None
            raise
        return plain_buttons(answer["menu"]["button"])

    def wire_menu(self, document: object) -> Sequence[Mapping[str, Any]]:
        """The buttons that a menu file means. Raises: InvalidMenu."""
        return wire_menu(document, self._place)

    def set_menu(self, buttons: Sequence[Mapping[str, Any]]) -> None:
        """Phones show it within five minutes. Raises: ProviderUnavailable, ProviderRefused."""
        self._calls.post("/cgi-bin/menu/create", {"button": list(buttons)})

    def scene_code(self, scene: str, *, lasts: timedelta) -> SceneCode:
        """Raises: ProviderUnavailable, ProviderRefused (`invalid_scene`, `invalid_lifetime`: refused by us, unsent)."""
        if not 1 <= len(scene) <= LONGEST_SCENE:
            raise ProviderRefused("invalid_scene", f"a scene has 1 to {LONGEST_SCENE} characters")
        if not timedelta(seconds=1) <= lasts <= LONGEST_SCENE_LIFE:
            raise ProviderRefused("invalid_lifetime", "a scene code lasts from 1 second to 30 days")
        payload = {
            "expire_seconds": int(lasts.total_seconds()),
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        answer = load_answer(SceneCodeSchema(), self._calls.post("/cgi-bin/qrcode/create", payload))
        return SceneCode(answer["url"], answer["ticket"], timedelta(seconds=answer["expire_seconds"]))

    def sign_page(self, url: str) -> Mapping[str, Any]:
        """What the page hands to wx.config. Raises: ProviderUnavailable, ProviderRefused.

        Source: SV /guide/h5/jssdk.html, appendix 1.
        """
        ticket = self._tokens.token(f"wechat_jsapi_ticket:{self._appid}", self._fetch_ticket)
        nonce, stamp = secrets.token_hex(8), int(self._clock().timestamp())
        signature = page_signature(ticket, nonce=nonce, timestamp=str(stamp), url=url)
        return {"appId": self._appid, "timestamp": stamp, "nonceStr": nonce, "signature": signature}

    def _fetch_ticket(self) -> tuple[str, timedelta]:
        answer = load_answer(TicketSchema(), self._calls.get("/cgi-bin/ticket/getticket", {"type": "jsapi"}))
        seconds = min(answer["expires_in"], TICKET_LIFE) - TICKET_MARGIN
        return answer["ticket"], timedelta(seconds=max(seconds, 1))


def page_signature(ticket: str, *, nonce: str, timestamp: str, url: str) -> str:
    """Hex SHA-1 over the four, without the fragment, which no server ever sees."""
    page = url.partition("#")[0]
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
