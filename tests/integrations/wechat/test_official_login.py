"""Login of a page: the way to WeChat and back, over a real connection."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from answering import Platform, platform
from hypothesis import given
from hypothesis import strategies as st
from official_side import FOLLOWER, official_account

from core.ports import LoginRefused, PlatformUser, ProviderRefused, ProviderUnavailable, StandInUser
from integrations.wechat import WeChatPageLogin

EXCHANGE, INFO, TOKEN = "/sns/oauth2/access_token", "/cgi-bin/user/info", "/cgi-bin/stable_token"
VISITOR = {
    "access_token": "USERTOKEN",
    "expires_in": 7200,
    "refresh_token": "REFRESHTOKEN",
    "openid": FOLLOWER,
    "scope": "snsapi_base",
}
UNION = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"


class NoTokens:
    def token(self, *_: object, **__: object) -> str:
        raise AssertionError

    def stored(self, name: str) -> str | None:
        raise AssertionError(name)


NEVER_ASKING = WeChatPageLogin(official_account(open_url="https://open.weixin.qq.com/"), NoTokens())


@pytest.fixture
def wechat() -> Iterator[Platform]:
    with platform() as started:
        started.answer(TOKEN, {"access_token": "T1", "expires_in": 7200})
        yield started


@pytest.fixture
def login(wechat: Platform, tokens: Any) -> WeChatPageLogin:
    return WeChatPageLogin(official_account(base_url=wechat.url), tokens)


def user(union_id: str | None) -> PlatformUser:
    return PlatformUser("wechat_official", "clinic", FOLLOWER, union_id, union_provider="wechat_miniapp")


# --- the way there ---------------------------------------------------------------------------------------------------


def test_the_browser_is_sent_with_the_parameters_in_wechats_order() -> None:
    url = NEVER_ASKING.authorization_url(
        return_url="https://api.example.cn/callbacks/wechat-official/clinic/oauth?a=1&b=号", state="aZ09"
    )
    assert url == (
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wxd5e2a1b7c9f04e68"
        "&redirect_uri=https%3A%2F%2Fapi.example.cn%2Fcallbacks%2Fwechat-official%2Fclinic%2Foauth%3Fa%3D1%26b%3D%E5%8F%B7"
        "&response_type=code&scope=snsapi_base&state=aZ09#wechat_redirect"
    )


@given(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
    st.from_regex(r"[0-9A-Za-z]{1,128}", fullmatch=True),
)
def test_whatever_the_way_back_is_it_comes_through_whole(path: str, state: str) -> None:
    return_url = f"https://api.example.cn/{path}"
    parts = urlsplit(NEVER_ASKING.authorization_url(return_url=return_url, state=state))
    query = parse_qs(parts.query, strict_parsing=True)
    assert (query["redirect_uri"], query["state"], parts.fragment) == ([return_url], [state], "wechat_redirect")
    assert list(query) == ["appid", "redirect_uri", "response_type", "scope", "state"]


@pytest.mark.parametrize("state", ["", "a" * 129, "s&t#x", "a b", "a-b", "a_b", "号", "a\n", "１"])
def test_a_state_that_wechat_would_not_carry_is_never_sent(state: str) -> None:
    with pytest.raises(ValueError, match="state"):
        NEVER_ASKING.authorization_url(return_url="https://api.example.cn/", state=state)


# --- the way back ----------------------------------------------------------------------------------------------------


def test_a_code_becomes_the_mini_programs_user_in_one_call(wechat: Platform, login: WeChatPageLogin) -> None:
    wechat.answer(EXCHANGE, VISITOR | {"unionid": UNION})
    assert login.exchange_code("0a1b&c=d") == user(UNION)
    [asked] = wechat.asked
    assert asked.query == {
        "appid": "wxd5e2a1b7c9f04e68",
        "secret": "5ecre75ecre75ecre75ecre7",
        "code": "0a1b&c=d",
        "grant_type": "authorization_code",
    }


def test_a_follower_is_asked_for_the_union_id_that_the_silent_scope_does_not_tell(
    wechat: Platform, login: WeChatPageLogin
) -> None:
    wechat.answer(EXCHANGE, VISITOR)
    wechat.answer(INFO, {"subscribe": 1, "openid": FOLLOWER, "nickname": "", "unionid": UNION})
    assert login.exchange_code("code") == user(UNION)
    assert wechat.asked_at(INFO)[0].query == {"access_token": "T1", "openid": FOLLOWER}


@pytest.mark.parametrize(
    "told", [{"subscribe": 0, "openid": FOLLOWER}, {"errcode": 48001, "errmsg": "api unauthorized rid: 1-2"}]
)
def test_who_has_no_union_id_for_sure_is_known_by_the_openid(
    wechat: Platform, login: WeChatPageLogin, told: Any
) -> None:
    wechat.answer(EXCHANGE, VISITOR)
    wechat.answer(INFO, told)
    assert login.exchange_code("code") == user(None)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"errcode": -1, "errmsg": "system error"}, ProviderUnavailable),
        ({"errcode": 40003, "errmsg": "invalid openid"}, ProviderRefused),
        ({"errcode": 45009, "errmsg": "quota"}, ProviderRefused),
        ({"subscribe": 1}, ProviderUnavailable),
        (b"", ProviderUnavailable),
        ({"openid": "oAnother", "unionid": UNION}, ProviderUnavailable),
    ],
)
def test_nobody_is_logged_in_while_it_is_not_known_who_it_is(
    wechat: Platform, login: WeChatPageLogin, told: Any, error: type[Exception]
) -> None:
    """A login without the union id that there is would begin a second account."""
    wechat.answer(EXCHANGE, VISITOR)
    wechat.answer(INFO, told)
    with pytest.raises(error):
        login.exchange_code("code")


@pytest.mark.parametrize("mark", [1, 2])
def test_a_visitor_of_a_snapshot_page_is_nobody(wechat: Platform, login: WeChatPageLogin, mark: int) -> None:
    wechat.answer(EXCHANGE, VISITOR | {"unionid": UNION, "is_snapshotuser": mark})
    with pytest.raises(StandInUser):
        login.exchange_code("code")
    assert len(wechat.asked) == 1


def test_a_visitor_who_is_said_to_be_there_is_somebody(wechat: Platform, login: WeChatPageLogin) -> None:
    wechat.answer(EXCHANGE, VISITOR | {"unionid": UNION, "is_snapshotuser": 0})
    assert login.exchange_code("code") == user(UNION)


@pytest.mark.parametrize("errcode", [40029, 40163, 41008])
def test_a_bad_code_of_a_page_is_refused(wechat: Platform, login: WeChatPageLogin, errcode: int) -> None:
    wechat.answer(EXCHANGE, {"errcode": errcode, "errmsg": "invalid code spent-code rid: 1-2"})
    with pytest.raises(LoginRefused, match=str(errcode)) as caught:
        login.exchange_code("spent-code")
    assert "spent-code" not in str(caught.value)
    assert not isinstance(caught.value, StandInUser)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"errcode": 40013, "errmsg": "invalid appid"}, ProviderRefused),
        ({"errcode": 45011, "errmsg": "frequency"}, ProviderUnavailable),
        ({"errcode": -1, "errmsg": "busy"}, ProviderUnavailable),
        ({"access_token": "USERTOKEN"}, ProviderUnavailable),
        ({**VISITOR, "openid": ""}, ProviderUnavailable),
        ({**VISITOR, "is_snapshotuser": "1"}, ProviderUnavailable),
        ({**VISITOR, "is_snapshotuser": True}, ProviderUnavailable),
        (b"<html>", ProviderUnavailable),
    ],
)
def test_an_answer_to_a_page_that_does_not_fit_logs_nobody_in(
    wechat: Platform, login: WeChatPageLogin, content: Any, error: type[Exception]
) -> None:
    wechat.answer(EXCHANGE, content)
    with pytest.raises(error) as caught:
        login.exchange_code("code")
    assert not isinstance(caught.value, LoginRefused)


def test_no_secret_no_code_and_no_token_of_a_page_login_is_in_a_log(
    wechat: Platform, login: WeChatPageLogin, caplog: pytest.LogCaptureFixture
) -> None:
    wechat.answer(EXCHANGE, VISITOR)
    wechat.answer(INFO, {"errcode": 40003, "errmsg": f"invalid openid {FOLLOWER}"})
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderRefused) as caught:
        login.exchange_code("one-time-code")
    for secret in ("5ecre7", "one-time-code", "USERTOKEN", "REFRESHTOKEN", "T1", FOLLOWER):
        assert secret not in caplog.text + str(caught.value)
