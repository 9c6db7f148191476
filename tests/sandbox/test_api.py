"""api.weixin.qq.com: login, tokens, face (protocol sections 0, 1.1, 2.1, 8.8, 8.9)."""

import hashlib
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests

PERSON = {"cert_type": "IDENTITY_CARD", "cert_name": "张三", "cert_no": "310101199801011234"}


@dataclass
class Api:
    """A mini-program's server."""

    box: Any
    app: dict[str, str]

    def get(self, path: str, **query: str) -> Any:
        return self.box.demo.http.get(self.app["base_url"] + path, params=query, timeout=15)

    def post(self, path: str, body: Any, **query: str) -> Any:
        return self.box.demo.http.post(self.app["base_url"] + path, json=body, params=query, timeout=15)

    def code(self, open_id: str = "patient-one", **rest: str) -> str:
        given = self.box.control.post("/login-codes", provider="wechat_miniapp", open_id=open_id, **rest)
        return str(given["code"])

    def login(self, code: str, **bent: str) -> Any:
        query = {"appid": self.app["appid"], "secret": self.app["secret"], "grant_type": "authorization_code"}
        return self.get("/sns/jscode2session", **(query | {"js_code": code} | bent)).json()

    def token_call(self, **bent: Any) -> Any:
        body = {"grant_type": "client_credential", "appid": self.app["appid"], "secret": self.app["secret"]}
        return self.post("/cgi-bin/stable_token", body | bent).json()

    def token(self) -> str:
        return str(self.token_call()["access_token"])

    def start(self, token: str | None = None, **bent: Any) -> Any:
        body = {"out_seq_no": "seq-00001", "cert_info": PERSON, "openid": "patient-one"} | bent
        return self.post("/cityservice/face/identify/getverifyid", body, access_token=token or self.token()).json()

    def result(self, verify_id: str, **bent: Any) -> Any:
        body = {"verify_id": verify_id, "out_seq_no": "seq-00001", "openid": "patient-one", "cert_hash": digest(PERSON)}
        return self.post("/cityservice/face/identify/queryverifyinfo", body | bent, access_token=self.token()).json()


def digest(person: dict[str, str]) -> str:
    text = "&".join(f"{name}={b64encode(value.encode()).decode()}" for name, value in person.items())
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def api(box: Any) -> Api:
    return Api(box, box.control.get("/credentials")["wechat_miniapp"][0])


@pytest.fixture
def other(box: Any) -> Api:
    return Api(box, box.control.get("/credentials")["wechat_miniapp"][1])


def test_a_code_becomes_a_session(api: Api) -> None:
    session = api.login(api.code("somebody", union_id="union-1", phone="13800138000"))
    assert (session["openid"], session["unionid"]) == ("somebody", "union-1")
    assert len(b64decode(session["session_key"])) == 16
    assert "errcode" not in session
    assert "unionid" not in api.login(api.code("nobody-bound"))


def test_a_code_is_used_once_even_by_many(api: Api) -> None:
    code = api.code()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.login(code).get("errcode"), range(8)))
    assert sorted(answers, key=str) == [40163] * 7 + [None]


def test_a_code_lives_five_minutes(api: Api) -> None:
    code, second = api.code(), api.code()
    api.box.control.post("/clock", advance_seconds=270)
    assert "openid" in api.login(code)
    api.box.control.post("/clock", advance_seconds=31)
    assert api.login(second)["errcode"] == 40029


@pytest.mark.parametrize(
    ("bent", "errcode"),
    [
        ({"appid": "wx0"}, 40013),
        ({"appid": ""}, 41002),
        ({"secret": "0"}, 40125),
        ({"secret": ""}, 41004),
        ({"js_code": "0"}, 40029),
        ({"js_code": ""}, 41008),
        ({"grant_type": "x"}, 40002),
    ],
)
def test_login_errors(api: Api, bent: dict[str, str], errcode: int) -> None:
    code = api.code()
    answer = api.login(code, **bent)
    assert answer["errcode"] == errcode
    assert ", rid: " in answer["errmsg"]
    assert "openid" in api.login(code)


