"""The envelope: who may speak, what the gateway says to the others, and how answers look (sections 1 to 3)."""

import base64
import json
import socket
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.alipay.certificates import pem_blocks
from sandbox.testing_alipay import AlipayClient, serial_name


def ask(wallet: Any, **top: str | None) -> Any:
    return wallet.demo.call("alipay.trade.query", {"out_trade_no": "T1"}, **top)


@pytest.mark.parametrize("how", ["GET", "POST"])
@pytest.mark.parametrize("merchant", ["demo", "gulou", "xiehe"])
def test_calls_by_get_and_post_in_both_modes(wallet: Any, how: str, merchant: str) -> None:
    client = wallet.accounts[merchant]
    params = client.params("alipay.trade.create", client.order(wallet.number(), wallet.open_id))
    answer = client.send(params, how)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html;charset=utf-8")
    assert len(answer.headers["trace_id"]) == 30
    said = client.read(answer)
    assert (said.node["code"], said.node["msg"], said.proved) == ("10000", "Success", True)
    assert said.root == "alipay_trade_create_response"
    assert list(json.loads(said.raw)) == [said.root, *(["alipay_cert_sn"] if client.cert_sns else []), "sign"]


def test_answers_are_compact_with_escaped_slashes_and_plain_characters(wallet: Any) -> None:
    number = wallet.placed(passback_params="https://example.com/挂号")
    raw = wallet.demo.query(number).raw
    assert r'"passback_params":"https:\/\/example.com\/挂号"' in raw
    assert '": ' not in raw
    assert raw.startswith('{"alipay_trade_query_response":{"code":"10000"')


@pytest.mark.parametrize(
    ("name", "sub_code"),
    [
        ("app_id", "isv.missing-app-id"),
        ("sign_type", "isv.missing-signature-type"),
        ("timestamp", "isv.missing-timestamp"),
        ("version", "isv.missing-version"),
        ("method", "isv.missing-method"),
    ],
)
def test_without_a_common_parameter_nobody_is_named_and_nothing_signed(wallet: Any, name: str, sub_code: str) -> None:
    for nothing in (None, ""):
        said = ask(wallet, **{name: nothing})
        assert (said.node["code"], said.sub_code, "sign" in json.loads(said.raw)) == ("40001", sub_code, False)
        assert said.root == ("error_response" if name == "method" else "alipay_trade_query_response")


def test_without_a_signature(wallet: Any) -> None:
    params = wallet.demo.params("alipay.trade.query", {"out_trade_no": "T1"})
    del params["sign"]
    assert wallet.demo.read(wallet.demo.send(params)).sub_code == "isv.missing-signature"


def test_an_unknown_app_is_refused_without_a_signature(wallet: Any) -> None:
    said = ask(wallet, app_id="2021000000000000")
    assert (said.node["code"], said.sub_code) == ("40002", "isv.invalid-app-id")
    assert "sign" not in json.loads(said.raw)


@pytest.mark.parametrize(
    ("bent", "sub_code"),
    [
        ({"sign_type": "RSA"}, "isv.invalid-signature-type"),
        ({"format": "XML"}, "isv.invalid-format"),
        ({"version": "2.0"}, "isv.invalid-parameter"),
        ({"charset": "latin-1"}, "isv.invalid-charset"),
        ({"timestamp": "2026-02-30 00:00:00"}, "isv.invalid-timestamp"),
        ({"timestamp": "2026-02-03T00:00:00"}, "isv.invalid-timestamp"),
        ({"timestamp": "1790000000"}, "isv.invalid-timestamp"),
        ({"sign": "AAAA"}, "isv.invalid-signature"),
        ({"method": "alipay.trade.nothing"}, "isv.invalid-method"),
        ({"biz_content": "[]"}, "isv.decryption-error-missing-encrypt-type"),
        ({"biz_content": "{"}, "isv.invalid-parameter"),
        ({"biz_content": '{"out_trade_no":"\\ud800"}'}, "isv.invalid-parameter"),
        ({"encrypt_type": "DES"}, "isv.invalid-encrypt-type"),
        ({"encrypt_type": "AES"}, "isv.decryption-error-unknown"),
    ],
)
def test_what_is_wrong_is_said_and_signed(wallet: Any, bent: dict[str, str], sub_code: str) -> None:
    said = ask(wallet, **bent)
    assert (said.sub_code, said.proved) == (sub_code, True)
    assert said.root == ("error_response" if "method" in bent else "alipay_trade_query_response")


