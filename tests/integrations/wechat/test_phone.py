from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from responses.matchers import query_param_matcher

from core.ports import PhoneRefused, ProviderRefused, ProviderUnavailable
from integrations.wechat import MiniappAccount, WeChatPhoneProver

HOST = "https://api.weixin.qq.com"
URL = HOST + "/wxa/business/getuserphonenumber"
NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
CODE, USER = {"code": "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144"}, "oABC"


@pytest.fixture
def prover(miniapp: MiniappAccount, tokens: Any) -> WeChatPhoneProver:
    return WeChatPhoneProver(miniapp, tokens, clock=lambda: NOW)


@pytest.fixture
def phone_wire(wire: responses.RequestsMock) -> responses.RequestsMock:
    wire.add("POST", HOST + "/cgi-bin/stable_token", json={"access_token": "T", "expires_in": 7200})
    return wire


def answer(miniapp: MiniappAccount, *, age: int = 0, **changes: Any) -> dict[str, Any]:
    mark = {"timestamp": int(NOW.timestamp()) - age, "appid": miniapp.appid}
    info = {"phoneNumber": "13580006666", "purePhoneNumber": "13580006666", "countryCode": "86", "watermark": mark}
    return {"errcode": 0, "errmsg": "ok", "phone_info": info | changes}


def test_a_code_becomes_a_number_of_who_is_logged_in(
    prover: WeChatPhoneProver, miniapp: MiniappAccount, phone_wire: responses.RequestsMock
) -> None:
    called = phone_wire.add("POST", URL, json=answer(miniapp), match=[query_param_matcher({"access_token": "T"})])
    assert (prover.provider, prover.app, prover.takes) == ("wechat_miniapp", "yuezhen", frozenset({"code"}))
    assert prover.read_phone(CODE, user=USER) == "+8613580006666"
    assert json.loads(called.calls[0].request.body or b"") == {"code": CODE["code"], "openid": USER}


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ({"countryCode": 86}, "+8613580006666"),
        ({"countryCode": "852", "purePhoneNumber": "51234567"}, "+85251234567"),
        ({"phoneNumber": "+86 135", "countryCode": 86}, "+8613580006666"),
        ({"phoneNumber": None}, "+8613580006666"),
    ],
)
def test_the_country_is_a_text_or_a_number(
    *,
    prover: WeChatPhoneProver,
    miniapp: MiniappAccount,
    phone_wire: responses.RequestsMock,
    told: dict[str, Any],
    number: str,
) -> None:
    phone_wire.add("POST", URL, json=answer(miniapp, **told))
    assert prover.read_phone(CODE, user=USER) == number


@pytest.mark.parametrize(
    "told",
    [
        {"countryCode": None},
        {"countryCode": True},
        {"countryCode": 86.0},
        {"countryCode": -86},
        {"countryCode": "+86"},
        {"countryCode": "0086"},
        {"countryCode": "８６"},
        {"purePhoneNumber": None},
        {"purePhoneNumber": 13580006666},
        {"purePhoneNumber": "135 8000 6666"},
        {"purePhoneNumber": "13580006666\n"},
        {"purePhoneNumber": "1" * 15},
        {"watermark": None},
        {"watermark": {"appid": "wx2421b1c4370ec43b"}},
        {"watermark": {"appid": "wx2421b1c4370ec43b", "timestamp": "1795141800"}},
    ],
)
def test_an_answer_that_does_not_fit_is_no_number(
    prover: WeChatPhoneProver, miniapp: MiniappAccount, phone_wire: responses.RequestsMock, told: dict[str, Any]
) -> None:
    phone_wire.add("POST", URL, json=answer(miniapp, **told))
    with pytest.raises(ProviderUnavailable, match="does not fit: phone_info") as caught:
        prover.read_phone(CODE, user=USER)
    assert "13580006666" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("age", "reason"), [(600, None), (601, "stale"), (-600, None), (-601, "stale")])
def test_a_number_is_taken_within_ten_minutes(
    *,
    prover: WeChatPhoneProver,
    miniapp: MiniappAccount,
    phone_wire: responses.RequestsMock,
    age: int,
    reason: str | None,
) -> None:
    phone_wire.add("POST", URL, json=answer(miniapp, age=age))
    if reason is None:
        assert prover.read_phone(CODE, user=USER)
        return
    with pytest.raises(PhoneRefused, match=reason):
        prover.read_phone(CODE, user=USER)


def test_a_number_told_to_another_app_is_refused(
    prover: WeChatPhoneProver, miniapp: MiniappAccount, phone_wire: responses.RequestsMock
) -> None:
    mark = {"timestamp": int(NOW.timestamp()), "appid": "wx0000000000000000"}
    phone_wire.add("POST", URL, json=answer(miniapp, watermark=mark))
    with pytest.raises(PhoneRefused, match="foreign_app"):
        prover.read_phone(CODE, user=USER)


@pytest.mark.parametrize("errcode", [40029, 40163, 40013, 40003])
def test_a_bad_code_is_refused(prover: WeChatPhoneProver, phone_wire: responses.RequestsMock, errcode: int) -> None:
    phone_wire.add("POST", URL, json={"errcode": errcode, "errmsg": "invalid code rid: 65a1-2b3c"})
    with pytest.raises(PhoneRefused) as caught:
        prover.read_phone(CODE, user=USER)
    assert (caught.value.code, caught.value.retryable) == (str(errcode), False)
    assert CODE["code"] not in str(caught.value)


@pytest.mark.parametrize(("errcode", "sent"), [(-1, True), (45011, False), (45009, False)])
def test_a_busy_or_used_up_interface_is_unavailable(
    prover: WeChatPhoneProver, phone_wire: responses.RequestsMock, errcode: int, sent: bool
) -> None:
    phone_wire.add("POST", URL, json={"errcode": errcode, "errmsg": "busy rid: 65a1-2b3c"})
    with pytest.raises(ProviderUnavailable, match="rid 65a1-2b3c") as caught:
        prover.read_phone(CODE, user=USER)
    assert caught.value.sent is sent


@pytest.mark.parametrize("errcode", [48001, 50002, 47001, 99999])
def test_a_configuration_error_is_not_the_patients_fault(
    prover: WeChatPhoneProver, phone_wire: responses.RequestsMock, errcode: int
) -> None:
    phone_wire.add("POST", URL, json={"errcode": errcode, "errmsg": "no"})
    with pytest.raises(ProviderRefused, match=str(errcode)) as caught:
        prover.read_phone(CODE, user=USER)
    assert not isinstance(caught.value, PhoneRefused)


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("proof", [{}, {"code": ""}, {"code": "a b"}, {"code": "码"}, {"code": "x" * 257}])
def test_what_cannot_be_a_code_is_never_sent(prover: WeChatPhoneProver, proof: dict[str, str]) -> None:
    with pytest.raises(PhoneRefused, match="invalid_code"):
        prover.read_phone(proof, user=USER)