def test_a_code_belongs_to_one_app(api: Api, other: Api) -> None:
    code = api.code(app="other")
    assert api.login(code)["errcode"] == 40029
    assert other.login(code)["openid"] == "patient-one"


def test_errors_are_http_200_and_content_types_differ(api: Api) -> None:
    login = api.get(
        "/sns/jscode2session",
        appid=api.app["appid"],
        secret=api.app["secret"],
        js_code=api.code(),
        grant_type="authorization_code",
    )
    assert login.headers["Content-Type"] == "text/plain"
    error = api.get("/sns/jscode2session", appid="wx0", secret="x")
    assert (error.status_code, error.headers["Content-Type"]) == (200, "application/json; encoding=utf-8")
    assert api.get("/cgi-bin/stable_token").json()["errcode"] == 43002
    assert (
        api.post("/sns/jscode2session", {}, appid=api.app["appid"], secret=api.app["secret"]).json()["errcode"] == 43001
    )


def test_one_stable_token_for_many(api: Api) -> None:
    with ThreadPoolExecutor(16) as pool:
        tokens = list(pool.map(lambda _: api.token(), range(40)))
    assert len(set(tokens)) == 1
    counts = api.box.control.items("/tokens")
    assert counts == [{"app": "patient", "appid": api.app["appid"], "family": "stable", "fetches": 40, "issued": 1}]


def test_a_stable_token_is_renewed_five_minutes_before_its_end(api: Api) -> None:
    first = api.token_call()
    assert first["expires_in"] == 7200
    api.box.control.post("/clock", advance_seconds=6800)
    again = api.token_call()
    assert again["access_token"] == first["access_token"]
    assert 300 <= again["expires_in"] <= 400
    api.box.control.post("/clock", advance_seconds=110)
    renewed = api.token_call()["access_token"]
    assert renewed != first["access_token"]
    assert [
        api.start(token, out_seq_no=f"seq-{token[:6]}").get("errcode") for token in (first["access_token"], renewed)
    ] == [0, 0]
    api.box.control.post("/clock", advance_seconds=300)
    assert api.start(first["access_token"], out_seq_no="seq-2")["errcode"] == 42001


def test_a_forced_token_kills_the_one_before(api: Api) -> None:
    old = api.token()
    new = api.token_call(force_refresh=True)["access_token"]
    assert api.start(old)["errcode"] == 40001
    assert api.start(new)["errcode"] == 0
    assert api.token() == new
    assert api.token_call(force_refresh=True)["errcode"] == 45011


def test_plain_tokens_are_new_each_time_and_overlap(api: Api) -> None:
    query = {"grant_type": "client_credential", "appid": api.app["appid"], "secret": api.app["secret"]}
    stable = api.token()
    first, second = (api.get("/cgi-bin/token", **query).json()["access_token"] for _ in range(2))
    assert first != second
    assert [
        api.start(token, out_seq_no=f"seq-{at}")["errcode"] for at, token in enumerate((first, second, stable))
    ] == [0, 0, 0]
    api.box.control.post("/clock", advance_seconds=301)
    assert api.start(first, out_seq_no="seq-10")["errcode"] == 40001
    assert api.start(second, out_seq_no="seq-11")["errcode"] == 0


@pytest.mark.parametrize(
    ("bent", "errcode"),
    [
        ({"grant_type": "x"}, 40002),
        ({"appid": "wx0"}, 40013),
        ({"appid": None}, 41002),
        ({"secret": "0"}, 40125),
        ({"secret": None}, 41004),
        ({"force_refresh": "yes"}, 47001),
    ],
)
def test_token_errors(api: Api, bent: dict[str, Any], errcode: int) -> None:
    assert api.token_call(**bent)["errcode"] == errcode


def test_a_token_body_is_json(api: Api) -> None:
    fields = {"grant_type": "client_credential", "appid": api.app["appid"], "secret": api.app["secret"]}
    url = api.app["base_url"] + "/cgi-bin/stable_token"

    def asked(**how: Any) -> Any:
        return requests.post(url, timeout=15, **how).json()["errcode"]

    assert asked(data=fields) == 41002
    assert asked(params=fields) == 44002
    assert asked(data=b"{") == 47001
    assert asked(data=b'{"appid":"\\ud83d"}') == 47001


