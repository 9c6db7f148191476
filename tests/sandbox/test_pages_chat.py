"""The official account in a browser: chat, menu, codes, console, and who visits web pages."""

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from account_server import Clinic, Seen
from paper_browser import Browser

from sandbox.pages.bubbles import segments

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def talking(followed: Clinic, browser: Browser) -> Browser:
    """A browser in the chat of somebody new, who follows a clinic that answers in cipher."""

    def respond(seen: Seen) -> str:
        pushed = followed.opened(seen)
        words = getattr(pushed, "content", "")
        answer = f'听到：{words} <a href="http://127.0.0.1:8000/h5">挂号</a>'
        return str(followed.crypto.encrypt_message(followed.answered(answer, pushed.source), "nonce"))

    followed.server.respond = respond
    followed.post(
        "/cgi-bin/menu/create",
        {
            "button": [
                {"type": "click", "name": "号源", "key": "numbers"},
                {
                    "name": "更多",
                    "sub_button": [
                        {"type": "view", "name": "挂号", "url": "http://127.0.0.1:8000/h5?a=1&b=2"},
                        {
                            "type": "miniprogram",
                            "name": "小程序",
                            "url": "http://127.0.0.1:8000/",
                            "appid": followed.box.control.get("/credentials")["wechat_miniapp"][0]["appid"],
                            "pagepath": "pages/index",
                        },
                    ],
                },
            ]
        },
    )
    browser.open("/pages/official/clinic").submit("meet", name="zhang-san")
    return browser.submit("follow")


def test_a_person_follows_writes_and_sees_the_encrypted_round_trip(talking: Browser, followed: Clinic) -> None:
    assert urlsplit(talking.page.url).path == "/pages/official/clinic/people/oa-zhang-san"
    talking.submit("send", word="内科")
    assert "听到：内科" in talking.text
    assert '<a href="http://127.0.0.1:8000/h5" target="_blank" rel="noopener noreferrer">挂号</a>' in talking.page.text
    sent, answered = followed.server.pushes[-1].body.decode(), followed.box.control.items("/messages")[-1]["raw"]
    assert sent in talking.text
    assert answered in talking.text
    assert "<Content><![CDATA[内科]]></Content>" in talking.text
    assert f"msg_signature={followed.server.pushes[-1].query['msg_signature']}" in talking.text


def test_what_a_person_writes_is_shown_and_not_run(talking: Browser) -> None:
    talking.submit("send", word=HOSTILE)
    assert HOSTILE in talking.text
    assert "<script" not in talking.page.text


def test_a_person_taps_the_published_menu(talking: Browser, followed: Clinic) -> None:
    talking.submit("号源")
    assert followed.box.control.items("/messages")[-1]["message"]["EventKey"] == "numbers"
    assert "点了菜单" in talking.text
    chat = talking.page.url
    talking.submit("挂号")
    assert '<meta http-equiv="refresh" content="0; url=http://127.0.0.1:8000/h5?a=1&amp;b=2">' in talking.page.text
    assert followed.box.control.items("/messages")[-1]["kind"] == "VIEW"
    talking.open(chat).submit("小程序")
    assert "pages/index" in talking.text
    assert followed.box.control.items("/messages")[-1]["kind"] == "view_miniprogram"
    talking.post(urlsplit(chat).path + "/taps", place="0.0")
    assert talking.page.status_code == 409


def test_the_console_shows_the_published_menu_as_it_reads(talking: Browser) -> None:
    shown = talking.open("/pages/official/clinic").text
    assert '"name": "号源"' in shown
    assert '"url": "http://127.0.0.1:8000/h5?a=1&b=2"' in shown


