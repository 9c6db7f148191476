"""Vectors of the platform's own pages and SDKs, run on the sandbox's primitives (protocol section 7)."""

import base64
import gzip
import hashlib
import json
import string
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from cryptography.x509 import load_der_x509_certificate

from sandbox import crypto
from sandbox.wechat import user_data
from sandbox.wechat_official import crypto as official
from sandbox.wechat_pay import bills, med_ins
from sandbox.wechat_pay.certificates import Certificate

BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
VECTORS = Path(__file__).parent.parent / "vectors" / "wechat"


def vectors(name: str) -> list[Any]:
    entries = json.loads((VECTORS / f"{name}.json").read_text())["vectors"]
    return [pytest.param(entry["inputs"], entry["expected"], id=entry["id"]) for entry in entries]


def private_key(inputs: dict[str, Any]) -> RSAPrivateKey:
    key = load_der_private_key(base64.b64decode(inputs["private_key_pkcs8_b64"]), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def public_key(inputs: dict[str, Any]) -> RSAPublicKey:
    if "public_key_spki_b64" in inputs:
        key = load_der_public_key(base64.b64decode(inputs["public_key_spki_b64"]))
    else:
        key = load_der_x509_certificate(base64.b64decode(inputs["certificate_b64"])).public_key()
    assert isinstance(key, RSAPublicKey)
    return key


def changed(text: str) -> list[str]:
    """Texts that differ from this one in one character: each one turned, and the last in the bits base64 ignores."""
    last = len(text.rstrip("=")) - 1
    ignored = [text[:last] + BASE64[BASE64.index(text[last]) ^ 1] + text[last + 1 :]]
    return [text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :] for at in range(len(text))] + ignored


