"""The sandbox against python-alipay-sdk: the same codec on both ends would prove nothing (protocol section 12)."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from alipay.exceptions import AliPayException, AliPayValidationError

from sandbox.testing import eventually

#: It reads certificates by ways that pyOpenSSL is about to leave (protocol section 12.4).
pytestmark = pytest.mark.filterwarnings("ignore:X509:DeprecationWarning")


def payer(wallet: Any, merchant: str) -> dict[str, str]:
    order = wallet.accounts[merchant].order("T", wallet.open_id)
    return {name: order[name] for name in ("buyer_open_id", "op_buyer_open_id", "op_app_id") if name in order}


def believed(wallet: Any, merchant: str, body: bytes) -> bool:
    """What the SDK makes of an event."""
    params = dict(parse_qsl(body.decode()))
    verdict: bool = wallet.sdk(merchant).verify(params, params.pop("sign"))
    return verdict


@pytest.mark.parametrize("merchant", ["demo", "gulou", "xiehe"])
def test_the_sdk_is_paid_and_returns_money(wallet: Any, merchant: str) -> None:
    sdk, number = wallet.sdk(merchant), wallet.number()
    content = {
        "out_trade_no": number,
        "total_amount": "25.00",
        "subject": "挂号费",
        "product_code": "JSAPI_PAY",
        **payer(wallet, merchant),
    }
    placed = sdk.server_api("alipay.trade.create", content, notify_url=wallet.url)
    assert placed["code"] == "10000"
    assert sdk.api_alipay_trade_query(out_trade_no=number)["trade_status"] == "WAIT_BUYER_PAY"
    wallet.control.post(f"/payments/{number}/pay", client_params={"tradeNO": placed["trade_no"]})
    wallet.notice(number)
    assert believed(wallet, merchant, wallet.receiver.received[0].body)

    paid = sdk.api_alipay_trade_query(trade_no=placed["trade_no"])
    assert (paid["trade_status"], paid["total_amount"]) == ("TRADE_SUCCESS", "25.00")
    refund = sdk.api_alipay_trade_refund(refund_amount="5.00", out_trade_no=number, out_request_no="R1")
    assert (refund["fund_change"], refund["refund_fee"]) == ("Y", "5.00")
    found = sdk.api_alipay_trade_fastpay_refund_query("R1", out_trade_no=number)
    assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "5.00")
    wallet.notice(number, kind="refund")
    assert believed(wallet, merchant, wallet.receiver.received[-1].body)


def test_the_sdk_closes_a_trade(wallet: Any) -> None:
    number, sdk = wallet.placed(), wallet.sdk()
    assert sdk.api_alipay_trade_close(out_trade_no=number)["code"] == "10000"
    assert sdk.api_alipay_trade_query(out_trade_no=number)["trade_status"] == "TRADE_CLOSED"
    assert sdk.api_alipay_trade_close(out_trade_no=number)["sub_code"] == "ACQ.REASON_TRADE_STATUS_INVALID"


def test_the_sdk_logs_a_person_in(wallet: Any) -> None:
    sdk = wallet.sdk()
    code = wallet.control.post("/login-codes", provider="alipay_miniapp", open_id="zhang-san")["code"]
    token = sdk.server_api("alipay.system.oauth.token", grant_type="authorization_code", code=code)
    assert (token["open_id"], "code" in token) == ("zhang-san", False)
    assert sdk.server_api("alipay.user.info.share", auth_token=token["access_token"])["open_id"] == "zhang-san"
    with pytest.raises(AliPayException, match=r"isv\.code-invalid"):
        sdk.server_api("alipay.system.oauth.token", grant_type="authorization_code", code=code)


def test_the_sdk_leads_a_person_to_the_face_check(wallet: Any) -> None:
    sdk = wallet.sdk()
    begun = sdk.server_api(
        "alipay.user.certify.open.initialize",
        {
            "outer_order_no": "0" * 32,
            "biz_code": "FACE",
            "identity_param": {
                "identity_type": "CERT_INFO",
                "cert_type": "IDENTITY_CARD",
                "cert_name": "张三",
                "cert_no": "11010519491231002X",
            },
            "merchant_config": {"return_url": "https://example.com/back"},
        },
    )
    content = {"certify_id": begun["certify_id"]}
    url = f"{sdk._gateway}?{sdk.client_api('alipay.user.certify.open.certify', content)}"
    page = requests.get(url, allow_redirects=False, timeout=15)
    assert (page.status_code, urlsplit(page.headers["Location"]).path) == (302, f"/pages/face/{begun['certify_id']}")
    wallet.control.post(f"/identity/{begun['certify_id']}/pass")
    assert sdk.server_api("alipay.user.certify.open.query", content)["passed"] == "T"


def test_an_event_of_one_merchant_is_nothing_to_another(wallet: Any) -> None:
    wallet.notice(wallet.paid())
    body = wallet.receiver.received[0].body
    assert believed(wallet, "demo", body)
    assert not believed(wallet, "gulou", body)


@pytest.mark.parametrize("kind", ["bad_signature", "forged"])
def test_the_sdk_does_not_believe_what_was_spoilt(wallet: Any, kind: str) -> None:
    number = wallet.placed()
    wallet.fault("alipay.pay.query", kind, times=1)
    with pytest.raises(AliPayValidationError):
        wallet.sdk().api_alipay_trade_query(out_trade_no=number)
    assert wallet.sdk().api_alipay_trade_query(out_trade_no=number)["code"] == "10000"


def test_a_rotated_certificate_is_no_longer_the_sdks(wallet: Any) -> None:
    """It does not look at `alipay_cert_sn`, so a rotation is a wrong signature to it (section 12.2)."""
    number, sdk = wallet.placed("gulou"), wallet.sdk("gulou")
    assert sdk.api_alipay_trade_query(out_trade_no=number)["code"] == "10000"
    wallet.control.post("/alipay/rotate-certificate", merchant="gulou")
    with pytest.raises(AliPayValidationError):
        sdk.api_alipay_trade_query(out_trade_no=number)
    eventually(lambda: wallet.control.items("/calls", operation="alipay.pay.query", number=number))


def test_the_sdk_stumbles_over_a_brace_in_a_subject(wallet: Any) -> None:
    """A known fault of the stock client, which ours must not share (section 12.4-3)."""
    number = wallet.placed(subject="挂号}费")
    assert wallet.demo.query(number).proved
    with pytest.raises(AliPayValidationError):
        wallet.sdk().api_alipay_trade_query(out_trade_no=number)


@pytest.mark.parametrize("merchant", ["demo", "gulou"])
def test_the_sdk_asks_for_the_bills_of_a_day(wallet: Any, merchant: str) -> None:
    day = datetime.now(UTC).date() - timedelta(days=3)
    wallet.control.post("/clock", now=f"{day}T12:00:00+08:00")
    number = wallet.paid(merchant)
    wallet.control.post("/clock", now=f"{day + timedelta(days=1)}T09:00:00+08:00")
    for kind in ("trade", "signcustomer"):
        content = {"bill_type": kind, "bill_date": str(day)}
        told = wallet.sdk(merchant).server_api("alipay.data.dataservice.bill.downloadurl.query", content)
        archive = requests.get(told["bill_download_url"], timeout=15).content
        with zipfile.ZipFile(io.BytesIO(archive)) as box:
            assert f"\t,{number}\t," in box.read(box.namelist()[1]).decode("gb18030")
