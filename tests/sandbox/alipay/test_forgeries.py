"""Forgeries, and what changes in transit; the application gateway (section 11.4; rows A-20 to A-24)."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.testing import Received


def forge(wallet: Any, **given: Any) -> dict[str, Any]:
    made: dict[str, Any] = wallet.control.post("/notices/forge", channel="alipay", merchant="demo", **given)
    return made


def test_a_forgery_is_genuine_where_nothing_else_is_asked(wallet: Any) -> None:
    number = wallet.placed()
    made = forge(wallet, url=wallet.url, out_trade_no=number, copies=2)
    assert [attempt["accepted"] for attempt in made["attempts"]] == [True, True]
    told = wallet.demo.notice(wallet.receiver.received[0].body)
    assert (told["out_trade_no"], told["trade_status"], told["total_amount"]) == (number, "WAIT_BUYER_PAY", "15.00")
    assert wallet.demo.proves_notice(wallet.receiver.received[0].body)
    assert wallet.demo.query(number).node["trade_status"] == "WAIT_BUYER_PAY"


@pytest.mark.parametrize(
    "bent",
    [
        {"signed_by": "stranger"},
        {"signed_by": "gulou"},
        {"sign": "AAAA"},
        {"sign": ""},
        {"tamper": {"body": 20}},
        {"tamper": {"sign": 7}},
        {"tamper": {"sign": 343}},
    ],
)
def test_forgeries_are_not_believed(wallet: Any, bent: dict[str, Any]) -> None:
    assert not wallet.demo.proves_notice(forge(wallet, **bent)["body"].encode())


def test_a_forgery_can_be_bent_in_every_field(wallet: Any) -> None:
    fields = {"sign_type": None, "total_amount": "0.01", "surprise": "惊", "notify_id": "N1", "seller_id": "1"}
    made = forge(wallet, fields=fields, headers={"User-Agent": None, "X-Extra": "1"})
    told = wallet.demo.notice(made["body"].encode())
    assert (made["id"], made["attempts"]) == ("N1", [])
    assert (told["total_amount"], told["surprise"], told["seller_id"], "sign_type" in told) == (
        "0.01",
        "惊",
        "1",
        False,
    )
    assert wallet.demo.proves_notice(made["body"].encode())
    assert ("User-Agent" in made["headers"], made["headers"]["X-Extra"]) == (False, "1")
    assert forge(wallet, body="not a form")["body"] == "not a form"


@pytest.mark.parametrize(
    ("bent", "status"),
    [
        ({"merchant": "nobody"}, 404),
        ({"signed_by": "nobody"}, 404),
        ({"out_trade_no": "T0"}, 404),
        ({"tamper": {"body": 10**6}}, 422),
        ({"surprise": 1}, 422),
        ({"plaintext": {}}, 422),
        ({"copies": 0}, 422),
    ],
)
def test_a_forgery_with_a_mistake_is_refused(wallet: Any, bent: dict[str, Any], status: int) -> None:
    body = {"channel": "alipay", "merchant": "demo"} | bent
    assert wallet.control.call("POST", "/notices/forge", body).status_code == status


def test_any_one_byte_changed_in_an_event_is_seen(wallet: Any) -> None:
    """All but sign_type, which is not signed: a receiver uses the algorithm it was set to (section 8.2)."""
    wallet.notice(wallet.paid())
    client, body = wallet.demo, wallet.receiver.received[0].body

    def said(raw: bytes) -> dict[str, str]:
        return {name: value for name, value in client.notice(raw).items() if value and name != "sign_type"}

    assert client.proves_notice(body)
    for at in range(len(body)):
        bent = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert client.proves_notice(bent) is (said(bent) == said(body)), at


def public_key(wallet: Any, merchant: str = "demo") -> str:
    key = wallet.running.sandbox.accounts.named(merchant).public_key
    lines = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().split("\n")
    return "".join(lines[1:-2])


def gateway(wallet: Any, inner: str, merchant: str = "demo", sign: str | None = None) -> Callable[[Received], Any]:
    """An application gateway that answers this, signed by its app."""

    def answer(_: Received) -> tuple[int, bytes]:
        client = wallet.accounts[merchant]
        signature = sign or b64encode(client.key.sign(inner.encode("gbk"), PKCS1v15(), SHA256())).decode()
        xml = (
            f'<?xml version="1.0" encoding="GBK"?><alipay><response>{inner}</response>'
            f"<sign>{signature}</sign><sign_type>RSA2</sign_type></alipay>"
        )
        return 200, xml.encode("gbk")

    return answer


def check(wallet: Any, **given: Any) -> dict[str, Any]:
    outcome: dict[str, Any] = wallet.control.post("/alipay/gateway-check", url=wallet.url, **given)
    return outcome


def test_a_gateway_is_checked_in_gbk(wallet: Any) -> None:
    wallet.receiver.respond = gateway(wallet, f"<success>true</success><biz_content>{public_key(wallet)}</biz_content>")
    outcome = check(wallet, action_param="挂号")
    assert (outcome["accepted"], outcome["problem"]) == (True, None)
    body = wallet.receiver.received[0].body.decode("latin-1")
    params = dict(parse_qsl(body, encoding="gbk"))
    assert (params["service"], params["charset"]) == ("alipay.service.check", "GBK")
    assert "<ActionParam><![CDATA[挂号]]></ActionParam>" in params["biz_content"]
    kept = sorted((name, value) for name, value in params.items() if name != "sign")
    assert "sign_type" in dict(kept)
    text = "&".join(f"{name}={value}" for name, value in kept).encode("gbk")
    assert wallet.demo.proves(text, params["sign"])


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        ("<success>false</success><error_code>VERIFY_FAILED</error_code>", "declined"),
        ("<success>true</success><biz_content>AAAA</biz_content>", "public_key"),
        ("<success>true</success>", "public_key"),
    ],
)
def test_a_gateway_that_answers_wrongly(wallet: Any, inner: str, problem: str) -> None:
    wallet.receiver.respond = gateway(wallet, inner)
    outcome = check(wallet)
    assert (outcome["accepted"], outcome["problem"]) == (False, problem)


def test_a_gateway_that_cannot_be_believed(wallet: Any) -> None:
    good = f"<success>true</success><biz_content>{public_key(wallet)}</biz_content>"
    wallet.receiver.respond = gateway(wallet, good, sign="AAAA")
    assert check(wallet)["problem"] == "signature"
    wallet.receiver.respond = lambda _: (200, b"success")
    assert check(wallet)["problem"] == "malformed"
    wallet.receiver.respond = lambda _: (302, b"")
    assert check(wallet)["problem"] == "malformed"
    nobody = wallet.control.post("/alipay/gateway-check", url="http://127.0.0.1:9/nobody")
    assert (nobody["problem"], nobody["status"]) == ("ConnectionError", None)


def test_in_certificate_mode_the_word_is_enough(wallet: Any) -> None:
    wallet.receiver.respond = gateway(wallet, "<success>true</success>", "gulou")
    assert check(wallet, merchant="gulou")["accepted"]


def test_a_check_can_be_forged_or_only_built(wallet: Any) -> None:
    built = wallet.control.post("/alipay/gateway-check", charset="utf-8", params={"service": "x", "extra": "1"})
    assert built.keys() == {"headers", "body"}
    params = dict(parse_qsl(built["body"]))
    assert (params["service"], params["extra"], params["charset"]) == ("x", "1", "utf-8")
    forged = wallet.control.post("/alipay/gateway-check", signed_by="stranger")
    params = dict(parse_qsl(forged["body"], encoding="gbk"))
    kept = sorted((name, value) for name, value in params.items() if name != "sign")
    text = "&".join(f"{name}={value}" for name, value in kept).encode("gbk")
    assert not wallet.demo.proves(text, params["sign"])
    assert json.dumps(forged["headers"]).count("GBK") == 1
