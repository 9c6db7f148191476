"""A partner that signs for its sub-merchants: what is sent, what is believed, and whose bills are ours."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from wechat_bills import FILE, GOOD_FUNDS, bill, serve
from wechat_pay_side import PAY_URL

from core.ports import (
    BillUnreadable,
    CardRefund,
    CloseOutcome,
    InvalidSignature,
    PayeeCard,
    PaymentOrder,
    ProviderUnavailable,
    RefundOrder,
    TradeState,
)
from integrations.wechat import MerchantAccount, WeChatBillSource, WeChatPayGateway, WeChatPayMessageReader

PARTNER, SUB, SIBLING = "1900007291", "1900000109", "1900000110"
PARTNERS_APP, HOSPITALS_APP = "wxd678efh567hg6787", "wx8888888888888888"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
CREATE = "/v3/pay/partner/transactions/jsapi"
NUMBER = "/v3/pay/partner/transactions/out-trade-no/YZ20261120000001"
QUERY = f"{NUMBER}?sp_mchid={PARTNER}&sub_mchid={SUB}"
DAY = date(2026, 11, 19)

MakeGateway = Callable[..., WeChatPayGateway]


@pytest.fixture
def sub_merchant(merchant: MerchantAccount) -> MerchantAccount:
    return replace(merchant, sub_mchid=SUB, sub_appids=(HOSPITALS_APP,))


@pytest.fixture
def hospital(sub_merchant: MerchantAccount, make_gateway: MakeGateway) -> WeChatPayGateway:
    """Paid in the hospital's own mini-program."""
    return make_gateway(sub_merchant, appid=HOSPITALS_APP)


@pytest.fixture
def trade(paid_trade: dict[str, Any]) -> dict[str, Any]:
    """As WeChat tells it to a partner."""
    parties = {"sp_appid": PARTNERS_APP, "sp_mchid": PARTNER, "sub_appid": HOSPITALS_APP, "sub_mchid": SUB}
    told = {name: value for name, value in paid_trade.items() if name not in ("appid", "mchid")}
    return told | parties | {"payer": {"sp_openid": "oPartner", "sub_openid": OPENID}}


@pytest.fixture
def reader(sub_merchant: MerchantAccount, tokens: Any) -> WeChatPayMessageReader:
    return WeChatPayMessageReader(sub_merchant, {HOSPITALS_APP: "patient", PARTNERS_APP: "shared"}, tokens=tokens)


def body_of(answer: responses.BaseResponse) -> Any:
    return json.loads(answer.calls[-1].request.body or b"")


@pytest.mark.parametrize(
    ("appid", "apps", "payer"),
    [
        (HOSPITALS_APP, {"sp_appid": PARTNERS_APP, "sub_appid": HOSPITALS_APP}, {"sub_openid": OPENID}),
        (PARTNERS_APP, {"sp_appid": PARTNERS_APP}, {"sp_openid": OPENID}),
    ],
)
def test_an_order_names_both_merchants_and_the_payer_by_the_app_that_is_paid_in(
    *,
    sub_merchant: MerchantAccount,
    make_gateway: MakeGateway,
    order: PaymentOrder,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    merchant_key: RSAPrivateKey,
    appid: str,
    apps: dict[str, str],
    payer: dict[str, str],
) -> None:
    created = wechat_pay.answer(wire, "POST", CREATE, {"prepay_id": "wx20103000"})
    params = make_gateway(sub_merchant, appid=appid).open_payment(order)
    assert body_of(created) == apps | {
        "sp_mchid": PARTNER,
        "sub_mchid": SUB,
        "description": "人民医院 心内科 挂号费",
        "out_trade_no": "YZ20261120000001",
        "time_expire": "2026-11-20T10:45:00+08:00",
        "notify_url": "https://api.example.cn/callbacks/wechat-pay/renmin",
        "amount": {"total": 5000, "currency": "CNY"},
        "payer": payer,
    }
    assert f'mchid="{PARTNER}"' in created.calls[0].request.headers["Authorization"]
    lines = (appid, params["timeStamp"], params["nonceStr"], params["package"])
    text = "".join(f"{line}\n" for line in lines).encode()
    merchant_key.public_key().verify(b64decode(params["paySign"]), text, PKCS1v15(), SHA256())
    assert params["appId"] == appid


