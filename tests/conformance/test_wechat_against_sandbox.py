"""Our reading of WeChat's protocol against an independent one, over real HTTP: login, face, payment, refund."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from core.ports import (
    CloseOutcome,
    FaceOutcome,
    FaceResult,
    FaceSubject,
    LoginRefused,
    PaymentOrder,
    PlatformUser,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.wechat import (
    MerchantAccount,
    MiniappAccount,
    WeChatFaceVerifier,
    WeChatMiniappLogin,
    WeChatPayGateway,
)

OPENID = "oConformance0001"
SUBJECT = FaceSubject("resident_id", "张三", "310101199801011234", OPENID)
TIMEOUTS = (2.0, 1.0)


class MemoryTokens:
    """A TokenStore that counts its fetches and can forget what it knows."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.fetches = 0

    def token(self, name: str, fetch: Callable[[], tuple[str, timedelta]], *, rejected: str | None = None) -> str:
        if name not in self.kept or self.kept[name] == rejected:
            self.fetches += 1
            self.kept[name] = fetch()[0]
        return self.kept[name]


@pytest.fixture(scope="module")
def miniapps(sandbox: Any) -> list[MiniappAccount]:
    return [MiniappAccount(**told) for told in sandbox.credentials("wechat_miniapp")]


@pytest.fixture(scope="module")
def gateway(wechat_merchants: list[MerchantAccount]) -> WeChatPayGateway:
    # Messages go to a port that nobody listens on: they have a file of their own.
    nobody = "http://127.0.0.1:9"
    return WeChatPayGateway(
        wechat_merchants[0], app="patient", payment_notify_url=nobody, refund_notify_url=nobody, timeouts=TIMEOUTS
    )


@pytest.fixture
def order(sandbox: Any) -> PaymentOrder:
    login_code(sandbox)
    return PaymentOrder(
        out_trade_no="P" + secrets.token_hex(12).upper(),
        amount_fen=5000,
        currency="CNY",
        description="人民医院 挂号费",
        payer=OPENID,
        expires_at=datetime.now(UTC) + timedelta(minutes=15),
    )


@pytest.fixture
def paid(sandbox: Any, gateway: WeChatPayGateway, order: PaymentOrder) -> PaymentOrder:
    gateway.open_payment(order)
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    return order


def login_code(sandbox: Any) -> str:
    """Makes the user too, where it is new."""
    code: str = sandbox.control("login-codes", provider="wechat_miniapp", open_id=OPENID, union_id="u1")["code"]
    return code


def part_of(paid: PaymentOrder, amount_fen: int) -> RefundOrder:
    number = "R" + secrets.token_hex(12).upper()
    return RefundOrder(number, paid.out_trade_no, amount_fen, paid.amount_fen, "CNY", "患者退号")


# --- login and tokens -------------------------------------------------------------------------------------------------


def test_a_login_code_works_once_and_for_its_own_app(sandbox: Any, miniapps: list[MiniappAccount]) -> None:
    login = WeChatMiniappLogin(miniapps[0])
    codes = [login_code(sandbox), login_code(sandbox)]
    assert login.exchange_code(codes[0]) == PlatformUser("wechat_miniapp", miniapps[0].app, OPENID, "u1")
    with pytest.raises(LoginRefused, match="40163"):
        login.exchange_code(codes[0])
    with pytest.raises(LoginRefused, match="40029"):
        login.exchange_code("nobody-made-this-code")
    with pytest.raises(LoginRefused):
        WeChatMiniappLogin(miniapps[1]).exchange_code(codes[1])


def test_a_wrong_secret_is_a_configuration_error(sandbox: Any, miniapps: list[MiniappAccount]) -> None:
    code = login_code(sandbox)
    with pytest.raises(ProviderRefused, match="40125") as caught:
        WeChatMiniappLogin(replace(miniapps[0], secret="0" * 32)).exchange_code(code)
    assert not isinstance(caught.value, LoginRefused)


def test_one_token_serves_many_and_a_stale_one_is_renewed_once(sandbox: Any, miniapps: list[MiniappAccount]) -> None:
    login_code(sandbox)
    tokens = MemoryTokens()
    verifier = WeChatFaceVerifier(miniapps[0], tokens)
    for _ in range(5):
        verifier.start(out_seq_no=secrets.token_hex(8), subject=SUBJECT)
    assert tokens.fetches == 1
    tokens.kept = dict.fromkeys(tokens.kept, "a-token-of-last-year")
    verifier.start(out_seq_no=secrets.token_hex(8), subject=SUBJECT)
    assert tokens.fetches == 2