def test_a_person_scans_a_code_in_the_chat_and_by_its_address(talking: Browser, followed: Clinic) -> None:
    made = followed.post(
        "/cgi-bin/qrcode/create", {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "doctor:1"}}}
    )
    talking.submit("or a scene", code=made["url"])
    last = followed.box.control.items("/messages")[-1]
    assert (last["kind"], last["message"]["EventKey"]) == ("SCAN", "doctor:1")
    talking.open(made["url"]).submit("scan", name="li-si")
    last = followed.box.control.items("/messages")[-1]
    assert (last["kind"], last["open_id"], last["message"]["EventKey"]) == ("subscribe", "oa-li-si", "qrscene_doctor:1")
    assert last["message"]["Ticket"] == made["ticket"]
    followed.box.control.post("/clock", advance_seconds=61)
    assert talking.open(made["url"]).page.status_code == 404


def test_a_server_that_fails_is_the_platforms_regret(talking: Browser, followed: Clinic) -> None:
    followed.server.respond = lambda _: (500, "")
    talking.submit("send", word="内科")
    assert "该公众号暂时无法提供服务" in talking.text


def test_the_console_page_saves_a_server_that_proves_itself(clinic: Clinic, browser: Browser) -> None:
    browser.open("/pages/official/clinic").submit("check and save", url=clinic.server.url, mode="plain", format="json")
    assert clinic.box.control.get("/official/clinic/server")["mode"] == "plain"
    clinic.server.respond = lambda _: HOSTILE
    browser.submit("check and save", url=clinic.server.url, mode="secure", format="xml")
    assert browser.page.status_code == 409
    assert "<script" not in browser.page.text
    assert clinic.box.control.get("/official/clinic/server")["mode"] == "plain"


