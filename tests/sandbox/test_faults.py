"""Each scripted fault of a call, at least once (protocol section 8.4; rows F-36, F-37, F-40, F-41, F-51, F-57)."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from sandbox.testing import eventually


def place(box: Any, number: str) -> requests.Response:
    answer: requests.Response = box.demo.place(box.demo.order(number, box.openid, box.url))
    return answer


def exists(box: Any, number: str) -> bool:
    return box.control.items("/ledger", out_trade_no=number) != []


def test_dropped_before_leaves_no_trace_but_the_call(box: Any) -> None:
    number = box.number()
    box.fault("pay.create", "drop_before", times=1)
    with pytest.raises(requests.ConnectionError):
        place(box, number)
    assert not exists(box, number)
    assert [call["status"] for call in box.control.items("/calls", number=number)] == ["dropped"]
    assert place(box, number).status_code == 200


def test_dropped_after_has_been_done(box: Any) -> None:
    number = box.number()
    box.fault("pay.create", "drop_after", times=1, match={"out_trade_no": number})
    with pytest.raises(requests.ConnectionError):
        place(box, number)
    assert exists(box, number)
    assert place(box, number).status_code == 200
    calls = box.control.items("/calls", operation="pay.create", number=number)
    assert [(call["count"], call["status"]) for call in calls] == [(1, "dropped"), (2, "200")]


def test_error_before_and_after(box: Any) -> None:
    number = box.number()
    box.fault("pay.create", "error", times=1)
    answer = place(box, number)
    assert (answer.status_code, answer.json()["code"], exists(box, number)) == (500, "SYSTEM_ERROR", False)
    box.fault("pay.create", "error_after", times=1)
    answer = place(box, number)
    assert (answer.status_code, answer.json()["code"], exists(box, number)) == (500, "SYSTEM_ERROR", True)
    assert "Wechatpay-Signature" not in answer.headers


def test_an_error_of_ones_own(box: Any) -> None:
    box.fault("pay.query", "error", status=502, code="BANK_ERROR", message="x", retry_after=7)
    answer = box.demo.query(box.placed())
    assert (answer.status_code, answer.json()) == (502, {"code": "BANK_ERROR", "message": "x"})
    assert answer.headers["Retry-After"] == "7"


def test_rate_limited(box: Any) -> None:
    number = box.placed()
    box.fault("pay.close", "rate_limited", times=1, retry_after=1)
    answer = box.demo.close(number)
    assert (answer.status_code, answer.json()["code"]) == (429, "FREQUENCY_LIMITED")
    assert box.demo.close(number).status_code == 204


@pytest.mark.parametrize("kind", ["bad_signature", "signtest", "forged", "unknown_serial", "unsigned"])
def test_spoilt_signatures(box: Any, kind: str) -> None:
    number = box.placed()
    box.fault("pay.query", kind, times=1)
    answer = box.demo.query(number)
    assert answer.status_code == 200
    if kind == "unsigned":
        assert "Wechatpay-Signature" not in answer.headers
    else:
        assert not box.demo.proves(answer.headers, answer.content)
    assert answer.headers.get("Wechatpay-Signature", "").startswith("WECHATPAY/SIGNTEST/") is (kind == "signtest")
    again = box.demo.query(number)
    assert box.demo.proves(again.headers, again.content)


def test_stale_answers_are_signed_but_old(box: Any) -> None:
    number = box.placed()
    box.fault("pay.query", "stale", times=1)
    box.fault("pay.query", "stale", times=1, seconds=86400)
    for age in (301, 86400):
        answer = box.demo.query(number)
        assert box.demo.proves(answer.headers, answer.content)
        assert abs(time.time() - int(answer.headers["Wechatpay-Timestamp"]) - age) < 30


@pytest.mark.parametrize(("resign", "proved"), [(False, False), (True, True)])
def test_garbled_answers_are_not_json(box: Any, resign: bool, proved: bool) -> None:
    number = box.placed()
    box.fault("pay.query", "garbled", resign=resign)
    answer = box.demo.query(number)
    with pytest.raises(ValueError):
        json.loads(answer.content)
    assert box.demo.proves(answer.headers, answer.content) is proved


def test_an_answer_cut_in_the_middle(box: Any) -> None:
    number = box.placed()
    box.fault("pay.query", "cut", times=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        box.demo.query(number)
    assert box.demo.query(number).status_code == 200


def test_a_slow_body_is_whole_in_the_end(box: Any) -> None:
    number = box.placed()
    box.fault("pay.query", "slow_body", times=1, seconds=0.4)
    start = time.monotonic()
    answer = box.demo.query(number)
    assert time.monotonic() - start >= 0.3
    assert box.demo.proves(answer.headers, answer.content)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_delay_lies_before_or_after_the_deed(box: Any, when: str) -> None:
    number = box.number()
    seconds = 4 if when == "after" else 1
    box.fault("pay.create", "delay", times=1, seconds=seconds, when=when)
    with ThreadPoolExecutor(1) as pool:
        start = time.monotonic()
        placing = pool.submit(place, box, number)
        if when == "after":
            # A notice can come before the answer to the create call.
            eventually(lambda: exists(box, number))
            box.control.post(f"/payments/{number}/pay")
            eventually(lambda: box.receiver.received)
            assert not placing.done()
        assert placing.result().status_code == 200
        assert time.monotonic() - start >= seconds * 0.9


def test_a_fault_is_used_up_and_matched_and_cleared(box: Any) -> None:
    numbers = [box.placed() for _ in range(2)]
    box.fault("pay.query", "error", times=2, match={"out_trade_no": numbers[0], "merchant": "demo"})
    assert [box.demo.query(numbers[at]).status_code for at in (1, 0, 0, 0)] == [200, 500, 500, 200]
    assert [(rule["times"], rule["taken"]) for rule in box.control.items("/faults")] == [(0, 2)]
    rule = box.fault("pay.query", "error")
    assert box.demo.query(numbers[0]).status_code == 500
    assert box.control.call("DELETE", f"/faults/{rule['id']}").status_code == 204
    assert box.demo.query(numbers[0]).status_code == 200
    box.fault("pay.query", "error")
    assert box.control.call("DELETE", "/faults").status_code == 204
    assert (box.control.items("/faults"), box.demo.query(numbers[0]).status_code) == ([], 200)


def test_who_may_not_speak_uses_up_no_fault(box: Any) -> None:
    number = box.placed()
    box.fault("pay.query", "error", times=1)
    assert box.demo.call("GET", f"/v3/pay/transactions/out-trade-no/{number}", serial_no="0").status_code == 401
    assert box.demo.query(number).status_code == 500


def test_a_refund_whose_answer_was_lost(box: Any) -> None:
    number = box.paid()
    box.fault("refund.create", "error_after", times=1)
    box.fault("refund.create", "processing", times=1)
    assert box.demo.refund(number, "R1", 500).status_code == 500
    assert box.demo.refund(number, "R1", 500).json()["status"] == "PROCESSING"
    box.fault("refund.query", "rate_limited", times=1)
    assert [box.demo.query_refund("R1").status_code for _ in range(2)] == [429, 200]


def _login(box: Any) -> requests.Response:
    app = box.control.get("/credentials")["wechat_miniapp"][0]
    code = box.control.post("/login-codes", provider="wechat_miniapp", open_id="one")["code"]
    query = {"appid": app["appid"], "secret": app["secret"], "js_code": code, "grant_type": "authorization_code"}
    return requests.get(app["base_url"] + "/sns/jscode2session", params=query, timeout=15)


def _token(box: Any) -> requests.Response:
    app = box.control.get("/credentials")["wechat_miniapp"][0]
    body = {"grant_type": "client_credential", "appid": app["appid"], "secret": app["secret"]}
    return requests.post(app["base_url"] + "/cgi-bin/stable_token", json=body, timeout=15)


def _face(path: str) -> Callable[[Any], requests.Response]:
    def ask(box: Any) -> requests.Response:
        base = box.control.get("/credentials")["wechat_miniapp"][0]["base_url"]
        token = _token(box).json()["access_token"]
        url = f"{base}/cityservice/face/identify/{path}"
        return requests.post(url, params={"access_token": token}, json={}, timeout=15)

    return ask


@pytest.mark.parametrize(
    ("target", "ask"),
    [
        ("login", _login),
        ("token", _token),
        ("face.start", _face("getverifyid")),
        ("face.query", _face("queryverifyinfo")),
    ],
)
def test_faults_of_the_open_api(box: Any, target: str, ask: Callable[[Any], requests.Response]) -> None:
    for kind, rest, wanted in (
        ("error", {}, -1),
        ("error_after", {"code": 50002}, 50002),
        ("rate_limited", {}, 45011),
    ):
        box.fault(target, kind, times=1, **rest)
        answer = ask(box)
        assert (answer.status_code, answer.json()["errcode"]) == (200, wanted)
    box.fault(target, "error", times=1, status=500)
    assert ask(box).status_code == 500
    box.fault(target, "garbled", times=1)
    with pytest.raises(ValueError):
        ask(box).json()
    for kind in ("drop_before", "drop_after"):
        box.fault(target, kind, times=1)
        with pytest.raises(requests.ConnectionError):
            ask(box)


@pytest.mark.parametrize(
    "rule",
    [
        {"target": "pay.crate", "kind": "error"},
        {"target": "pay.create", "kind": "eror"},
        {"target": "login", "kind": "signtest"},
        {"target": "pay.create", "kind": "abnormal"},
        {"target": "notice.refund", "kind": "wrong_app"},
        {"target": "pay.create", "kind": "error", "seconds": 1},
        {"target": "pay.create", "kind": "delay", "seconds": -1},
        {"target": "pay.create", "kind": "delay", "when": "never"},
        {"target": "pay.create", "kind": "error", "times": 0},
        {"target": "pay.create", "kind": "error", "times": True},
        {"target": "pay.create", "kind": "error", "match": {"color": "red"}},
        {"target": "pay.create", "kind": "error", "match": {"out_trade_no": 1}},
        {"target": "pay.create", "kind": "stale", "attempts": 1},
        {"target": "login", "kind": "error", "code": "X"},
        {"target": "pay.create"},
        {"target": "pay.create", "kind": "error", "surprise": 1},
    ],
)
def test_a_script_with_a_mistake_is_refused(box: Any, rule: dict[str, Any]) -> None:
    answer = box.control.call("POST", "/faults", rule)
    assert answer.status_code == 422
    assert {"code", "message"} == answer.json().keys()
    assert box.control.items("/faults") == []