# --- face -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "wanted", "expected"),
    [
        (None, {}, FaceResult(FaceOutcome.PENDING)),
        ("pass", {}, FaceResult(FaceOutcome.PASSED)),
        ("fail", {}, FaceResult(FaceOutcome.FAILED, "face_mismatch")),
        ("fail", {"verify_ret": 10003}, FaceResult(FaceOutcome.FAILED, "number_mismatch")),
        ("fail", {"verify_ret": 90002}, FaceResult(FaceOutcome.FAILED, "cancelled")),
        ("fail", {"verify_ret": 10077}, FaceResult(FaceOutcome.FAILED, "other")),
    ],
)
def test_a_face_result_is_what_the_platform_says(
    sandbox: Any, miniapps: list[MiniappAccount], act: str | None, wanted: dict[str, int], expected: FaceResult
) -> None:
    login_code(sandbox)
    verifier = WeChatFaceVerifier(miniapps[0], MemoryTokens())
    number = secrets.token_hex(8)
    start = verifier.start(out_seq_no=number, subject=SUBJECT)
    if act is not None:
        sandbox.control(f"identity/{start.reference}/{act}", **wanted)
    asked = {"reference": start.reference, "out_seq_no": number, "evidence": start.evidence, "open_id": OPENID}
    assert verifier.read_result(**asked) == expected
    for other in ({"open_id": "oSomebodyElse"}, {"evidence": "0" * 64}, {"out_seq_no": number[::-1] + "x"}):
        with pytest.raises(ProviderRefused):
            verifier.read_result(**(asked | other))


# --- payment ----------------------------------------------------------------------------------------------------------


def test_an_order_lives_from_open_to_paid(sandbox: Any, gateway: WeChatPayGateway, order: PaymentOrder) -> None:
    assert gateway.find_payment(order.out_trade_no).state is TradeState.NO_SUCH_NUMBER
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.NO_SUCH_NUMBER
    first, second = gateway.open_payment(order), gateway.open_payment(order)
    assert first["package"] != second["package"]
    assert len(sandbox.ledger(order.out_trade_no)) == 1
    with pytest.raises(ProviderRefused) as other_amount:
        gateway.open_payment(replace(order, amount_fen=1))
    assert not other_amount.value.retryable
    assert gateway.find_payment(order.out_trade_no).state is TradeState.UNPAID
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    answer = gateway.find_payment(order.out_trade_no)
    assert (answer.state, answer.amount_fen, answer.currency) == (TradeState.PAID, 5000, "CNY")
    assert answer.platform_trade_no
    assert answer.paid_at is not None
    assert abs(datetime.now(UTC) - answer.paid_at) < timedelta(minutes=1)
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.ALREADY_PAID
    with pytest.raises(ProviderRefused, match="ORDERPAID"):
        gateway.open_payment(order)


def test_a_closed_order_cannot_be_paid_or_opened(sandbox: Any, gateway: WeChatPayGateway, order: PaymentOrder) -> None:
    gateway.open_payment(order)
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.CLOSED
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.CLOSED
    assert gateway.find_payment(order.out_trade_no).state is TradeState.CLOSED
    with pytest.raises(requests.HTTPError):
        sandbox.control(f"payments/{order.out_trade_no}/pay")
    with pytest.raises(ProviderRefused, match="ORDER_CLOSED"):
        gateway.open_payment(order)


def test_a_description_of_rare_characters_is_taken(gateway: WeChatPayGateway, order: PaymentOrder) -> None:
    gateway.open_payment(replace(order, description="𠮷田医生😀 " + "号" * 200))


def test_a_refund_is_made_once_and_never_past_the_amount(
    sandbox: Any, gateway: WeChatPayGateway, paid: PaymentOrder
) -> None:
    refund = part_of(paid, 2000)
    assert gateway.find_refund(refund.out_refund_no).state is RefundState.NO_SUCH_NUMBER
    first, second = gateway.open_refund(refund), gateway.open_refund(refund)
    assert first.platform_refund_no == second.platform_refund_no
    with pytest.raises(ProviderRefused):
        gateway.open_refund(part_of(paid, 3001))
    gateway.open_refund(part_of(paid, 3000))
    settled = wait_for(lambda: gateway.find_refund(refund.out_refund_no))
    assert (settled.state, settled.amount_fen) == (RefundState.SUCCEEDED, 2000)
    assert settled.succeeded_at is not None
    assert gateway.find_payment(paid.out_trade_no).state is TradeState.PAID
    assert len([item for item in sandbox.ledger(paid.out_trade_no) if item["kind"] == "refund"]) == 2


