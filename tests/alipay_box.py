"""Alipay's accounts in a sandbox, and what a person does there, for tests that speak to it over HTTP."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from token_memory import TokenMemory

from core.ports import IdKind, PaymentOrder, RefundAnswer, RefundOrder, RefundState
from integrations.alipay import AlipayAccount, AlipayCertificates, AlipayGateway

OPEN_ID = "oAlipayConformance1"
NOBODY = "http://127.0.0.1:9/callbacks/alipay/x"
MERCHANTS = ["demo", "gulou", "xiehe"]


@dataclass(frozen=True)
class Merchant:
    """One of the sandbox's accounts, and what we have for it."""

    account: AlipayAccount
    gateway: AlipayGateway


def account_of(told: dict[str, Any]) -> AlipayAccount:
    names = {"private_key": "private_key_pem", "alipay_public_key": "alipay_public_key_pem"}
    files = told.get("certificates")
    known = {names.get(name, name): value for name, value in told.items() if name != "certificates"}
    if files is None:
        return AlipayAccount(**known)
    certificates = AlipayCertificates(**{f"{name}_pem": text for name, text in files.items()})
    return AlipayAccount(**known, certificates=certificates)


def fresh(account: AlipayAccount) -> AlipayAccount:
    """The same account in a house of its own, where nobody has learnt a renewed certificate yet."""
    made = replace(account)
    made.keys.share(TokenMemory())
    return made


def login_code(sandbox: Any, **more: Any) -> str:
    code: str = sandbox.control("login-codes", provider="alipay_miniapp", open_id=OPEN_ID, **more)["code"]
    return code


def order_of(sandbox: Any, amount_fen: int = 5005) -> PaymentOrder:
    login_code(sandbox)
    return PaymentOrder(
        out_trade_no="P" + secrets.token_hex(12).upper(),
        amount_fen=amount_fen,
        currency="CNY",
        description="人民医院 挂号费/初诊=1&",
        payer=OPEN_ID,
        payer_kind=IdKind.OPEN_ID,
        expires_at=datetime.now(UTC) + timedelta(minutes=15),
    )


def refund_of(order: PaymentOrder, amount_fen: int) -> RefundOrder:
    number = "R" + secrets.token_hex(12).upper()
    return RefundOrder(number, order.out_trade_no, amount_fen, order.amount_fen, "CNY", "预约已取消")


def settled(gateway: AlipayGateway, order: RefundOrder) -> RefundAnswer:
    """Ask until the sandbox has done it."""
    for _ in range(100):
        told = gateway.find_refund(order.out_refund_no, out_trade_no=order.out_trade_no)
        if told.state is RefundState.SUCCEEDED:
            return told
        time.sleep(0.02)
    raise AssertionError(told)


def paid(sandbox: Any, merchant: Merchant, amount_fen: int = 5005) -> PaymentOrder:
    order = order_of(sandbox, amount_fen)
    params = merchant.gateway.open_payment(order)
    sandbox.control(f"payments/{order.out_trade_no}/pay", channel="alipay", client_params=params)
    return order