def test_nobody_writes_before_there_is_a_server_or_without_following(browser: Browser, box: Any) -> None:
    browser.open("/pages/official/clinic").submit("meet", name="zhang-san")
    browser.submit("follow")
    assert (browser.page.status_code, "还没有设置服务器地址" in browser.text) == (409, True)


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/pages/official/nobody", {}, 404),
        ("/pages/official/clinic/people", {"name": "张三"}, 422),
        ("/pages/official/clinic/people", {"name": ""}, 422),
        ("/pages/official/clinic/people/nobody/deeds", {"deed": "text", "word": "x"}, 404),
        ("/pages/official/clinic/people/follower/deeds", {"deed": "SCAN", "word": "x"}, 422),
        ("/pages/official/clinic/people/follower/deeds", {"deed": "text", "word": ""}, 422),
        ("/pages/official/clinic/people/follower/deeds", {"deed": "text", "word": "字" * 700}, 422),
        ("/pages/official/clinic/people/follower/deeds", {"deed": "text", "word": "\x01"}, 422),
        ("/pages/official/clinic/people/follower/scans", {"code": "http://elsewhere/x"}, 404),
        ("/pages/official/clinic/people/follower/taps", {"place": "9.9", "name": "x"}, 409),
        ("/pages/scan/nothing", {"name": "x"}, 404),
        ("/pages/login", {"provider": "x", "open_id": "a"}, 422),
        ("/pages/login", {"provider": "wechat_miniapp", "open_id": "张"}, 422),
        ("/pages/login", {"provider": "wechat_miniapp", "open_id": "a", "app": "x"}, 404),
        ("/pages/pay", {"client_params": "{", "deed": "pay"}, 422),
        ("/pages/pay", {"client_params": "[]", "deed": "pay"}, 422),
        ("/pages/pay", {"client_params": '{"package": 1}', "deed": "pay"}, 422),
        ("/pages/pay", {"client_params": '{"x": "y"}', "deed": "pay"}, 422),
        ("/pages/pay", {"client_params": '{"package": "prepay_id=x"}', "deed": "steal"}, 422),
        ("/pages/pay", {"client_params": '{"package": "prepay_id=x"}', "deed": "pay"}, 409),
        ("/pages/face/x", {"outcome": "10000"}, 404),
    ],
)
def test_a_form_with_a_mistake_is_refused_in_words(
    followed: Clinic, browser: Browser, path: str, fields: dict[str, str], status: int
) -> None:
    page = browser.post(path, **fields).page if fields else browser.open(path).page
    assert (page.status_code, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert followed.server.seen == []


# --- web login --------------------------------------------------------------------------------------------------------


def authorize(clinic: Clinic, scope: str = "snsapi_base", back: str = "http://127.0.0.1:8000/back") -> str:
    return str(clinic.oauth(back, scope=scope, state="s1").authorize_url).partition("#")[0]


def went_to(browser: Browser) -> str:
    found = re.search(r'content="0; url=([^"]*)"', browser.page.text)
    assert found is not None, browser.text
    return html.unescape(found[1])


def visitor_of(clinic: Clinic, url: str) -> Any:
    mine = clinic.credentials
    query = {"appid": mine["appid"], "secret": mine["secret"], "grant_type": "authorization_code"}
    return clinic.get("/sns/oauth2/access_token", **query, code=parse_qs(urlsplit(url).query)["code"][0])


def test_a_stranger_is_asked_and_a_known_person_goes_through_at_once(clinic: Clinic, browser: Browser) -> None:
    browser.open(authorize(clinic)).submit("agree", name="wang-wu")
    assert visitor_of(clinic, went_to(browser))["unionid"] == "union-wang-wu"
    again = browser.open(authorize(clinic), allow_redirects=False).page
    assert (again.status_code, again.headers["Location"][:27]) == (302, "http://127.0.0.1:8000/back?")
    assert visitor_of(clinic, again.headers["Location"])["openid"] == "oa-wang-wu"


def test_the_chat_is_who_web_pages_meet(talking: Browser, followed: Clinic) -> None:
    went = talking.open(authorize(followed), allow_redirects=False).page
    assert visitor_of(followed, went.headers["Location"])["openid"] == "oa-zhang-san"
    chosen = talking.open(authorize(followed) + "&as=follower", allow_redirects=False).page
    assert visitor_of(followed, chosen.headers["Location"])["openid"] == "follower"


def test_name_and_picture_are_always_asked_for(talking: Browser, followed: Clinic) -> None:
    talking.open(authorize(followed, "snsapi_userinfo"), allow_redirects=False)
    assert "snsapi_userinfo" in talking.text
    talking.submit("agree", open_id="oa-zhang-san", snapshot="1")
    assert visitor_of(followed, went_to(talking))["is_snapshotuser"] == 1


def test_a_wrong_authorize_address_is_an_error_page(clinic: Clinic, browser: Browser) -> None:
    for back, code in (("https://evil.example/", "10003"), (f"https://x.example/{HOSTILE}", "10003")):
        page = browser.open(authorize(clinic, back=back), allow_redirects=False).page
        assert (page.status_code, code in page.text, "<script" in page.text) == (400, True, False)
    assert browser.post("/wechat-open/connect/oauth2/authorize", query="appid=x").page.status_code == 400


# --- links in replies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("没有", []),
        ('<a href="https://a.example/?b=1">看</a>', [("看", "https://a.example/?b=1", "")]),
        ("见 https://a.example/x。", [("https://a.example/x", "https://a.example/x", "")]),
        ("<a href='http://a.example'>看</a>", [("看", "http://a.example", "")]),
        ('<a data-miniprogram-appid="wx1" data-miniprogram-path="p/q" href="x">去</a>', [("去", "", "p/q")]),
        ('<a href="javascript:alert(1)">点</a>', []),
        ('<a href="data:text/html,x">点</a>', []),
        ("<script>alert(1)</script>", []),
        ('<a href="http://x" onclick="y"><b>', [("http://x", "http://x", "")]),
    ],
)
def test_links_are_found_and_nothing_else_is(text: str, links: list[tuple[str, str, str]]) -> None:
    pieces = list(segments(text))
    found = [(piece.text, piece.href, piece.page) for piece in pieces if piece.href or piece.page]
    assert found == links
    if not links:
        assert "".join(piece.text for piece in pieces) == text
