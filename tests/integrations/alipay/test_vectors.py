"""The published samples of Alipay and of others who speak to it (alipay.md 13)."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_public_key,
)

from core.ports import InvalidSignature
from integrations.alipay._answers import read_answer
from integrations.alipay._certs import read_certificates, root_serial_name, rsa_key, serial_name
from integrations.alipay._forms import read_form
from integrations.alipay._signing import open_content, sign, signed_text, verify, wall_clock

FOLDER = Path(__file__).parents[2] / "vectors" / "alipay"
EVENT = frozenset({"sign", "sign_type"})
MESSAGE = frozenset({"sign"})


def vectors(name: str) -> list[Any]:
    return [pytest.param(one, id=one["id"]) for one in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))]


def public_key(vector: dict[str, Any]) -> RSAPublicKey:
    key: object
    if "alipay_public_cert_pem" in vector:
        key = rsa_key(read_certificates(vector["alipay_public_cert_pem"])[0])
    else:
        key = load_pem_public_key(vector["alipay_public_key_pem"].encode())
    assert isinstance(key, RSAPublicKey)
    return key


def in_bytes(params: dict[str, str]) -> dict[str, bytes]:
    return {name: value.encode() for name, value in params.items()}


@pytest.mark.parametrize("vector", vectors("request_sign"))
def test_a_request_is_signed_as_published(vector: dict[str, Any]) -> None:
    text = signed_text(in_bytes(vector["params"]), without=MESSAGE)
    assert text == vector["sign_string"].encode()
    key = load_der_private_key(b64decode(vector["private_key_der_b64"]), None)
    assert isinstance(key, RSAPrivateKey)
    if vector["sign_type"] == "RSA2":
        assert sign(key, text) == vector["expected_sign"]
        return
    # The older algorithm is spoken by nobody here: its signature is genuine, and refused.
    key.public_key().verify(b64decode(vector["expected_sign"]), text, PKCS1v15(), SHA1())
    with pytest.raises(InvalidSignature, match="bad_signature"):
        verify([key.public_key()], text, vector["expected_sign"])


@pytest.mark.parametrize("vector", [one for one in vectors("request_sign") if "expected_query_string" in one.values[0]])
def test_a_page_address_is_spelled_as_published(vector: dict[str, Any]) -> None:
    fields = vector["params"] | {"sign": vector["expected_sign"]}
    assert dict(parse_qsl(vector["expected_query_string"], strict_parsing=True)) == fields
    assert set(urlencode(fields).split("&")) == set(vector["expected_query_string"].split("&"))


@pytest.mark.parametrize("vector", vectors("sync_response"))
def test_a_genuine_answer_is_proven(vector: dict[str, Any]) -> None:
    assert vector["expected"]
    text, signature = vector["signed_content"].encode(), vector["sign"]
    if "raw_response" in vector:
        told = read_answer(vector["raw_response"].encode(), vector["node"])
        assert (told.node, told.sign) == (text, signature)
    verify([public_key(vector)], text, signature)
    with pytest.raises(InvalidSignature, match="bad_signature"):
        verify([public_key(vector)], text + b" ", signature)


@pytest.mark.parametrize("vector", vectors("extract_signed_content"))
def test_the_signed_part_is_cut_out_to_the_byte(vector: dict[str, Any]) -> None:
    told = read_answer(vector["raw_response"].encode(), vector["node"])
    assert told.node == vector["expected_signed_content"].encode()


@pytest.mark.parametrize("vector", vectors("notify"))
def test_published_messages_are_told_apart(vector: dict[str, Any]) -> None:
    params = vector["params"]
    form = read_form("&".join(f"{name}={quote_plus(value)}" for name, value in params.items()).encode())
    assert form == in_bytes(params)
    without = EVENT if vector["rule"] == "drop sign and sign_type" else MESSAGE
    text = signed_text(form, without=without)
    if vector["expected"]:
        verify([public_key(vector)], text, params["sign"])
        return
    with pytest.raises(InvalidSignature):
        verify([public_key(vector)], text, params["sign"])


@pytest.mark.parametrize("vector", [one for one in vectors("notify") if "raw_query" in one.values[0]])
def test_a_published_form_is_read_in_its_own_spelling(vector: dict[str, Any]) -> None:
    assert read_form(vector["raw_query"].encode()) == in_bytes(vector["params"])


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.parametrize("vector", vectors("cert_sn"))
def test_a_certificate_has_its_published_name(vector: dict[str, Any]) -> None:
    found = read_certificates(vector["pem"])
    name = root_serial_name(found) if vector["kind"] == "root" else serial_name(found[0])
    assert name == vector["expected_sn"]
    crowded = vector["pem"].replace("-----\n\n-----", "-----\n-----").replace("\n", "\r\n")
    assert read_certificates(crowded) == found
    if "expected_public_key_b64" in vector:
        key = rsa_key(found[0])
        assert key is not None
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert b64encode(der).decode() == vector["expected_public_key_b64"]


@pytest.mark.parametrize("vector", vectors("aes"))
def test_a_published_seal_opens(vector: dict[str, Any]) -> None:
    plain = open_content(b64decode(vector["key_b64"]), vector["ciphertext_b64"])
    if vector["plaintext"] is None:
        assert json.loads(plain) == vector["expected_json"]
        return
    assert plain.decode() == vector["plaintext"]


@pytest.mark.parametrize("vector", vectors("timestamp"))
def test_a_stamp_is_written_as_published(vector: dict[str, Any]) -> None:
    instant = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=vector["epoch_ms"])
    assert wall_clock(instant) == vector["expected"]
