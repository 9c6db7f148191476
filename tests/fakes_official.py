"""Stand-ins for an official account: its login of web pages, its conversation, and what is asked in its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from core.ports import (
    Answer,
    Incoming,
    InvalidSignature,
    LoginRefused,
    PlatformUser,
    Reply,
    SceneCode,
)

OFFICIAL, CLINIC = "wechat_official", "clinic"


@dataclass
class FakePageLogin:
    """Knows the code `code-of-NAME` as the follower NAME; their union id is `union-NAME`."""

    app: str = CLINIC
    provider: str = OFFICIAL
    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)
    on_call: Callable[[], Any] = lambda: None

    def authorization_url(self, *, return_url: str, state: str) -> str:
        return f"https://open.example/authorize?{urlencode({'redirect_uri': return_url, 'state': state})}"

    def exchange_code(self, code: str) -> PlatformUser:
        self.asked.append(code)
        self.on_call()
        if self.failure is not None:
            raise self.failure
        if not code.startswith("code-of-"):
            raise LoginRefused("40029")
        name = code.removeprefix("code-of-")
        return PlatformUser(
            self.provider, self.app, open_id=follower(name), union_id=f"union-{name}", union_provider="wechat_miniapp"
        )


def follower(name: str) -> str:
    """The open id of NAME at the official account."""
    return f"follower-{name}"


@dataclass
class FakeConversation:
    """Takes the bodies it was told; answers with the answer's own words."""

    app: str = CLINIC
    provider: str = OFFICIAL
    known: dict[bytes, Incoming] = field(default_factory=dict)
    answered: list[Answer] = field(default_factory=list)

    def greet(self, query: Mapping[str, str]) -> Reply:
        if query.get("signature") != "right":
            raise InvalidSignature("signature")
        return Reply(200, query["echostr"].encode(), "text/plain")

    def check(self, query: Mapping[str, str], body: bytes, *, now: datetime) -> Incoming:
        if body not in self.known:
            raise InvalidSignature("signature")
        return self.known[body]

    def reply(self, incoming: Incoming, answer: Answer) -> Reply:
        self.answered.append(answer)
        said = answer.text or (f"{answer.link.title}\n{answer.link.description}" if answer.link else "success")
        return Reply(200, said.encode(), "application/xml")

    def refused(self) -> Reply:
        return Reply(403)


@dataclass
class FakeOfficialAccount:
    """Signs every page, and keeps a menu."""

    app: str = CLINIC
    provider: str = OFFICIAL
    failure: Exception | None = None
    signed: list[str] = field(default_factory=list)
    buttons: Sequence[Mapping[str, Any]] | None = None

    def menu(self) -> Sequence[Mapping[str, Any]] | None:
        return self.buttons

    def wire_menu(self, document: object) -> Sequence[Mapping[str, Any]]:
        return [{"document": document}]

    def set_menu(self, buttons: Sequence[Mapping[str, Any]]) -> None:
        self.buttons = buttons

    def scene_code(self, scene: str, *, lasts: timedelta) -> SceneCode:
        return SceneCode(f"https://qr.example/{scene}", f"ticket-of-{scene}", lasts)

    def sign_page(self, url: str) -> Mapping[str, Any]:
        if self.failure is not None:
            raise self.failure
        self.signed.append(url)
        return {"appId": "wx0", "timestamp": 1795572000, "nonceStr": "a" * 16, "signature": "0" * 40}


@dataclass
class FakeMiniappLinks:
    """Remembers what it was asked to open."""

    app: str = CLINIC
    provider: str = OFFICIAL
    failure: Exception | None = None
    opened: list[tuple[str, dict[str, str], timedelta]] = field(default_factory=list)

    def link(self, path: str, query: Mapping[str, str], *, lasts: timedelta) -> str:
        if self.failure is not None:
            raise self.failure
        self.opened.append((path, dict(query), lasts))
        return f"https://wxaurl.example/{len(self.opened)}"

    def standing_link(self, path: str, query: Mapping[str, str]) -> str:
        return self.link(path, query, lasts=timedelta(days=2))
