"""The phone number by the code of its button (protocol section 1.4)."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests

PATH = "/wxa/business/getuserphonenumber"


@dataclass
class Phones:
    """A mini-program's server that asks for numbers."""

    box: Any
    app: dict[str, str]

    def token(self) -> str:
        body = {"grant_type": "client_credential", "appid": self.app["appid"], "secret": self.app["secret"]}
        return str(self.post("/cgi-bin/stable_token", body).json()["access_token"])

    def post(self, path: str, body: Any, **query: str) -> requests.Response:
        answer: requests.Response = self.box.demo.http.post(
            self.app["base_url"] + path, json=body, params=query, timeout=15
        )
        return answer

    def code(self, open_id: str = "patient-one", **rest: str) -> str:
        given = self.box.control.post("/phone-codes", **({"open_id": open_id, "phone": "13800138000"} | rest))
        assert given["expires_in"] == 300
        return str(given["code"])

    def read(self, code: Any, **bent: Any) -> Any:
        return self.post(PATH, {"code": code} | bent, access_token=self.token()).json()


@pytest.fixture
def phones(box: Any) -> Phones:
    return Phones(box, box.control.get("/credentials")["wechat_miniapp"][0])


@pytest.fixture
def other(box: Any) -> Phones:
    return Phones(box, box.control.get("/credentials")["wechat_miniapp"][1])


def test_a_code_becomes_a_number(phones: Phones) -> None:
    told = phones.read(phones.code(), openid="patient-one")
    mark = told["phone_info"].pop("watermark")
    number = {"phoneNumber": "13800138000", "purePhoneNumber": "13800138000", "countryCode": 86}
    assert told == {"errcode": 0, "errmsg": "ok", "phone_info": number}
    assert mark["appid"] == phones.app["appid"]
    assert abs(mark["timestamp"] - time.time()) < 30


def test_a_number_of_another_country_shows_it(phones: Phones) -> None:
    told = phones.read(phones.code(phone="+85251234567", country_code="852"))["phone_info"]
    assert (told["phoneNumber"], told["purePhoneNumber"]) == ("+85251234567", "51234567")
    assert told["countryCode"] == "852"


def test_without_a_phone_it_is_the_one_of_the_login(phones: Phones) -> None:
    phones.box.control.post("/login-codes", provider="wechat_miniapp", open_id="two", phone="+8613900139000")
    code = phones.box.control.post("/phone-codes", open_id="two")["code"]
    assert phones.read(code)["phone_info"]["purePhoneNumber"] == "13900139000"


def test_a_code_is_used_once_even_by_many(phones: Phones) -> None:
    code, token = phones.code(), phones.token()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: phones.post(PATH, {"code": code}, access_token=token).json(), range(8)))
    assert sorted(answer["errcode"] for answer in answers) == [0] + [40029] * 7


def test_a_code_lives_five_minutes(phones: Phones) -> None:
    codes = [phones.code(), phones.code()]
    phones.box.control.post("/clock", advance_seconds=290)
    assert phones.read(codes[0])["errcode"] == 0
    phones.box.control.post("/clock", advance_seconds=10)
    assert phones.read(codes[1])["errcode"] == 40029


def test_who_may_use_a_code(phones: Phones, other: Phones) -> None:
    code = phones.code()
    assert other.read(code)["errcode"] == 40013
    assert phones.read(code, openid="patient-two")["errcode"] == 40003
    assert phones.read(code, openid=7)["errcode"] == 47001
    assert phones.post(PATH, {"code": code}).json()["errcode"] == 41001
    assert phones.read(code, openid="patient-one")["errcode"] == 0  # nothing of that used it up


@pytest.mark.parametrize(("code", "errcode"), [("nobody-made-this", 40029), ("", 40029), (None, 47001), (7, 47001)])
def test_what_is_no_code(phones: Phones, code: Any, errcode: int) -> None:
    assert phones.read(code)["errcode"] == errcode


def test_a_login_code_is_no_phone_code(phones: Phones) -> None:
    code = phones.box.control.post("/login-codes", provider="wechat_miniapp", open_id="patient-one")["code"]
    assert phones.read(code)["errcode"] == 40029


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"open_id": "nobody"}, 404, "user_not_found"),
        ({"open_id": "patient-one"}, 409, "no_phone"),
        ({"open_id": "patient-one", "phone": "a number"}, 409, "no_phone"),
        ({"open_id": "patient-one", "app": "third"}, 404, "app_not_found"),
        ({"open_id": "patient-one", "country_code": "+86"}, 422, "wrong_format"),
        ({}, 422, "missing_field"),
    ],
)
def test_who_has_no_number_gives_none(box: Any, body: dict[str, str], status: int, code: str) -> None:
    answer = box.control.call("POST", "/phone-codes", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_quota_can_be_used_up(phones: Phones) -> None:
    phones.box.fault("phone", "error", code=45009, times=1)
    code = phones.code()
    assert phones.read(code)["errcode"] == 45009
    assert phones.read(code)["errcode"] == 0
