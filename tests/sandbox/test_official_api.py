"""The interfaces of an official account: menu, scene codes, tickets, links (protocol sections 1.6 and 3.4 to 3.7)."""

import hashlib
from typing import Any

import pytest
from account_server import Clinic
from wechatpy.crypto import WeChatWxaCrypto
from wechatpy.exceptions import WeChatClientException
from wechatpy.utils import check_wxa_signature

CLICK = {"type": "click", "name": "号源", "key": "numbers"}
VIEW = {"type": "view", "name": "挂号", "url": "https://hospital.example/h5"}
MANY = [{**CLICK, "name": f"第{at}"} for at in range(6)]


def group(*subs: Any, name: str = "更多") -> dict[str, Any]:
    return {"name": name, "sub_button": list(subs)}


def menu_of(*buttons: Any) -> dict[str, Any]:
    return {"button": list(buttons)}


@pytest.fixture
def miniapp(box: Any) -> dict[str, str]:
    found: dict[str, str] = box.control.get("/credentials")["wechat_miniapp"][0]
    return found


def test_wechatpy_publishes_reads_and_deletes_a_menu(clinic: Clinic, miniapp: dict[str, str]) -> None:
    client = clinic.client()
    page = {
        "type": "miniprogram",
        "name": "小程序",
        "url": "http://127.0.0.1:8000/",
        "appid": miniapp["appid"],
        "pagepath": "pages/index/index?from=menu",
    }
    assert client.menu.get() is None  # wechatpy's reading of 46003
    assert clinic.get("/cgi-bin/menu/get", access_token=clinic.token())["errcode"] == 46003
    assert client.menu.create(menu_of(CLICK, group(VIEW, page)))["errcode"] == 0
    assert client.menu.get()["menu"] == {
        "button": [
            {**CLICK, "sub_button": []},
            {"name": "更多", "sub_button": [{**VIEW, "sub_button": []}, {**page, "sub_button": []}]},
        ]
    }
    assert client.menu.delete()["errcode"] == 0
    assert client.menu.get() is None


@pytest.mark.parametrize(
    ("menu", "errcode"),
    [
        ([], 47001),
        ({}, 40015),
        ({"button": "x"}, 40015),
        (menu_of(), 40016),
        (menu_of(CLICK, CLICK, CLICK, CLICK), 40016),
        (menu_of("x"), 40017),
        (menu_of({"name": "x"}), 40017),
        (menu_of({**CLICK, "type": "tap"}), 40017),
        (menu_of({**CLICK, "name": ""}), 40018),
        (menu_of({**CLICK, "name": "六个汉字太长"}), 40018),
        (menu_of({**CLICK, "name": 1}), 40018),
        (menu_of({**CLICK, "key": "k" * 129}), 40019),
        (menu_of({**CLICK, "key": "键" * 43}), 40019),
        (menu_of({"type": "click", "name": "x"}), 40019),
        (menu_of({**VIEW, "url": "https://hospital.example/" + "x" * 1000}), 40020),
        (menu_of({"type": "view", "name": "x"}), 40020),
        (menu_of({**VIEW, "url": "javascript:alert(1)"}), 40055),
        (menu_of({**VIEW, "url": "//hospital.example"}), 40055),
        (menu_of({**VIEW, "url": "http://[x/"}), 40055),
        (menu_of(group(group(CLICK))), 40022),
        (menu_of(group(*MANY)), 40023),
        (menu_of(group("x")), 40024),
        (menu_of(group({**CLICK, "type": "tap"})), 40024),
        (menu_of(group({**CLICK, "name": "字" * 21})), 40025),
        (menu_of(group({**CLICK, "key": ""})), 40026),
        (menu_of(group({**VIEW, "url": 1})), 40027),
        (menu_of(group({**VIEW, "url": "ftp://hospital.example"})), 40054),
        (menu_of({"type": "miniprogram", "name": "x", "url": VIEW["url"], "appid": "wx0", "pagepath": "p"}), 45064),
        (menu_of(group(*({**VIEW, "url": f"https://h{at}.example/"} for at in range(4)))), 65316),
    ],
)
def test_a_menu_with_a_mistake_is_refused_and_the_old_one_stays(clinic: Clinic, menu: Any, errcode: int) -> None:
    assert clinic.post("/cgi-bin/menu/create", menu_of(CLICK))["errcode"] == 0
    assert clinic.post("/cgi-bin/menu/create", menu)["errcode"] == errcode
    kept = clinic.get("/cgi-bin/menu/get", access_token=clinic.token())
    assert kept["menu"]["button"][0]["key"] == "numbers"


def test_a_menu_at_its_limits_is_taken(clinic: Clinic, miniapp: dict[str, str]) -> None:
    url = "https://hospital.example/".ljust(1024, "x")
    top = {"type": "click", "name": "n" * 16, "key": "k" * 128}
    subs = [{"type": "view", "name": "字" * 20, "url": url}] * 4
    page = {"type": "miniprogram", "name": "x", "url": url, "appid": miniapp["appid"], "pagepath": "p"}
    assert clinic.post("/cgi-bin/menu/create", menu_of(top, group(*subs, page), page))["errcode"] == 0


