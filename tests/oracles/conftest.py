"""The platforms as others build them, and our adapters as they are, with real HTTP between."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alipay_chain import ALIPAY_NAME, Issuer, new_key, pem
from alipay_side import AES_KEY, APP_ID, SELLER_ID, private_pem, public_pem
from answering import serving
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from node.program import ready_node
from node.sdk import Sdk, sdk_process
from oracles.alipay import CONTENTS, Alipay
from oracles.wechat_pay import APIV3_KEY, APPID, KEY_ID, MCHID, MERCHANT_SERIAL, InNode, InPython, Oracle, WeChatPay

from integrations.alipay import AlipayAccount, AlipayCertificates
from integrations.wechat import MerchantAccount


@dataclass(frozen=True)
class Pair:
    """A key and its two halves in PEM."""

    key: RSAPrivateKey

    @property
    def private(self) -> str:
        return private_pem(self.key)

    @property
    def public(self) -> str:
        return public_pem(self.key)


@pytest.fixture(scope="session")
def merchant_key() -> Pair:
    return Pair(new_key())


@pytest.fixture(scope="session")
def platform_key() -> Pair:
    return Pair(new_key())


@pytest.fixture(scope="session")
def strange_key() -> Pair:
    return Pair(new_key())


@pytest.fixture(scope="session")
def node() -> str:
    return ready_node()


@pytest.fixture(scope="module")
def wechat_pay_sdk(node: str) -> Iterator[Sdk]:
    with sdk_process(node, "wechat_pay_platform.js") as program:
        yield Sdk(program, {})


@pytest.fixture(params=["wechatpayv3", "wechatpay-axios-plugin"])
def wechat_pay_oracle(request: pytest.FixtureRequest) -> Oracle:
    """wechatpayv3 is asked where there is no Node too."""
    return InPython() if request.param == "wechatpayv3" else InNode(request.getfixturevalue("wechat_pay_sdk"))


@pytest.fixture
def wechat_pay(wechat_pay_oracle: Oracle, merchant_key: Pair, platform_key: Pair) -> WeChatPay:
    return WeChatPay(wechat_pay_oracle, merchant_key.public, platform_key.private)


@pytest.fixture
def wechat_account(wechat_pay: WeChatPay, merchant_key: Pair, platform_key: Pair) -> Iterator[MerchantAccount]:
    with serving(wechat_pay.take) as url:
        yield MerchantAccount(
            merchant="renmin",
            mchid=MCHID,
            appid=APPID,
            serial_no=MERCHANT_SERIAL,
            private_key_pem=merchant_key.private,
            apiv3_key=APIV3_KEY,
            public_key_id=KEY_ID,
            public_key_pem=platform_key.public,
            base_url=url,
        )


@pytest.fixture(scope="module")
def alipay_program(node: str) -> Iterator[subprocess.Popen[str]]:
    with sdk_process(node, "alipay_platform.js") as program:
        yield program


@pytest.fixture(scope="session")
def alipay_certificates(merchant_key: Pair, platform_key: Pair) -> AlipayCertificates:
    """The three files of a merchant in certificate mode."""
    since = {"begins": datetime.now(UTC) - timedelta(days=1)}
    root, authority = Issuer("Root R1"), Issuer("Class 2 R1")
    above = root.certificate("Class 2 R1", authority.key, authority=True, **since)
    return AlipayCertificates(
        app_cert_pem=pem(authority.certificate(f"{SELLER_ID}-{APP_ID}", merchant_key.key, **since)),
        alipay_cert_pem=pem(authority.certificate(ALIPAY_NAME, platform_key.key, **since), above),
        alipay_root_cert_pem=pem(root.certificate("Root R1", root.key, authority=True, **since)),
    )


@pytest.fixture(params=["key", "certificate"])
def alipay_files(request: pytest.FixtureRequest) -> AlipayCertificates | None:
    """Both modes of an account."""
    files: AlipayCertificates | None = (
        request.getfixturevalue("alipay_certificates") if request.param == "certificate" else None
    )
    return files


@pytest.fixture
def alipay(
    alipay_program: subprocess.Popen[str],
    alipay_files: AlipayCertificates | None,
    merchant_key: Pair,
    platform_key: Pair,
) -> Alipay:
    keys: dict[str, Any] = {"app_id": APP_ID, "private_key": merchant_key.private}
    if alipay_files is None:
        keys["alipay_public_key"] = platform_key.public
    else:
        keys["certificates"] = {
            "app_cert": alipay_files.app_cert_pem,
            "alipay_cert": alipay_files.alipay_cert_pem,
            "alipay_root_cert": alipay_files.alipay_root_cert_pem,
        }
    return Alipay(Sdk(alipay_program, keys), platform_key.private, CONTENTS)


@pytest.fixture
def alipay_account(
    alipay: Alipay, alipay_files: AlipayCertificates | None, merchant_key: Pair, platform_key: Pair
) -> Iterator[AlipayAccount]:
    with serving(alipay.take) as url:
        yield AlipayAccount(
            merchant="renmin",
            app="patient",
            app_id=APP_ID,
            seller_id=SELLER_ID,
            private_key_pem=merchant_key.private,
            alipay_public_key_pem=platform_key.public if alipay_files is None else "",
            gateway=url + "/gateway.do",
            aes_key=AES_KEY,
            certificates=alipay_files,
        )
