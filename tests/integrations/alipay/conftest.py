"""Alipay's side of the wire for unit tests: its keys, its signatures, its certificates, its spelling of JSON."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from core.ports import IdKind, PaymentOrder, RefundOrder
from integrations.alipay import AlipayAccount, AlipayGateway

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
GATEWAY = "https://openapi.alipay.com/gateway.do"
APP_ID, SELLER_ID = "2021004100000001", "2088100200300400"
AES_KEY = b64encode(b"0123456789abcdef").decode()
NUMBER, REFUND_NUMBER = "P20261120ABCDEFGHJKLMNPQR2", "R20261120ABCDEFGHJKLMNPQR2"


def as_alipay_writes(content: Any) -> str:
    """JSON as Alipay writes it: no blanks, CJK as it is, and a slash with a backslash before it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def public_pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass(frozen=True)
class AlipaySide:
    """Signs and seals as Alipay does. Written from alipay.md 1.4, 3.3, 8 and 11.4, not with our own primitives."""

    key: RSAPrivateKey

    def signature(self, text: str | bytes) -> str:
        raw = text if isinstance(text, bytes) else text.encode()
        return b64encode(self.key.sign(raw, PKCS1v15(), SHA256())).decode()

    def sealed(self, content: Any, key: str = AES_KEY) -> str:
        plain = (content if isinstance(content, str) else as_alipay_writes(content)).encode()
        plain += bytes([16 - len(plain) % 16]) * (16 - len(plain) % 16)
        lock = Cipher(algorithms.AES(b64decode(key)), modes.CBC(bytes(16))).encryptor()
        return b64encode(lock.update(plain) + lock.finalize()).decode()

    def body(self, node: str, value: str, *, sign: str | None = "", cert_sn: str | None = None) -> bytes:
        """An answer around the text of a node; `sign` None leaves it out, a text takes its place."""
        members = [f'"{node}":{value}']
        if cert_sn is not None:
            members.append(f'"alipay_cert_sn":"{cert_sn}"')
        if sign is not None:
            members.append(f'"sign":"{sign or self.signature(value)}"')
        return ("{" + ",".join(members) + "}").encode()

    def answer(self, wire: responses.RequestsMock, method: str, content: Any, **options: Any) -> responses.BaseResponse:
        """Register an answer to one method. `content` is JSON, or a text that is the node itself."""
        value = content if isinstance(content, str) else as_alipay_writes(content)
        node = options.pop("node", method.replace(".", "_") + "_response")
        return register(wire, method, self.body(node, value, **options))

    def success(self, wire: responses.RequestsMock, method: str, **content: Any) -> responses.BaseResponse:
        return self.answer(wire, method, {"code": "10000", "msg": "Success"} | content)

    def failure(
        self, wire: responses.RequestsMock, method: str, sub_code: str, code: str = "40004", **options: Any
    ) -> responses.BaseResponse:
        told = {"code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": "SECRET 张三 oSECRET"}
        return self.answer(wire, method, told, **options)

    def form(self, fields: Mapping[str, str], *, sign_type: bool = False, charset: str = "utf-8") -> bytes:
        """A signed form; with `sign_type` that field is signed too, as for the application gateway."""
        kept = {name: value for name, value in fields.items() if value and (sign_type or name != "sign_type")}
        text = "&".join(f"{name}={kept[name]}" for name in sorted(kept)).encode(charset)
        signed = {**fields, "sign": self.signature(text)}
        return "&".join(f"{name}={quote_plus(value, encoding=charset)}" for name, value in signed.items()).encode()


def register(
    wire: responses.RequestsMock, method: str, body: bytes, *, status: int = 200, **headers: str
) -> responses.BaseResponse:
    return wire.add(
        "POST",
        GATEWAY,
        body=body,
        status=status,
        headers={"trace_id": "0b51f3aa17"} | headers,
        content_type="text/html;charset=utf-8",
        match=[responses.matchers.query_param_matcher({"method": method}, strict_match=False)],
    )


@dataclass(frozen=True)
class Asked:
    """What came over the wire: where each field stood, and all of them together."""

    query: dict[str, str]
    body: dict[str, str]

    @property
    def biz_content(self) -> Any:
        return json.loads(self.body["biz_content"])


def what_was_asked(wire: responses.RequestsMock, at: int = -1) -> Asked:
    request = wire.calls[at].request
    query = request.url.partition("?")[2]
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    return Asked(dict(parse_qsl(query, strict_parsing=True)), dict(parse_qsl(body.decode())))