def test_asking_and_closing_name_both_merchants(
    hospital: WeChatPayGateway, wire: responses.RequestsMock, wechat_pay: Any, trade: dict[str, Any]
) -> None:
    wechat_pay.answer(wire, "GET", QUERY, trade)
    found = hospital.find_payment("YZ20261120000001")
    assert (found.state, found.amount_fen) == (TradeState.PAID, 5000)
    closed = wechat_pay.answer(wire, "POST", f"{NUMBER}/close", b"", status=204)
    assert hospital.close_payment("YZ20261120000001") is CloseOutcome.CLOSED
    assert body_of(closed) == {"sp_mchid": PARTNER, "sub_mchid": SUB}


def test_refunds_name_the_sub_merchant(
    hospital: WeChatPayGateway,
    refund_order: RefundOrder,
    refunded: dict[str, Any],
    wire: responses.RequestsMock,
    wechat_pay: Any,
) -> None:
    sent = wechat_pay.answer(wire, "POST", "/v3/refund/domestic/refunds", refunded)
    hospital.open_refund(refund_order)
    assert body_of(sent)["sub_mchid"] == SUB
    assert "mchid" not in body_of(sent)
    assert hospital.counted_as == PARTNER
    path = f"/v3/refund/domestic/refunds/YZR20261120000001?sub_mchid={SUB}"
    wechat_pay.answer(wire, "GET", path, refunded)
    found = hospital.find_refund("YZR20261120000001", out_trade_no="YZ20261120000001")
    assert found.amount_fen == refunded["amount"]["refund"]
    elsewhere = f"/v3/refund/domestic/refunds/{refunded['refund_id']}/apply-abnormal-refund"
    sent = wechat_pay.answer(wire, "POST", elsewhere, refunded)
    card = PayeeCard("ICBC_DEBIT", "6222020200112233445", "张三")
    hospital.refund_to_card(CardRefund("YZR20261120000001", "YZ20261120000001", refunded["refund_id"], card))
    assert body_of(sent)["sub_mchid"] == SUB


@pytest.mark.parametrize(
    "change", [{"sub_mchid": SIBLING}, {"sp_mchid": SIBLING}, {"sub_appid": PARTNERS_APP}, {"sub_appid": None}]
)
def test_an_answer_about_anybody_else_is_not_believed(
    *,
    hospital: WeChatPayGateway,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    trade: dict[str, Any],
    change: dict[str, Any],
) -> None:
    wechat_pay.answer(wire, "GET", QUERY, trade | change)
    with pytest.raises(ProviderUnavailable, match="another payment"):
        hospital.find_payment("YZ20261120000001")


def test_a_message_tells_the_app_that_was_paid_in(
    reader: WeChatPayMessageReader, wechat_pay: Any, trade: dict[str, Any]
) -> None:
    for change, app in (({}, "patient"), ({"sub_appid": None}, "shared")):
        body = wechat_pay.event(trade | change, event_type="TRANSACTION.SUCCESS")
        message = reader.check(wechat_pay.headers(body), body, now=wechat_pay.now)
        assert (message.app, message.merchant, message.trade.amount_fen) == (app, "renmin", 5000)