def test_a_face_is_passed_by_the_platform_alone(api: Api) -> None:
    started = api.start()
    assert (started["errcode"], started["expires_in"]) == (0, 3600)
    verify_id = started["verify_id"]
    assert api.result(verify_id) == {"errcode": 0, "errmsg": "ok", "verify_ret": 0}
    api.box.control.post(f"/identity/{verify_id}/pass")
    assert api.result(verify_id)["verify_ret"] == 10000
    assert api.box.control.call("POST", f"/identity/{verify_id}/fail").status_code == 409


@pytest.mark.parametrize(("body", "verify_ret"), [({}, 10004), ({"verify_ret": 90002}, 90002)])
def test_a_face_may_fail(api: Api, body: dict[str, int], verify_ret: int) -> None:
    verify_id = api.start()["verify_id"]
    api.box.control.post(f"/identity/{verify_id}/fail", **body)
    assert api.result(verify_id)["verify_ret"] == verify_ret


@pytest.mark.parametrize(
    ("bent", "errcode"),
    [
        ({"out_seq_no": "1234"}, 40097),
        ({"out_seq_no": "s" * 33}, 40097),
        ({"out_seq_no": "号码号码号码"}, 40097),
        ({"openid": "nobody"}, 40003),
        ({"cert_info": {**PERSON, "cert_name": ""}}, 84006),
        ({"cert_info": {**PERSON, "cert_type": "PASSPORT"}}, 40097),
        ({"cert_info": {**PERSON, "cert_no": "1"}}, 40097),
        ({"cert_info": {**PERSON, "cert_no": "31010119980101123x"}}, 40097),
        ({"cert_info": None}, 40097),
    ],
)
def test_face_start_errors(api: Api, bent: dict[str, Any], errcode: int) -> None:
    assert api.start(**bent)["errcode"] == errcode


def test_an_out_seq_no_is_used_once_for_each_app(api: Api, other: Api) -> None:
    assert api.start()["errcode"] == 0
    assert api.start()["errcode"] == 84011
    other.code()
    other.box.control.post("/login-codes", provider="wechat_miniapp", open_id="patient-one", app="other")
    assert other.start()["errcode"] == 0


@pytest.mark.parametrize(
    ("bent", "errcode"),
    [
        ({"verify_id": "x"}, 84001),
        ({"out_seq_no": "seq-00002"}, 84012),
        ({"cert_hash": "0" * 64}, 84013),
        ({"cert_hash": digest({**PERSON, "cert_name": "张四"})}, 84013),
        ({"openid": "patient-two"}, 84014),
        ({"openid": ""}, 40097),
    ],
)
def test_a_result_is_given_to_the_right_question_only(api: Api, bent: dict[str, Any], errcode: int) -> None:
    verify_id = api.start()["verify_id"]
    api.box.control.post(f"/identity/{verify_id}/pass")
    assert api.result(**({"verify_id": verify_id} | bent))["errcode"] == errcode


def test_a_verify_id_lives_an_hour(api: Api) -> None:
    verify_id = api.start()["verify_id"]
    api.box.control.post("/clock", advance_seconds=3601)
    assert api.box.control.call("POST", f"/identity/{verify_id}/pass").status_code == 409
    assert api.result(verify_id)["errcode"] == 84001


@pytest.mark.parametrize(("token", "errcode"), [("", 41001), ("x", 40001)])
def test_face_needs_an_access_token(api: Api, token: str, errcode: int) -> None:
    body = {"out_seq_no": "seq-00001", "cert_info": PERSON, "openid": "patient-one"}
    path = "/cityservice/face/identify/getverifyid"
    assert api.post(path, body, access_token=token).json()["errcode"] == errcode


def test_another_apps_check_is_unknown(api: Api, other: Api) -> None:
    verify_id = api.start()["verify_id"]
    assert other.result(verify_id)["errcode"] == 84001
