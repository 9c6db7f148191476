"""The pages in a real browser: its policies let everything happen that a person does, and nothing goes wrong."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from account_server import Clinic, Seen
from playwright.sync_api import Browser, BrowserContext, Page, expect


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained of."""
    return []


@pytest.fixture
def window(chromium: Browser, faults: list[str]) -> Iterator[BrowserContext]:
    """A window that notes complaints; scripts are off, as they may be for anyone here."""
    context = chromium.new_context(locale="zh-CN", java_script_enabled=False)
    context.set_default_timeout(30_000)

    def listen(page: Page) -> None:
        page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: faults.append(str(error)))

    context.on("page", listen)
    yield context
    context.close()


def answering(clinic: Clinic) -> Any:
    def respond(seen: Seen) -> str:
        if seen.method == "GET":
            return seen.query.get("echostr", "welcome")
        pushed = clinic.opened(seen)
        text = f"听到：{getattr(pushed, 'content', '')}"
        return str(clinic.crypto.encrypt_message(clinic.answered(text, pushed.source), "nonce"))

    return respond


def returned(clinic: Clinic) -> dict[str, str]:
    """What a visitor brought back; browsers ask for an icon too."""
    return next(seen.query for seen in clinic.server.seen if "code" in seen.query)


def publish(clinic: Clinic) -> None:
    login = clinic.oauth(clinic.server.base_url + "/oauth", state="s1").authorize_url
    leaves = [
        {"type": "view", "name": "我的预约", "url": login},
        {"type": "click", "name": "号源", "key": "numbers"},
    ]
    clinic.post("/cgi-bin/menu/create", {"button": [{"name": "挂号", "sub_button": leaves}, leaves[1]]})


def test_a_person_sets_the_server_follows_writes_and_lands_logged_in(
    clinic: Clinic, window: BrowserContext, faults: list[str]
) -> None:
    clinic.server.respond = answering(clinic)
    publish(clinic)
    page = window.new_page()
    page.goto(clinic.box.running.base_url + "/")
    page.get_by_role("link", name="公众号").click()
    page.get_by_label("URL").fill(clinic.server.url)
    page.get_by_role("button", name="检验并保存").click()
    expect(page.locator("main")).to_contain_text(clinic.server.url)
    page.get_by_placeholder("zhang-san").fill("zhang-san")
    page.get_by_role("button", name="认识").click()
    page.get_by_role("button", name="关注公众号").click()
    page.get_by_label("message").fill("内科 <b>")
    page.get_by_role("button", name="发送").click()
    expect(page.locator(".theirs").last).to_have_text("听到：内科 <b>")
    page.locator("details.wire").last.locator("summary").click()
    expect(page.locator("details.wire pre").nth(-2)).to_be_visible()

    page.locator(".menu summary").click()
    with window.expect_page() as opened:
        page.get_by_role("button", name="我的预约").click()
    opened.value.wait_for_url(clinic.server.base_url + "/oauth?*")
    code = returned(clinic)["code"]
    who = {"appid": clinic.credentials["appid"], "secret": clinic.credentials["secret"]}
    visitor = clinic.get("/sns/oauth2/access_token", **who, code=code, grant_type="authorization_code")
    assert (visitor["openid"], visitor["unionid"]) == ("oa-zhang-san", "union-zhang-san")
    assert faults == []


def test_a_stranger_chooses_who_to_be(clinic: Clinic, window: BrowserContext, faults: list[str]) -> None:
    page = window.new_page()
    page.goto(clinic.oauth(clinic.server.base_url + "/oauth", scope="snsapi_userinfo", state="s1").authorize_url)
    page.get_by_placeholder("zhang-san").fill("li-si")
    page.get_by_role("button", name="同意").click()
    page.wait_for_url(clinic.server.base_url + "/oauth?*")
    assert returned(clinic)["state"] == "s1"
    assert faults == []


def test_an_order_is_paid_with_pasted_params(box: Any, window: BrowserContext, faults: list[str]) -> None:
    number = box.number()
    prepay = box.demo.place(box.demo.order(number, box.openid, box.url)).json()["prepay_id"]
    text = f"{box.demo.credentials['appid']}\n1\nn\nprepay_id={prepay}\n"
    params = {"timeStamp": "1", "nonceStr": "n", "package": f"prepay_id={prepay}", "signType": "RSA"}
    page = window.new_page()
    page.goto(box.running.base_url + "/pages/pay")
    page.locator("textarea").fill(json.dumps({**params, "paySign": box.demo.sign(text.encode())}))
    page.get_by_role("button", name="打开").click()
    expect(page.locator(".amount")).to_have_text("¥15.00")
    page.get_by_role("button", name="支付").click()
    expect(page.locator("main")).to_contain_text("requestPayment:ok")
    assert urlsplit(page.url).query == ""
    box.notice(number)
    assert faults == []