@pytest.fixture(scope="session")
def app_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def alipay() -> AlipaySide:
    return AlipaySide(generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def stranger() -> AlipaySide:
    """Has a key of its own and calls itself Alipay."""
    return AlipaySide(generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def account(app_key: RSAPrivateKey, alipay: AlipaySide) -> AlipayAccount:
    return AlipayAccount(
        merchant="renmin",
        app="patient",
        app_id=APP_ID,
        seller_id=SELLER_ID,
        private_key_pem=private_pem(app_key),
        alipay_public_key_pem=public_pem(alipay.key),
        aes_key=AES_KEY,
    )


@pytest.fixture(scope="session")
def calling_account(account: AlipayAccount) -> AlipayAccount:
    """An app that takes money for the mini-program of another one."""
    return replace(account, app_id="2021004100000002", op_app_id=APP_ID)


@pytest.fixture
def gateway(account: AlipayAccount) -> AlipayGateway:
    return AlipayGateway(account, notify_url="https://hospital.example/callbacks/alipay/renmin", clock=lambda: NOW)


@pytest.fixture
def order() -> PaymentOrder:
    return PaymentOrder(
        out_trade_no=NUMBER,
        amount_fen=5005,
        currency="CNY",
        description="预约挂号费 261120000000001",
        payer="074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
        payer_kind=IdKind.OPEN_ID,
        expires_at=datetime(2026, 11, 20, 2, 45, 0, tzinfo=UTC),
    )


@pytest.fixture
def refund_order() -> RefundOrder:
    return RefundOrder(
        out_refund_no=REFUND_NUMBER,
        out_trade_no=NUMBER,
        amount_fen=2000,
        total_fen=5005,
        currency="CNY",
        reason="预约已取消",
    )


@pytest.fixture(scope="session")
def paid_trade() -> dict[str, Any]:
    """A query's answer without code and msg."""
    return {
        "buyer_logon_id": "138****0000",
        "buyer_open_id": "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
        "fund_bill_list": [{"amount": "50.05", "fund_channel": "BANKCARD", "fund_type": "DEBIT_CARD"}],
        "out_trade_no": NUMBER,
        "receipt_amount": "50.05",
        "send_pay_date": "2026-11-20 10:29:55",
        "total_amount": "50.05",
        "trade_no": "2026112022001400000000000001",
        "trade_status": "TRADE_SUCCESS",
    }


@pytest.fixture(scope="session")
def event() -> dict[str, str]:
    """A payment's event, not signed yet."""
    return {
        "gmt_create": "2026-11-20 10:29:00",
        "charset": "utf-8",
        "gmt_payment": "2026-11-20 10:29:55",
        "notify_time": "2026-11-20 10:29:56",
        "subject": "预约挂号费 261120000000001",
        "buyer_open_id": "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
        "invoice_amount": "50.05",
        "version": "1.0",
        "notify_id": "2026112000222102956000010000000001",
        "fund_bill_list": '[{"amount":"50.05","fundChannel":"ALIPAYACCOUNT"}]',
        "notify_type": "trade_status_sync",
        "out_trade_no": NUMBER,
        "total_amount": "50.05",
        "trade_status": "TRADE_SUCCESS",
        "trade_no": "2026112022001400000000000001",
        "auth_app_id": APP_ID,
        "receipt_amount": "50.05",
        "point_amount": "0.00",
        "app_id": APP_ID,
        "buyer_pay_amount": "50.05",
        "sign_type": "RSA2",
        "seller_id": SELLER_ID,
    }


@dataclass(frozen=True)
class Call:
    """One act of the gateway, the method it calls, and the answer that is success once it is proven."""

    method: str
    act: Callable[[], Any]
    good: dict[str, Any]


@pytest.fixture(params=["create", "query", "close", "refund", "refund_query"])
def call(
    *,
    request: pytest.FixtureRequest,
    gateway: AlipayGateway,
    order: PaymentOrder,
    refund_order: RefundOrder,
    paid_trade: dict[str, Any],
) -> Call:
    """Every act of the gateway in turn."""
    trade = {"out_trade_no": NUMBER, "trade_no": "2026112022001400000000000001"}
    refunded = {**trade, "out_request_no": REFUND_NUMBER, "refund_amount": "20.00", "refund_status": "REFUND_SUCCESS"}

    def find_refund() -> Any:
        return gateway.find_refund(REFUND_NUMBER, out_trade_no=NUMBER)

    return {
        "create": Call("alipay.trade.create", lambda: gateway.open_payment(order), trade),
        "query": Call("alipay.trade.query", lambda: gateway.find_payment(NUMBER), paid_trade),
        "close": Call("alipay.trade.close", lambda: gateway.close_payment(NUMBER), trade),
        "refund": Call("alipay.trade.refund", lambda: gateway.open_refund(refund_order), trade | {"fund_change": "Y"}),
        "refund_query": Call("alipay.trade.fastpay.refund.query", find_refund, refunded),
    }[request.param]


@pytest.fixture(scope="session")
def compact() -> Callable[[Any], str]:
    return as_alipay_writes


@pytest.fixture(scope="session")
def answer_with() -> Callable[..., responses.BaseResponse]:
    """Registers the raw body of an answer to one method."""
    return register


@pytest.fixture
def asked() -> Callable[..., Asked]:
    """Reads the call at a place of the wire, the last one where none is said."""
    return what_was_asked


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """Nothing leaves the machine; every registered answer must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock
