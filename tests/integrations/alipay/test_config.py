from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from alipay_chain import NOW
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from core.ports import IdKind
from integrations.alipay import AlipayAccount
from integrations.alipay.config import require_url


def public(key: Any, encoding: Encoding = Encoding.PEM) -> bytes:
    found: bytes = key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    return found


def private(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, encoding: Encoding = Encoding.PEM) -> bytes:
    found: bytes = key.private_bytes(encoding, form, NoEncryption())
    return found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("merchant", ""),
        ("app", "VERYSECRET 1"),
        ("app_id", "2021x"),
        ("app_id", ""),
        ("seller_id", "VERYSECRET"),
        ("op_app_id", "VERYSECRET"),
        ("private_key_pem", "-----BEGIN PRIVATE KEY-----\nVERYSECRET\n-----END PRIVATE KEY-----\n"),
        ("private_key_pem", "VERYSECRET"),
        ("private_key_pem", ""),
        ("alipay_public_key_pem", "VERYSECRET"),
        ("alipay_public_key_pem", ""),
        ("aes_key", "VERYSECRET"),
        ("aes_key", b64encode(b"VERYSECRET").decode()),
        ("aes_key", ""),
        ("id_mode", "VERYSECRET"),
        ("id_mode", IdKind.UNION_ID),
        ("gateway", "openapi.alipay.com/gateway.do"),
        ("gateway", "https://openapi.alipay.com/gateway.do?VERYSECRET"),
        ("gateway", "https://user:VERYSECRET@openapi.alipay.com"),
        ("gateway", "ftp://openapi.alipay.com"),
        ("gateway", "https://["),
    ],
)
def test_a_wrong_field_is_named_and_not_shown(account: AlipayAccount, name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        replace(account, **{name: value})
    assert "VERYSECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("kind", ["elliptic", "short"])
def test_only_rsa_keys_of_2048_bits_sign_here(account: AlipayAccount, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "elliptic" else rsa.generate_private_key(65537, 1024)
    with pytest.raises(ValueError, match="private_key_pem"):
        replace(account, private_key_pem=private(key).decode())
    with pytest.raises(ValueError, match="alipay_public_key_pem"):
        replace(account, alipay_public_key_pem=public(key).decode())


def test_an_encrypted_key_is_refused(account: AlipayAccount, app_key: RSAPrivateKey) -> None:
    locked = app_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    with pytest.raises(ValueError, match="private_key_pem"):
        replace(account, private_key_pem=locked)


def test_our_own_key_is_not_taken_for_alipays(account: AlipayAccount, app_key: RSAPrivateKey) -> None:
    """The classic mistake: with it, anything we ever signed would count as Alipay's word."""
    with pytest.raises(ValueError, match="alipay_public_key_pem"):
        replace(account, alipay_public_key_pem=public(app_key).decode())


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("dress", ["pem", "windows", "bare", "bare in lines"])
def test_keys_come_as_pem_or_as_the_consoles_bare_text(
    account: AlipayAccount, app_key: RSAPrivateKey, form: PrivateFormat, dress: str
) -> None:
    """Java's console gives PKCS#8, the others' PKCS#1."""
    pem, der = private(app_key, form).decode(), b64encode(private(app_key, form, Encoding.DER)).decode()
    lines = "\r\n".join(der[at : at + 64] for at in range(0, len(der), 64)) + "\r\n"
    text = {"pem": pem, "windows": pem.replace("\n", "\r\n"), "bare": der, "bare in lines": lines}[dress]
    assert replace(account, private_key_pem=text).signing_key.private_numbers() == app_key.private_numbers()


def test_alipays_key_may_be_bare_too(account: AlipayAccount, alipay: Any) -> None:
    text = b64encode(public(alipay.key, Encoding.DER)).decode()
    assert replace(account, alipay_public_key_pem=text).keys.all(NOW) == (alipay.key.public_key(),)


def test_an_account_without_another_app_is_the_miniapp_itself(account: AlipayAccount) -> None:
    assert account.is_miniapp
    assert replace(account, op_app_id=account.app_id).is_miniapp
    assert not replace(account, op_app_id="2021009999999999").is_miniapp


def test_a_word_for_the_id_mode_is_enough(account: AlipayAccount) -> None:
    assert replace(account, id_mode="user_id").id_mode is IdKind.USER_ID


def test_a_secret_is_not_in_the_repr(account: AlipayAccount) -> None:
    assert "PRIVATE KEY" not in repr(account)
    assert "PUBLIC KEY" not in repr(account)
    assert account.aes_key not in repr(account)
    assert account == replace(account)


@pytest.mark.parametrize(
    "url", ["/callbacks", "https://h.example/cb?merchant=1", "https://h.example/#x", "https://h.example/" + "x" * 1024]
)
def test_an_address_that_alipay_cannot_use_stops_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="notify_url"):
        require_url("notify_url", url)
