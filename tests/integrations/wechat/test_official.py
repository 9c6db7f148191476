"""What is asked of WeChat in an official account's name, over a real connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha1
from typing import Any

import pytest
from answering import Platform, platform
from official_side import NOW, official_account

from core.ports import ProviderRefused, ProviderUnavailable
from integrations.wechat import MenuPlace, MiniappAccount, WeChatMiniappLinks, WeChatOfficialAccount

TOKEN, MENU, CREATE = "/wechat/cgi-bin/stable_token", "/wechat/cgi-bin/menu/get", "/wechat/cgi-bin/menu/create"
CODE, TICKET, LINK = "/wechat/cgi-bin/qrcode/create", "/wechat/cgi-bin/ticket/getticket", "/wechat/wxa/generate_urllink"
OK = {"errcode": 0, "errmsg": "ok"}
BUTTONS = [
    {"name": "预约挂号", "sub_button": [{"type": "view", "name": "按科室", "url": "https://h.example/?a=1&b=<2>"}]},
    {"type": "click", "name": "停诊", "key": "CLOSED"},
]


@pytest.fixture
def wechat() -> Iterator[Platform]:
    with platform() as started:
        started.answer(TOKEN, *({"access_token": f"T{i}", "expires_in": 7200} for i in range(1, 9)))
        yield started


@pytest.fixture
def account(wechat: Platform, tokens: Any) -> WeChatOfficialAccount:
    config = official_account(base_url=f"{wechat.url}/wechat/")
    place = MenuPlace("h.example", lambda target: f"https://h.example{target}", "wx2421b1c4370ec43b")
    return WeChatOfficialAccount(config, tokens, place=place, clock=lambda: NOW)


@pytest.fixture
def links(wechat: Platform, tokens: Any) -> WeChatMiniappLinks:
    miniapp = MiniappAccount("patient", "wx2421b1c4370ec43b", "5ecre7", f"{wechat.url}/wechat")
    return WeChatMiniappLinks(miniapp, tokens, provider="wechat_official", app="clinic")


# --- the menu --------------------------------------------------------------------------------------------------------


def test_a_menu_is_put_as_it_is_and_read_without_what_wechat_adds(
    wechat: Platform, account: WeChatOfficialAccount
) -> None:
    wechat.answer(CREATE, OK)
    account.set_menu(BUTTONS)
    [asked] = wechat.asked_at(CREATE)
    assert (asked.method, asked.query, asked.json) == ("POST", {"access_token": "T1"}, {"button": BUTTONS})
    assert "预约挂号".encode() in asked.body

    told = [
        {**BUTTONS[0], "sub_button": [{**BUTTONS[0]["sub_button"][0], "sub_button": []}]},  # type: ignore[index,dict-item]
        {**BUTTONS[1], "sub_button": []},
    ]
    wechat.answer(MENU, {"menu": {"button": told, "menuid": 208396938}, "conditionalmenu": [{"button": []}]})
    assert account.menu() == BUTTONS
    assert wechat.asked_at(MENU)[0].method == "GET"


def test_an_account_without_a_menu_has_none(wechat: Platform, account: WeChatOfficialAccount) -> None:
    wechat.answer(MENU, {"errcode": 46003, "errmsg": "menu no exist rid: 1-2"})
    assert account.menu() is None


@pytest.mark.parametrize("content", [{}, {"menu": {}}, {"menu": {"button": [1]}}, {"menu": []}, b"<html>"])
def test_a_menu_that_does_not_fit_is_no_answer(wechat: Platform, account: WeChatOfficialAccount, content: Any) -> None:
    wechat.answer(MENU, content)
    with pytest.raises(ProviderUnavailable):
        account.menu()


@pytest.mark.parametrize("errcode", [40015, 40016, 40018, 40020, 65316, 48001])
def test_a_menu_that_wechat_refuses_is_a_refusal_with_its_code(
    wechat: Platform, account: WeChatOfficialAccount, errcode: int
) -> None:
    wechat.answer(CREATE, {"errcode": errcode, "errmsg": "invalid button, rid: 65a1-2b3c"})
    with pytest.raises(ProviderRefused, match=f"{errcode} rid 65a1-2b3c"):
        account.set_menu(BUTTONS)


# --- scene codes -----------------------------------------------------------------------------------------------------


def test_a_scene_code_carries_its_scene(wechat: Platform, account: WeChatOfficialAccount) -> None:
    wechat.answer(CODE, {"ticket": "gQH47==", "expire_seconds": 60, "url": "http://weixin.qq.com/q/kZgfwMTm"})
    code = account.scene_code("doctor:1", lasts=timedelta(minutes=1))
    assert (code.url, code.ticket) == ("http://weixin.qq.com/q/kZgfwMTm", "gQH47==")
    assert code.expires_in == timedelta(seconds=60)
    assert wechat.asked_at(CODE)[0].json == {
        "expire_seconds": 60,
        "action_name": "QR_STR_SCENE",
        "action_info": {"scene": {"scene_str": "doctor:1"}},
    }


@pytest.mark.parametrize(
    ("scene", "lasts", "code"),
    [
        ("", timedelta(days=1), "invalid_scene"),
        ("a" * 65, timedelta(days=1), "invalid_scene"),
        ("a", timedelta(0), "invalid_lifetime"),
        ("a", timedelta(days=30, seconds=1), "invalid_lifetime"),
    ],
)
def test_a_scene_code_beyond_wechats_limits_is_not_asked_for(
    wechat: Platform, account: WeChatOfficialAccount, scene: str, lasts: timedelta, code: str
) -> None:
    with pytest.raises(ProviderRefused) as caught:
        account.scene_code(scene, lasts=lasts)
    assert (caught.value.code, wechat.asked) == (code, [])


@pytest.mark.parametrize("content", [{"ticket": "T", "url": "u"}, {"url": "u", "expire_seconds": 60}, {"ticket": "T"}])
def test_a_scene_code_without_its_parts_is_no_answer(
    wechat: Platform, account: WeChatOfficialAccount, content: Any
) -> None:
    wechat.answer(CODE, content)
    with pytest.raises(ProviderUnavailable):
        account.scene_code("a", lasts=timedelta(days=30))


# --- the page's signature --------------------------------------------------------------------------------------------


def test_a_page_is_signed_for_its_address_without_the_fragment(
    wechat: Platform, account: WeChatOfficialAccount
) -> None:
    wechat.answer(TICKET, {"errcode": 0, "errmsg": "ok", "ticket": "kgt8ON7yVITDhtdwci0qeQ", "expires_in": 7200})
    signed = account.sign_page("https://h.example/h5/?a=号#handoff=once")
    assert sorted(signed) == ["appId", "nonceStr", "signature", "timestamp"]
    assert (signed["appId"], signed["timestamp"]) == ("wxd5e2a1b7c9f04e68", int(NOW.timestamp()))
    text = (
        f"jsapi_ticket=kgt8ON7yVITDhtdwci0qeQ&noncestr={signed['nonceStr']}"
        f"&timestamp={signed['timestamp']}&url=https://h.example/h5/?a=号"
    )
    assert signed["signature"] == sha1(text.encode()).hexdigest()
    assert wechat.asked_at(TICKET)[0].query == {"access_token": "T1", "type": "jsapi"}


def test_one_ticket_serves_many_pages_with_a_nonce_each(
    wechat: Platform, account: WeChatOfficialAccount, tokens: Any
) -> None:
    wechat.answer(TICKET, {"ticket": "K1", "expires_in": 7200})
    assert len({account.sign_page("https://h.example/")["nonceStr"] for _ in range(5)}) == 5
    assert len(wechat.asked_at(TICKET)) == 1
    kept = {"wechat_jsapi_ticket:wxd5e2a1b7c9f04e68": "K1", "wechat_access_token:wxd5e2a1b7c9f04e68": "T1"}
    assert kept.items() <= tokens.tokens.items()


@pytest.mark.parametrize(("expires_in", "life"), [(7200, 7140), (999_999, 7140), (100, 40), (60, 1), (1, 1)])
def test_a_ticket_is_used_until_a_minute_before_its_end(
    wechat: Platform, account: WeChatOfficialAccount, tokens: Any, expires_in: int, life: int
) -> None:
    wechat.answer(TICKET, {"ticket": "K1", "expires_in": expires_in})
    account.sign_page("https://h.example/")
    assert tokens.lives[-1] == timedelta(seconds=life)


# --- links into the mini-program -------------------------------------------------------------------------------------


def test_a_link_opens_a_page_of_the_mini_program(wechat: Platform, links: WeChatMiniappLinks) -> None:
    wechat.answer(LINK, {**OK, "url_link": "https://wxaurl.cn/abc"})
    url = links.link("pages/doctor/index", {"id": "1 &", "名": "号"}, lasts=timedelta(days=2, seconds=1))
    assert (url, links.provider, links.app) == ("https://wxaurl.cn/abc", "wechat_official", "clinic")
    assert wechat.asked_at(LINK)[0].json == {
        "path": "pages/doctor/index",
        "query": "id=1+%26&%E5%90%8D=%E5%8F%B7",
        "expire_type": 1,
        "expire_interval": 3,
        "env_version": "release",
    }


def test_a_standing_link_is_made_once_and_kept_for_a_day_of_its_two(
    wechat: Platform, links: WeChatMiniappLinks, tokens: Any
) -> None:
    wechat.answer(LINK, *({**OK, "url_link": f"https://wxaurl.cn/{nth}"} for nth in range(3)))
    for _ in range(3):
        assert links.standing_link("pages/doctor/index", {"id": "1"}) == "https://wxaurl.cn/0"
    assert links.standing_link("pages/index/index", {}) == "https://wxaurl.cn/1"
    assert [asked.json["expire_interval"] for asked in wechat.asked_at(LINK)] == [2, 2]
    assert tokens.lives[-1] == timedelta(days=1)


@pytest.mark.parametrize(
    ("path", "query", "lasts", "code"),
    [
        ("", {}, timedelta(days=1), "invalid_page"),
        ("/pages/index", {}, timedelta(days=1), "invalid_page"),
        ("pages/index?a=1", {}, timedelta(days=1), "invalid_page"),
        ("pages/index", {"a": "1" * 1023}, timedelta(days=1), "invalid_page"),
        ("pages/index", {}, timedelta(0), "invalid_lifetime"),
        ("pages/index", {}, timedelta(days=30, seconds=1), "invalid_lifetime"),
    ],
)
def test_a_link_beyond_wechats_limits_is_not_asked_for(
    *, wechat: Platform, links: WeChatMiniappLinks, path: str, query: dict[str, str], lasts: timedelta, code: str
) -> None:
    with pytest.raises(ProviderRefused) as caught:
        links.link(path, query, lasts=lasts)
    assert (caught.value.code, wechat.asked) == (code, [])


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", None, 7, "wxaurl.cn/abc", "ftp://wxaurl.cn/abc"])
def test_an_address_that_is_none_is_no_answer(wechat: Platform, links: WeChatMiniappLinks, url: Any) -> None:
    wechat.answer(LINK, {**OK, "url_link": url})
    with pytest.raises(ProviderUnavailable, match="url_link"):
        links.link("pages/index", {}, lasts=timedelta(days=30))


# --- the access token ------------------------------------------------------------------------------------------------

VERBS: list[tuple[str, Any, Callable[[WeChatOfficialAccount, WeChatMiniappLinks], Any]]] = [
    (MENU, {"menu": {"button": BUTTONS}}, lambda account, _: account.menu()),
    (CREATE, OK, lambda account, _: account.set_menu(BUTTONS)),
    (CODE, {"ticket": "T", "expire_seconds": 60, "url": "u"}, lambda a, _: a.scene_code("a", lasts=timedelta(days=1))),
    (TICKET, {"ticket": "K", "expires_in": 7200}, lambda account, _: account.sign_page("https://h.example/")),
    (LINK, {"url_link": "https://wxaurl.cn/a"}, lambda _, links: links.link("pages/a", {}, lasts=timedelta(days=1))),
]


@pytest.mark.parametrize(("path", "content", "verb"), VERBS, ids=[path for path, *_ in VERBS])
class TestEachVerb:
    @pytest.mark.parametrize("errcode", [40001, 40014, 42001])
    def test_asks_once_more_with_a_new_token_and_then_no_more(
        self, *, wechat: Platform, account: Any, links: Any, path: str, content: Any, verb: Any, errcode: int
    ) -> None:
        refusal = {"errcode": errcode, "errmsg": "invalid credential rid: 1-2"}
        wechat.answer(path, refusal, content)
        verb(account, links)
        assert [one.query["access_token"] for one in wechat.asked_at(path)] == ["T1", "T2"]
        wechat.answers[path].clear()
        wechat.answer(path, refusal)
        wechat.asked.clear()
        account._tokens.tokens.pop("wechat_jsapi_ticket:wxd5e2a1b7c9f04e68", None)
        with pytest.raises(ProviderRefused, match=str(errcode)):
            verb(account, links)
        assert [one.path for one in wechat.asked] == [path, TOKEN, path]

    def test_tells_a_refusal_and_a_silence_apart_and_shows_no_token(
        self,
        *,
        wechat: Platform,
        account: Any,
        links: Any,
        path: str,
        content: Any,
        verb: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            wechat.answer(path, {"errcode": 45009, "errmsg": "reach max api daily quota limit T1"})
            with pytest.raises(ProviderRefused) as refused:
                verb(account, links)
            assert refused.value.retryable
            wechat.answers[path].clear()
            wechat.answer(path, b"T1", status=502)
            with pytest.raises(ProviderUnavailable) as silent:
                verb(account, links)
        assert "T1" not in caplog.text + str(refused.value) + str(silent.value)
