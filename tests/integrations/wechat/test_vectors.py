"""The published samples of WeChat and its SDKs (wechat.md section 7)."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, load_der_public_key
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

from core.ports import InvalidSignature
from integrations.transport import strict_object
from integrations.wechat._certificates import unsealed
from integrations.wechat._fields import decrypt_field, encrypt_field
from integrations.wechat._keys import KeyRing, PlatformKey
from integrations.wechat._signing import Credential, open_sealed, prove, sign, signed_text, verify
from integrations.wechat.face import cert_hash
from integrations.wechat.med_ins import MedInsAmounts, id_digest, sealed_id_digest

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
    for place, letter in enumerate(inputs["ciphertext"]):
        changed = inputs["ciphertext"][:place] + chr(ord(letter) ^ 1) + inputs["ciphertext"][place + 1 :]
        with pytest.raises(InvalidSignature, match="sealed"):
            open_sealed(
                inputs["key"].encode(),
                nonce=inputs["nonce"],
                associated_data=inputs["associated_data"],
                ciphertext=changed,
            )


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


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_certificates"))
def test_the_published_certificates_open(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    (found,) = unsealed(inputs["body"].encode(), inputs["apiv3_key"].encode())
    assert found.serial == expected["serial_no"]
    if "certificate_b64" in expected:
        assert load_pem_x509_certificate(found.pem.encode()).public_bytes(Encoding.DER) == b64decode(
            expected["certificate_b64"]
        )
    with pytest.raises(InvalidSignature, match="sealed"):
        unsealed(inputs["body"].encode(), inputs["apiv3_key"].encode()[::-1])


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_sensitive_field_rsa", "rsa_decrypt"))
def test_a_published_field_opens_if_it_was_sealed_as_fields_are(
    inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    key = private_key(inputs)
    if inputs["padding"] != "OAEP-SHA1":
        with pytest.raises(InvalidSignature, match="sealed"):
            decrypt_field(key, inputs["ciphertext"])
        return
    assert decrypt_field(key, inputs["ciphertext"]) == expected["plaintext"]
    assert decrypt_field(key, encrypt_field(key.public_key(), "张三")) == "张三"
    for spoilt in (inputs["ciphertext"][:-4], "A" + inputs["ciphertext"][1:], "not base64", ""):
        with pytest.raises(InvalidSignature, match="sealed"):
            decrypt_field(key, spoilt)


@pytest.mark.parametrize(("inputs", "expected"), vectors("med_ins", "medins_amounts"))
def test_the_published_amounts_add_up(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    amounts = {name: tuple(value) if isinstance(value, list) else value for name, value in inputs.items()}
    if not expected["valid"]:
        with pytest.raises(ValueError, match="add up"):
            MedInsAmounts(**amounts)
        return
    MedInsAmounts(**amounts)
    for name, value in amounts.items():
        bent = value[:-1] if isinstance(value, tuple) else value + 1
        with pytest.raises(ValueError, match="add up"):
            MedInsAmounts(**amounts | {name: bent})


@pytest.mark.parametrize(("inputs", "expected"), vectors("med_ins", "id_digest"))
def test_the_published_number_has_the_published_digest(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert id_digest(inputs["id_card"]) == id_digest(inputs["id_card"].upper()) == expected["id_digest"]


def test_an_old_number_is_made_long_before_it_is_digested() -> None:
    assert id_digest("110105491231002") == id_digest("11010519491231002X")
    for number in ("", "1101054912310", "11010519491231002Y", "X1010519491231002X", "１１０１０５４９１２３１００２"):
        with pytest.raises(ValueError, match="not a resident"):
            id_digest(number)


@pytest.mark.parametrize(
    "bent", [{"total_fee": -1}, {"med_ins_gov_fee": -5, "total_fee": 1}, {"cash_add": (0,)}, {"cash_reduce": (-1,)}]
)
def test_no_part_of_an_order_is_less_than_nothing(bent: dict[str, Any]) -> None:
    parts = ("total_fee", "med_ins_gov_fee", "med_ins_self_fee", "med_ins_other_fee", "med_ins_cash_fee")
    with pytest.raises(ValueError, match=r"negative|more than nothing"):
        MedInsAmounts(**dict.fromkeys((*parts, "wechat_pay_cash_fee"), 0) | bent)


def test_a_digest_is_sealed_for_wechat_alone() -> None:
    (inputs, _), *_ = [vector.values for vector in vectors("wxpay_sensitive_field_rsa")]
    key = private_key(inputs)
    sealed = sealed_id_digest("11010519491231002x", key.public_key())
    assert decrypt_field(key, sealed) == id_digest("11010519491231002X")
