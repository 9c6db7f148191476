"""The official account's adapters against an independent reading of the same protocol, over real HTTP."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from core.ports import (
    Answer,
    Incoming,
    IncomingKind,
    InvalidSignature,
    Link,
    LoginRefused,
    PlatformUser,
    ProviderRefused,
    ProviderUnavailable,
    Reply,
    StandInUser,
)
from integrations.wechat import (
    MenuPlace,
    MiniappAccount,
    OfficialAccountConfig,
    WeChatConversation,
    WeChatMiniappLinks,
    WeChatMiniappLogin,
    WeChatOfficialAccount,
    WeChatPageLogin,
)
from integrations.wechat.menu import wire_menu

MODES = {"plain": "plain", "secure": "secure", "compatible": "both"}
MENU = {
    "menu": [
        {
            "name": "预约挂号",
            "entries": [{"name": "我的预约", "url": "/h5/"}, {"name": "小程序", "miniapp": "pages/a/b"}],
        },
        {"name": "帮助", "key": "help"},
    ]
}


@dataclass
class Server:
    """Answers as our callback route does: with the adapter's own words."""

    conversation: WeChatConversation
    url: str = ""
    answer: Answer = field(default_factory=Answer)
    heard: list[Incoming] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def take(self, method: str, query: dict[str, str], body: bytes) -> Reply:
        try:
            if method == "GET":
                return self.conversation.greet(query)
            incoming = self.conversation.check(query, body, now=datetime.now(UTC))
        except InvalidSignature as error:
            self.reasons.append(error.reason)
            return self.conversation.refused()
        self.heard.append(incoming)
        return self.conversation.reply(incoming, self.answer)


def config_of(told: dict[str, Any], **changes: Any) -> OfficialAccountConfig:
    return OfficialAccountConfig(**told | changes)


@pytest.fixture(scope="module")
def credentials(sandbox: Any) -> dict[str, Any]:
    [told] = sandbox.credentials("wechat_official")
    found: dict[str, Any] = told
    return found


@pytest.fixture
def account(credentials: dict[str, Any]) -> OfficialAccountConfig:
    return config_of(credentials)