def wait_for(ask: Callable[[], RefundAnswer]) -> RefundAnswer:
    for _ in range(100):
        answer = ask()
        if answer.state is not RefundState.PROCESSING:
            return answer
        time.sleep(0.05)
    pytest.fail("the refund was never settled")


# --- a platform that misbehaves ---------------------------------------------------------------------------------------

UNPROVEN = ["bad_signature", "signtest", "stale", "unknown_serial", "unsigned", "forged", "garbled", "cut"]
BROKEN = ["drop_before", "drop_after", "error", "error_after"]


@pytest.mark.parametrize("fault", UNPROVEN + BROKEN)
def test_after_a_lost_answer_the_same_request_does_nothing_twice(
    sandbox: Any, gateway: WeChatPayGateway, order: PaymentOrder, fault: str
) -> None:
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("pay.create", lambda: gateway.open_payment(order)),
        ("pay.query", lambda: gateway.find_payment(order.out_trade_no)),
    ]
    for target, act in steps:
        sandbox.misbehave(target, fault)
        with pytest.raises(ProviderUnavailable) as caught:
            act()
        assert caught.value.sent
        act()
    sandbox.control(f"payments/{order.out_trade_no}/pay")
    refund = part_of(order, 5000)
    sandbox.misbehave("refund.create", fault)
    with pytest.raises(ProviderUnavailable):
        gateway.open_refund(refund)
    gateway.open_refund(refund)
    assert [item["kind"] for item in sandbox.ledger(order.out_trade_no)] == ["trade", "refund"]


# An empty answer has nothing to garble or to cut.
@pytest.mark.parametrize("fault", sorted({*UNPROVEN, *BROKEN} - {"garbled", "cut"}))
def test_a_close_that_was_not_answered_is_unknown(
    sandbox: Any, gateway: WeChatPayGateway, order: PaymentOrder, fault: str
) -> None:
    gateway.open_payment(order)
    sandbox.misbehave("pay.close", fault)
    with pytest.raises(ProviderUnavailable) as caught:
        gateway.close_payment(order.out_trade_no)
    assert caught.value.sent
    assert gateway.close_payment(order.out_trade_no) is CloseOutcome.CLOSED


@pytest.mark.parametrize("fault", ["delay", "slow_body"])
def test_a_slow_answer_is_not_waited_for(
    sandbox: Any, gateway: WeChatPayGateway, order: PaymentOrder, fault: str
) -> None:
    sandbox.misbehave("pay.create", fault, seconds=8)
    began = datetime.now(UTC)
    with pytest.raises(ProviderUnavailable) as caught:
        gateway.open_payment(order)
    assert caught.value.sent
    assert datetime.now(UTC) - began < timedelta(seconds=6)
    gateway.open_payment(order)


def test_a_refusal_for_now_may_be_repeated(sandbox: Any, gateway: WeChatPayGateway, order: PaymentOrder) -> None:
    sandbox.misbehave("pay.create", "rate_limited")
    with pytest.raises(ProviderRefused) as caught:
        gateway.open_payment(order)
    assert caught.value.retryable
    gateway.open_payment(order)


@pytest.mark.parametrize("fault", ["garbled", "cut", "drop_before", "drop_after", "error", "rate_limited"])
def test_a_login_that_was_not_answered_is_unavailable(sandbox: Any, miniapps: list[MiniappAccount], fault: str) -> None:
    code = login_code(sandbox)
    sandbox.misbehave("login", fault)
    with pytest.raises(ProviderUnavailable):
        WeChatMiniappLogin(miniapps[0], timeouts=TIMEOUTS).exchange_code(code)


@pytest.mark.parametrize("fault", ["garbled", "cut", "drop_before", "drop_after", "error"])
def test_without_a_token_a_face_verification_was_not_sent(
    sandbox: Any, miniapps: list[MiniappAccount], fault: str
) -> None:
    sandbox.misbehave("token", fault)
    verifier = WeChatFaceVerifier(miniapps[0], MemoryTokens(), timeouts=TIMEOUTS)
    with pytest.raises(ProviderUnavailable) as caught:
        verifier.start(out_seq_no=secrets.token_hex(8), subject=SUBJECT)
    assert not caught.value.sent
