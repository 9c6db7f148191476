from __future__ import annotations

import traceback
from dataclasses import replace
from typing import Any

import pytest
import responses

from core.ports import IdKind, LoginRefused, PlatformUser, ProviderRefused, ProviderUnavailable
from integrations.alipay import AlipayAccount, AlipayMiniappLogin

TOKEN = "alipay.system.oauth.token"
TOLD = {
    "access_token": "authbseBSECRETTOKEN",
    "alipay_user_id": "20881007434917916336963360919773",
    "auth_start": "2026-11-20 10:30:00",
    "expires_in": 1296000,
    "re_expires_in": 2592000,
    "refresh_token": "authbseBSECRETREFRESH",
    "open_id": "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
    "union_id": "u-1",
}


@pytest.fixture
def login(account: AlipayAccount) -> AlipayMiniappLogin:
    return AlipayMiniappLogin(account)


def test_a_code_becomes_the_open_id_of_this_app(
    login: AlipayMiniappLogin, wire: responses.RequestsMock, alipay: Any
) -> None:
    """The success of this one method carries no code."""
    alipay.answer(wire, TOKEN, TOLD)
    user = login.exchange_code("c0de+/=&1")
    assert user == PlatformUser("alipay_miniapp", "patient", open_id=TOLD["open_id"], union_id="u-1")


def test_the_code_stands_in_the_body_and_no_empty_field_is_sent(
    login: AlipayMiniappLogin, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.answer(wire, TOKEN, TOLD)
    login.exchange_code("c0de+/=&1")
    request = wire.calls[0].request
    assert request.body == b"code=c0de%2B%2F%3D%261&grant_type=authorization_code"
    assert "biz_content" not in str(request.url)
    assert "c0de" not in str(request.url)


def test_a_new_dress_of_success_is_success_too(
    login: AlipayMiniappLogin, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.success(wire, TOKEN, **TOLD)
    assert login.exchange_code("c0de").open_id == TOLD["open_id"]


@pytest.mark.parametrize("user_id", ["2088102146225135", "20881021462251351234567890123456", "u:1"])
def test_the_older_mode_gives_the_user_id_whatever_its_length(
    account: AlipayAccount, wire: responses.RequestsMock, alipay: Any, user_id: str
) -> None:
    login = AlipayMiniappLogin(replace(account, id_mode=IdKind.USER_ID))
    alipay.answer(wire, TOKEN, {"access_token": "a", "user_id": user_id})
    assert login.exchange_code("c0de") == PlatformUser("alipay_miniapp", "patient", user_id=user_id)


@pytest.mark.parametrize("mode", list({IdKind.OPEN_ID, IdKind.USER_ID}))
@pytest.mark.parametrize("missing", [None, "", 12])
def test_a_user_without_the_id_of_the_mode_is_nobody(
    account: AlipayAccount, wire: responses.RequestsMock, alipay: Any, mode: IdKind, missing: Any
) -> None:
    both = {"access_token": "a", "user_id": "2088", "open_id": "o"}
    alipay.answer(wire, TOKEN, both | {str(mode): missing})
    with pytest.raises(ProviderUnavailable, match=str(mode)):
        AlipayMiniappLogin(replace(account, id_mode=mode)).exchange_code("c0de")


def test_an_answer_without_a_token_is_no_login(
    login: AlipayMiniappLogin, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.answer(wire, TOKEN, {"open_id": "o"})
    with pytest.raises(ProviderUnavailable):
        login.exchange_code("c0de")


@pytest.mark.parametrize("sign", ["", None])
@pytest.mark.parametrize("node", ["error_response", "alipay_system_oauth_token_response"])
def test_a_used_code_is_refused_under_either_name_signed_or_not(
    login: AlipayMiniappLogin, wire: responses.RequestsMock, alipay: Any, node: str, sign: str | None
) -> None:
    alipay.failure(wire, TOKEN, "isv.code-invalid", "40002", node=node, sign=sign)
    with pytest.raises(LoginRefused) as caught:
        login.exchange_code("c0de")
    assert caught.value.code == "isv.code-invalid"
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("code", ["", " "])
def test_an_empty_code_is_refused_and_not_sent(login: AlipayMiniappLogin, code: str) -> None:
    with pytest.raises(LoginRefused):
        login.exchange_code(code)


def test_limited_calls_are_told_as_unavailable(
    login: AlipayMiniappLogin, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.failure(wire, TOKEN, "isv.app-call-limited", "40005", node="error_response")
    with pytest.raises(ProviderUnavailable) as caught:
        login.exchange_code("c0de")
    assert not caught.value.sent


@pytest.mark.parametrize(
    ("code", "sub_code", "retryable"),
    [
        ("40002", "isv.invalid-app-id", True),
        ("40002", "isv.invalid-signature", True),
        ("40002", "isv.unmatched-app-id", True),
        ("40002", "isv.grant-type-invalid", False),
        ("40002", "isv.something-new", False),
    ],
)
def test_a_fault_of_the_configuration_is_not_the_patients(
    *,
    login: AlipayMiniappLogin,
    wire: responses.RequestsMock,
    alipay: Any,
    code: str,
    sub_code: str,
    retryable: bool,
) -> None:
    alipay.failure(wire, TOKEN, sub_code, code, node="error_response")
    with pytest.raises(ProviderRefused) as caught:
        login.exchange_code("c0de")
    assert not isinstance(caught.value, LoginRefused)
    assert (caught.value.code, caught.value.retryable) == (sub_code, retryable)


def test_a_success_in_the_place_of_failures_is_none(
    login: AlipayMiniappLogin, wire: responses.RequestsMock, alipay: Any
) -> None:
    alipay.answer(wire, TOKEN, TOLD, node="error_response")
    with pytest.raises(ProviderUnavailable):
        login.exchange_code("c0de")


def test_an_unsigned_success_is_none(login: AlipayMiniappLogin, wire: responses.RequestsMock, alipay: Any) -> None:
    alipay.answer(wire, TOKEN, TOLD, sign=None)
    with pytest.raises(ProviderUnavailable):
        login.exchange_code("c0de")
