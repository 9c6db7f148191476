"""The access token: one for many calls, one repeat when it is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses

from core.ports import ProviderRefused, ProviderUnavailable
from integrations.wechat import MiniappAccount
from integrations.wechat._http import MiniappHttp
from integrations.wechat.tokens import TokenCalls

TOKEN_URL = "https://api.weixin.qq.com/cgi-bin/stable_token"
CALL_URL = "https://api.weixin.qq.com/some/call"


@pytest.fixture
def calls(miniapp: MiniappAccount, tokens: Any) -> TokenCalls:
    return TokenCalls(miniapp, MiniappHttp(miniapp), tokens)


def offer(wire: responses.RequestsMock, token: str, expires_in: int = 7200) -> responses.BaseResponse:
    return wire.add("POST", TOKEN_URL, json={"access_token": token, "expires_in": expires_in})


def test_one_token_serves_many_calls(calls: TokenCalls, wire: responses.RequestsMock, miniapp: MiniappAccount) -> None:
    fetched = offer(wire, "T1")
    wire.add("POST", CALL_URL, json={"errcode": 0, "errmsg": "ok"})
    for _ in range(5):
        calls.post("/some/call", {"name": "张三"})
    assert fetched.call_count == 1
    request = fetched.calls[0].request
    assert json.loads(request.body or b"") == {
        "grant_type": "client_credential",
        "appid": miniapp.appid,
        "secret": miniapp.secret,
        "force_refresh": False,
    }
    sent = wire.calls[-1].request
    assert sent.url == CALL_URL + "?access_token=T1"
    assert sent.body == '{"name":"张三"}'.encode()


@pytest.mark.parametrize(("expires_in", "life"), [(7200, 6840), (300, 60), (500, 140), (1, 60), (999_999, 6840)])
def test_a_token_is_used_until_six_minutes_before_its_end(
    calls: TokenCalls, wire: responses.RequestsMock, tokens: Any, expires_in: int, life: int
) -> None:
    offer(wire, "T1", expires_in)
    wire.add("POST", CALL_URL, json={})
    calls.post("/some/call", {})
    assert tokens.lives == [timedelta(seconds=life)]


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_a_refused_token_is_dropped_and_the_call_repeated_once(
    calls: TokenCalls, wire: responses.RequestsMock, errcode: int
) -> None:
    offer(wire, "T1")
    offer(wire, "T2")
    wire.add("POST", CALL_URL, json={"errcode": errcode, "errmsg": "invalid credential"})
    wire.add("POST", CALL_URL, json={"answer": 1})
    assert calls.post("/some/call", {}) == {"answer": 1}
    assert [call.request.url for call in wire.calls][-1] == CALL_URL + "?access_token=T2"


def test_a_token_that_stays_refused_is_an_error_after_two_calls(
    calls: TokenCalls, wire: responses.RequestsMock
) -> None:
    fetched = offer(wire, "T1")
    called = wire.add("POST", CALL_URL, json={"errcode": 40001, "errmsg": "invalid credential"})
    with pytest.raises(ProviderRefused, match="40001"):
        calls.post("/some/call", {})
    assert (fetched.call_count, called.call_count) == (2, 2)


def test_another_refusal_is_not_repeated(calls: TokenCalls, wire: responses.RequestsMock) -> None:
    offer(wire, "T1")
    called = wire.add("POST", CALL_URL, json={"errcode": 45009, "errmsg": "reach max api daily quota limit"})
    with pytest.raises(ProviderRefused) as caught:
        calls.post("/some/call", {})
    assert caught.value.retryable
    assert called.call_count == 1


@pytest.mark.parametrize("errcode", [40013, 40125, 40164, 40001])
def test_a_token_that_is_not_given_is_a_refusal(
    calls: TokenCalls, wire: responses.RequestsMock, errcode: int, miniapp: MiniappAccount
) -> None:
    fetched = wire.add("POST", TOKEN_URL, json={"errcode": errcode, "errmsg": f"no: {miniapp.secret}"})
    with pytest.raises(ProviderRefused) as caught:
        calls.post("/some/call", {})
    assert caught.value.code == str(errcode)
    assert miniapp.secret not in str(caught.value)
    assert fetched.call_count == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"json": {"errcode": -1, "errmsg": "system error"}},
        {"json": {"access_token": "T1"}},
        {"json": {"access_token": "T1", "expires_in": "7200"}},
        {"json": {"access_token": "T1", "expires_in": 0}},
        {"json": {"access_token": "T1", "expires_in": True}},
        {"json": {"access_token": "", "expires_in": 7200}},
        {"body": b"", "status": 503},
        {"body": requests.ReadTimeout("slow")},
    ],
)
def test_without_a_token_nothing_was_sent(
    calls: TokenCalls, wire: responses.RequestsMock, answer: dict[str, Any]
) -> None:
    wire.add("POST", TOKEN_URL, **answer)
    with pytest.raises(ProviderUnavailable) as caught:
        calls.post("/some/call", {})
    assert not caught.value.sent


def test_no_token_is_in_an_error(calls: TokenCalls, wire: responses.RequestsMock) -> None:
    offer(wire, "TOPSECRETTOKEN")
    wire.add("POST", CALL_URL, body=requests.ConnectionError(f"{CALL_URL}?access_token=TOPSECRETTOKEN"))
    with pytest.raises(ProviderUnavailable) as caught:
        calls.post("/some/call", {})
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert "TOPSECRETTOKEN" not in str(caught.value)