@pytest.mark.parametrize(
    ("bent", "sub_code"),
    [
        ({"app_cert_sn": None}, "isv.missing-app-cert-sn"),
        ({"alipay_root_cert_sn": None}, "isv.missing-alipay-root-cert-sn"),
        ({"app_cert_sn": "0" * 32}, "isv.app-cert-not-exist"),
        ({"alipay_root_cert_sn": "0" * 32}, "isv.invalid-alipay-root-cert-sn"),
    ],
)
def test_certificate_mode_wants_both_names(wallet: Any, bent: dict[str, Any], sub_code: str) -> None:
    said = wallet.gulou.call("alipay.trade.query", {"out_trade_no": "T1"}, **bent)
    assert (said.sub_code, said.proved) == (sub_code, True)


def test_a_wrong_signature_is_told_what_the_gateway_has_signed(wallet: Any) -> None:
    params = wallet.demo.params("alipay.trade.query", {"out_trade_no": "T&1"}, sign="AAAA")
    said = wallet.demo.read(wallet.demo.send(params))
    shown = said.node["sub_msg"].partition("网关生成的验签字符串为：")[2]
    kept = sorted((name, value) for name, value in params.items() if name != "sign")
    assert shown == "&amp;".join(f"{name}={value}" for name, value in kept).replace("T&1", "T&amp;1")
    assert said.proved


def test_an_empty_parameter_does_not_count(wallet: Any) -> None:
    params = wallet.demo.params("alipay.trade.query", {"out_trade_no": "T1"})
    for name in ("notify_url", "format", "return_url"):
        assert wallet.demo.read(wallet.demo.send({**params, name: ""})).sub_code == "ACQ.TRADE_NOT_EXIST"


def test_a_plus_that_was_not_encoded_is_a_blank(wallet: Any) -> None:
    while True:
        params = wallet.demo.params("alipay.trade.query", {"out_trade_no": wallet.number()})
        if "+" in params["sign"]:
            break
    url = f"{wallet.demo.credentials['gateway']}?{urlencode(params)}"
    assert wallet.demo.read(wallet.demo.http.get(url, timeout=15)).sub_code == "ACQ.TRADE_NOT_EXIST"
    wrong = wallet.demo.http.get(url.replace("%2B", "+"), timeout=15)
    assert wallet.demo.read(wrong).sub_code == "isv.invalid-signature"


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_any_one_byte_changed_in_a_request_is_refused(wallet: Any, how: str) -> None:
    """Every value in turn, one bit of one byte, and the signature in every byte of its own."""
    client, number = wallet.demo, wallet.number()
    params = client.params("alipay.trade.create", client.order(number, wallet.open_id), notify_url=wallet.url)
    places = [(name, len(value) // 2) for name, value in params.items()]
    places += [("sign", at) for at in range(0, len(params["sign"]), 7)] + [("sign", len(params["sign"]) - 1)]
    for name, at in places:
        value = params[name]
        bent = {**params, name: value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]}
        assert client.read(client.send(bent, how)).node["code"] in ("40001", "40002"), (name, at)
    assert wallet.control.items("/ledger") == []
    assert client.read(client.send(params, how)).node["code"] == "10000"


def test_any_one_byte_changed_in_an_answer_is_seen(wallet: Any) -> None:
    said = wallet.demo.query(wallet.placed())
    signed, sign = json.dumps(said.node), json.loads(said.raw)["sign"]
    text = said.raw.partition('_response":')[2].partition(',"sign"')[0]
    assert json.loads(text) == json.loads(signed)
    assert wallet.demo.proves(text.encode(), sign)
    raw = text.encode()
    for at in range(len(raw)):
        assert not wallet.demo.proves(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], sign)
    for at in range(len(sign)):
        assert not wallet.demo.proves(raw, sign[:at] + chr(ord(sign[at]) ^ 1) + sign[at + 1 :])


