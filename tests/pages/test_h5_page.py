"""`/h5/` as a follower uses it: in by the menu, nothing left in the address, out again, and kind when it goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from browsing import Visit, serving, visiting
from fakes import FakeAdapters, ManualClock
from fakes_official import FakePageLogin
from official_http import OAUTH, Office
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy.engine import URL

from miniapp_api.app import App, create_app
from miniapp_api.config import Config
from miniapp_api.keys import write_keys

TOKEN = "sessionStorage.getItem('yuezhen-token')"
REFUSED = "Failed to load resource"
"""What Chromium notes by itself of every answer from 400 on."""


@dataclass
class AtOnce(FakePageLogin):
    """A platform that sends everybody straight back, as the user `an`."""

    def authorization_url(self, *, return_url: str, state: str) -> str:
        return f"{return_url}?{urlencode({'code': 'code-of-an', 'state': state})}"


@pytest.fixture
def office(tmp_path: Path, sqlite_url: URL) -> Iterator[tuple[Office, str]]:
    """With the address it serves at."""
    write_keys(tmp_path / "keys.json")
    (tmp_path / "platforms.json").write_text(json.dumps({}))
    settings = {"MODE": "local", "DATA_DIR": str(tmp_path), "DATABASE_URL": str(sqlite_url)}
    clock = ManualClock()
    adapters, made = FakeAdapters(clock), list[Office]()

    def make(address: str) -> App:
        config = Config.from_environ(settings | {"PUBLIC_BASE_URL": address})
        made.append(Office(create_app(config, adapters=adapters, clock=clock), clock, adapters, login=AtOnce()))
        return made[0].app

    with serving(make) as base_url:
        yield made[0], base_url
    made[0].workbench.transactions.database.close()


@pytest.fixture
def visit(chromium: Browser, office: tuple[Office, str]) -> Iterator[Visit]:
    with visiting(chromium, office[1]) as window:
        yield window


def logged_in(visit: Visit, target: str = "/h5/") -> Page:
    page = visit.open(f"{OAUTH}?{urlencode({'to': target})}")
    expect(page.locator("#overview")).to_contain_text("微信用户")
    return page


def faults(visit: Visit) -> list[str]:
    return [one for one in visit.faults if REFUSED not in one]


def test_who_taps_the_menu_is_logged_in_and_nothing_of_it_stays_in_the_address(visit: Visit) -> None:
    page = logged_in(visit, "/h5/?view=appointments")
    assert page.url == f"{visit.base_url}/h5/?view=appointments"
    token = page.evaluate(TOKEN)
    assert len(token) == 43
    assert "没有待就诊的预约" in page.locator("#overview").inner_text()
    assert page.context.cookies() == []
    assert page.evaluate("Object.keys(localStorage).length") == 0
    assert not [url for url in visit.asked if "handoff" in url or token in url]
    page.go_back()
    assert "handoff" not in page.url
    assert faults(visit) == []


def test_a_stranger_is_offered_to_log_in_and_lands_where_they_were(visit: Visit) -> None:
    page = visit.open("/h5/")
    expect(page.get_by_text("登录后可查看自己的预约")).to_be_visible()
    page.get_by_role("link", name="微信登录").click()
    expect(page.locator("#overview")).to_contain_text("微信用户")
    assert page.url == f"{visit.base_url}/h5/"
    assert faults(visit) == []


def test_the_login_lasts_for_the_tab_and_ends_when_told(visit: Visit) -> None:
    page = logged_in(visit)
    page.reload()
    expect(page.locator("#overview")).to_contain_text("微信用户")
    token = page.evaluate(TOKEN)
    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_text("已退出登录")).to_be_visible()
    expect(page.locator("#overview")).to_be_empty()
    assert page.evaluate(TOKEN) is None
    asked = "token => fetch('/api/v1/account', {headers: {Authorization: `Bearer ${token}`}}).then(r => r.status)"
    page.wait_for_function(f"async (token) => (await ({asked})(token)) === 401", arg=token)
    assert faults(visit) == []


def test_a_35_a_code_in_somebodys_link_logs_nobody_in(visit: Visit, office: tuple[Office, str]) -> None:
    handoff = office[0].browser().handed_over("attacker")
    page = visit.open(f"/h5/#handoff={handoff}")
    expect(page.get_by_text("不是在本机打开的")).to_be_visible()
    assert page.url == f"{visit.base_url}/h5/"
    assert page.evaluate(TOKEN) is None
    assert not [url for url in visit.asked if url.endswith("/sessions")]
    assert office[0].browser().log_in(handoff).status_code == 201
    assert faults(visit) == []


def test_a_35_it_takes_nobodys_place_who_is_logged_in(visit: Visit, office: tuple[Office, str]) -> None:
    page = logged_in(visit)
    token = page.evaluate(TOKEN)
    page.goto("about:blank")
    visit.open(f"/h5/#handoff={office[0].browser().handed_over('attacker')}")
    expect(page.locator("#overview")).to_contain_text("微信用户")
    assert page.evaluate(TOKEN) == token


def test_a_code_that_is_too_old_is_told_kindly(visit: Visit, office: tuple[Office, str]) -> None:
    def late(route: Route) -> None:
        office[0].clock.advance(timedelta(minutes=1))
        route.continue_()

    visit.page.route("**/api/v1/sessions", late)
    page = visit.open(OAUTH)
    expect(page.get_by_text("登录链接已失效")).to_be_visible()
    expect(page.get_by_role("link", name="微信登录")).to_be_visible()
    assert faults(visit) == []


def test_a_login_that_ended_is_told_and_forgotten(visit: Visit) -> None:
    page = logged_in(visit)
    page.evaluate("sessionStorage.setItem('yuezhen-token', 'x'.repeat(43))")
    page.reload()
    expect(page.get_by_text("登录已过期")).to_be_visible()
    assert page.evaluate(TOKEN) is None
    assert faults(visit) == []


def test_where_there_is_no_answer_one_may_ask_again(visit: Visit) -> None:
    page = logged_in(visit)
    page.route("**/h5/overview*", lambda route: route.fulfill(status=503, body="{}"))
    page.reload()
    expect(page.get_by_text("您的预约不受影响")).to_be_visible()
    page.unroute("**/h5/overview*")
    page.get_by_role("button", name="重新进入").click()
    expect(page.locator("#overview")).to_contain_text("微信用户")
    assert faults(visit) == []


def test_the_page_speaks_english(chromium: Browser, office: tuple[Office, str]) -> None:
    with visiting(chromium, office[1], locale="en-US") as visit:
        page = visit.open(OAUTH)
        expect(page.locator("#overview")).to_contain_text("WeChat user")
        page.get_by_role("link", name="中文").click()
        expect(page.locator("#overview")).to_contain_text("微信用户")
        assert faults(visit) == []


def test_without_scripts_the_page_still_leads_on(chromium: Browser, office: tuple[Office, str]) -> None:
    with visiting(chromium, office[1], java_script_enabled=False) as visit:
        page = visit.open("/h5/")
        assert "<noscript><p>请开启浏览器的脚本功能" in page.content()
        expect(page.get_by_role("link", name="打开小程序")).to_be_visible()