def test_escapes_in_a_name_are_shown_as_they_were_sent(clinic: Clinic) -> None:
    raw = rb'{"button":[{"type":"click","name":"\u53f7\"","key":"k"}]}'
    assert clinic.post("/cgi-bin/menu/create", raw)["errcode"] == 0
    kept = clinic.get("/cgi-bin/menu/get", access_token=clinic.token())
    assert kept["menu"]["button"][0]["name"] == '\\u53f7"'


@pytest.mark.parametrize(("raw", "errcode"), [(b"", 44002), (b"{", 47001), (b"\xff", 47001)])
def test_a_menu_that_is_no_json(clinic: Clinic, raw: bytes, errcode: int) -> None:
    assert clinic.post("/cgi-bin/menu/create", raw)["errcode"] == errcode


def test_only_the_right_kind_of_account_has_an_interface(clinic: Clinic, miniapp: dict[str, str]) -> None:
    of_miniapp = clinic.token(miniapp)
    assert clinic.post("/cgi-bin/menu/create", menu_of(CLICK), of_miniapp)["errcode"] == 48001
    assert clinic.get("/cgi-bin/ticket/getticket", access_token=of_miniapp, type="jsapi")["errcode"] == 48001
    assert clinic.post("/wxa/generate_urllink", {"path": "pages/index"})["errcode"] == 48001
    who = {"appid": clinic.credentials["appid"], "secret": clinic.credentials["secret"]}
    code = clinic.box.control.post("/login-codes", provider="wechat_official", open_id="a")["code"]
    asked = clinic.get("/sns/jscode2session", **who, js_code=code, grant_type="authorization_code")
    assert asked["errcode"] == 40013
    assert clinic.post("/cgi-bin/menu/create", menu_of(CLICK), "x")["errcode"] == 40001
    assert clinic.post("/cgi-bin/menu/create", menu_of(CLICK), "")["errcode"] == 41001


def test_methods_are_the_platforms(clinic: Clinic) -> None:
    token = clinic.token()
    for path in ("/cgi-bin/menu/create", "/cgi-bin/qrcode/create"):
        assert clinic.get(path, access_token=token)["errcode"] == 43002
    for path in ("/cgi-bin/menu/get", "/cgi-bin/menu/delete", "/cgi-bin/ticket/getticket"):
        assert clinic.post(path, {})["errcode"] == 43001


def test_a_follower_is_known_by_unionid_and_somebody_else_by_openid_alone(clinic: Clinic) -> None:
    def told(**asked: str) -> dict[str, Any]:
        return clinic.get("/cgi-bin/user/info", access_token=clinic.token(), **asked)

    clinic.save()
    clinic.box.control.post("/login-codes", provider="wechat_official", open_id="a", union_id="u")
    assert told(openid="a") == {"subscribe": 0, "openid": "a"}
    clinic.plays("a", event="subscribe")
    assert (told(openid="a")["subscribe"], told(openid="a")["unionid"]) == (1, "u")
    clinic.plays("b", event="subscribe")
    assert "unionid" not in told(openid="b", lang="zh_CN")
    clinic.plays("a", event="unsubscribe")
    assert told(openid="a") == {"subscribe": 0, "openid": "a"}
    assert told(openid="nobody")["errcode"] == 40003
    assert told()["errcode"] == 41009
    assert clinic.get("/cgi-bin/user/info", access_token="x", openid="a")["errcode"] == 40001


def test_wechatpy_makes_scene_codes(clinic: Clinic) -> None:
    made = clinic.client().qrcode.create(
        {"expire_seconds": 600, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "doctor:1"}}}
    )
    assert (made["expire_seconds"], made["url"].startswith(clinic.box.running.base_url + "/pages/scan/")) == (600, True)
    lasting = clinic.post(
        "/cgi-bin/qrcode/create", {"action_name": "QR_LIMIT_SCENE", "action_info": {"scene": {"scene_id": 7}}}
    )
    assert "expire_seconds" not in lasting
    with pytest.raises(WeChatClientException):
        clinic.client().qrcode.create({"action_name": "x"})


