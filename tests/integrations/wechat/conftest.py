"""WeChat's side of the wire for unit tests: its keys, its signatures, its sealed messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from wechat_pay_side import APIV3_KEY, KEY_ID, NOW, WeChatPaySide, platform_certificate, serial_of

from core.ports import IdKind, PaymentOrder, RefundOrder
from integrations.wechat import MerchantAccount, MiniappAccount, WeChatPayGateway, WeChatPayMessageReader


class MemoryTokens:
    """A TokenStore for one thread that counts its fetches."""

    def __init__(self, tokens: Mapping[str, str] | None = None) -> None:
        self.tokens = dict(tokens or {})
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
def key_mode(request: pytest.FixtureRequest) -> str:
    """`public_key`, `certificate`, or `mixed`: both are known, and WeChat signs with the certificate still.

    Files whose tests are about signatures play all three, by `parametrize(..., indirect=True, scope="session")`.
    """
    mode: str = getattr(request, "param", "public_key")
    return mode


@pytest.fixture(scope="session")
def wechat_pay(key_mode: str) -> WeChatPaySide:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    pem = platform_certificate(key)
    return WeChatPaySide(key, KEY_ID if key_mode == "public_key" else serial_of(pem), certificate=pem)


@pytest.fixture(scope="session")
def stranger(wechat_pay: WeChatPaySide) -> WeChatPaySide:
    """Has a key of its own and calls itself WeChat Pay."""
    return replace(wechat_pay, key=generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def merchant(merchant_key: RSAPrivateKey, wechat_pay: WeChatPaySide, key_mode: str) -> MerchantAccount:
    has_public_key = key_mode != "certificate"
    other = generate_private_key(public_exponent=65537, key_size=2048)
    public_key = (other if key_mode == "mixed" else wechat_pay.key).public_key()
    public_pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return MerchantAccount(
        merchant="renmin",
        mchid="1900007291",
        appid="wxd678efh567hg6787",
        serial_no="408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB",
        private_key_pem=merchant_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        apiv3_key=APIV3_KEY,
        public_key_id=KEY_ID if has_public_key else None,
        public_key_pem=public_pem if has_public_key else None,
        platform_certificates=None if key_mode == "public_key" else (),
    )


@pytest.fixture(scope="session")
def stored(wechat_pay: WeChatPaySide, key_mode: str) -> dict[str, str]:
    """As another process left it a moment ago."""
    if key_mode == "public_key":
        return {}
    content = {"asked_at": NOW.isoformat(), "certificates": [wechat_pay.certificate]}
    return {"wechat_pay_certificates:1900007291": json.dumps(content)}


@pytest.fixture(scope="session")
def next_side(wechat_pay: WeChatPaySide) -> WeChatPaySide:
    """WeChat Pay with the certificate that follows."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    pem = platform_certificate(key, begins=NOW - timedelta(days=1))
    return replace(wechat_pay, key=key, key_id=serial_of(pem), certificate=pem)


@pytest.fixture
def miniapp() -> MiniappAccount:
    return MiniappAccount(app="yuezhen", appid="wx2421b1c4370ec43b", secret="5ecre75ecre75ecre75ecre7")


@pytest.fixture
def make_gateway(tokens: MemoryTokens) -> Callable[..., WeChatPayGateway]:
    """A gateway of any account; its clock shows `now`."""

    def make(account: MerchantAccount, *, now: datetime = NOW, **changes: Any) -> WeChatPayGateway:
        return WeChatPayGateway(
            account,
            **{"app": "yuezhen", "appid": account.appid, "tokens": tokens} | changes,
            payment_notify_url="https://api.example.cn/callbacks/wechat-pay/renmin",
            refund_notify_url="https://api.example.cn/callbacks/wechat-refund/renmin",
            clock=lambda: now,
        )

    return make


@pytest.fixture
def gateway(merchant: MerchantAccount, make_gateway: Callable[..., WeChatPayGateway]) -> WeChatPayGateway:
    return make_gateway(merchant)


@pytest.fixture(scope="session")
def reader(merchant: MerchantAccount, stored: dict[str, str]) -> WeChatPayMessageReader:
    return WeChatPayMessageReader(merchant, {merchant.appid: "yuezhen"}, tokens=MemoryTokens(stored))


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
def tokens(stored: dict[str, str]) -> MemoryTokens:
    return MemoryTokens(stored)


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """Nothing leaves the machine; every registered answer must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock
