"""Messages of WeChat Pay that are taken, and for how long."""

from __future__ import annotations

import json
import traceback
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.ports import (
    InvalidSignature,
    MessageKind,
    PlatformMessage,
    RefundAnswer,
    RefundState,
    Reply,
    TradeAnswer,
    TradeState,
)
from integrations.wechat import WeChatPayMessageReader

NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)

pytestmark = pytest.mark.parametrize("key_mode", ["public_key", "certificate", "mixed"], indirect=True, scope="session")


@pytest.fixture
def payment(wechat_pay: Any, paid_trade: dict[str, Any]) -> bytes:
    return wechat_pay.event(paid_trade, event_type="TRANSACTION.SUCCESS")


@pytest.fixture(autouse=True)
def no_wire(wire: responses.RequestsMock) -> responses.RequestsMock:
    """A reader never calls out, whatever it is sent: any request fails the test."""
    return wire


def expect_refused(act: Any, reason: str) -> None:
    with pytest.raises(InvalidSignature) as caught:
        act()
    assert caught.value.reason == reason
    told = "".join(traceback.format_exception(caught.value))
    assert "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" not in told


# --- what is taken ----------------------------------------------------------------------------------------------------


def test_a_payment_message_is_opened(reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes) -> None:
    expected = PlatformMessage(
        event_id="EV-2026112010300000001",
        kind=MessageKind.PAYMENT,
        merchant="renmin",
        app="yuezhen",
        trade=TradeAnswer(
            "YZ20261120000001",
            TradeState.PAID,
            5000,
            "CNY",
            "4200001234202611201234567890",
            datetime(2026, 11, 20, 2, 29, 55, tzinfo=UTC),
            "CMC_CREDIT",
        ),
        summary={"event_type": "TRANSACTION.SUCCESS"},
    )
    assert reader.check(wechat_pay.headers(payment), payment, now=NOW) == expected
    assert reader.read(payment) == expected


@pytest.mark.parametrize(
    ("word", "state"),
    [("SUCCESS", RefundState.SUCCEEDED), ("ABNORMAL", RefundState.ABNORMAL), ("CLOSED", RefundState.CLOSED)],
)
def test_a_refund_message_is_opened(
    reader: WeChatPayMessageReader, wechat_pay: Any, refund_notice: dict[str, Any], word: str, state: RefundState
) -> None:
    body = wechat_pay.event(refund_notice | {"refund_status": word}, event_type=f"REFUND.{word}")
    message = reader.check(wechat_pay.headers(body), body, now=NOW)
    assert (message.kind, message.merchant, message.app) == (MessageKind.REFUND, "renmin", None)
    assert message.refund == RefundAnswer(
        "YZR20261120000001",
        state,
        2000,
        "50000000382019052709732678859",
        datetime(2026, 11, 20, 2, 31, tzinfo=UTC),
        "招商银行信用卡0403",
    )
    assert message.trade is None
    assert message.summary["out_trade_no"] == "YZ20261120000001"


def test_a_message_of_a_refund_that_the_merchant_received_says_that_the_payer_has_nothing(
    reader: WeChatPayMessageReader, wechat_pay: Any, refund_notice: dict[str, Any]
) -> None:
    told = refund_notice | {"refund_status": "SUCCESS", "user_received_account": "商户基本账户"}
    refund = reader.read(wechat_pay.event(told, event_type="REFUND.SUCCESS")).refund
    assert refund is not None
    assert refund.state is RefundState.ABNORMAL


@pytest.mark.parametrize(
    "content", [{"mchid": "1900007291"}, {"echo_message": "hello"}, {"mchid": "1900007291", "appid": "another"}]
)
def test_another_proven_kind_is_taken_and_answered(
    reader: WeChatPayMessageReader, wechat_pay: Any, content: dict[str, Any]
) -> None:
    body = wechat_pay.event(content, event_type="SECURITY_ECHO.SUCCESS")
    message = reader.check(wechat_pay.headers(body), body, now=NOW)
    assert (message.kind, message.trade, message.refund) == (MessageKind.OTHER, None, None)
    assert message.summary == {"event_type": "SECURITY_ECHO.SUCCESS"}


def test_header_names_have_no_case_and_the_scheme_may_be_missing(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes
) -> None:
    headers = wechat_pay.headers(payment, signature_type=None)
    for change in (str.upper, str.lower, str.title):
        reader.check({change(name): value for name, value in headers.items()}, payment, now=NOW)


@pytest.mark.parametrize("associated_data", ["", None])
def test_associated_data_may_be_empty_or_missing(
    reader: WeChatPayMessageReader, wechat_pay: Any, paid_trade: dict[str, Any], associated_data: str | None
) -> None:
    sealed = AESGCM(wechat_pay.apiv3_key.encode()).encrypt(b"abcdefghijkl", json.dumps(paid_trade).encode(), b"")
    changes = {"ciphertext": b64encode(sealed).decode(), "associated_data": associated_data}
    body = wechat_pay.event({}, event_type="TRANSACTION.SUCCESS", **changes)
    assert reader.check(wechat_pay.headers(body), body, now=NOW).kind is MessageKind.PAYMENT


# --- the stamp --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [0, 1, 298, 299, 299.999, -1, -299])
def test_a_stamp_up_to_299_seconds_away_is_fresh(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes, age: float
) -> None:
    reader.check(wechat_pay.headers(payment), payment, now=NOW + timedelta(seconds=age))


@pytest.mark.parametrize("age", [300, 301, 86_400, -300, -300.5, -301, 10**9])
def test_a_stamp_300_seconds_away_is_stale(
    reader: WeChatPayMessageReader, wechat_pay: Any, payment: bytes, age: float
) -> None:
    headers = wechat_pay.headers(payment)
    expect_refused(lambda: reader.check(headers, payment, now=NOW + timedelta(seconds=age)), "stale")


# --- the words back ---------------------------------------------------------------------------------------------------


def test_the_words_back_are_the_platforms_own(reader: WeChatPayMessageReader) -> None:
    assert reader.accepted() == Reply(204)
    refused = reader.refused()
    assert (refused.status, refused.content_type) == (401, "application/json")
    content = json.loads(refused.body)
    assert content["code"] == "FAIL"
    assert set(content) == {"code", "message"}
    assert 0 < len(content["message"]) <= 64
    assert (reader.provider, reader.merchant) == ("wechat_pay", "renmin")
