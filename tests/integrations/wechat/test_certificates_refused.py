"""What an answer of /v3/certificates must be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import responses

from core.ports import CloseOutcome, InvalidSignature, ProviderUnavailable
from integrations.transport import Answer
from integrations.wechat import WeChatPayGateway
from integrations.wechat._certificates import open_certificates
from integrations.wechat._keys import KeyRing

HOST = "https://api.mch.weixin.qq.com"
PATH = "/v3/certificates"
NUMBER = "YZ20261120000001"
CLOSE = f"/v3/pay/transactions/out-trade-no/{NUMBER}/close"
NAME = "wechat_pay_certificates:1900007291"

pytestmark = pytest.mark.parametrize("key_mode", ["certificate"], indirect=True, scope="session")


@pytest.fixture
def stored() -> dict[str, str]:
    """Nobody has fetched any yet."""
    return {}


def opened(side: Any, headers: dict[str, str], body: bytes) -> KeyRing:
    return open_certificates(Answer(200, headers, body), side.apiv3_key.encode(), KeyRing(), side.now)


def test_every_byte_of_the_answer_counts(wechat_pay: Any) -> None:
    body = json.dumps(wechat_pay.certificates()).encode()
    headers = wechat_pay.headers(body)
    assert [key.serial for key in opened(wechat_pay, headers, body)] == [wechat_pay.key_id]
    for place, byte in enumerate(body):
        changed = body[:place] + bytes([byte ^ 1]) + body[place + 1 :]
        with pytest.raises((ProviderUnavailable, InvalidSignature)):
            opened(wechat_pay, headers, changed)


@pytest.mark.parametrize("name", ["Timestamp", "Nonce", "Serial", "Signature", "Signature-Type"])
def test_every_character_of_its_headers_counts(wechat_pay: Any, name: str) -> None:
    body = json.dumps(wechat_pay.certificates()).encode()
    headers = wechat_pay.headers(body)
    value = headers[f"Wechatpay-{name}"]
    for place, character in enumerate(value):
        for other in {chr(ord(character) ^ 1), character.swapcase()} - {character}:
            changed = value[:place] + other + value[place + 1 :]
            with pytest.raises(InvalidSignature):
                opened(wechat_pay, headers | {f"Wechatpay-{name}": changed}, body)


def refused(gateway: WeChatPayGateway, tokens: Any) -> None:
    """Nothing is sent, and nothing is kept."""
    with pytest.raises(ProviderUnavailable) as caught:
        gateway.close_payment(NUMBER)
    assert not caught.value.sent
    assert json.loads(tokens.tokens[NAME])["certificates"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "AEAD_SM4_GCM"},
        {"associated_data": "transaction"},
        {"associated_data": None},
        {"nonce": "mnopqrstuvwx"},
        {"ciphertext": "AAAA"},
        {"kind": "transaction"},
        {"serials": ("5157F09EFDC096DE15EBE81A47057A7232F1B8E1",)},
        {"serials": ("not-hex",)},
    ],
)
def test_a_certificate_that_is_sealed_or_named_otherwise_is_refused(
    *, gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, tokens: Any, changes: dict[str, Any]
) -> None:
    payload = wechat_pay.certificates()
    if "serials" in changes:
        payload = wechat_pay.certificates(**changes)
    else:
        payload["data"][0]["encrypt_certificate"] = wechat_pay.sealed(
            wechat_pay.certificate.encode(), **{"kind": "certificate"} | changes
        )
    wechat_pay.answer(wire, "GET", PATH, payload)
    refused(gateway, tokens)


@pytest.mark.parametrize("payload", [{}, {"data": []}, {"data": None}, {"data": {}}, [], b"{", {"data": [{}]}])
def test_an_answer_of_another_shape_is_refused(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, tokens: Any, payload: Any
) -> None:
    wechat_pay.answer(wire, "GET", PATH, payload)
    refused(gateway, tokens)


def test_more_certificates_than_there_can_be_are_not_opened(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, tokens: Any
) -> None:
    wechat_pay.answer(wire, "GET", PATH, wechat_pay.certificates(*[wechat_pay.certificate] * 17))
    refused(gateway, tokens)


def test_certificates_sealed_with_another_key_are_refused(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, tokens: Any
) -> None:
    other = replace(wechat_pay, apiv3_key="another-merchants-apiv3-key-32by")
    other.answer(wire, "GET", PATH, other.certificates())
    refused(gateway, tokens)


def test_certificates_proven_by_none_of_them_are_refused(
    gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, next_side: Any, tokens: Any
) -> None:
    next_side.answer(wire, "GET", PATH, wechat_pay.certificates())
    refused(gateway, tokens)


@pytest.mark.parametrize(("age", "taken"), [(299, True), (300, False), (301, False), (-299, True), (-300, False)])
def test_the_answer_is_fresh_for_299_seconds(
    *, gateway: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, tokens: Any, age: int, taken: bool
) -> None:
    wechat_pay.answer(wire, "GET", PATH, wechat_pay.certificates(), age=age)
    if not taken:
        refused(gateway, tokens)
        return
    wechat_pay.answer(wire, "POST", CLOSE, b"", status=204)
    assert gateway.close_payment(NUMBER) is CloseOutcome.CLOSED
