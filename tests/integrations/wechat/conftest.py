"""WeChat's side of the wire for unit tests: its keys, its signatures, its sealed messages."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from core.ports import IdKind, PaymentOrder, RefundOrder
from integrations.wechat import MerchantAccount, MiniappAccount, WeChatPayGateway, WeChatPayMessageReader

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
APIV3_KEY = "0123456789abcdefghijABCDEFGHIJ-_"
KEY_ID = "PUB_KEY_ID_0112345678902026112000000000001"
PAY_URL = "https://api.mch.weixin.qq.com"


@dataclass(frozen=True)
class WeChatPaySide:
    """Signs and seals as WeChat Pay does. Written from wechat.md 4.2 and 4.7, not with our own primitives."""

    key: RSAPrivateKey
    key_id: str = KEY_ID
    apiv3_key: str = APIV3_KEY
    now: datetime = NOW

    def signature(self, stamp: str, nonce: str, body: bytes) -> str:
        text = stamp.encode() + b"\n" + nonce.encode() + b"\n" + body + b"\n"
        return b64encode(self.key.sign(text, PKCS1v15(), SHA256())).decode()

    def headers(self, body: bytes, *, age: float = 0, **changes: str | None) -> dict[str, str]:
        """`changes`: timestamp, nonce, serial, signature, signature_type; None leaves the header out."""
        stamp, nonce = str(int(self.now.timestamp() - age)), "6f0a1b2c3d4e5f60718293a4b5c6d7e8"
        wanted: dict[str, str | None] = {
            "timestamp": stamp,
            "nonce": nonce,
            "serial": self.key_id,
            "signature": self.signature(stamp, nonce, body),
            "signature_type": "WECHATPAY2-SHA256-RSA2048",
        }
        wanted.update(changes)
        return {
            "Wechatpay-" + name.replace("_", "-").title(): value for name, value in wanted.items() if value is not None
        }

    def sealed(self, content: Mapping[str, Any] | bytes, **changes: Any) -> dict[str, Any]:
        plain = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        ciphertext = AESGCM(self.apiv3_key.encode()).encrypt(b"abcdefghijkl", plain, b"transaction")
        resource = {
            "original_type": "transaction",
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": b64encode(ciphertext).decode(),
            "associated_data": "transaction",
            "nonce": "abcdefghijkl",
        }
        return resource | changes

    def event(self, content: Mapping[str, Any] | bytes, *, event_type: str, **resource: Any) -> bytes:
        envelope = {
            "id": "EV-2026112010300000001",
            "create_time": "2026-11-20T10:30:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event_type,
            "summary": "支付成功",
            "resource": self.sealed(content, **resource),
        }
        return json.dumps(envelope, ensure_ascii=False).encode()

    def answer(
        self, mock: responses.RequestsMock, method: str, path: str, payload: Any, *, status: int = 200, **headers: Any
    ) -> responses.BaseResponse:
        """Register a signed answer. `payload` is JSON, or bytes as they are."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
        signed = self.headers(body, **headers)
        return mock.add(
            method, PAY_URL + path, body=body, status=status, headers=signed, content_type="application/json"
        )