def test_the_charset_belongs_into_the_query(wallet: Any) -> None:
    """The gateway decodes the body only after it has read the charset there (section 1.1)."""
    client = wallet.demo
    order = client.order(wallet.number(), wallet.open_id)
    params = client.params("alipay.trade.create", order)
    elsewhere = {name: value for name, value in params.items() if name not in ("charset", "biz_content")}

    def send(**body: str) -> Any:
        return client.read(client.http.post(client.credentials["gateway"], params=elsewhere, data=body, timeout=15))

    said = send(charset="utf-8", biz_content=params["biz_content"])
    assert said.sub_code == "isv.invalid-signature"
    assert "charset" in said.node["sub_msg"]
    ascii_only = client.params("alipay.trade.create", order | {"subject": "fee"})
    elsewhere = {name: value for name, value in ascii_only.items() if name not in ("charset", "biz_content")}
    assert send(charset="utf-8", biz_content=ascii_only["biz_content"]).node["code"] == "10000"


@pytest.mark.parametrize("charset", ["GBK", "gb2312", "UTF-8"])
def test_other_charsets_are_answered_in_kind(wallet: Any, charset: str) -> None:
    client: AlipayClient = wallet.demo
    number, codec = wallet.number(), charset.lower()
    params = client.params("alipay.trade.create", client.order(number, wallet.open_id), charset=charset, sign="x")
    params["sign"] = client.sign(params, codec)
    answer = client.send(params, codec=codec)
    assert answer.headers["Content-Type"] == f"text/html;charset={charset}"
    assert client.read(answer).node["code"] == "10000"
    params = client.params("alipay.trade.query", {"out_trade_no": number}, charset=charset)
    said = client.read(client.send(params))
    assert (said.node["subject"], said.proved) == ("挂号费", True)
    assert client.query(number).node["subject"] == "挂号费"


def test_a_parameter_that_comes_twice_is_refused(wallet: Any) -> None:
    params = wallet.demo.params("alipay.trade.query", {"out_trade_no": "T1"})
    url = f"{wallet.demo.credentials['gateway']}?{urlencode(params)}"
    answer = wallet.demo.http.post(url, data={"biz_content": params["biz_content"]}, timeout=15)
    assert wallet.demo.read(answer).sub_code == "isv.invalid-parameter"


def test_a_body_that_is_no_form_is_refused(wallet: Any) -> None:
    params = wallet.demo.params("alipay.trade.query", {"out_trade_no": "T1"})
    answer = wallet.demo.http.post(wallet.demo.credentials["gateway"], params=params, json={}, timeout=15)
    assert wallet.demo.read(answer).sub_code == "isv.invalid-content-type"


def test_long_lines_are_taken(wallet: Any) -> None:
    """The stock client sends all by GET, and a Chinese character takes eight bytes there (section 12.3)."""
    number = wallet.number()
    order = wallet.demo.order(number, wallet.open_id, goods_detail=[{"goods_name": "号" * 7000}])
    params = wallet.demo.params("alipay.trade.create", order, biz_content=json.dumps(order))
    assert len(urlencode(params)) > 50_000
    assert wallet.demo.read(wallet.demo.send(params, "GET")).node["code"] == "10000"


