"""The control surface: shapes, access, small print."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from sandbox.app import Running
from sandbox.testing import Control, running_sandbox

KEYS_OF = {
    "demo": {"public_key_id", "public_key"},
    "gulou": {"public_key_id", "public_key", "platform_certificates"},
    "xiehe": {"platform_certificates"},
}
TOKEN = "a-token-of-some-length"


def test_credentials_have_the_documented_shape(box: Any) -> None:
    credentials = box.control.get("/credentials")
    assert credentials.keys() == {
        "wechat_miniapp",
        "wechat_official",
        "wechat_pay",
        "alipay",
        "sms",
        "realname",
        "hospital_systems",
    }
    assert [app["app"] for app in credentials["wechat_miniapp"]] == ["patient", "other"]
    direct, (fuyou, kouqiang) = credentials["wechat_pay"][:3], credentials["wechat_pay"][3:]
    assert [merchant["merchant"] for merchant in direct] == ["demo", "gulou", "xiehe"]
    for app in credentials["wechat_miniapp"]:
        assert app.keys() == {"app", "appid", "secret", "base_url"}
        assert app["base_url"] == box.running.base_url + "/wechat"
    (clinic,) = credentials["wechat_official"]
    names = {"app", "appid", "secret", "token", "encoding_aes_key", "base_url", "open_url", "miniapp"}
    assert (clinic.keys(), clinic["app"], clinic["miniapp"]) == (names, "clinic", "patient")
    assert clinic["base_url"] == box.running.base_url + "/wechat"
    assert clinic["open_url"] == box.running.base_url + "/wechat-open"
    assert (len(clinic["encoding_aes_key"]), clinic["encoding_aes_key"].isalnum()) == (43, True)
    for merchant in direct:
        always = {"merchant", "mchid", "appid", "serial_no", "private_key", "apiv3_key", "base_url", "bound_appids"}
        always |= {"h5"} if merchant["merchant"] == "demo" else set()
        assert merchant["bound_appids"] == [clinic["appid"]]
        assert merchant.keys() == always | KEYS_OF[merchant["merchant"]]
        assert merchant["appid"] == credentials["wechat_miniapp"][0]["appid"]
        assert merchant["serial_no"] == merchant["serial_no"].upper()
        assert int(merchant["serial_no"], 16).bit_length() > 150
        assert (len(merchant["apiv3_key"]), merchant["apiv3_key"].isascii()) == (32, True)
        load_pem_private_key(merchant["private_key"].encode(), None)
        if "public_key" in merchant:
            assert merchant["public_key_id"].removeprefix("PUB_KEY_ID_").isdigit()
            load_pem_public_key(merchant["public_key"].encode())
        for pem in merchant.get("platform_certificates", []):
            assert len(f"{load_pem_x509_certificate(pem.encode()).serial_number:X}") == 40
    for name in ("mchid", "serial_no", "apiv3_key", "private_key"):
        assert len({merchant[name] for merchant in direct}) == 3
        assert fuyou[name] == kouqiang[name] not in {merchant[name] for merchant in direct}
    assert [one["merchant"] for one in (fuyou, kouqiang)] == ["fuyou", "kouqiang"]
    assert len({one["sub_mchid"] for one in (fuyou, kouqiang)} | {fuyou["mchid"]}) == 3
    patient = credentials["wechat_miniapp"][0]["appid"]
    assert (fuyou["sub_appids"], fuyou["bound_appids"]) == ([patient, clinic["appid"]], [])
    assert (kouqiang["appid"], kouqiang["bound_appids"], kouqiang["sub_appids"]) == (patient, [clinic["appid"]], [])
    assert fuyou["appid"] not in {one["appid"] for one in credentials["wechat_miniapp"]}


def test_endpoints_that_are_not_there_are_404(box: Any) -> None:
    for path in ("/bills/2026-01-01", "/nothing"):
        assert box.control.call("POST", path).status_code == 404
    assert box.control.items("/messages") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/wechat-pay/v3/certificates", 401),
        ("/wechat/cgi-bin/nothing", 404),
        ("/healthz", 200),
        ("/wechat-pay/v3/pay/transactions/jsapi", 405),
        ("/alipay/gateway", 404),
    ],
)
def test_other_paths(box: Any, path: str, status: int) -> None:
    answer = box.demo.http.get(box.running.base_url + path, timeout=15)
    assert answer.status_code == status
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize(
    "body",
    [
        {"provider": "alipay_miniapp", "open_id": "a", "user_id": "2088"},
        {"provider": "wechat_miniapp", "open_id": "a", "user_id": "2088000000000001"},
        {"provider": "nobody", "open_id": "a"},
        {"provider": "wechat_miniapp"},
        {"open_id": "a"},
        {"provider": "wechat_miniapp", "open_id": 1},
        {"provider": "wechat_miniapp", "open_id": ""},
        {"provider": "wechat_miniapp", "open_id": "a", "surprise": 1},
    ],
)
def test_a_login_code_request_with_a_mistake_is_refused(box: Any, body: dict[str, Any]) -> None:
    assert box.control.call("POST", "/login-codes", body).status_code == 422


def test_a_login_code_for_an_unknown_app(box: Any) -> None:
    body = {"provider": "wechat_miniapp", "open_id": "a", "app": "nobody"}
    assert box.control.call("POST", "/login-codes", body).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/identity/x/pass", {}, 404),
        ("/identity/x/fail", {"verify_ret": 10000}, 422),
        ("/refunds/x/settle", {}, 404),
        ("/refunds/x/settle", {"status": "DONE"}, 422),
        ("/payments/x/fail", {"trade_state": "SUCCESS"}, 422),
        ("/payments/x/pay", {"amount_fen": -1}, 422),
        ("/payments/x/pay", {"amount_fen": 1.5}, 422),
        ("/clock", {"advance_seconds": 1e12}, 422),
        ("/clock", {"advance_seconds": "1"}, 422),
        ("/clock", {"now": "2026-11-20T10:00:00"}, 422),
        ("/clock", {"now": "tomorrow"}, 422),
    ],
)
def test_mistakes(box: Any, path: str, body: dict[str, Any], status: int) -> None:
    assert box.control.call("POST", path, body).status_code == status


def test_the_log_of_calls(box: Any) -> None:
    number = box.placed()
    box.demo.query(number)
    box.demo.query(number)
    log = box.control.get("/calls", operation="pay.query", number=number)
    assert log["count"] == 2
    assert [(call["method"], call["caller"], call["status"], call["count"]) for call in log["items"]] == [
        ("GET", "demo", "200", 1),
        ("GET", "demo", "200", 2),
    ]
    assert log["items"][0]["path"] == f"/wechat-pay/v3/pay/transactions/out-trade-no/{number}"
    assert box.control.call("DELETE", "/calls").status_code == 204
    assert box.control.get("/calls")["count"] == 0


def test_the_clock_moves_and_comes_back(box: Any) -> None:
    assert box.control.post("/clock", advance_seconds=10)["offset_seconds"] == 10
    assert box.control.post("/clock", advance_seconds=-4)["offset_seconds"] == 6
    moved = box.control.post("/clock", now="2026-11-20T10:00:00+08:00", advance_seconds=60)
    assert moved["now"].startswith("2026-11-20T02:01:0")
    box.control.post("/clock", offset_seconds=6)
    assert box.control.post("/clock", offset_seconds=0)["offset_seconds"] == 0
    assert box.control.get("/clock")["now"].endswith("Z")


def test_a_page_of_another_site_cannot_reach_in(box: Any) -> None:
    url = box.running.base_url + "/control/credentials"
    assert requests.get(url, headers={"Host": "evil.example:8100"}, timeout=15).status_code == 403
    assert requests.get(url, headers={"Origin": "https://evil.example"}, timeout=15).status_code == 403
    assert requests.get(url, headers={"Origin": box.running.base_url}, timeout=15).status_code == 200


def test_with_a_token_control_needs_it(data_dir: Path, http: requests.Session) -> None:
    with running_sandbox(data_dir, host="0.0.0.0", token=TOKEN) as running:
        port = running.server.server_address[1]
        control = Control(f"http://127.0.0.1:{port}", http)
        paths = ("/credentials", "/ledger", "/faults", "/notices", "/calls", "/clock", "/messages", "/tokens")
        assert {control.call("GET", path).status_code for path in paths} == {401}
        for wrong in ("Bearer wrong", TOKEN, "Bearer " + TOKEN + "x", "bearer " + TOKEN):
            http.headers["Authorization"] = wrong
            assert control.call("GET", "/credentials").status_code == 401
        http.headers["Authorization"] = f"Bearer {TOKEN}"
        assert {control.call("GET", path).status_code for path in paths} == {200}
        base_url = control.get("/credentials")["wechat_pay"][0]["base_url"]
        assert base_url == f"http://127.0.0.1:{port}/wechat-pay"


def raw(running: Running, sent: bytes) -> bytes:
    host, port = running.server.server_address[:2]
    with socket.create_connection((str(host), int(port)), timeout=15) as connection:
        connection.sendall(sent)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def test_bodies_have_a_limit(box: Any) -> None:
    for sent, status in (
        (b"POST /control/faults HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /control/faults HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST /control/faults HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n", b"400"),
    ):
        answer = raw(box.running, sent)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"Connection: close" in answer


def test_connections_are_kept(box: Any) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert raw(box.running, request * 3 + last).count(b"HTTP/1.1 200 OK") == 4


def test_two_hundred_at_once(box: Any, http: requests.Session) -> None:
    numbers = [box.number() for _ in range(200)]
    http.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=200))
    box.fault("pay.create", "delay", seconds=0.5)
    with ThreadPoolExecutor(200) as pool:
        orders = [box.demo.order(number, box.openid, box.url) for number in numbers]
        answers = list(pool.map(box.demo.place, orders))
    assert {answer.status_code for answer in answers} == {200}
    assert len(box.control.items("/ledger")) == 200


def test_each_test_may_open_its_own(data_dir: Path, open_box: Callable[[Running], Any]) -> None:
    with running_sandbox(data_dir, settle_delay=0) as running:
        box = open_box(running)
        number = box.paid()
        box.demo.refund(number, "R1", 1, box.url)
        assert box.notice(number, kind="refund")["delivered"]
