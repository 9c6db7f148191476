"""Web login: what the authorize address takes, what a code is worth, and for whom (protocol section 3.5)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from account_server import Clinic
from wechatpy.oauth import WeChatOAuth, WeChatOAuthException

BACK = "http://127.0.0.1:8000/callbacks/wechat-official/clinic/oauth"


def agreed(clinic: Clinic, url: str, open_id: str = "visitor", **rest: Any) -> str:
    """Where the browser goes once the visitor has agreed."""
    done = clinic.box.control.post("/oauth-authorizations", app="clinic", open_id=open_id, url=url, **rest)
    return str(done["redirect"])


def code_of(redirect: str) -> str:
    return parse_qs(urlsplit(redirect).query)["code"][0]


def exchanged(clinic: Clinic, code: str, /, **bent: str) -> Any:
    mine = clinic.credentials
    query = {"appid": mine["appid"], "secret": mine["secret"], "code": code, "grant_type": "authorization_code"}
    return clinic.get("/sns/oauth2/access_token", **(query | bent))


def address(clinic: Clinic, **bent: str | None) -> str:
    given = {
        "appid": clinic.credentials["appid"],
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "s1",
        **bent,
    }
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items() if value is not None)
    return f"{clinic.credentials['open_url']}/connect/oauth2/authorize?{query}#wechat_redirect"


def test_wechatpy_learns_who_a_visitor_is(clinic: Clinic) -> None:
    oauth: WeChatOAuth = clinic.oauth(BACK + "?keep=1", scope="snsapi_userinfo", state="abc")
    redirect = agreed(clinic, oauth.authorize_url, union_id="union-1")
    assert redirect.startswith(BACK + "?keep=1&code=")
    assert redirect.endswith("&state=abc")
    token = oauth.fetch_access_token(code_of(redirect))
    assert (token["openid"], token["unionid"], token["scope"]) == ("visitor", "union-1", "snsapi_userinfo")
    assert (token["expires_in"], "refresh_token" in token, "is_snapshotuser" in token) == (7200, True, False)
    info = oauth.get_user_info()
    assert (info["openid"], info["unionid"], info["sex"], info["city"]) == ("visitor", "union-1", 0, "")
    with pytest.raises(WeChatOAuthException) as again:
        oauth.fetch_access_token(code_of(redirect))
    assert again.value.errcode == 40163


def test_one_person_is_known_to_both_by_the_unionid(clinic: Clinic) -> None:
    control = clinic.box.control
    given = control.post("/login-codes", provider="wechat_official", open_id="oa-1", union_id="union-1")
    assert (given["app"], given["appid"]) == ("clinic", clinic.credentials["appid"])
    visitor = exchanged(clinic, given["code"])
    app = control.get("/credentials")["wechat_miniapp"][0]
    code = control.post("/login-codes", provider="wechat_miniapp", open_id="mini-1", union_id="union-1")["code"]
    session = clinic.get(
        "/sns/jscode2session",
        appid=app["appid"],
        secret=app["secret"],
        js_code=code,
        grant_type="authorization_code",
    )
    assert (visitor["unionid"], visitor["openid"]) == (session["unionid"], "oa-1")
    assert session["openid"] == "mini-1"
    unknown = {"provider": "wechat_official", "open_id": "a", "app": "patient"}
    assert control.call("POST", "/login-codes", unknown).status_code == 404


def test_a_snapshot_page_shows_somebody_who_does_not_exist(clinic: Clinic) -> None:
    redirect = agreed(clinic, address(clinic), union_id="union-1", snapshot=True)
    token = exchanged(clinic, code_of(redirect))
    assert token["is_snapshotuser"] == 1
    assert token["openid"] != "visitor"
    assert token.get("unionid") != "union-1"


def test_a_code_is_used_once_even_by_many(clinic: Clinic) -> None:
    code = code_of(agreed(clinic, address(clinic)))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: exchanged(clinic, code).get("errcode"), range(8)))
    assert sorted(answers, key=str) == [40163] * 7 + [None]


def test_a_code_lives_five_minutes(clinic: Clinic) -> None:
    code = code_of(agreed(clinic, address(clinic)))
    clinic.box.control.post("/clock", advance_seconds=301)
    assert exchanged(clinic, code)["errcode"] == 40029


@pytest.mark.parametrize(
    ("bent", "errcode"),
    [
        ({"appid": "wx0"}, 40013),
        ({"appid": ""}, 41002),
        ({"secret": "0"}, 40125),
        ({"secret": ""}, 41004),
        ({"code": "0"}, 40029),
        ({"code": ""}, 41008),
        ({"grant_type": "x"}, 40002),
    ],
)
def test_exchange_errors_use_nothing_up(clinic: Clinic, bent: dict[str, str], errcode: int) -> None:
    code = code_of(agreed(clinic, address(clinic)))
    assert exchanged(clinic, code, **bent)["errcode"] == errcode
    assert "openid" in exchanged(clinic, code)


def test_a_miniapp_cannot_use_an_accounts_code(clinic: Clinic) -> None:
    app = clinic.box.control.get("/credentials")["wechat_miniapp"][0]
    code = code_of(agreed(clinic, address(clinic)))
    assert exchanged(clinic, code, appid=app["appid"], secret=app["secret"])["errcode"] == 40013
    code = clinic.box.control.post("/login-codes", provider="wechat_miniapp", open_id="a")["code"]
    assert exchanged(clinic, code)["errcode"] == 40029


def test_user_info_needs_its_scope_its_person_and_its_time(clinic: Clinic) -> None:
    base = exchanged(clinic, code_of(agreed(clinic, address(clinic))))
    full = exchanged(clinic, code_of(agreed(clinic, address(clinic, scope="snsapi_userinfo"))))

    def info(token: str, openid: str) -> Any:
        return clinic.get("/sns/userinfo", access_token=token, openid=openid, lang="zh_CN").get("errcode")

    assert info(base["access_token"], "visitor") == 48001
    assert info(full["access_token"], "other") == 40003
    assert info(clinic.token(), "visitor") == 40001
    assert info("", "visitor") == 41001
    assert info(full["access_token"], "visitor") is None
    clinic.box.control.post("/clock", advance_seconds=7201)
    assert info(full["access_token"], "visitor") == 42001


@pytest.mark.parametrize(
    ("bent", "code"),
    [
        ({"appid": "wx0"}, "40013"),
        ({"appid": None}, "40013"),
        ({"redirect_uri": None}, "10003"),
        ({"redirect_uri": ""}, "10003"),
        ({"redirect_uri": "https://evil.example/"}, "10003"),
        ({"redirect_uri": "//evil.example/"}, "10003"),
        ({"redirect_uri": "http://127.0.0.1@evil.example/"}, "10003"),
        ({"redirect_uri": "http://evil.example\\@127.0.0.1/"}, "10003"),
        ({"redirect_uri": "http://127.0.0.1/\r\nX: y"}, "10003"),
        ({"redirect_uri": "http://[x/"}, "10003"),
        ({"redirect_uri": "javascript:alert(1)"}, "10003"),
        ({"redirect_uri": "ftp://127.0.0.1/"}, "10003"),
        ({"response_type": "token"}, "10010"),
        ({"response_type": None}, "10010"),
        ({"scope": "snsapi_login"}, "10005"),
        ({"scope": None}, "10005"),
        ({"state": "a" * 129}, "10010"),
        ({"state": "a-b"}, "10010"),
        ({"state": "a&b"}, "10010"),
        ({"surprise": "1"}, "10010"),
    ],
)
def test_an_authorize_address_with_a_mistake_is_refused(clinic: Clinic, bent: dict[str, Any], code: str) -> None:
    body = {"app": "clinic", "open_id": "visitor", "url": address(clinic, **bent)}
    refused = clinic.box.control.call("POST", "/oauth-authorizations", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "oauth_not_allowed")
    assert refused.json()["message"] == code


def test_the_order_of_parameters_matters(clinic: Clinic) -> None:
    good = address(clinic)
    appid = f"appid={clinic.credentials['appid']}"
    for bad in (
        good.replace(f"{appid}&", "").replace("#", f"&{appid}#"),
        good.replace("state=s1", "").replace("&#", "#").replace("appid=", "state=s1&appid="),
        good.replace("#", "&scope=snsapi_base#"),
    ):
        body = {"app": "clinic", "open_id": "visitor", "url": bad}
        assert clinic.box.control.call("POST", "/oauth-authorizations", body).json()["message"] == "10010"
    assert agreed(clinic, good).endswith("&state=s1")
    assert agreed(clinic, address(clinic, state=None)).endswith("&state=")


def test_the_host_of_the_saved_server_is_registered(clinic: Clinic) -> None:
    with clinic.box.running.sandbox.store.transaction() as tx:
        appid = clinic.credentials["appid"]
        tx.execute("insert into push_servers values (?, 'https://hospital.example/x', 'plain', 'xml')", (appid,))
    assert agreed(clinic, address(clinic, redirect_uri="https://hospital.example/h5#/a")).endswith("#/a")