def test_an_encrypted_question_gets_an_encrypted_answer(wallet: Any) -> None:
    client, number = wallet.demo, wallet.number()
    sealed = client.encrypt(json.dumps(client.order(number, wallet.open_id)))
    answer = client.send(client.params("alipay.trade.create", None, biz_content=sealed, encrypt_type="AES"))
    said = client.read(answer)
    assert (said.node["out_trade_no"], said.proved) == (number, True)
    assert isinstance(json.loads(said.raw)[said.root], str)
    assert [call["number"] for call in wallet.control.items("/calls")] == [number]


def test_an_error_to_an_encrypted_question_comes_in_plain(wallet: Any) -> None:
    client = wallet.demo
    sealed = client.encrypt('{"out_trade_no":"T1"}')
    params = client.params("alipay.trade.query", None, biz_content=sealed, encrypt_type="AES")
    said = client.read(client.send(params))
    assert (said.sub_code, said.proved) == ("ACQ.TRADE_NOT_EXIST", True)
    assert isinstance(json.loads(said.raw)[said.root], dict)


def test_an_app_without_a_key_cannot_encrypt(wallet: Any) -> None:
    said = wallet.gulou.call("alipay.trade.query", None, biz_content="AAAA", encrypt_type="AES")
    assert said.sub_code == "isv.missing-encrypt-key"


def test_a_strangers_signature_is_refused(wallet: Any) -> None:
    params = wallet.demo.params("alipay.trade.query", {"out_trade_no": "T1"})
    params["sign"] = wallet.gulou.sign(params)
    assert wallet.demo.read(wallet.demo.send(params)).sub_code == "isv.invalid-signature"


def test_hostile_lines_leave_it_standing(wallet: Any) -> None:
    for query in ("charset=%ff&method=%00", "app_id=1&app_id=2", "method=" + "%F0%9F%98%80" * 50, "&&&==="):
        for body in (b"", b"\xff\xfe=\xff", b"biz_content=" + b"[" * 5000):
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = wallet.demo.http.post(
                f"{wallet.demo.credentials['gateway']}?{query}", data=body, headers=headers, timeout=15
            )
            assert answer.status_code == 200
            assert json.loads(answer.content)
    host, port = wallet.running.server.server_address[:2]
    with socket.create_connection((str(host), int(port)), timeout=15) as connection:
        connection.sendall(b"GET /alipay/gateway.do?x=" + b"y" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 414 " in connection.recv(100)


def test_a_rotated_certificate_is_named_and_can_be_fetched(wallet: Any) -> None:
    """Answers name another certificate; the client fetches it and finds the same root above it (section 3.2)."""
    client = wallet.gulou
    old = wallet.place("gulou").cert_sn
    made = wallet.control.post("/alipay/rotate-certificate", merchant="gulou")
    said = wallet.place("gulou")
    assert (said.cert_sn, said.proved) == (made["alipay_cert_sn"], False)
    assert said.cert_sn != old
    fetched = client.call("alipay.open.app.alipaycert.download", {"alipay_cert_sn": said.cert_sn}).node
    leaf, issuer = x509.load_pem_x509_certificates(base64.b64decode(fetched["alipay_cert_content"]))
    root = x509.load_pem_x509_certificate(
        pem_blocks(client.credentials["certificates"]["alipay_root_cert"])[1].encode()
    )
    leaf.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(root)
    assert serial_name(leaf.public_bytes(Encoding.PEM).decode()) == said.cert_sn
    wallet.accounts = {
        row["merchant"]: AlipayClient(row, client.http) for row in wallet.control.get("/credentials")["alipay"]
    }
    assert wallet.place("gulou").proved
    assert wallet.gulou.call("alipay.open.app.alipaycert.download", {"alipay_cert_sn": old}).node["code"] == "10000"
    assert wallet.place("xiehe").cert_sn != said.cert_sn
    stranger = wallet.accounts["xiehe"].call("alipay.open.app.alipaycert.download", {"alipay_cert_sn": said.cert_sn})
    assert stranger.sub_code == "isv.alipay-cert-not-exist"
    assert wallet.control.call("POST", "/alipay/rotate-certificate", {"merchant": "demo"}).status_code == 409
