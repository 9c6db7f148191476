"""The published samples of WeChat and its SDKs (wechat.md section 7)."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from cryptography.x509 import load_der_x509_certificate

from core.ports import InvalidSignature
from integrations.transport import strict_object
from integrations.wechat._keys import KeyRing, PlatformKey
from integrations.wechat._signing import Credential, open_sealed, prove, sign, signed_text, verify
from integrations.wechat.face import cert_hash

FOLDER = Path(__file__).parents[2] / "vectors" / "wechat"


def vectors(name: str, kind: str | None = None) -> list[Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["vectors"]
    return [pytest.param(v["inputs"], v["expected"], id=v["id"]) for v in found if kind in (None, v["kind"])]


def private_key(inputs: dict[str, Any]) -> RSAPrivateKey:
    key = load_der_private_key(b64decode(inputs["private_key_pkcs8_b64"]), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def public_key(inputs: dict[str, Any]) -> RSAPublicKey:
    if "certificate_b64" in inputs:
        key = load_der_x509_certificate(b64decode(inputs["certificate_b64"])).public_key()
    else:
        key = load_der_public_key(b64decode(inputs["public_key_spki_b64"]))
    assert isinstance(key, RSAPublicKey)
    return key


def ring(inputs: dict[str, Any], serial: str) -> KeyRing:
    return KeyRing([PlatformKey(serial, public_key(inputs))])


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_request_sign"))
def test_a_request_is_signed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    text = inputs["message"].encode()
    if "method" in inputs:
        names = ("method", "url", "timestamp", "nonce_str", "body")
        assert signed_text(*(inputs[name] for name in names)) == text
    assert sign(private_key(inputs), text) == expected["signature"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_client_pay_sign"))
def test_the_pay_sheet_is_signed_as_published(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    text = signed_text(inputs["appId"], inputs["timeStamp"], inputs["nonceStr"], inputs["fourth_line"])
    assert sign(private_key(inputs), text) == expected["signature"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_authorization_layout"))
def test_the_authorization_header_has_the_layout_of_the_go_sdk(
    inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    names = ("method", "url", "timestamp", "nonce_str", "body")
    text = signed_text(*(inputs[name] for name in names))
    credential = Credential(inputs["mchid"], inputs["serial_no"])
    value = credential.authorization(
        nonce=inputs["nonce_str"],
        timestamp=inputs["timestamp"],
        signature="Sign:" + text.decode(),
        scheme=inputs["schema"],
    )
    assert value == expected["authorization"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_response_verify", "rsa_sha256_verify"))
def test_a_published_answer_is_proven_in_its_own_time_only(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    headers, body = inputs["headers"], inputs["body"].encode()
    then = datetime.fromtimestamp(int(headers["Wechatpay-Timestamp"]), UTC)
    keys = ring(inputs, headers["Wechatpay-Serial"])
    assert expected["valid"]
    prove(headers, body, keys=keys, now=then)
    with pytest.raises(InvalidSignature, match="stale"):
        prove(headers, body, keys=keys, now=datetime(2026, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_response_verify", "rsa_sha256_verify_raw"))
def test_published_signatures_are_told_apart(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    text = inputs["message"].encode()
    if expected["valid"]:
        verify(public_key(inputs), text, inputs["signature"])
        return
    with pytest.raises(InvalidSignature):
        verify(public_key(inputs), text, inputs["signature"])


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_aead"))
def test_a_published_resource_opens(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    plain = open_sealed(
        inputs["key"].encode(),
        nonce=inputs["nonce"],
        associated_data=inputs["associated_data"],
        ciphertext=inputs["ciphertext"],
    )
    assert plain.decode() == expected["plaintext"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_notification"))
def test_the_published_callback_is_proven_and_opens(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    """It has no Signature-Type and a 16-byte key, which our account would refuse: hence the primitives."""
    headers, body = inputs["headers"], inputs["body"].encode()
    now = datetime.fromtimestamp(inputs["now"], UTC)
    prove(headers, body, keys=ring(inputs, headers["Wechatpay-Serial"]), now=now)
    envelope = strict_object(body)
    resource = envelope["resource"]
    plain = open_sealed(
        inputs["apiv3_key"].encode(),
        nonce=resource["nonce"],
        associated_data=resource["associated_data"],
        ciphertext=resource["ciphertext"],
    )
    assert plain.decode() == expected["resource_plaintext"]
    assert (envelope["id"], envelope["event_type"]) == (expected["id"], expected["event_type"])


@pytest.mark.parametrize(("inputs", "expected"), vectors("face_verify"))
def test_the_face_hash_is_the_published_one(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert cert_hash(**inputs) == expected["cert_hash"]
