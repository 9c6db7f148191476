from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from integrations.wechat import MerchantAccount, MiniappAccount
from integrations.wechat.config import require_notify_url


def pem(key: Any) -> dict[str, str]:
    return {
        "private_key_pem": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "public_key_pem": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("merchant", ""),
        ("mchid", "19000x7291"),
        ("appid", "wx d678"),
        ("serial_no", "not-hex"),
        ("private_key_pem", "-----BEGIN PRIVATE KEY-----\nVERYSECRET\n-----END PRIVATE KEY-----\n"),
        ("private_key_pem", "VERYSECRET"),
        ("apiv3_key", "VERYSECRET"),
        ("apiv3_key", "VERYSECRET" * 3 + "约诊"),  # 32 characters, 36 bytes
        ("apiv3_key", "VERYSECRET" * 3 + "123"),
        ("public_key_id", ""),
        ("public_key_pem", "VERYSECRET"),
        ("base_url", "api.mch.weixin.qq.com"),
        ("base_url", "https://api.mch.weixin.qq.com?VERYSECRET"),
        ("base_url", "https://user:VERYSECRET@api.mch.weixin.qq.com"),
        ("base_url", "ftp://api.mch.weixin.qq.com"),
        ("base_url", "https://["),
    ],
)
def test_a_wrong_merchant_field_is_named_and_not_shown(merchant: MerchantAccount, name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        replace(merchant, **{name: value})
    assert "VERYSECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["private_key_pem", "public_key_pem"])
@pytest.mark.parametrize("kind", ["elliptic", "short"])
def test_only_rsa_keys_of_2048_bits_sign_here(merchant: MerchantAccount, name: str, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "elliptic" else rsa.generate_private_key(65537, 1024)
    with pytest.raises(ValueError, match=name):
        replace(merchant, **{name: pem(key)[name]})


def test_keys_may_have_windows_line_ends(merchant: MerchantAccount) -> None:
    changed = replace(
        merchant,
        private_key_pem=merchant.private_key_pem.replace("\n", "\r\n"),
        public_key_pem=merchant.public_key_pem.replace("\n", "\r\n"),
    )
    assert changed.private_key().private_numbers() == merchant.private_key().private_numbers()


@pytest.mark.parametrize(
    ("name", "value"), [("app", ""), ("appid", "wx 1"), ("secret", ""), ("secret", "VERY SECRET"), ("base_url", "/")]
)
def test_a_wrong_miniapp_field_is_named_and_not_shown(miniapp: MiniappAccount, name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        replace(miniapp, **{name: value})
    assert "VERY" not in str(caught.value)


def test_a_secret_is_not_in_the_repr(merchant: MerchantAccount, miniapp: MiniappAccount) -> None:
    assert miniapp.secret not in repr(miniapp)
    assert merchant.apiv3_key not in repr(merchant)
    assert "PRIVATE KEY" not in repr(merchant)


@pytest.mark.parametrize(
    "url", ["/callbacks", "https://h.example/cb?merchant=1", "https://h.example/#x", "https://h.example/" + "x" * 255]
)
def test_a_notify_url_that_wechat_pay_refuses_stops_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="payment_notify_url"):
        require_notify_url("payment_notify_url", url)
