"""A follower of an official account at the HTTP face: taps a menu, goes to the platform and back, lands on a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fakes import FakeAdapters, ManualClock
from fakes_official import CLINIC, OFFICIAL, FakeConversation, FakeMiniappLinks, FakeOfficialAccount, FakePageLogin
from flask.testing import FlaskClient
from people import APP, PROVIDER
from people_http import Patient, Users
from shared_app import app_with
from werkzeug.test import TestResponse

from core.ports import PlatformUser
from core.workbench import Workbench
from miniapp_api.app import App
from miniapp_api.config import Config
from miniapp_api.services import EXTENSION

OAUTH = f"/callbacks/wechat-official/{CLINIC}/oauth"
_HANDED = re.compile(r"(?P<page>[^#]*)#handoff=(?P<code>[A-Za-z0-9_-]{43})")


@dataclass
class Joined(Users):
    """The mini-program's users, by the same union ids as the followers."""

    def exchange_code(self, code: str) -> PlatformUser:
        user = super().exchange_code(code)
        name = code.removeprefix("code-of-")
        return PlatformUser(user.provider, user.app, open_id=user.open_id, union_id=f"union-{name}")


@dataclass
class Office:
    """An app with an official account, and what stands in for the platform behind it."""

    app: App
    clock: ManualClock
    adapters: FakeAdapters
    users: Joined = field(default_factory=Joined)
    login: FakePageLogin = field(default_factory=FakePageLogin)
    conversation: FakeConversation = field(default_factory=FakeConversation)
    account: FakeOfficialAccount = field(default_factory=FakeOfficialAccount)
    links: FakeMiniappLinks = field(default_factory=FakeMiniappLinks)

    def __post_init__(self) -> None:
        self.adapters.logins |= {(PROVIDER, None): self.users, (PROVIDER, APP): self.users}
        self.adapters.logins |= {(OFFICIAL, None): self.login, (OFFICIAL, CLINIC): self.login}
        self.adapters.pages[CLINIC] = self.login
        self.adapters.conversations[CLINIC] = self.conversation
        self.adapters.officials[CLINIC] = self.account
        self.adapters.links[OFFICIAL, CLINIC] = self.links

    @property
    def workbench(self) -> Workbench:
        found: Workbench = self.app.extensions[EXTENSION].workbench
        return found

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def follower(self, name: str) -> Patient:
        """Somebody who tapped the menu and is logged in."""
        browser = self.browser()
        answer = browser.log_in(browser.handed_over(name))
        assert answer.status_code == 201, answer.text
        return Patient(browser.client, answer.json["token"])

    def miniapp_user(self, name: str) -> Patient:
        client = self.app.test_client()
        answer = client.post("/api/v1/sessions", json={"provider": PROVIDER, "code": f"code-of-{name}"})
        assert answer.status_code == 201, answer.text
        return Patient(client, answer.json["token"])


@dataclass
class Browser:
    """Keeps its cookies, and follows nothing by itself."""

    client: FlaskClient

    def begin(self, target: str | None = None) -> str:
        """Tap; returns the state that goes to the platform."""
        answer = self.client.get(OAUTH, query_string={} if target is None else {"to": target})
        assert answer.status_code == 302, answer.text
        return state_of(answer)

    def come_back(self, **query: str) -> TestResponse:
        return self.client.get(OAUTH, query_string=query)

    def handed_over(self, name: str, target: str | None = None) -> str:
        """All the way to the page; returns the handoff."""
        return handoff_of(self.come_back(state=self.begin(target), code=f"code-of-{name}"))[1]

    def log_in(self, handoff: str, **more: Any) -> TestResponse:
        return self.client.post("/api/v1/sessions", json={"provider": "handoff", "code": handoff, **more})


def state_of(answer: TestResponse) -> str:
    (state,) = parse_qs(urlsplit(answer.headers["Location"]).query)["state"]
    return state


def handoff_of(answer: TestResponse) -> tuple[str, str]:
    """Which page, and the handoff in its fragment."""
    assert answer.status_code == 302, answer.text
    found = _HANDED.fullmatch(answer.headers["Location"])
    assert found is not None, answer.headers["Location"]
    return found["page"], found["code"]


@contextmanager
def open_office(config: Config, clock: ManualClock) -> Iterator[Office]:
    adapters = FakeAdapters(clock)
    office = Office(app_with(config, adapters=adapters, clock=clock), clock, adapters)
    yield office
    office.workbench.transactions.database.close()
