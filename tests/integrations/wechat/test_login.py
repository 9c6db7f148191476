from __future__ import annotations

import logging
import traceback

import pytest
import requests
import responses
from responses.matchers import query_param_matcher

from core.ports import LoginRefused, PlatformUser, ProviderRefused, ProviderUnavailable
from integrations.wechat import MiniappAccount, WeChatMiniappLogin

URL = "https://api.weixin.qq.com/sns/jscode2session"
SESSION = {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "session_key": "tiihtNczf5v6AKRyjwEUhQ=="}


@pytest.fixture
def login(miniapp: MiniappAccount) -> WeChatMiniappLogin:
    return WeChatMiniappLogin(miniapp)


def test_a_code_becomes_a_user_in_one_call_without_an_access_token(
    login: WeChatMiniappLogin, miniapp: MiniappAccount, wire: responses.RequestsMock
) -> None:
    asked = {
        "appid": miniapp.appid,
        "secret": miniapp.secret,
        "js_code": "0a1b&c=d",
        "grant_type": "authorization_code",
    }
    wire.add("GET", URL, json=SESSION | {"unionid": "o6_bm"}, match=[query_param_matcher(asked)])
    user = login.exchange_code("0a1b&c=d")
    assert user == PlatformUser(
        "wechat_miniapp", "yuezhen", open_id=SESSION["openid"], union_id="o6_bm", union_provider="wechat_miniapp"
    )
    assert len(wire.calls) == 1


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json; encoding=utf-8", "application/json; charset=gbk", "image/jpeg"]
)
def test_an_answer_is_utf8_whatever_its_type_says(
    login: WeChatMiniappLogin, wire: responses.RequestsMock, content_type: str
) -> None:
    body = '{"openid":"oABC","session_key":"x","errcode":0,"errmsg":"成功","unionid":""}'.encode()
    wire.add("GET", URL, body=body, content_type=content_type)
    user = login.exchange_code("code")
    assert (user.open_id, user.union_id) == ("oABC", None)


@pytest.mark.parametrize("errcode", [40029, 40163, 40226, 41008])
def test_a_bad_code_is_refused(login: WeChatMiniappLogin, wire: responses.RequestsMock, errcode: int) -> None:
    wire.add("GET", URL, json={"errcode": errcode, "errmsg": "invalid code, rid: 65a1-2b3c-4d5e"})
    with pytest.raises(LoginRefused) as caught:
        login.exchange_code("spent-code")
    assert caught.value.code == str(errcode)
    assert "spent-code" not in str(caught.value)


@pytest.mark.parametrize(("errcode", "sent"), [(-1, True), (45011, False), (45009, False)])
def test_a_busy_platform_is_unavailable(
    login: WeChatMiniappLogin, wire: responses.RequestsMock, errcode: int, sent: bool
) -> None:
    wire.add("GET", URL, json={"errcode": errcode, "errmsg": "busy rid: 65a1-2b3c"})
    with pytest.raises(ProviderUnavailable, match="rid 65a1-2b3c") as caught:
        login.exchange_code("code")
    assert caught.value.sent is sent


@pytest.mark.parametrize("errcode", [40013, 40125, 40001, 48001, 99999])
def test_a_configuration_error_is_not_the_patients_fault(
    login: WeChatMiniappLogin, wire: responses.RequestsMock, errcode: int
) -> None:
    wire.add("GET", URL, json={"errcode": errcode, "errmsg": "invalid appid"})
    with pytest.raises(ProviderRefused) as caught:
        login.exchange_code("code")
    assert not isinstance(caught.value, LoginRefused)
    assert (caught.value.code, caught.value.retryable) == (str(errcode), False)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"openid":"a","openid":"b"}'),
        (200, b'{"openid":"\xff"}'),
        (200, b'{"openid":NaN}'),
        (200, b"[" * 100_000),
        (200, b'{"errcode":"40029"}'),
        (200, b'{"errcode":true}'),
        (200, b'{"session_key":"x"}'),
        (200, b'{"openid":null}'),
        (200, b'{"openid":7}'),
        (502, b'{"openid":"oABC"}'),
        (302, b""),
    ],
)
def test_an_answer_that_does_not_fit_is_no_answer(
    login: WeChatMiniappLogin, wire: responses.RequestsMock, status: int, body: bytes
) -> None:
    wire.add("GET", URL, body=body, status=status, headers={"Location": "https://evil.example/"})
    with pytest.raises(ProviderUnavailable) as caught:
        login.exchange_code("code")
    assert caught.value.sent


def test_neither_code_nor_secret_nor_session_key_is_in_an_error_or_a_log(
    miniapp: MiniappAccount, login: WeChatMiniappLogin, wire: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        wire.add("GET", URL, body=requests.ReadTimeout(f"{URL}?secret={miniapp.secret}&js_code=one-time-code"))
        with pytest.raises(ProviderUnavailable) as caught:
            login.exchange_code("one-time-code")
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    told = "".join(traceback.format_exception(error)) + caplog.text
    assert miniapp.secret not in told
    assert "one-time-code" not in told.replace('exchange_code("one-time-code")', "")


def test_the_session_key_stays_inside(login: WeChatMiniappLogin, wire: responses.RequestsMock) -> None:
    wire.add("GET", URL, json=SESSION)
    assert SESSION["session_key"] not in repr(login.exchange_code("code"))
