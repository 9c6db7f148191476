"""Messages that an independent reading of WeChat Pay signs, seals and sends to a port of ours."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from postbox import Delivery, Mailbox, collecting

from core.ports import (
    InvalidSignature,
    MessageKind,
    PaymentOrder,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.wechat import MerchantAccount, WeChatPayGateway, WeChatPayMessageReader

SIGNED = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature")


def reader_of(account: MerchantAccount, tokens: Any) -> WeChatPayMessageReader:
    return WeChatPayMessageReader(account, {account.appid: "patient"}, tokens=tokens)


@pytest.fixture(params=["demo", "gulou", "xiehe"])
def account(request: pytest.FixtureRequest, wechat_merchants: list[MerchantAccount]) -> MerchantAccount:
    """With the public key alone, in the midst of its switch, with certificates alone."""
    return next(one for one in wechat_merchants if one.merchant == request.param)


@pytest.fixture
def another(account: MerchantAccount, wechat_merchants: list[MerchantAccount]) -> MerchantAccount:
    return next(one for one in wechat_merchants if one.merchant != account.merchant)


@pytest.fixture
def mailbox(account: MerchantAccount, wechat_tokens: Any) -> Iterator[Mailbox]:
    with collecting(reader_of(account, wechat_tokens)) as box:
        yield box


@pytest.fixture
def gateway(mailbox: Mailbox, account: MerchantAccount, wechat_tokens: Any) -> WeChatPayGateway:
    return WeChatPayGateway(
        account,
        app="patient",
        appid=account.appid,
        tokens=wechat_tokens,
        payment_notify_url=f"{mailbox.url}/payments",
        refund_notify_url=f"{mailbox.url}/refunds",
    )


@pytest.fixture
def order(gateway: WeChatPayGateway, wechat_order: PaymentOrder) -> PaymentOrder:
    gateway.open_payment(wechat_order)
    return wechat_order


@pytest.fixture(params=["payment", "refund"])
def delivery(
    request: pytest.FixtureRequest, sandbox: Any, mailbox: Mailbox, gateway: WeChatPayGateway, order: PaymentOrder
) -> Delivery:
    """A good message of each kind in turn."""
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    payment = mailbox.next()
    if request.param == "payment":
        return payment
    number = "R" + secrets.token_hex(12).upper()
    gateway.open_refund(RefundOrder(number, order.out_trade_no, 2000, 5000, "CNY", "患者退号"))
    return mailbox.next()


def is_refused(reader: WeChatPayMessageReader, headers: dict[str, str], body: bytes) -> bool:
    try:
        reader.check(headers, body, now=datetime.now(UTC))
    except InvalidSignature:
        return True
    return False


def test_payment_and_refund_are_told_at_their_own_addresses(
    sandbox: Any, mailbox: Mailbox, gateway: WeChatPayGateway, order: PaymentOrder
) -> None:
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    told = mailbox.next()
    assert told.path == "/payments"
    assert told.message is not None
    assert (told.message.kind, told.message.app) == (MessageKind.PAYMENT, "patient")
    assert told.message.trade == gateway.find_payment(order.out_trade_no)
    number = "R" + secrets.token_hex(12).upper()
    gateway.open_refund(RefundOrder(number, order.out_trade_no, 2000, 5000, "CNY", "患者退号"))
    told = mailbox.next()
    assert told.path == "/refunds"
    assert told.message is not None
    assert told.message.refund == gateway.find_refund(number, out_trade_no=order.out_trade_no)
    assert told.message.refund is not None
    assert told.message.refund.state is RefundState.SUCCEEDED
    assert told.message.summary["out_trade_no"] == order.out_trade_no


def test_a_stored_body_opens_again_without_its_headers(mailbox: Mailbox, delivery: Delivery) -> None:
    assert mailbox.reader.read(delivery.body) == delivery.message


def test_every_byte_of_the_body_counts(mailbox: Mailbox, delivery: Delivery) -> None:
    assert not is_refused(mailbox.reader, delivery.headers, delivery.body)
    for place, byte in enumerate(delivery.body):
        changed = delivery.body[:place] + bytes([byte ^ 1]) + delivery.body[place + 1 :]
        assert is_refused(mailbox.reader, delivery.headers, changed), place


@pytest.mark.parametrize("name", SIGNED)
def test_every_character_of_a_signed_header_counts(mailbox: Mailbox, delivery: Delivery, name: str) -> None:
    value = delivery.headers[name]
    for place, character in enumerate(value):
        for other in {chr(ord(character) ^ 1), character.swapcase()} - {character}:
            changed = value[:place] + other + value[place + 1 :]
            assert is_refused(mailbox.reader, delivery.headers | {name: changed}, delivery.body), (place, other)


@pytest.mark.parametrize(
    ("age", "fresh"), [(0, True), (299, True), (300, False), (301, False), (-299, True), (-300, False)]
)
def test_a_stamp_is_fresh_for_299_seconds(mailbox: Mailbox, delivery: Delivery, age: int, fresh: bool) -> None:
    now = datetime.fromtimestamp(int(delivery.headers["Wechatpay-Timestamp"]) + age, UTC)
    if fresh:
        assert mailbox.reader.check(delivery.headers, delivery.body, now=now) == delivery.message
        return
    with pytest.raises(InvalidSignature, match="stale"):
        mailbox.reader.check(delivery.headers, delivery.body, now=now)


def test_another_merchants_reader_refuses_it(
    mailbox: Mailbox, delivery: Delivery, account: MerchantAccount, another: MerchantAccount, wechat_tokens: Any
) -> None:
    """Also one that has everything but the one thing: the serial, the key, the number, the app."""
    cases = {
        "unknown_serial": another,
        "sealed": replace(account, apiv3_key=another.apiv3_key),
        "foreign_merchant": replace(account, mchid=another.mchid),
    }
    if delivery.headers["Wechatpay-Serial"] == account.public_key_id:
        strangers = load_pem_private_key(another.private_key_pem.encode(), None).public_key()
        pem = strangers.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        cases["bad_signature"] = replace(account, public_key_pem=pem)
    if delivery.message is not None and delivery.message.kind is MessageKind.PAYMENT:
        cases["foreign_app"] = replace(account, appid="wx0000000000000000")
    for reason, bent in cases.items():
        with pytest.raises(InvalidSignature, match=f"^{reason}$"):
            reader_of(bent, wechat_tokens).check(delivery.headers, delivery.body, now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ("unsigned", {"missing_header"}),
        ("bad_signature", {"bad_signature"}),
        ("forged", {"bad_signature"}),
        ("signtest", {"signtest", "bad_header"}),
        ("stale", {"stale"}),
        ("unknown_serial", {"unknown_serial"}),
    ],
)
def test_a_false_signature_is_refused_and_the_true_one_comes_after_it(
    sandbox: Any, mailbox: Mailbox, order: PaymentOrder, fault: str, reasons: set[str]
) -> None:
    sandbox.misbehave("notice.payment", fault)
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    first = mailbox.next()
    assert first.reason in reasons
    second = mailbox.next()
    assert second.message is not None
    assert second.message.trade is not None
    assert second.message.trade.out_trade_no == order.out_trade_no


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("other_merchant", "unknown_serial"), ("wrong_merchant", "foreign_merchant"), ("wrong_app", "foreign_app")],
)
def test_a_true_signature_under_what_is_not_ours_is_refused_each_time(
    sandbox: Any, mailbox: Mailbox, order: PaymentOrder, fault: str, reason: str
) -> None:
    sandbox.misbehave("notice.payment", fault)
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    assert [mailbox.next().reason, mailbox.next().reason] == [reason, reason]


@pytest.mark.parametrize(
    ("fault", "differs"),
    [("wrong_amount", "amount_fen"), ("wrong_currency", "currency"), ("unknown_number", "out_trade_no")],
)
def test_a_signed_message_with_other_facts_is_told_as_it_is(
    *,
    sandbox: Any,
    mailbox: Mailbox,
    gateway: WeChatPayGateway,
    order: PaymentOrder,
    fault: str,
    differs: str,
) -> None:
    """To compare it with our rows is the core's work; the reader must neither hide nor repair it."""
    sandbox.misbehave("notice.payment", fault)
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    told = mailbox.next().message
    assert told is not None
    assert told.trade is not None
    assert told.trade.state is TradeState.PAID
    truth = gateway.find_payment(order.out_trade_no)
    assert getattr(told.trade, differs) != getattr(truth, differs)


