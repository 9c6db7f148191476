"""Each scripted fault of a call at least once (protocol section 13.2-11; rows F-36, F-37, F-40, F-41, F-51, F-57)."""

import json
from typing import Any

import pytest
import requests


def known(wallet: Any, number: str) -> bool:
    return wallet.control.items("/ledger", out_trade_no=number) != []


def test_dropped_before_and_after(wallet: Any) -> None:
    for kind, done in (("drop_before", False), ("drop_after", True)):
        number = wallet.number()
        wallet.fault("alipay.pay.create", kind, times=1, match={"out_trade_no": number})
        with pytest.raises(requests.ConnectionError):
            wallet.place(out_trade_no=number)
        assert known(wallet, number) is done
        assert wallet.place(out_trade_no=number).node["code"] == "10000"
        calls = wallet.control.items("/calls", operation="alipay.pay.create", number=number)
        assert [(call["count"], call["status"]) for call in calls] == [(1, "dropped"), (2, "200")]


def test_the_outcome_can_be_unknown_before_and_after_the_deed(wallet: Any) -> None:
    for kind, done in (("error", False), ("error_after", True)):
        number = wallet.number()
        wallet.fault("alipay.pay.create", kind, times=1)
        said = wallet.place(out_trade_no=number)
        assert (said.node["code"], said.sub_code, said.proved) == ("20000", "isp.unknow-error", True)
        assert known(wallet, number) is done


@pytest.mark.parametrize(
    ("sub_code", "code"),
    [
        ("ACQ.SYSTEM_ERROR", "40004"),
        ("aop.unknow-error", "20000"),
        ("aop.invalid-auth-token", "20001"),
        ("isv.insufficient-isv-permissions", "40006"),
        ("isv.missing-encrypt-key", "40001"),
        ("isv.invalid-parameter", "40002"),
        ("isv.method-call-limited", "40005"),
    ],
)
def test_an_error_of_ones_own(wallet: Any, sub_code: str, code: str) -> None:
    number = wallet.placed()
    wallet.fault("alipay.pay.query", "error", code=sub_code, message="x")
    said = wallet.demo.query(number)
    assert (said.node["code"], said.sub_code, said.node["sub_msg"]) == (code, sub_code, "x")


def test_rate_limited(wallet: Any) -> None:
    number = wallet.placed()
    wallet.fault("alipay.pay.close", "rate_limited", times=1)
    said = wallet.demo.close(number)
    assert (said.node["code"], said.sub_code) == ("40005", "isv.app-call-limited")
    assert wallet.demo.close(number).node["code"] == "10000"


def test_a_bare_http_error(wallet: Any) -> None:
    wallet.fault("alipay.pay.query", "error", status=502)
    params = wallet.demo.params("alipay.trade.query", {"out_trade_no": "T1"})
    answer = wallet.demo.send(params)
    assert (answer.status_code, answer.text) == (502, "<html><body>error</body></html>")


def test_an_error_that_nobody_signed(wallet: Any) -> None:
    number = wallet.number()
    wallet.fault("alipay.pay.create", "unsigned_error", times=1, code="ACQ.TRADE_HAS_SUCCESS")
    said = wallet.place(out_trade_no=number)
    assert (said.sub_code, said.proved, "sign" in json.loads(said.raw)) == ("ACQ.TRADE_HAS_SUCCESS", False, False)
    assert not known(wallet, number)


@pytest.mark.parametrize("merchant", ["demo", "gulou"])
@pytest.mark.parametrize("kind", ["bad_signature", "forged", "unsigned"])
def test_spoilt_signatures(wallet: Any, merchant: str, kind: str) -> None:
    client, number = wallet.accounts[merchant], wallet.placed(merchant)
    wallet.fault("alipay.pay.query", kind, times=1)
    said = client.query(number)
    assert (said.node["trade_status"], said.proved) == ("WAIT_BUYER_PAY", False)
    assert ("sign" in json.loads(said.raw)) is (kind != "unsigned")
    assert client.query(number).proved


def test_an_unknown_certificate_is_named(wallet: Any) -> None:
    number = wallet.placed("gulou")
    wallet.fault("alipay.pay.query", "unknown_serial", times=1)
    said = wallet.gulou.query(number)
    fetched = wallet.gulou.call("alipay.open.app.alipaycert.download", {"alipay_cert_sn": said.cert_sn})
    assert fetched.sub_code == "isv.alipay-cert-not-exist"
    assert wallet.gulou.query(number).cert_sn != said.cert_sn