@pytest.mark.parametrize(
    ("bent", "errcode"),
    [
        ({"action_name": "QR"}, 40052),
        ({"action_name": ["QR_SCENE"]}, 40052),
        ({"action_info": None}, 40053),
        ({"action_info": {"scene": {"scene_id": 1}}}, 40053),
        ({"action_info": {"scene": {"scene_str": ""}}}, 40053),
        ({"action_info": {"scene": {"scene_str": "s" * 65}}}, 40053),
        ({"expire_seconds": 2592001}, 40097),
        ({"expire_seconds": "60"}, 40097),
        ({"expire_seconds": True}, 40097),
    ],
)
def test_scene_code_errors(clinic: Clinic, bent: dict[str, Any], errcode: int) -> None:
    body = {"expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "s"}}}
    assert clinic.post("/cgi-bin/qrcode/create", body | bent)["errcode"] == errcode


def test_a_ticket_is_everyones_until_it_ends(clinic: Clinic) -> None:
    first = clinic.client().jsapi.get_ticket()
    assert first["expires_in"] == 7200
    clinic.box.control.post("/clock", advance_seconds=7000)
    again = clinic.get("/cgi-bin/ticket/getticket", access_token=clinic.token(), type="jsapi")
    assert (again["ticket"], 190 <= again["expires_in"] <= 200) == (first["ticket"], True)
    clinic.box.control.post("/clock", advance_seconds=200)
    assert (
        clinic.get("/cgi-bin/ticket/getticket", access_token=clinic.token(), type="jsapi")["ticket"] != first["ticket"]
    )
    assert clinic.get("/cgi-bin/ticket/getticket", access_token=clinic.token(), type="x")["errcode"] == 40097


def test_a_page_is_signed_with_the_ticket(clinic: Clinic) -> None:
    url = "https://hospital.example/h5/?a=1#/doctors"
    ticket = clinic.client().jsapi.get_ticket()["ticket"]
    text = f"jsapi_ticket={ticket}&noncestr=n&timestamp=1&url={url.partition('#')[0]}"
    genuine = {"url": url, "timestamp": 1, "nonceStr": "n", "signature": hashlib.sha1(text.encode()).hexdigest()}

    def decided(**bent: Any) -> bool:
        return bool(clinic.box.control.post("/official/clinic/page-signatures", **(genuine | bent))["ok"])

    assert decided()
    assert decided(url=url.partition("#")[0] + "#other")
    assert not decided(url=url.replace("a=1", "a=2"))
    assert not decided(timestamp=2)
    assert not decided(nonceStr="m")
    clinic.box.control.post("/clock", advance_seconds=7201)
    assert not decided()


@pytest.mark.parametrize(
    ("bent", "errcode"),
    [
        ({}, 0),
        ({"path": ""}, 0),
        ({"path": "/pages/index"}, 0),
        ({"path": "pages/index?a=1"}, 40165),
        ({"path": 1}, 40165),
        ({"query": "q" * 1025}, 40212),
        ({"query": "名字"}, 40212),
        ({"env_version": "beta"}, 40097),
        ({"expire_type": 2}, 40097),
        ({"expire_type": 1, "expire_interval": 31}, 85401),
        ({"expire_type": 1, "expire_interval": 0}, 85401),
        ({"expire_type": 1}, 85401),
        ({"expire_type": 0, "expire_time": 1}, 85401),
        ({"expire_type": 0, "expire_time": 9999999999}, 85401),
        ({"expire_type": 1, "expire_interval": 30}, 0),
    ],
)
def test_links_into_the_miniapp(clinic: Clinic, miniapp: dict[str, str], bent: dict[str, Any], errcode: int) -> None:
    body = {"path": "pages/doctor/index", "query": "id=1&from=menu"} | bent
    answer = clinic.post("/wxa/generate_urllink", body, clinic.token(miniapp))
    assert answer["errcode"] == errcode
    assert ("url_link" in answer) is (errcode == 0)


@pytest.mark.parametrize(
    ("target", "path", "body"),
    [
        ("menu", "/cgi-bin/menu/create", menu_of(CLICK)),
        (
            "qrcode",
            "/cgi-bin/qrcode/create",
            {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "s"}}},
        ),
    ],
)
def test_faults_can_be_scripted(clinic: Clinic, target: str, path: str, body: Any) -> None:
    token = clinic.token()
    clinic.box.fault(target, "error", times=1, match={"app": "clinic"})
    clinic.box.fault(target, "rate_limited", times=1)
    assert [clinic.post(path, body, token).get("errcode") for _ in range(2)] == [-1, 45011]
    assert clinic.post(path, body, token).get("errcode") in (None, 0)


def test_user_data_opens_with_the_sessions_key(clinic: Clinic, miniapp: dict[str, str]) -> None:
    code = clinic.box.control.post("/login-codes", provider="wechat_miniapp", open_id="a", union_id="u")["code"]
    who = {"appid": miniapp["appid"], "secret": miniapp["secret"]}
    key = clinic.get("/sns/jscode2session", **who, js_code=code, grant_type="authorization_code")["session_key"]
    shown = clinic.box.control.post("/user-data", open_id="a", data={"nickName": "张三"})
    check_wxa_signature(key, shown["rawData"], shown["signature"])
    opened = WeChatWxaCrypto(key, shown["iv"], miniapp["appid"]).decrypt_message(shown["encryptedData"])
    assert (opened["openId"], opened["unionId"], opened["nickName"]) == ("a", "u", "张三")
    assert clinic.box.control.call("POST", "/user-data", {"open_id": "nobody", "data": {}}).status_code == 409