@pytest.fixture
def server(credentials: dict[str, Any]) -> Iterator[Server]:
    """Takes what any mode brings; the tests of modes set another conversation."""
    told = Server(WeChatConversation(config_of(credentials, push_mode="both")))

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = told.take(self.command, query, body)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = _handle

        def log_message(self, *_: Any) -> None:
            """The test's output is for the test."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{http.server_port}/callbacks/wechat-official/clinic"
    yield told
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def follower(sandbox: Any, server: Server) -> str:
    """Somebody new, who follows the account."""
    sandbox.control("official/clinic/server", url=server.url)
    open_id = f"o{secrets.token_hex(8)}"
    sandbox.control("official/clinic/events", open_id=open_id, event="subscribe", union_id=f"u-{open_id}")
    server.heard.clear()
    return open_id


# --- what followers send ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize("mode", MODES)
def test_a_follower_is_heard_and_answered_in_every_mode_and_form(
    *, sandbox: Any, server: Server, credentials: dict[str, Any], mode: str, form: str
) -> None:
    server.conversation = WeChatConversation(config_of(credentials, push_mode=MODES[mode]))
    saved = sandbox.control("official/clinic/server", url=server.url, mode=mode, format=form)
    assert (saved["mode"], saved["format"]) == (mode, form)
    open_id = f"o{secrets.token_hex(8)}"

    def do(**deed: str) -> tuple[Incoming, dict[str, Any]]:
        told = sandbox.control("official/clinic/events", open_id=open_id, **deed)
        assert len(told["attempts"]) == 1, told
        return server.heard[-1], told["reply"]

    hostile = "]]></Content><MsgType><![CDATA[news]]></MsgType> 号 😀"
    server.answer = Answer(text=hostile)
    seen, reply = do(event="subscribe", scene="doctor:1")
    assert (seen.kind, seen.key, seen.follower) == (IncomingKind.FOLLOWED, "doctor:1", open_id)
    assert (reply["kind"], reply["encrypted"]) == ("message", mode != "plain")
    assert (reply["message"]["MsgType"], reply["message"]["Content"]) == ("text", hostile)

    server.answer = Answer(link=Link("李医生 ]]>", "https://h.example/h5/?a=1&b=2", "心内科"))
    seen, reply = do(text="心内科 😀 <b>&amp;")
    assert (seen.kind, seen.text) == (IncomingKind.TEXT, "心内科 😀 <b>&amp;")
    assert (reply["kind"], reply["message"]["MsgType"]) == ("message", "news")
    assert "https://h.example/h5/?a=1&b=2" in str(reply["message"])

    server.answer = Answer()
    for deed, kind, key in (
        ({"event": "SCAN", "scene": "s"}, IncomingKind.SCANNED, "s"),
        ({"event": "CLICK", "key": "help"}, IncomingKind.TAPPED, "help"),
        ({"event": "VIEW", "url": "https://h.example/?a=1&b=2"}, IncomingKind.OPENED, "https://h.example/?a=1&b=2"),
        ({"event": "view_miniprogram", "page": "pages/a/b"}, IncomingKind.OPENED, "pages/a/b"),
        ({"event": "unsubscribe"}, IncomingKind.UNFOLLOWED, ""),
    ):
        seen, reply = do(**deed)
        assert (seen.kind, seen.key, reply["kind"]) == (kind, key, "silence")
    assert server.reasons == []
    assert len({one.dedup for one in server.heard}) == len(server.heard)


def test_each_copy_of_a_message_has_one_dedup(sandbox: Any, server: Server, follower: str) -> None:
    for deed in ({"text": "号"}, {"event": "CLICK", "key": "help"}):
        server.heard.clear()
        sandbox.control("official/clinic/events", open_id=follower, copies=3, concurrently=True, **deed)
        assert (len(server.heard), len({one.dedup for one in server.heard})) == (3, 1)


FORGERIES: list[tuple[dict[str, Any], str]] = [
    ({"token": "AnotherToken"}, "bad_signature"),
    ({"appid": "wx0000000000000000"}, "foreign_app"),
    ({"encoding_aes_key": "B" * 43}, "sealed"),
    ({"timestamp": "1414587457"}, "stale"),
    ({"mode": "plain"}, "mode"),
    ({"message": "号"}, "unreadable"),
    ({"message": '<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/hostname">]><xml><a>&x;</a></xml>'}, "unreadable"),
    ({"message": "<xml><ToUserName>gh_another</ToUserName></xml>"}, "foreign_account"),
    ({"body": "<xml>"}, "unreadable"),
    ({"query": {"msg_signature": None}}, "missing_parameter"),
    ({"query": {"nonce": "1"}}, "bad_signature"),
]


@pytest.mark.parametrize(("forge", "reason"), FORGERIES)
def test_what_is_not_the_platforms_is_refused(
    *,
    sandbox: Any,
    server: Server,
    follower: str,
    account: OfficialAccountConfig,
    forge: dict[str, Any],
    reason: str,
) -> None:
    server.conversation = WeChatConversation(account)
    told = sandbox.control("official/clinic/events", open_id=follower, text="号", forge=forge)
    assert (server.heard, server.reasons[0]) == ([], reason)
    assert (told["attempts"][0]["status"], told["attempts"][0]["answer"]) == (403, "")


@pytest.mark.parametrize("form", ["xml", "json"])
def test_no_byte_of_a_secure_push_can_be_changed(
    *, sandbox: Any, server: Server, follower: str, account: OfficialAccountConfig, form: str
) -> None:
    """Seen from the sandbox: its own message with one bit turned after the signing, at every twentieth byte."""
    server.conversation = WeChatConversation(account)
    sandbox.control("official/clinic/server", url=server.url, format=form)
    told = sandbox.control("official/clinic/events", open_id=follower, text="号")
    [attempt] = told["attempts"]
    server.heard.clear()
    places: list[dict[str, int]] = [{"body": at} for at in range(0, len(attempt["body"]), 20)]
    places += [{name: at} for name in ("msg_signature", "signature", "timestamp", "nonce") for at in (0, 8)]
    for tamper in places:
        sandbox.control("official/clinic/events", open_id=follower, text="号", forge={"tamper": tamper})
        assert server.heard == [], tamper
    assert len(server.reasons) >= len(places)


# --- pages -----------------------------------------------------------------------------------------------------------


def through_wechat(sandbox: Any, login: WeChatPageLogin, open_id: str, **who: Any) -> str:
    """The browser goes to WeChat and comes back; returns the code."""
    url = login.authorization_url(return_url="http://127.0.0.1:9/oauth?a=1", state="State09")
    told = sandbox.control("oauth-authorizations", open_id=open_id, url=url, **who)
    query = parse_qs(urlsplit(told["redirect"]).query)
    assert (told["scope"], query["state"], query["a"]) == ("snsapi_base", ["State09"], ["1"])
    return query["code"][0]


@pytest.fixture
def login(account: OfficialAccountConfig, wechat_tokens: Any) -> WeChatPageLogin:
    return WeChatPageLogin(account, wechat_tokens)


def test_a_visitor_of_a_page_is_the_user_of_the_mini_program(
    *, sandbox: Any, login: WeChatPageLogin, miniapps: list[MiniappAccount], follower: str
) -> None:
    code = through_wechat(sandbox, login, follower)
    visitor = login.exchange_code(code)
    union = f"u-{follower}"
    assert visitor == PlatformUser("wechat_official", "clinic", follower, union, union_provider="wechat_miniapp")
    asked = {"provider": "wechat_miniapp", "open_id": f"m-{follower}", "union_id": union}
    user = WeChatMiniappLogin(miniapps[0]).exchange_code(sandbox.control("login-codes", **asked)["code"])
    assert (user.union_id, user.union_provider) == (visitor.union_id, visitor.union_provider)
    with pytest.raises(LoginRefused, match="40163"):
        login.exchange_code(code)
    with pytest.raises(LoginRefused, match="40029"):
        login.exchange_code("nobodys")


def test_a_visitor_without_a_union_id_is_known_by_the_openid(sandbox: Any, login: WeChatPageLogin) -> None:
    open_id = f"o{secrets.token_hex(8)}"
    visitor = login.exchange_code(through_wechat(sandbox, login, open_id))
    assert (visitor.open_id, visitor.union_id) == (open_id, None)
    sandbox.misbehave("user", "error")
    with pytest.raises(ProviderUnavailable):
        login.exchange_code(through_wechat(sandbox, login, open_id))


def test_a_snapshot_page_logs_nobody_in(sandbox: Any, login: WeChatPageLogin, follower: str) -> None:
    with pytest.raises(StandInUser):
        login.exchange_code(through_wechat(sandbox, login, follower, snapshot=True))


# --- what is asked in its name ---------------------------------------------------------------------------------------


@pytest.fixture
def place(sandbox: Any, miniapps: list[MiniappAccount]) -> MenuPlace:
    return MenuPlace("127.0.0.1", lambda target: f"http://127.0.0.1:9/oauth?to={target}", miniapps[0].appid)


@pytest.fixture
def official(account: OfficialAccountConfig, wechat_tokens: Any, place: MenuPlace) -> WeChatOfficialAccount:
    return WeChatOfficialAccount(account, wechat_tokens, place=place)


def test_a_menu_that_is_put_is_the_menu_that_is_there(official: WeChatOfficialAccount, place: MenuPlace) -> None:
    assert official.menu() is None
    buttons = wire_menu(MENU, place)
    official.set_menu(buttons)
    assert official.menu() == buttons
    with pytest.raises(ProviderRefused, match="40016"):
        official.set_menu(buttons * 2)
    assert official.menu() == buttons


def test_a_scene_code_brings_its_scene(
    *, sandbox: Any, official: WeChatOfficialAccount, server: Server, follower: str
) -> None:
    scene = "appointment:0191d3a4-5b6c-7d8e-9fab-0123456789ab"
    code = official.scene_code(scene, lasts=timedelta(days=30))
    assert (code.expires_in, code.url.startswith(sandbox.base_url)) == (timedelta(days=30), True)
    sandbox.control("official/clinic/events", open_id=follower, event="SCAN", scene=scene)
    assert server.heard[-1].key == scene


def test_a_page_is_signed_as_the_platform_checks_it(
    sandbox: Any, official: WeChatOfficialAccount, wechat_tokens: Any
) -> None:
    url = "http://127.0.0.1:8000/h5/?a=1&b=%E5%8F%B7"
    signed = official.sign_page(f"{url}#handoff=once")
    asked = {name: signed[name] for name in ("timestamp", "nonceStr", "signature")}
    assert sandbox.control("official/clinic/page-signatures", url=url, **asked) == {"ok": True}
    assert sandbox.control("official/clinic/page-signatures", url=url + "1", **asked) == {"ok": False}
    official.sign_page(url)
    assert wechat_tokens.fetches == 2


def test_a_link_leads_into_the_mini_program(sandbox: Any, miniapps: list[MiniappAccount], wechat_tokens: Any) -> None:
    links = WeChatMiniappLinks(miniapps[0], wechat_tokens, provider="wechat_official", app="clinic")
    url = links.link("pages/doctor/index", {"id": "1", "from": "号"}, lasts=timedelta(days=30))
    assert url.startswith(sandbox.base_url)


def test_a_token_that_is_not_accepted_is_renewed_once(official: WeChatOfficialAccount, wechat_tokens: Any) -> None:
    official.menu()
    [name] = wechat_tokens.kept
    good, wechat_tokens.kept[name] = wechat_tokens.kept[name], "not-a-token"
    official.menu()
    assert (wechat_tokens.fetches, wechat_tokens.kept[name]) == (2, good)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error", "garbled", "cut"])
def test_a_platform_out_of_order_is_unavailable(sandbox: Any, official: WeChatOfficialAccount, kind: str) -> None:
    sandbox.misbehave("menu", kind)
    with pytest.raises(ProviderUnavailable):
        official.menu()