def test_unpaired_braces_in_a_value(wallet: Any) -> None:
    number = wallet.placed()
    wallet.fault("alipay.pay.query", "brace", times=1)
    said = wallet.demo.query(number)
    assert (said.node["store_name"], said.proved) == ('约诊}门诊{{"部', True)


@pytest.mark.parametrize("resign", [False, True])
def test_garbled_answers_are_not_json(wallet: Any, resign: bool) -> None:
    number = wallet.placed()
    wallet.fault("alipay.pay.query", "garbled", resign=resign)
    answer = wallet.demo.send(wallet.demo.params("alipay.trade.query", {"out_trade_no": number}))
    with pytest.raises(ValueError):
        json.loads(answer.content)
    node, _, rest = answer.content.partition(b',"sign":"')
    if resign:
        assert wallet.demo.proves(node.partition(b'":')[2], rest.rstrip(b'"}').decode())


def test_cut_and_slow_bodies(wallet: Any) -> None:
    number = wallet.placed()
    wallet.fault("alipay.pay.query", "cut", times=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        wallet.demo.query(number)
    wallet.fault("alipay.pay.query", "slow_body", times=1, seconds=0.2)
    assert wallet.demo.query(number).proved


def ask(wallet: Any, target: str) -> requests.Response:
    """A call of this operation, whatever comes of it."""
    methods = {
        "login": "alipay.system.oauth.token",
        "user": "alipay.user.info.share",
        "face.start": "alipay.user.certify.open.initialize",
        "face.query": "alipay.user.certify.open.query",
        "face.page": "alipay.user.certify.open.certify",
        "certificate": "alipay.open.app.alipaycert.download",
        "pay.create": "alipay.trade.create",
        "pay.query": "alipay.trade.query",
        "pay.close": "alipay.trade.close",
        "refund.create": "alipay.trade.refund",
        "refund.query": "alipay.trade.fastpay.refund.query",
    }
    answer: requests.Response = wallet.demo.send(wallet.demo.params(methods[target], {}))
    return answer


@pytest.mark.parametrize(
    "target",
    [
        *("login", "user", "face.start", "face.query", "face.page", "certificate"),
        *("pay.create", "pay.query", "pay.close", "refund.create", "refund.query"),
    ],
)
def test_every_service_can_be_spoilt(wallet: Any, target: str) -> None:
    wallet.fault(f"alipay.{target}", "error", times=1)
    assert "isp.unknow-error" in ask(wallet, target).text
    wallet.fault(f"alipay.{target}", "error", times=1, status=500)
    assert ask(wallet, target).status_code == 500
    wallet.fault(f"alipay.{target}", "drop_after", times=1)
    with pytest.raises(requests.ConnectionError):
        ask(wallet, target)
    wallet.fault(f"alipay.{target}", "garbled", times=1)
    with pytest.raises(ValueError):
        ask(wallet, target).content.decode()
    assert [rule["times"] for rule in wallet.control.items("/faults")] == [0] * 4


def test_who_may_not_speak_uses_up_no_fault(wallet: Any) -> None:
    wallet.fault("alipay.pay.query", "error", times=1)
    assert wallet.demo.call("alipay.trade.query", {}, sign="AAAA").sub_code == "isv.invalid-signature"
    assert wallet.demo.query("T1").sub_code == "isp.unknow-error"


def test_a_refund_whose_answer_was_lost(wallet: Any) -> None:
    number = wallet.paid()
    wallet.fault("alipay.refund.create", "error_after", times=1)
    wallet.fault("alipay.refund.create", "processing", times=1)
    assert wallet.demo.refund(number, "R1", "5.00").node["code"] == "20000"
    assert wallet.demo.refund(number, "R1", "5.00").node["fund_change"] == "N"
    assert "refund_status" not in wallet.demo.query_refund(number, "R1").node


@pytest.mark.parametrize(
    "rule",
    [
        {"target": "alipay.pay.query", "kind": "stale"},
        {"target": "alipay.pay.query", "kind": "signtest"},
        {"target": "alipay.pay.query", "kind": "not_enough"},
        {"target": "alipay.face.page", "kind": "bad_signature"},
        {"target": "alipay.notice.payment", "kind": "wrong_currency"},
        {"target": "alipay.notice.payment", "kind": "unknown_serial"},
        {"target": "pay.query", "kind": "brace"},
        {"target": "notice.payment", "kind": "wrong_seller"},
        {"target": "alipay.pay.query", "kind": "unsigned", "attempts": 1},
        {"target": "alipay.pay.query", "kind": "unsigned_error", "status": 500},
    ],
)
def test_a_script_with_a_mistake_is_refused(wallet: Any, rule: dict[str, Any]) -> None:
    assert wallet.control.call("POST", "/faults", rule).status_code == 422
