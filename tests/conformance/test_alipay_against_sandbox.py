"""Our reading of Alipay's protocol against an independent one, over real HTTP: login, face, phone, payment, refund."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from alipay_box import (
    MERCHANTS,
    NOBODY,
    OPEN_ID,
    Merchant,
    account_of,
    fresh,
    login_code,
    order_of,
    paid,
    refund_of,
    settled,
)

from core.ports import (
    CloseOutcome,
    FaceOutcome,
    FaceResult,
    FaceSubject,
    IdKind,
    LoginRefused,
    PhoneRefused,
    PlatformUser,
    ProviderRefused,
    ProviderUnavailable,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.alipay import (
    AlipayAccount,
    AlipayFaceVerifier,
    AlipayGateway,
    AlipayMessageReader,
    AlipayMiniappLogin,
    AlipayPhoneProver,
)

SUBJECT = FaceSubject("resident_id", "张三", "11010519491231002X", OPEN_ID)


@pytest.fixture(scope="module")
def accounts(sandbox: Any) -> dict[str, AlipayAccount]:
    made = [fresh(account_of(told)) for told in sandbox.credentials("alipay")]
    return {account.merchant: account for account in made}


@pytest.fixture(params=MERCHANTS)
def merchant(request: pytest.FixtureRequest, accounts: dict[str, AlipayAccount]) -> Merchant:
    """A fresh one each time, because an account learns certificates."""
    account = fresh(accounts[request.param])
    return Merchant(account, AlipayGateway(account, notify_url=NOBODY, timeouts=(2.0, 3.0)))


@pytest.fixture
def demo(accounts: dict[str, AlipayAccount]) -> Merchant:
    account = accounts["demo"]
    return Merchant(account, AlipayGateway(account, notify_url=NOBODY, timeouts=(2.0, 3.0)))


# --- login, face, phone -----------------------------------------------------------------------------------------------


def test_a_login_code_works_once(sandbox: Any, demo: Merchant) -> None:
    login = AlipayMiniappLogin(demo.account)
    code = login_code(sandbox, union_id="u-alipay-1")
    assert login.exchange_code(code) == PlatformUser("alipay_miniapp", "patient", OPEN_ID, "u-alipay-1")
    for wrong in (code, "nobody-made-this-code"):
        with pytest.raises(LoginRefused, match=r"isv\.code-invalid"):
            login.exchange_code(wrong)


def test_an_older_app_tells_the_user_id(sandbox: Any, demo: Merchant) -> None:
    sandbox.control("alipay/id-mode", id_mode="user_id", app="patient")
    try:
        login = AlipayMiniappLogin(replace(demo.account, id_mode=IdKind.USER_ID))
        user = login.exchange_code(login_code(sandbox))
    finally:
        sandbox.control("alipay/id-mode", id_mode="open_id", app="patient")
    assert user.open_id is None
    assert user.user_id


@pytest.mark.parametrize(
    ("act", "wanted", "expected"),
    [
        (None, {}, FaceResult(FaceOutcome.PENDING)),
        ("pass", {}, FaceResult(FaceOutcome.PASSED)),
        ("fail", {"fail_reason": "人脸不一致"}, FaceResult(FaceOutcome.FAILED, reason="other")),
    ],
)
def test_a_face_is_what_alipay_says(
    *, sandbox: Any, demo: Merchant, act: str | None, wanted: dict[str, str], expected: FaceResult
) -> None:
    login_code(sandbox)
    number = secrets.token_hex(16)
    verifier = AlipayFaceVerifier(demo.account, return_url="http://127.0.0.1:9/callbacks/alipay-identity/patient")
    start = verifier.start(out_seq_no=number, subject=SUBJECT)
    page = requests.get(start.client_params["url"], timeout=10, allow_redirects=False)
    assert page.status_code == 302
    if act is not None:
        sandbox.control(f"identity/{start.reference}/{act}", **wanted)
    told = verifier.read_result(reference=start.reference, out_seq_no=number, evidence=start.evidence, open_id=OPEN_ID)
    assert told == expected


def test_a_check_that_nobody_opened_is_refused(demo: Merchant) -> None:
    verifier = AlipayFaceVerifier(demo.account, return_url="http://127.0.0.1:9/x")
    with pytest.raises(ProviderRefused, match="OPEN_CERTIFY_BILL_NOT_EXIST"):
        verifier.read_result(reference="0" * 32, out_seq_no="1", evidence="", open_id=OPEN_ID)


def test_a_phone_is_read_from_what_the_wallet_signs(sandbox: Any, demo: Merchant) -> None:
    prover = AlipayPhoneProver(demo.account)
    given = sandbox.control("phone-payloads", phone="13800001234", app="patient")
    assert prover.read_phone({name: given[name] for name in prover.takes}, user=OPEN_ID) == "+8613800001234"
    unsigned = sandbox.control("phone-payloads", phone="13800001234", app="patient", signed=False)
    with pytest.raises(PhoneRefused, match="missing_sign"):
        prover.read_phone({name: unsigned[name] for name in prover.takes if unsigned.get(name)}, user=OPEN_ID)


# --- payments ---------------------------------------------------------------------------------------------------------


def test_a_payment_is_opened_paid_and_found(sandbox: Any, merchant: Merchant) -> None:
    order = order_of(sandbox)
    params = merchant.gateway.open_payment(order)
    assert merchant.gateway.open_payment(order) == params
    assert merchant.gateway.find_payment(order.out_trade_no).state is TradeState.UNPAID
    sandbox.control(f"payments/{order.out_trade_no}/pay", channel="alipay", client_params=params)
    told = merchant.gateway.find_payment(order.out_trade_no)
    assert (told.state, told.amount_fen, told.currency) == (TradeState.PAID, 5005, "CNY")
    assert told.platform_trade_no == params["tradeNO"]
    assert told.paid_at is not None
    assert abs(told.paid_at - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(ProviderRefused, match=r"ACQ\.TRADE_HAS_SUCCESS"):
        merchant.gateway.open_payment(order)
    assert merchant.gateway.close_payment(order.out_trade_no) is CloseOutcome.ALREADY_PAID


def test_a_number_nobody_opened_is_known_as_such(merchant: Merchant) -> None:
    assert merchant.gateway.find_payment("PNONE").state is TradeState.NO_SUCH_NUMBER
    assert merchant.gateway.close_payment("PNONE") is CloseOutcome.NO_SUCH_NUMBER
    assert merchant.gateway.find_refund("RNONE", out_trade_no="PNONE").state is RefundState.NO_SUCH_NUMBER


def test_a_closed_payment_stays_closed(sandbox: Any, merchant: Merchant) -> None:
    order = order_of(sandbox)
    merchant.gateway.open_payment(order)
    assert merchant.gateway.close_payment(order.out_trade_no) is CloseOutcome.CLOSED
    assert merchant.gateway.close_payment(order.out_trade_no) is CloseOutcome.CLOSED
    assert merchant.gateway.find_payment(order.out_trade_no).state is TradeState.CLOSED
    with pytest.raises(ProviderRefused, match=r"ACQ\.TRADE_HAS_CLOSE"):
        merchant.gateway.open_payment(order)


def test_another_amount_under_the_same_number_is_refused(sandbox: Any, demo: Merchant) -> None:
    order = order_of(sandbox)
    demo.gateway.open_payment(order)
    with pytest.raises(ProviderRefused, match=r"ACQ\.CONTEXT_INCONSISTENT") as caught:
        demo.gateway.open_payment(replace(order, amount_fen=1))
    assert not caught.value.retryable


def repeated(gateway: AlipayGateway, refund: RefundOrder) -> None:
    """A repeat moves nothing and says so: only the query tells what the first did."""
    with pytest.raises(ProviderUnavailable):
        gateway.open_refund(refund)


def test_a_payment_is_refunded_in_parts_and_stays_paid(sandbox: Any, merchant: Merchant) -> None:
    order = paid(sandbox, merchant)
    first, rest = refund_of(order, 2000), refund_of(order, 3005)
    for refund, amount in ((first, 2000), (rest, 3005)):
        assert merchant.gateway.open_refund(refund).state in {RefundState.PROCESSING, RefundState.SUCCEEDED}
        assert settled(merchant.gateway, refund).amount_fen == amount
        repeated(merchant.gateway, refund)
        assert settled(merchant.gateway, refund).amount_fen == amount
        assert merchant.gateway.find_payment(order.out_trade_no).state is TradeState.PAID
    assert merchant.gateway.find_payment(order.out_trade_no).amount_fen == 5005
    with pytest.raises(ProviderRefused):
        merchant.gateway.open_refund(refund_of(order, 1))


def test_a_refund_number_with_another_amount_is_refused(sandbox: Any, demo: Merchant) -> None:
    order = paid(sandbox, demo)
    refund = refund_of(order, 2000)
    demo.gateway.open_refund(refund)
    with pytest.raises(ProviderRefused, match=r"ACQ\.DISCORDANT_REPEAT_REQUEST"):
        demo.gateway.open_refund(replace(refund, amount_fen=1999))


def test_a_refund_that_nobody_asked_for_is_not_known(sandbox: Any, demo: Merchant) -> None:
    order = paid(sandbox, demo)
    assert demo.gateway.find_refund("RNONE", out_trade_no=order.out_trade_no).state is RefundState.NO_SUCH_NUMBER


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def good_weather(sandbox: Any) -> Iterator[None]:
    yield
    sandbox.behave()


@pytest.mark.parametrize(
    "kind", ["bad_signature", "unsigned", "forged", "error", "error_after", "drop_after", "garbled", "cut"]
)
def test_an_answer_that_is_not_proven_leaves_the_outcome_unknown_and_heals(
    sandbox: Any, merchant: Merchant, kind: str
) -> None:
    order = order_of(sandbox)
    sandbox.misbehave("alipay.pay.create", kind)
    with pytest.raises(ProviderUnavailable) as caught:
        merchant.gateway.open_payment(order)
    assert caught.value.sent
    assert merchant.gateway.open_payment(order)["tradeNO"]


def test_an_unsigned_error_is_a_refusal_for_now(sandbox: Any, merchant: Merchant) -> None:
    order = order_of(sandbox)
    sandbox.misbehave("alipay.pay.create", "unsigned_error", code="isv.invalid-app-id")
    with pytest.raises(ProviderRefused) as caught:
        merchant.gateway.open_payment(order)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("target", "kind", "code"),
    [
        ("alipay.pay.create", "rate_limited", "isv."),
        ("alipay.refund.create", "not_enough", r"ACQ\.SELLER_BALANCE_NOT_ENOUGH"),
    ],
)
def test_a_refusal_for_now_may_be_repeated(sandbox: Any, merchant: Merchant, target: str, kind: str, code: str) -> None:
    order = paid(sandbox, merchant)
    sandbox.misbehave(target, kind)
    refund = refund_of(order, 5005)
    fresh = order_of(sandbox)

    def act() -> None:
        if target == "alipay.pay.create":
            merchant.gateway.open_payment(fresh)
        else:
            merchant.gateway.open_refund(refund)

    with pytest.raises(ProviderRefused, match=code) as caught:
        act()
    assert caught.value.retryable
    act()


@pytest.mark.parametrize("target", ["alipay.pay.query", "alipay.refund.query"])
def test_braces_in_a_value_do_no_harm(sandbox: Any, merchant: Merchant, target: str) -> None:
    order = paid(sandbox, merchant)
    refund = refund_of(order, 5)
    merchant.gateway.open_refund(refund)
    settled(merchant.gateway, refund)
    sandbox.misbehave(target, "brace")
    assert merchant.gateway.find_payment(order.out_trade_no).state is TradeState.PAID
    assert settled(merchant.gateway, refund).amount_fen == 5


def test_a_pending_refund_is_unknown_until_it_is_done(sandbox: Any, demo: Merchant) -> None:
    order = paid(sandbox, demo)
    refund = refund_of(order, 5005)
    sandbox.misbehave("alipay.refund.create", "processing")
    with pytest.raises(ProviderUnavailable):
        demo.gateway.open_refund(refund)
    assert demo.gateway.find_refund(refund.out_refund_no, out_trade_no=order.out_trade_no).state is (
        RefundState.NO_SUCH_NUMBER
    )
    sandbox.control(f"refunds/{refund.out_refund_no}/settle", channel="alipay")
    repeated(demo.gateway, refund)
    assert settled(demo.gateway, refund).amount_fen == 5005


@pytest.mark.parametrize("name", ["gulou", "xiehe"])
def test_a_renewed_certificate_is_followed(sandbox: Any, accounts: dict[str, AlipayAccount], name: str) -> None:
    account = fresh(accounts[name])
    gateway = AlipayGateway(account, notify_url=NOBODY)
    order = order_of(sandbox)
    gateway.open_payment(order)
    sandbox.control("alipay/rotate-certificate", merchant=name)
    assert gateway.find_payment(order.out_trade_no).state is TradeState.UNPAID
    assert len(account.keys.all(datetime.now(UTC))) == 2
    event = sandbox.control("notices/forge", channel="alipay", merchant=name, out_trade_no=order.out_trade_no)
    told = AlipayMessageReader(account).check({}, event["body"].encode(), now=datetime.now(UTC))
    assert told.trade is not None


def test_a_certificate_that_nobody_can_fetch_leaves_the_answer_unproven(
    sandbox: Any, accounts: dict[str, AlipayAccount]
) -> None:
    gateway = AlipayGateway(fresh(accounts["gulou"]), notify_url=NOBODY)
    sandbox.misbehave("alipay.pay.query", "unknown_serial")
    with pytest.raises(ProviderUnavailable):
        gateway.find_payment("PNONE")
