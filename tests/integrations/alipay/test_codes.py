"""What Alipay says no to: each code to the letter, and nothing of what it says beside it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import responses

from core.ports import ProviderRefused, ProviderUnavailable
from integrations.alipay._codes import SUB_CODES, failure_of


def expect_unknown(act: Callable[[], Any], match: str | None = None) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable, match=match) as caught:
        act()
    assert caught.value.sent
    return caught.value


def never_refunded(call: Any, wire: responses.RequestsMock, alipay: Any) -> None:
    """What a refused refund is followed by: the question whether it was done before."""
    if call.method == "alipay.trade.refund":
        alipay.success(wire, "alipay.trade.fastpay.refund.query")


@pytest.mark.parametrize(
    ("code", "sub_code"),
    [
        ("40004", "ACQ.INVALID_PARAMETER"),
        ("40004", "ACQ.BUYER_NOT_EXIST"),
        ("40004", "ACQ.CONTEXT_INCONSISTENT"),
        ("40004", "ACQ.DISCORDANT_REPEAT_REQUEST"),
        ("40004", "ACQ.REASON_TRADE_BEEN_FREEZEN"),
        ("40004", "ACQ.TRADE_NOT_ALLOW_REFUND"),
        ("40002", "isv.invalid-parameter"),
    ],
)
def test_a_refusal_is_raised_with_its_code_and_nothing_private(
    *, call: Any, wire: responses.RequestsMock, alipay: Any, caplog: pytest.LogCaptureFixture, code: str, sub_code: str
) -> None:
    alipay.failure(wire, call.method, sub_code, code)
    never_refunded(call, wire, alipay)
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderRefused) as caught:
        call.act()
    assert (caught.value.code, caught.value.retryable) == (sub_code, False)
    assert str(caught.value) == f"{sub_code} trace 0b51f3aa17"
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "SECRET" not in told
    assert "张三" not in told


@pytest.mark.parametrize(
    ("code", "sub_code"),
    [
        ("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH"),
        ("40004", "ACQ.ACCESS_FORBIDDEN"),
        ("40004", "ACQ.PARTNER_ERROR"),
        ("40004", "ACQ.SELLER_BEEN_BLOCKED"),
        ("40004", "ACQ.MERCHANT_PERM_RECEIPT_DAY_LIMIT"),
        ("40005", "isv.app-call-limited"),
        ("40005", "isv.method-call-limited"),
        ("40006", "isv.insufficient-isv-permissions"),
        ("40002", "isv.invalid-signature"),
        ("40002", "isv.invalid-app-id"),
        ("40002", "isv.invalid-timestamp"),
        ("40003", "isv.missing-signature-config"),
        ("40002", "isv.missing-signature-config"),
        ("40003", "isv.decryption-error-unknown"),
        ("40001", "isv.missing-app-id"),
        ("20001", "aop.invalid-app-auth-token"),
        ("40002", "app-cert-expired"),
        ("40002", "isv.alipay-cert-not-exist"),
    ],
)
def test_what_our_own_account_causes_may_be_repeated(
    call: Any, wire: responses.RequestsMock, alipay: Any, code: str, sub_code: str
) -> None:
    """docs/decisions/0013: mending the configuration heals by itself; nothing is failed for good by it."""
    alipay.failure(wire, call.method, sub_code, code)
    with pytest.raises(ProviderRefused) as caught:
        call.act()
    assert (caught.value.code, caught.value.retryable) == (sub_code, True)
    assert caught.value.too_often == (code == "40005")


@pytest.mark.parametrize(
    ("code", "sub_code"),
    [
        ("20000", "isp.unknow-error"),
        ("40004", "isp.of-next-year"),
        ("40002", "isp.of-next-year"),
        ("20000", "aop.unknow-error"),
        ("20000", "aop.something-new"),
        ("20000", "ACQ.TRADE_NOT_EXIST"),
        ("40004", "ACQ.SYSTEM_ERROR"),
        ("40004", "AQC.SYSTEM_ERROR"),
        ("40004", "SYSTEM_ERROR"),
        ("40004", "UNKNOWN_ERROR"),
    ],
)
def test_an_inner_error_leaves_the_outcome_unknown(
    call: Any, wire: responses.RequestsMock, alipay: Any, code: str, sub_code: str
) -> None:
    alipay.failure(wire, call.method, sub_code, code)
    expect_unknown(call.act, "trace 0b51f3aa17")


def test_misspelled_codes_are_known_by_their_misspelling() -> None:
    assert {"isp.unknow-error", "aop.unknow-error", "AQC.SYSTEM_ERROR", "ACQ.REASON_TRADE_BEEN_FREEZEN"} <= set(
        SUB_CODES
    )
    assert not {"isp.unknown-error", "aop.unknown-error", "ACQ.REASON_TRADE_BEEN_FROZEN"} & set(SUB_CODES)


@pytest.mark.parametrize(
    ("code", "sub_code", "ours", "retryable"),
    [
        ("40004", "ACQ.A_CODE_OF_NEXT_YEAR", "ACQ.A_CODE_OF_NEXT_YEAR", False),
        ("40004", "ACQ.REASON_TRADE_BEEN_FROZEN", "ACQ.REASON_TRADE_BEEN_FROZEN", False),
        ("40002", "isv.next-year", "isv.next-year", False),
        ("40001", "isv.next-year", "isv.next-year", True),
        ("40005", "isv.next-year", "isv.next-year", True),
        ("40006", "isv.next-year", "isv.next-year", True),
        ("40007", "isv.next-year", "isv.next-year", False),
        ("40004", None, "40004", False),
        ("40005", "", "40005", True),
        ("40004", "SPACE AND 张三", "40004", False),
        ("40004", "X" * 200, "40004", False),
        ("40004", 7, "40004", False),
    ],
)
def test_an_unlisted_code_is_a_refusal_and_marked_so(
    *, call: Any, wire: responses.RequestsMock, alipay: Any, code: str, sub_code: Any, ours: str, retryable: bool
) -> None:
    alipay.failure(wire, call.method, sub_code, code)
    if not retryable:
        never_refunded(call, wire, alipay)
    with pytest.raises(ProviderRefused, match="a code that is not listed") as caught:
        call.act()
    assert (caught.value.code, caught.value.retryable) == (ours, retryable)


@pytest.mark.parametrize("code", ["10003", "10000 ", "1", "", None, 40004, "four", "9" * 40])
def test_a_code_that_is_neither_success_nor_failure_is_unknown(
    call: Any, wire: responses.RequestsMock, alipay: Any, code: Any
) -> None:
    alipay.answer(wire, call.method, {"msg": "?", **call.good} | ({} if code is None else {"code": code}))
    expect_unknown(call.act)


# --- what nobody signed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["own", "error_response"])
@pytest.mark.parametrize(
    ("code", "sub_code"),
    [
        ("40002", "isv.invalid-app-id"),
        ("40001", "isv.missing-app-id"),
        ("40001", "isv.missing-signature"),
        ("40002", "isv.invalid-parameter"),
        ("40002", None),
    ],
)
def test_an_unsigned_error_of_the_gateway_is_a_failure_and_never_for_good(
    *, call: Any, wire: responses.RequestsMock, alipay: Any, node: str, code: str, sub_code: str | None
) -> None:
    name = {} if node == "own" else {"node": node}
    alipay.failure(wire, call.method, sub_code, code, sign=None, **name)
    with pytest.raises(ProviderRefused) as caught:
        call.act()
    assert caught.value.retryable


@pytest.mark.parametrize("node", ["own", "error_response"])
@pytest.mark.parametrize(
    ("code", "sub_code"),
    [
        ("40004", "ACQ.TRADE_NOT_EXIST"),
        ("40004", "TRADE_NOT_EXIST"),
        ("40004", "ACQ.TRADE_HAS_CLOSE"),
        ("40004", "ACQ.TRADE_STATUS_ERROR"),
        ("40004", None),
        ("20000", "isp.unknow-error"),
    ],
)
def test_an_unsigned_word_about_a_trade_frees_nothing(
    *, call: Any, wire: responses.RequestsMock, alipay: Any, node: str, code: str, sub_code: str | None
) -> None:
    """Whoever sits between could otherwise say that an open number never existed."""
    name = {} if node == "own" else {"node": node}
    alipay.failure(wire, call.method, sub_code, code, sign=None, **name)
    expect_unknown(call.act)


def test_an_unsigned_success_is_never_data(call: Any, wire: responses.RequestsMock, alipay: Any) -> None:
    alipay.answer(wire, call.method, {"code": "10000", "msg": "Success", **call.good}, sign=None)
    expect_unknown(call.act)


def test_the_payload_of_a_phone_spells_its_sub_code_its_own_way() -> None:
    error = failure_of({"code": "40006", "subCode": "isv.insufficient-isv-permissions"}, proven=True)
    assert isinstance(error, ProviderRefused)
    assert error.retryable
