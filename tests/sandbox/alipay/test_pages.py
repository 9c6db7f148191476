"""Alipay's screens in a browser: the cashier that my.tradePay opens, the page that certify leads to, login codes."""

import json
import re
from typing import Any

import pytest
from paper_browser import Browser


@pytest.fixture
def browser(wallet: Any) -> Browser:
    return Browser(wallet.running.base_url)


@pytest.fixture
def params(wallet: Any) -> dict[str, str]:
    """client_params of a new trade."""
    return {"tradeNO": wallet.place(subject="挂号费 <b>").node["trade_no"]}


def test_a_trade_is_paid_at_the_cashier(wallet: Any, browser: Browser, params: dict[str, str]) -> None:
    browser.open("/pages/pay").submit("open", client_params=json.dumps(params))
    assert "挂号费 <b>" in browser.text
    assert "<b>" not in browser.page.text
    assert re.search(r"¥\d+\.\d\d", browser.text)
    browser.submit("pay", deed="pay")
    assert ("9000" in browser.text, "已支付" in browser.text) == (True, True)
    (trade,) = wallet.control.items("/ledger", kind="trade")
    assert trade["state"] == "TRADE_SUCCESS"
    wallet.notice(trade["out_trade_no"])


def test_a_person_gives_up_and_pays_later(wallet: Any, browser: Browser, params: dict[str, str]) -> None:
    browser.open("/pages/pay", params=params).submit("give up", deed="give_up")
    assert "6001" in browser.text
    assert wallet.control.items("/ledger", kind="trade")[0]["state"] == "WAIT_BUYER_PAY"
    assert "已支付" in browser.submit("pay", deed="pay").text
    assert browser.post("/pages/pay", client_params=json.dumps(params), deed="pay").page.status_code == 409


def test_an_unknown_or_padded_trade_opens_nothing(browser: Browser, params: dict[str, str]) -> None:
    assert browser.open("/pages/pay", params={"tradeNO": "1"}).page.status_code == 409
    assert browser.open("/pages/pay", params={**params, "more": "1"}).page.status_code == 422


@pytest.mark.parametrize(("outcome", "shown", "passed"), [("T", "已通过", "T"), ("F", "未通过", "F")])
def test_the_page_of_certify_is_the_camera(
    wallet: Any, browser: Browser, outcome: str, shown: str, passed: str
) -> None:
    certify_id = wallet.demo.initialize().node["certify_id"]
    call = wallet.demo.params("alipay.user.certify.open.certify", {"certify_id": certify_id})
    browser.open(wallet.demo.credentials["gateway"], params=call)
    assert browser.page.url == f"{wallet.running.base_url}/pages/face/{certify_id}"
    assert ("张*" in browser.text, "张三" in browser.text) == (True, False)
    browser.submit("pass", outcome=outcome)
    assert shown in browser.text
    assert 'href="https://example.com/back"' in browser.page.text
    answer = wallet.demo.call("alipay.user.certify.open.query", {"certify_id": certify_id})
    assert answer.node["passed"] == passed
    assert browser.post(f"/pages/face/{certify_id}", outcome="T").page.status_code == 409


def test_a_return_address_that_is_no_page_is_no_link(wallet: Any, browser: Browser) -> None:
    said = wallet.demo.initialize(merchant_config={"return_url": "javascript:alert(1)"})
    browser.open(f"/pages/face/{said.node['certify_id']}").submit("pass", outcome="T")
    assert "javascript:" not in browser.text


def test_a_login_code_can_be_copied(wallet: Any, browser: Browser) -> None:
    browser.open("/pages/login").submit("get a code", provider="alipay_miniapp", open_id="patient-two")
    found = re.search(r'class="copy" readonly value="([^"]+)"', browser.page.text)
    assert found is not None
    token = wallet.demo.call("alipay.system.oauth.token", None, grant_type="authorization_code", code=found[1])
    assert token.node["open_id"] == "patient-two"