@pytest.mark.parametrize("event_type", ["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "SOMETHING.NEW"])
@pytest.mark.parametrize("change", [{"sub_mchid": SIBLING}, {"sp_mchid": SIBLING}])
def test_a_message_for_another_sub_merchant_of_the_same_partner_is_refused(
    *,
    reader: WeChatPayMessageReader,
    wechat_pay: Any,
    trade: dict[str, Any],
    refunded: dict[str, Any],
    event_type: str,
    change: dict[str, Any],
) -> None:
    """It is genuine, and opens with the same keys."""
    refund = {**refunded, "refund_status": refunded["status"], "sp_mchid": PARTNER, "sub_mchid": SUB}
    content = refund if event_type == "REFUND.SUCCESS" else trade
    body = wechat_pay.event(content, event_type=event_type)
    reader.check(wechat_pay.headers(body), body, now=wechat_pay.now)
    body = wechat_pay.event(content | change, event_type=event_type)
    with pytest.raises(InvalidSignature, match="foreign_merchant"):
        reader.check(wechat_pay.headers(body), body, now=wechat_pay.now)


def test_a_message_in_the_form_of_the_other_mode_is_refused(
    *,
    reader: WeChatPayMessageReader,
    merchant: MerchantAccount,
    tokens: Any,
    wechat_pay: Any,
    trade: dict[str, Any],
    paid_trade: dict[str, Any],
) -> None:
    direct = WeChatPayMessageReader(merchant, {PARTNERS_APP: "patient"}, tokens=tokens)
    for door, content in ((reader, paid_trade), (direct, trade)):
        body = wechat_pay.event(content, event_type="TRANSACTION.SUCCESS")
        with pytest.raises(InvalidSignature, match="unreadable"):
            door.check(wechat_pay.headers(body), body, now=wechat_pay.now)


def test_an_app_of_neither_is_foreign(reader: WeChatPayMessageReader, wechat_pay: Any, trade: dict[str, Any]) -> None:
    body = wechat_pay.event(trade | {"sub_appid": "wx0000000000000000"}, event_type="TRANSACTION.SUCCESS")
    with pytest.raises(InvalidSignature, match="foreign_app"):
        reader.check(wechat_pay.headers(body), body, now=wechat_pay.now)


@pytest.mark.parametrize(
    "change",
    [
        {"sub_mchid": "no digits"},
        {"sub_mchid": ""},
        {"sub_mchid": SUB, "sub_appids": ("no word!",)},
        {"sub_mchid": SUB, "sub_appids": (PARTNERS_APP,)},
        {"sub_appids": (HOSPITALS_APP,)},
    ],
)
def test_an_account_that_does_not_fit_stops_the_start(merchant: MerchantAccount, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="sub_"):
        replace(merchant, **change)


# --- bills ------------------------------------------------------------------------------------------------------------

TRADES = f"/v3/bill/tradebill?bill_date={DAY}&bill_type=ALL&tar_type=GZIP&sub_mchid={SUB}"
FUNDS = (
    f"/v3/bill/sub-merchant-fundflowbill?bill_date={DAY}&account_type=BASIC&tar_type=GZIP"
    f"&sub_mchid={SUB}&algorithm=AEAD_AES_256_GCM"
)
HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,微信订单号,商户订单号,用户标识,交易状态,货币种类,"
    "微信退款单号,商户退款单号,退款状态,手续费,订单金额,申请退款金额"
)
LINE = "`2026-11-19 23:59:59,`wx1,`1900007291,`{sub},`4200001,`YZ1,`oABC,`SUCCESS,`CNY,`0,`0,`,`0.09000,`15.00,`0.00"
SUMMARY = ("总交易单数,订单总金额", "`1.0,`15.0")
KEY, NONCE = "0123456789abcdef0123456789ABCDEF", "a8607ef79034c49c"


@pytest.fixture
def source(sub_merchant: MerchantAccount, tokens: Any) -> WeChatBillSource:
    return WeChatBillSource(sub_merchant, tokens, clock=lambda: datetime(2026, 11, 20, 2, 30, tzinfo=UTC))


def sealed(key: RSAPrivateKey, *, under: bytes = KEY.encode(), **changes: Any) -> dict[str, Any]:
    encrypted = key.public_key().encrypt(under, OAEP(MGF1(SHA1()), SHA1(), None))
    one = {
        "bill_sequence": 1,
        "encrypt_key": b64encode(encrypted).decode(),
        "hash_type": "SHA1",
        "hash_value": "79bb0f45fc4c42234a918000b2668d689e2bde04",
        "nonce": NONCE,
        "download_url": PAY_URL + FILE,
    }
    return {"download_bill_count": 1, "download_bill_list": [one | changes]}


def packed(content: bytes = GOOD_FUNDS, key: bytes = KEY.encode()) -> bytes:
    return AESGCM(key).encrypt(NONCE.encode(), gzip.compress(content), b"")


def test_the_trade_bill_is_asked_for_the_sub_merchant(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    serve(wire, wechat_pay, bill(HEADER, LINE.format(sub=SUB), *SUMMARY), TRADES)
    (paid,) = source.trade_bill(DAY)
    assert (paid.out_trade_no, paid.amount_fen) == ("YZ1", 1500)


@pytest.mark.parametrize("sub", [SIBLING, "0", ""])
def test_a_line_of_another_sub_merchant_makes_it_no_bill_of_ours(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any, sub: str
) -> None:
    serve(wire, wechat_pay, bill(HEADER, LINE.format(sub=sub), *SUMMARY), TRADES)
    with pytest.raises(BillUnreadable, match="line 2 is of another merchant"):
        source.trade_bill(DAY)


def test_the_key_of_a_seal_need_not_be_a_text(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any, merchant_key: RSAPrivateKey
) -> None:
    raw = bytes(range(224, 256))
    wechat_pay.answer(wire, "GET", FUNDS, sealed(merchant_key, under=raw))
    wire.add("GET", PAY_URL + FILE, body=packed(key=raw))
    assert len(source.fund_flow(DAY)) == 4


def test_a_direct_merchant_takes_no_line_of_a_sub_merchant(
    merchant: MerchantAccount, tokens: Any, wire: responses.RequestsMock, wechat_pay: Any
) -> None:
    """The number is a partner's, and was configured without its sub-merchants."""
    source = WeChatBillSource(merchant, tokens, clock=lambda: datetime(2026, 11, 20, 2, 30, tzinfo=UTC))
    path = TRADES.partition("&sub_mchid")[0]
    serve(wire, wechat_pay, bill(HEADER, LINE.format(sub=SUB), *SUMMARY), path)
    with pytest.raises(BillUnreadable, match="line 2 is of another merchant"):
        source.trade_bill(DAY)


@pytest.mark.parametrize("place", [FILE, FILE.replace("/v3/billdownload/file", "/v3/bill/downloadurl")])
def test_the_flow_of_a_sub_merchant_comes_sealed(
    *,
    source: WeChatBillSource,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    merchant_key: RSAPrivateKey,
    place: str,
) -> None:
    wechat_pay.answer(wire, "GET", FUNDS, sealed(merchant_key, download_url=PAY_URL + place))
    wire.add("GET", PAY_URL + place, body=packed())
    assert [one.amount_fen for one in source.fund_flow(DAY)] == [1500, 9, 500, 1000]


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"nonce": "b8607ef79034c49c"}, packed()),
        ({"encrypt_key": "AAAA"}, packed()),
        ({}, packed(key=KEY.lower().encode())),
        ({}, packed()[:-1]),
        ({}, gzip.compress(GOOD_FUNDS)),
        ({}, AESGCM(KEY.encode()).encrypt(NONCE.encode(), GOOD_FUNDS, b"")),
        ({"download_url": "https://elsewhere.example/v3/billdownload/file?token=1"}, packed()),
    ],
)
def test_a_sealed_flow_that_does_not_open_is_none(
    *,
    source: WeChatBillSource,
    wire: responses.RequestsMock,
    wechat_pay: Any,
    merchant_key: RSAPrivateKey,
    change: dict[str, str],
    body: bytes,
) -> None:
    wechat_pay.answer(wire, "GET", FUNDS, sealed(merchant_key, **change))
    wire.add("GET", PAY_URL + FILE, body=body)
    wire.assert_all_requests_are_fired = False
    with pytest.raises(BillUnreadable):
        source.fund_flow(DAY)


def test_a_flow_in_several_files_is_not_read_in_part(
    source: WeChatBillSource, wire: responses.RequestsMock, wechat_pay: Any, merchant_key: RSAPrivateKey
) -> None:
    """They come from 16 GB on."""
    told = sealed(merchant_key)
    wechat_pay.answer(wire, "GET", FUNDS, told | {"download_bill_list": told["download_bill_list"] * 2})
    with pytest.raises(ProviderUnavailable, match="download_bill_list"):
        source.fund_flow(DAY)