def test_a_message_without_a_signature_type_is_taken(sandbox: Any, mailbox: Mailbox, order: PaymentOrder) -> None:
    sandbox.misbehave("notice.payment", "untyped")
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    told = mailbox.next()
    assert "Wechatpay-Signature-Type" not in told.headers
    assert told.message is not None


def test_a_message_sent_twice_has_one_id(sandbox: Any, mailbox: Mailbox, order: PaymentOrder) -> None:
    sandbox.misbehave("notice.payment", "duplicate")
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    first, second = mailbox.next().message, mailbox.next().message
    assert first == second
    assert first is not None


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        ({}, None),
        ({"stamp_offset": -295}, None),
        ({"stamp_offset": -300}, "stale"),
        ({"stamp_offset": 310}, "stale"),
        ({"signed_by": "stranger"}, "bad_signature"),
        ({"signed_by": "another"}, "unknown_serial"),
        ({"sealed_by": "another"}, "sealed"),
        ({"serial": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"}, "unknown_serial"),
        ({"signature_type": "WECHATPAY2-SM2-WITH-SM3"}, "signature_type"),
        ({"algorithm": "AEAD_SM4_GCM"}, "algorithm"),
        ({"body": "[]"}, "unreadable"),
        ({"headers": {"Wechatpay-Nonce": None}}, "missing_header"),
        ({"tamper": {"body": 40}}, "bad_signature"),
        # Six letters of 64 become none of base64 that way, which is noticed before the signature is tried.
        ({"tamper": {"signature": 40}}, "bad_signature or bad_header"),
    ],
)
def test_a_forged_message_is_told_by_what_is_wrong_with_it(
    *,
    sandbox: Any,
    mailbox: Mailbox,
    account: MerchantAccount,
    another: MerchantAccount,
    forged: dict[str, Any],
    reason: str | None,
) -> None:
    trade = {
        "mchid": account.mchid,
        "appid": account.appid,
        "out_trade_no": "P0000000000000000000000001",
        "trade_state": "SUCCESS",
        "transaction_id": "4200000000000000000000000001",
        "amount": {"total": 1, "currency": "CNY"},
    }
    wanted = {"merchant": account.merchant, "url": f"{mailbox.url}/forged"}
    wanted |= {"plaintext": trade} if "body" not in forged else {}
    named = {name: another.merchant if value == "another" else value for name, value in forged.items()}
    sandbox.control("notices/forge", **wanted, **named)
    told = mailbox.next().reason
    assert told in (reason.split(" or ") if reason else [None])