def test_the_changed_texts_hold_one_that_decodes_alike() -> None:
    assert [base64.b64decode(text) for text in changed("QQ==")[-1:]] == [b"A"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_request_sign"))
def test_request_signatures(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    message = inputs["message"].encode()
    if "method" in inputs and not inputs["url"].endswith("image-upload"):
        assert message == crypto.request_text(
            inputs["method"], inputs["url"], inputs["timestamp"], inputs["nonce_str"], inputs["body"].encode()
        )
    key = private_key(inputs)
    assert crypto.rsa_sign(key, message) == expected["signature"]
    assert crypto.rsa_verify(key.public_key(), message, expected["signature"])
    assert not any(crypto.rsa_verify(key.public_key(), message, other) for other in changed(expected["signature"]))


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_client_pay_sign"))
def test_pay_sheet_signatures(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    text = crypto.pay_text(inputs["appId"], inputs["timeStamp"], inputs["nonceStr"], inputs["fourth_line"])
    assert text.decode() == inputs["message"]
    assert crypto.rsa_sign(private_key(inputs), text) == expected["signature"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_response_verify"))
def test_answer_signatures(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    if "headers" in inputs:
        headers = inputs["headers"]
        signature = headers["Wechatpay-Signature"]
        text = crypto.answer_text(headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"], inputs["body"].encode())
    else:
        signature, text = inputs["signature"], inputs["message"].encode()
    key = public_key(inputs)
    assert crypto.rsa_verify(key, text, signature) is expected["valid"]
    assert not any(crypto.rsa_verify(key, text, other) for other in changed(signature))


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_aead"))
def test_sealed_texts(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    key, aad = inputs["key"].encode(), inputs["associated_data"]
    assert crypto.unseal(key, inputs["nonce"], aad, inputs["ciphertext"]) == expected["plaintext"].encode()
    assert crypto.seal(key, inputs["nonce"], aad, expected["plaintext"].encode()) == inputs["ciphertext"]
    assert all(crypto.unseal(key, inputs["nonce"], aad, other) is None for other in changed(inputs["ciphertext"]))
    assert crypto.unseal(key, inputs["nonce"], aad + "x", inputs["ciphertext"]) is None


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_notification"))
def test_notices(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    headers, body = inputs["headers"], inputs["body"].encode()
    text = crypto.answer_text(headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"], body)
    assert crypto.rsa_verify(public_key(inputs), text, headers["Wechatpay-Signature"])
    event = json.loads(body)
    resource = event["resource"]
    plaintext = crypto.unseal(
        inputs["apiv3_key"].encode(), resource["nonce"], resource["associated_data"], resource["ciphertext"]
    )
    assert (event["id"], event["event_type"]) == (expected["id"], expected["event_type"])
    assert plaintext == expected["resource_plaintext"].encode()


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_authorization_layout"))
def test_authorization_layout(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    given = crypto.parse_authorization(expected["authorization"], inputs["schema"])
    text = crypto.request_text(
        inputs["method"], inputs["url"], inputs["timestamp"], inputs["nonce_str"], inputs["body"].encode()
    )
    fields = {name: inputs[name] for name in ("mchid", "serial_no", "nonce_str", "timestamp")}
    assert given == crypto.Authorization(signature=f"Sign:{text.decode()}", **fields)
    assert crypto.parse_authorization(expected["authorization"]) is None


@pytest.mark.parametrize(("inputs", "expected"), vectors("face_verify"))
def test_face_digest(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert crypto.cert_text(**inputs) == expected["string"]
    assert crypto.cert_hash(**inputs) == expected["cert_hash"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("oa_push_signature"))
def test_push_signatures(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    assert official.sorted_sha1(*inputs["parts"]) == expected["signature"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("oa_secure_mode"))
def test_secure_mode(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    key, sealed = official.read_aes_key(inputs["encoding_aes_key"]), inputs["encrypt"]
    opened = official.unseal(key, sealed)
    assert opened is not None
    message, appid = opened
    assert inputs["appid"] in (None, appid)
    if expected["message"] is not None:
        assert message.decode() == expected["message"]
    if expected["message_contains"] is not None:
        assert expected["message_contains"] in message.decode()
    if inputs["random16"] is not None:
        assert official.seal(key, message, appid, inputs["random16"].encode()) == sealed
    if expected["msg_signature"] is not None:
        parts = (inputs["token"], inputs["timestamp"], inputs["nonce"], sealed)
        assert official.sorted_sha1(*parts) == expected["msg_signature"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("oa_jssdk"))
def test_page_signatures(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    given = (inputs["jsapi_ticket"], inputs["noncestr"], inputs["timestamp"], inputs["url"])
    assert official.page_signature(*given) == expected["signature"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("mp_user_data"))
def test_user_data(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    if "rawData" in inputs:
        assert user_data.raw_signature(inputs["rawData"], inputs["session_key"]) == expected["signature"]
    else:
        sealed = user_data.seal(inputs["session_key"], inputs["iv"], expected["plaintext"].encode())
        assert sealed == inputs["encryptedData"]


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_certificates"))
def test_platform_certificates(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    for told in json.loads(inputs["body"])["data"]:
        sealed = told["encrypt_certificate"]
        key, nonce = inputs["apiv3_key"].encode(), sealed["nonce"]
        pem = crypto.unseal(key, nonce, sealed["associated_data"], sealed["ciphertext"])
        assert pem is not None
        assert Certificate("", pem.decode()).serial == told["serial_no"] == expected["serial_no"]
        assert crypto.seal(key, nonce, "certificate", pem) == sealed["ciphertext"]
        assert crypto.unseal(key, nonce, "transaction", sealed["ciphertext"]) is None


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_sensitive_field_rsa"))
def test_sealed_fields(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    key = private_key(inputs)
    plain = expected["plaintext"] if inputs["padding"] == "OAEP-SHA1" else None
    assert crypto.unseal_field(key, inputs["ciphertext"]) == plain
    sealed = crypto.seal_field(key.public_key(), "张三")
    assert crypto.unseal_field(key, sealed) == "张三"
    assert crypto.seal_field(key.public_key(), "张三") != sealed


@pytest.mark.parametrize(("inputs", "expected"), vectors("wxpay_v3_trade_bill"))
def test_trade_bills(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    content = gzip.decompress(base64.b64decode(inputs["file_gzip_b64"]))
    assert hashlib.sha1(content).hexdigest() == inputs["sha1_of_uncompressed"]
    bill = bills.read_bill(content)
    assert {len(row) for row in bill.rows} == {expected["columns"]}
    assert (len(bill.rows), bill.summary) == (expected["rows"], expected["summary"])
    assert bills.write_bill(bill) == content


def test_a_bill_keeps_commas_and_quotes_and_refuses_ends_of_lines() -> None:
    bill = bills.Bill([{"商品名称": 'a,"b"', "订单金额": "1.00"}], {"总交易单数": "1.0"})
    assert bills.read_bill(bills.write_bill(bill)) == bill
    for bad in (bills.Bill([], {}), bills.Bill([{"a": "x\ny"}], {}), bills.Bill([{"a": "1"}, {"b": "1"}], {})):
        with pytest.raises(ValueError, match=r"row|line"):
            bills.write_bill(bad)
    for content in (bills.write_bill(bill)[3:], bills.write_bill(bill)[:-2], bills.write_bill(bill).replace(b"`", b"")):
        with pytest.raises(ValueError, match=r"mark|end|backquote"):
            bills.read_bill(content)


@pytest.mark.parametrize(("inputs", "expected"), vectors("med_ins"))
def test_insurance_orders(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    if "id_card" in inputs:
        assert med_ins.id_digest(inputs["id_card"]) == expected["id_digest"]
        assert med_ins.id_digest("110105491231002") == med_ins.id_digest("11010519491231002x")
        return
    assert med_ins.adds_up(inputs) is expected["valid"]
    for name, value in inputs.items():
        bent = [*value, 1] if isinstance(value, list) else value + 1
        assert not (expected["valid"] and med_ins.adds_up(inputs | {name: bent}))
