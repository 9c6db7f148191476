"""An account of ours at Alipay, what it sells, and Alipay itself at the other end of the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from alipay_chain import ALIPAY_NAME, Clock, Issuer, new_key
from alipay_chain import pem as pem_of
from alipay_side import (
    AES_KEY,
    APP_ID,
    NUMBER,
    REFUND_NUMBER,
    SELLER_ID,
    AlipaySide,
    Asked,
    as_alipay_writes,
    private_pem,
    public_pem,
    register,
    what_was_asked,
)
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509 import Certificate
from token_memory import TokenMemory

from core.ports import IdKind, PaymentOrder, RefundOrder
from integrations.alipay import AlipayAccount, AlipayCertificates, AlipayGateway, AlipayMessageReader
from integrations.alipay._certs import serial_name

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)


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


@pytest.fixture(scope="session")
def reader(account: AlipayAccount) -> AlipayMessageReader:
    return AlipayMessageReader(account)


@dataclass(frozen=True)
class Certified:
    """An account in certificate mode with all that stands behind its files."""

    account: AlipayAccount
    alipay: AlipaySide
    root: Issuer
    root_cert: Certificate
    authority: Issuer
    authority_cert: Certificate
    alipay_cert: Certificate
    app_cert: Certificate

    @property
    def alipay_sn(self) -> str:
        return serial_name(self.alipay_cert)


@pytest.fixture(scope="session")
def chain(app_key: RSAPrivateKey, alipay: AlipaySide, account: AlipayAccount) -> Certified:
    root, authority = Issuer("Root R1"), Issuer("Class 2 R1")
    root_cert = root.certificate("Root R1", root.key, authority=True)
    authority_cert = root.certificate("Class 2 R1", authority.key, authority=True)
    alipay_cert = authority.certificate(ALIPAY_NAME, alipay.key)
    app_cert = authority.certificate(f"{SELLER_ID}-{APP_ID}", app_key)
    files = AlipayCertificates(
        app_cert_pem=pem_of(app_cert),
        alipay_cert_pem=pem_of(alipay_cert, authority_cert),
        alipay_root_cert_pem=pem_of(root_cert),
    )
    made = replace(account, alipay_public_key_pem="", certificates=files)
    return Certified(made, alipay, root, root_cert, authority, authority_cert, alipay_cert, app_cert)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> TokenMemory:
    """What all processes share."""
    return TokenMemory(clock)


@pytest.fixture
def certified(chain: Certified, store: TokenMemory) -> Certified:
    """With an account of its own, because an account learns new certificates."""
    account = replace(chain.account)
    account.keys.share(store)
    return replace(chain, account=account)


@pytest.fixture
def renewed(certified: Certified) -> Certified:
    """Alipay with its next key and certificate."""
    side = replace(certified.alipay, key=new_key())
    return replace(certified, alipay=side, alipay_cert=certified.authority.certificate(ALIPAY_NAME, side.key))


@pytest.fixture(scope="session")
def pem() -> Callable[..., str]:
    return pem_of


@pytest.fixture(scope="session")
def elliptic_root() -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    return Issuer("E1", key).certificate("E1", key, authority=True)  # type: ignore[arg-type]


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