class MemoryTokens:
    """A TokenStore for one thread that counts its fetches."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.lives: list[timedelta] = []
        self.ended: set[str] = set()

    def token(self, name: str, fetch: Callable[[], tuple[str, timedelta]], *, rejected: str | None = None) -> str:
        if rejected is not None and self.tokens.get(name) == rejected:
            self.ended.add(name)
        if name not in self.tokens or name in self.ended:
            self.tokens[name], life = fetch()
            self.lives.append(life)
            self.ended.discard(name)
        return self.tokens[name]

    def stored(self, name: str) -> str | None:
        return self.tokens.get(name)


@pytest.fixture(scope="session")
def merchant_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def wechat_pay() -> WeChatPaySide:
    return WeChatPaySide(generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def stranger(wechat_pay: WeChatPaySide) -> WeChatPaySide:
    """Has a key of its own and calls itself WeChat Pay."""
    return replace(wechat_pay, key=generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def merchant(merchant_key: RSAPrivateKey, wechat_pay: WeChatPaySide) -> MerchantAccount:
    return MerchantAccount(
        merchant="renmin",
        mchid="1900007291",
        appid="wxd678efh567hg6787",
        serial_no="408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB",
        private_key_pem=merchant_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        apiv3_key=APIV3_KEY,
        public_key_id=KEY_ID,
        public_key_pem=wechat_pay.key.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


@pytest.fixture
def miniapp() -> MiniappAccount:
    return MiniappAccount(app="yuezhen", appid="wx2421b1c4370ec43b", secret="5ecre75ecre75ecre75ecre7")


@pytest.fixture
def gateway(merchant: MerchantAccount) -> WeChatPayGateway:
    return WeChatPayGateway(
        merchant,
        app="yuezhen",
        payment_notify_url="https://api.example.cn/callbacks/wechat-pay/renmin",
        refund_notify_url="https://api.example.cn/callbacks/wechat-refund/renmin",
        clock=lambda: NOW,
    )


@pytest.fixture(scope="session")
def reader(merchant: MerchantAccount) -> WeChatPayMessageReader:
    return WeChatPayMessageReader(merchant, app="yuezhen")


@pytest.fixture
def order() -> PaymentOrder:
    return PaymentOrder(
        out_trade_no="YZ20261120000001",
        amount_fen=5000,
        currency="CNY",
        description="人民医院 心内科 挂号费",
        payer="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        payer_kind=IdKind.OPEN_ID,
        expires_at=datetime(2026, 11, 20, 2, 45, 0, 999_000, tzinfo=UTC),
    )


@pytest.fixture
def refund_order() -> RefundOrder:
    return RefundOrder(
        out_refund_no="YZR20261120000001",
        out_trade_no="YZ20261120000001",
        amount_fen=2000,
        total_fen=5000,
        currency="CNY",
        reason="患者退号",
    )


@pytest.fixture(scope="session")
def paid_trade() -> dict[str, Any]:
    return {
        "appid": "wxd678efh567hg6787",
        "mchid": "1900007291",
        "out_trade_no": "YZ20261120000001",
        "transaction_id": "4200001234202611201234567890",
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "CMC_CREDIT",
        "attach": "",
        "success_time": "2026-11-20T10:29:55+08:00",
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {"total": 5000, "payer_total": 5000, "currency": "CNY", "payer_currency": "CNY"},
    }


@pytest.fixture(scope="session")
def refunded() -> dict[str, Any]:
    """The answer to a refund; a message says refund_status and mchid instead."""
    return {
        "refund_id": "50000000382019052709732678859",
        "out_refund_no": "YZR20261120000001",
        "transaction_id": "4200001234202611201234567890",
        "out_trade_no": "YZ20261120000001",
        "channel": "ORIGINAL",
        "user_received_account": "招商银行信用卡0403",
        "success_time": "2026-11-20T10:31:00+08:00",
        "create_time": "2026-11-20T10:30:30+08:00",
        "status": "SUCCESS",
        "amount": {"total": 5000, "refund": 2000, "payer_total": 5000, "payer_refund": 2000, "currency": "CNY"},
    }


@pytest.fixture(scope="session")
def refund_notice(refunded: dict[str, Any]) -> dict[str, Any]:
    left_out = ("status", "create_time", "channel")
    notice = {name: value for name, value in refunded.items() if name not in left_out}
    return notice | {"mchid": "1900007291", "refund_status": "SUCCESS", "amount": {"total": 5000, "refund": 2000}}


@dataclass(frozen=True)
class Call:
    """One act of the gateway, where it goes, and the answer that is success once it is proven."""

    method: str
    path: str
    act: Callable[[], Any]
    good_status: int
    good_body: bytes


@pytest.fixture(params=["create", "query", "close", "refund", "refund_query"])
def call(
    *,
    request: pytest.FixtureRequest,
    gateway: WeChatPayGateway,
    order: PaymentOrder,
    refund_order: RefundOrder,
    paid_trade: dict[str, Any],
    refunded: dict[str, Any],
) -> Call:
    """Every act of the gateway in turn."""
    number, refund_number = order.out_trade_no, refund_order.out_refund_no
    trades, refunds = "/v3/pay/transactions", "/v3/refund/domestic/refunds"
    told, done = json.dumps(paid_trade).encode(), json.dumps(refunded).encode()
    find, close = f"{trades}/out-trade-no/{number}?mchid=1900007291", f"{trades}/out-trade-no/{number}/close"
    ask = f"{refunds}/{refund_number}"
    return {
        "create": Call("POST", f"{trades}/jsapi", lambda: gateway.open_payment(order), 200, b'{"prepay_id":"wx2"}'),
        "query": Call("GET", find, lambda: gateway.find_payment(number), 200, told),
        "close": Call("POST", close, lambda: gateway.close_payment(number), 204, b""),
        "refund": Call("POST", refunds, lambda: gateway.open_refund(refund_order), 200, done),
        "refund_query": Call("GET", ask, lambda: gateway.find_refund(refund_number, out_trade_no=number), 200, done),
    }[request.param]


@pytest.fixture
def tokens() -> MemoryTokens:
    return MemoryTokens()


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """Nothing leaves the machine; every registered answer must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock
