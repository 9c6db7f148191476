"""Our reading of WeChat's protocol against an independent one, over real HTTP: login, face, payment, refund."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from core.ports import (
    CardRefund,
    CloseOutcome,
    FaceOutcome,
    FaceResult,
    FaceSubject,
    LoginRefused,
    PayeeCard,
    PaymentOrder,
    PlatformUser,
    ProviderRefused,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.wechat import MiniappAccount, WeChatFaceVerifier, WeChatMiniappLogin, WeChatPayGateway

OPENID = "oConformance0001"
SUBJECT = FaceSubject("resident_id", "张三", "310101199801011234", OPENID)


def refund_of(order: PaymentOrder, amount_fen: int) -> RefundOrder:
    number = "R" + secrets.token_hex(12).upper()
    return RefundOrder(number, order.out_trade_no, amount_fen, order.amount_fen, "CNY", "患者退号")


# --- login and tokens -------------------------------------------------------------------------------------------------


def test_a_login_code_works_once_and_for_its_own_app(sandbox: Any, miniapps: list[MiniappAccount]) -> None:
    login = WeChatMiniappLogin(miniapps[0])
    codes = [sandbox.login_code(), sandbox.login_code()]
    assert login.exchange_code(codes[0]) == PlatformUser(
        "wechat_miniapp", miniapps[0].app, OPENID, "u1", union_provider="wechat_miniapp"
    )
    with pytest.raises(LoginRefused, match="40163"):
        login.exchange_code(codes[0])
    with pytest.raises(LoginRefused, match="40029"):
        login.exchange_code("nobody-made-this-code")
    with pytest.raises(LoginRefused):
        WeChatMiniappLogin(miniapps[1]).exchange_code(codes[1])


def test_a_wrong_secret_is_a_configuration_error(sandbox: Any, miniapps: list[MiniappAccount]) -> None:
    code = sandbox.login_code()
    with pytest.raises(ProviderRefused, match="40125") as caught:
        WeChatMiniappLogin(replace(miniapps[0], secret="0" * 32)).exchange_code(code)
    assert not isinstance(caught.value, LoginRefused)


def test_one_token_serves_many_and_a_stale_one_is_renewed_once(
    sandbox: Any, miniapps: list[MiniappAccount], wechat_tokens: Any
) -> None:
    sandbox.login_code()
    tokens = wechat_tokens
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
    *,
    sandbox: Any,
    miniapps: list[MiniappAccount],
    wechat_tokens: Any,
    act: str | None,
    wanted: dict[str, int],
    expected: FaceResult,
) -> None:
    sandbox.login_code()
    verifier = WeChatFaceVerifier(miniapps[0], wechat_tokens)
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


def test_an_order_lives_from_open_to_paid(
    sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder
) -> None:
    assert wechat_gateway.find_payment(wechat_order.out_trade_no).state is TradeState.NO_SUCH_NUMBER
    assert wechat_gateway.close_payment(wechat_order.out_trade_no) is CloseOutcome.NO_SUCH_NUMBER
    first, second = wechat_gateway.open_payment(wechat_order), wechat_gateway.open_payment(wechat_order)
    assert first["package"] != second["package"]
    assert len(sandbox.ledger(wechat_order.out_trade_no)) == 1
    with pytest.raises(ProviderRefused) as other_amount:
        wechat_gateway.open_payment(replace(wechat_order, amount_fen=1))
    assert not other_amount.value.retryable
    assert wechat_gateway.find_payment(wechat_order.out_trade_no).state is TradeState.UNPAID
    sandbox.control(f"payments/{wechat_order.out_trade_no}/pay")
    answer = wechat_gateway.find_payment(wechat_order.out_trade_no)
    assert (answer.state, answer.amount_fen, answer.currency) == (TradeState.PAID, 5000, "CNY")
    assert answer.platform_trade_no
    assert answer.paid_at is not None
    assert abs(datetime.now(UTC) - answer.paid_at) < timedelta(minutes=1)
    assert wechat_gateway.close_payment(wechat_order.out_trade_no) is CloseOutcome.ALREADY_PAID
    with pytest.raises(ProviderRefused, match="ORDERPAID"):
        wechat_gateway.open_payment(wechat_order)


def test_a_closed_order_cannot_be_paid_or_opened(
    sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder
) -> None:
    wechat_gateway.open_payment(wechat_order)
    assert wechat_gateway.close_payment(wechat_order.out_trade_no) is CloseOutcome.CLOSED
    assert wechat_gateway.close_payment(wechat_order.out_trade_no) is CloseOutcome.CLOSED
    assert wechat_gateway.find_payment(wechat_order.out_trade_no).state is TradeState.CLOSED
    with pytest.raises(requests.HTTPError):
        sandbox.control(f"payments/{wechat_order.out_trade_no}/pay")
    with pytest.raises(ProviderRefused, match="ORDER_CLOSED"):
        wechat_gateway.open_payment(wechat_order)


def test_a_description_of_rare_characters_is_taken(
    wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder
) -> None:
    wechat_gateway.open_payment(replace(wechat_order, description="𠮷田医生😀 " + "号" * 200))


@pytest.fixture
def paid(sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder) -> PaymentOrder:
    """As a phone pays: the sandbox checks the client parameters as wx.requestPayment does."""
    params = wechat_gateway.open_payment(wechat_order)
    shown = {name: value for name, value in params.items() if name != "appId"}
    sandbox.control(f"payments/{wechat_order.out_trade_no}/pay", client_params=shown)
    return wechat_order


def test_client_parameters_of_another_order_do_not_pay(
    sandbox: Any, wechat_gateway: WeChatPayGateway, wechat_order: PaymentOrder
) -> None:
    params = wechat_gateway.open_payment(wechat_order)
    shown = {name: value for name, value in params.items() if name != "appId"} | {"nonceStr": "another"}
    with pytest.raises(requests.HTTPError):
        sandbox.control(f"payments/{wechat_order.out_trade_no}/pay", client_params=shown)


def test_a_refund_is_made_once_and_never_past_the_amount(
    sandbox: Any, wechat_gateway: WeChatPayGateway, paid: PaymentOrder
) -> None:
    refund = refund_of(paid, 2000)
    assert (
        wechat_gateway.find_refund(refund.out_refund_no, out_trade_no=refund.out_trade_no).state
        is RefundState.NO_SUCH_NUMBER
    )
    first, second = wechat_gateway.open_refund(refund), wechat_gateway.open_refund(refund)
    assert first.platform_refund_no == second.platform_refund_no
    with pytest.raises(ProviderRefused):
        wechat_gateway.open_refund(refund_of(paid, 3001))
    wechat_gateway.open_refund(refund_of(paid, 3000))
    for _ in range(100):
        settled = wechat_gateway.find_refund(refund.out_refund_no, out_trade_no=refund.out_trade_no)
        if settled.state is not RefundState.PROCESSING:
            break
        time.sleep(0.05)
    assert (settled.state, settled.amount_fen) == (RefundState.SUCCEEDED, 2000)
    assert settled.succeeded_at is not None
    assert wechat_gateway.find_payment(paid.out_trade_no).state is TradeState.PAID
    assert len([item for item in sandbox.ledger(paid.out_trade_no) if item["kind"] == "refund"]) == 2


@pytest.mark.parametrize("status", ["ABNORMAL", "CLOSED"])
def test_a_refund_that_does_not_succeed_says_so(
    sandbox: Any, wechat_gateway: WeChatPayGateway, paid: PaymentOrder, status: str
) -> None:
    refund = refund_of(paid, 2000)
    sandbox.misbehave("refund.create", "processing")
    assert wechat_gateway.open_refund(refund).state is RefundState.PROCESSING
    sandbox.control(f"refunds/{refund.out_refund_no}/settle", status=status)
    assert (
        wechat_gateway.find_refund(refund.out_refund_no, out_trade_no=refund.out_trade_no).state is RefundState[status]
    )


def test_what_did_not_arrive_goes_to_another_card(
    sandbox: Any, wechat_gateway: WeChatPayGateway, paid: PaymentOrder
) -> None:
    refund = refund_of(paid, 2000)
    sandbox.misbehave("refund.create", "processing")
    number = wechat_gateway.open_refund(refund).platform_refund_no
    assert number is not None
    order = CardRefund(refund.out_refund_no, refund.out_trade_no, number, PayeeCard("CMB_DEBIT", "6225" * 4, "李四"))
    with pytest.raises(ProviderRefused, match="INVALID_REQUEST"):
        wechat_gateway.refund_to_card(order)
    sandbox.control(f"refunds/{refund.out_refund_no}/settle", status="ABNORMAL")
    sandbox.misbehave("refund.abnormal", "processing")
    answers = [wechat_gateway.refund_to_card(order) for _ in range(2)]
    assert {(one.state, one.received_account) for one in answers} == {(RefundState.PROCESSING, "招商银行借记卡6225")}
    sandbox.control(f"refunds/{refund.out_refund_no}/settle", status="SUCCESS")
    found = wechat_gateway.find_refund(refund.out_refund_no, out_trade_no=refund.out_trade_no)
    assert (found.state, found.amount_fen) == (RefundState.SUCCEEDED, 2000)


@pytest.mark.parametrize("bank", sorted(WeChatPayGateway.limits.card_banks))
def test_both_readings_know_the_same_banks(sandbox: Any, wechat_gateway: WeChatPayGateway, bank: str) -> None:
    """An unknown bank is a parameter that is wrong; a refund that nobody knows is not."""
    order = CardRefund("R-unknown", "T-unknown", "503000", PayeeCard(bank, "6225" * 4, "李四"))
    with pytest.raises(ProviderRefused, match="RESOURCE_NOT_EXISTS"):
        wechat_gateway.refund_to_card(order)


@pytest.mark.parametrize(("fault", "retryable"), [("not_enough", True), ("account_abnormal", False)])
def test_a_refund_that_is_refused_says_whether_to_come_again(
    sandbox: Any, wechat_gateway: WeChatPayGateway, paid: PaymentOrder, fault: str, retryable: bool
) -> None:
    sandbox.misbehave("refund.create", fault)
    with pytest.raises(ProviderRefused) as caught:
        wechat_gateway.open_refund(refund_of(paid, 2000))
    assert caught.value.retryable is retryable
