"""Vectors of others, run on the sandbox's primitives and on the client of `testing_alipay` (protocol section 13.1)."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from sandbox.alipay import wire
from sandbox.alipay.certificates import leaf_serial_name, root_serial_name
from sandbox.crypto import rsa_sign, rsa_verify
from sandbox.testing_alipay import serial_name, value_after

VECTORS = Path(__file__).parent.parent.parent / "vectors" / "alipay"


def vectors(name: str) -> list[Any]:
    return [pytest.param(entry, id=entry["id"]) for entry in json.loads((VECTORS / f"{name}.json").read_text())]


def private_key(entry: dict[str, Any]) -> RSAPrivateKey:
    key = load_der_private_key(base64.b64decode(entry["private_key_der_b64"]), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def alipay_key(entry: dict[str, Any]) -> RSAPublicKey:
    if "alipay_public_key_pem" in entry:
        key = load_pem_public_key(entry["alipay_public_key_pem"].encode())
    else:
        key = load_pem_x509_certificate(entry["alipay_public_cert_pem"].encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    return key


def changed(text: str) -> list[str]:
    """Texts that differ from this one in one character."""
    return [text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :] for at in range(len(text))]


@pytest.mark.parametrize("entry", vectors("request_sign"))
def test_requests(entry: dict[str, Any]) -> None:
    text = wire.text_to_sign(entry["params"])
    assert text == entry["sign_string"]
    key = private_key(entry)
    if entry["sign_type"] == "RSA":  # the old algorithm, which the gateway does not take any more
        signature = key.sign(text.encode(), PKCS1v15(), SHA1())
        assert base64.b64encode(signature).decode() == entry["expected_sign"]
        assert not rsa_verify(key.public_key(), text.encode(), entry["expected_sign"])
        return
    assert rsa_sign(key, text.encode()) == entry["expected_sign"]
    assert not any(rsa_verify(key.public_key(), text.encode(), other) for other in changed(entry["expected_sign"]))
    assert not any(rsa_verify(key.public_key(), other.encode(), entry["expected_sign"]) for other in changed(text))
    if "expected_query_string" in entry:
        sent = dict(parse_qsl(entry["expected_query_string"], keep_blank_values=True))
        assert sent == {**entry["params"], "sign": entry["expected_sign"]}


def test_an_empty_parameter_is_not_signed() -> None:
    assert wire.text_to_sign({"b": "2", "a": "", "_": "1", "Z": "0", "sign": "x"}) == "Z=0&_=1&b=2"


@pytest.mark.parametrize("entry", vectors("sync_response"))
def test_answers(entry: dict[str, Any]) -> None:
    key, text = alipay_key(entry), entry["signed_content"]
    assert rsa_verify(key, text.encode(), entry["sign"]) is entry["expected"]
    assert not any(rsa_verify(key, other.encode(), entry["sign"]) for other in changed(text))
    if "raw_response" in entry:
        assert value_after(entry["raw_response"], entry["node"]) == text
        # The answers of the genuine gateway are what we would have written.
        assert wire.node_text(json.loads(text)) == text


@pytest.mark.parametrize("entry", vectors("extract_signed_content"))
def test_what_is_signed_of_an_answer(entry: dict[str, Any]) -> None:
    assert value_after(entry["raw_response"], entry["node"]) == entry["expected_signed_content"]


@pytest.mark.parametrize("entry", vectors("notify"))
def test_events(entry: dict[str, Any]) -> None:
    params, key = entry["params"], alipay_key(entry)
    rule = entry["rule"]
    text = wire.notice_text(params) if "sign_type" in rule.partition("keep")[0] else wire.text_to_sign(params)
    assert rsa_verify(key, text.encode(), params["sign"]) is entry["expected"]
    if "raw_query" in entry:
        assert {name: values[0] for name, values in parse_qs(entry["raw_query"]).items()} == params
    if entry["expected"]:
        assert not any(rsa_verify(key, other.encode(), params["sign"]) for other in changed(text))


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.parametrize("entry", vectors("cert_sn"))
def test_serial_names(entry: dict[str, Any]) -> None:
    name = root_serial_name if entry["kind"] == "root" else leaf_serial_name
    assert name(entry["pem"]) == entry["expected_sn"]
    end = "-----END CERTIFICATE-----"
    blocks = [f"{block.strip()}\n{end}" for block in entry["pem"].split(end)[:-1]]
    names = [found for found in map(serial_name, blocks) if found]
    assert "_".join(names if entry["kind"] == "root" else names[:1]) == entry["expected_sn"]


@pytest.mark.parametrize("entry", vectors("aes"))
def test_content_encryption(entry: dict[str, Any]) -> None:
    opened = wire.decrypt(entry["key_b64"], entry["ciphertext_b64"])
    assert opened is not None
    if entry["plaintext"] is not None:
        assert opened == entry["plaintext"]
    if "expected_json" in entry:
        assert json.loads(opened) == entry["expected_json"]
    assert wire.encrypt(entry["key_b64"], opened) == entry["ciphertext_b64"]
    assert wire.decrypt(entry["key_b64"], entry["ciphertext_b64"][:-4]) is None


@pytest.mark.parametrize("entry", vectors("timestamp"))
def test_stamps(entry: dict[str, Any]) -> None:
    assert wire.stamp(entry["epoch_ms"] / 1000) == entry["expected"]
    assert wire.instant_of(entry["expected"]) == entry["epoch_ms"] // 1000
