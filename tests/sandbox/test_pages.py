"""The pages over HTTP, as a browser without scripts uses them: forms posted, redirects followed, values escaped."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from account_server import Clinic
from paper_browser import Browser

from sandbox.testing import running_sandbox

HOSTILE = "<script>alert(1)</script>\"'&"


def test_the_first_page_leads_to_every_other(browser: Browser) -> None:
    browser.open("/")
    links = re.findall(r'href="(/[^"]*)"', browser.text)
    assert {
        "/pages/official/clinic",
        "/pages/pay",
        "/pages/face",
        "/pages/login",
        "/pages/sms",
        "/control/ledger",
    } <= set(links)
    assert {browser.http.get(browser.base_url + link, timeout=15).status_code for link in links} == {200}


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/pages/official/clinic", "/pages/pay", "/pages/face", "/pages/login", "/pages/sms"),
        *("/pages/sms/+8613800000001", "/pages/nothing", "/pages/face/x"),
    ],
)
def test_every_page_forbids_scripts_and_frames(browser: Browser, path: str) -> None:
    page = browser.open(path).page
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script" not in page.text
    assert not re.search(r"\s(on[a-z]+|style)=", page.text)
    assert 'src="http' not in page.text


def test_the_style_sheet_is_there_and_nothing_beside_it(browser: Browser) -> None:
    page = browser.open("/pages/static/pages.css").page
    assert (page.status_code, page.headers["Content-Type"].partition(";")[0]) == (200, "text/css")
    for path in ("/pages/static/..%2fframe.py", "/pages/static/../templates/base.html", "/pages/static/"):
        assert browser.http.get(browser.base_url + path, timeout=15).status_code == 404


# --- who may come in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/pages/login", "/wechat-open/connect/oauth2/authorize"])
def test_only_this_machine_sees_pages(browser: Browser, path: str) -> None:
    url = browser.base_url + path
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        assert requests.get(url, headers=headers, timeout=15).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_form_of_another_site_does_nothing(clinic: Clinic, browser: Browser, origin: str) -> None:
    refused = requests.post(
        browser.base_url + "/pages/official/clinic/people",
        data={"name": "mallory"},
        headers={"Origin": origin},
        timeout=15,
    )
    assert refused.status_code == 403
    assert "mallory" not in browser.open("/pages/official/clinic").text


def test_with_a_token_pages_ask_for_it(data_dir: Path) -> None:
    token = "a-token-of-some-length"
    with running_sandbox(data_dir, host="0.0.0.0", token=token) as running:
        url = f"http://127.0.0.1:{running.server.server_address[1]}/pages/login"
        asked = requests.get(url, timeout=15)
        assert (asked.status_code, asked.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        assert requests.get(url, auth=("", "wrong"), timeout=15).status_code == 401
        assert requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=15).status_code == 401
        assert requests.get(url, auth=("any", token), timeout=15).status_code == 200
        headers = {"Origin": "https://evil.example"}
        assert requests.post(url, auth=("any", token), headers=headers, timeout=15).status_code == 403


# --- cashier, camera, login codes, links -----------------------------------------------------------------------------


@pytest.fixture
def params(box: Any) -> Callable[..., dict[str, str]]:
    """client_params of a new order, as a merchant's server signs them."""

    def signed(**changes: Any) -> dict[str, str]:
        number = box.number()
        placed = box.demo.place(box.demo.order(number, box.openid, box.url, **changes)).json()
        params = {"timeStamp": "1700000000", "nonceStr": "n", "package": f"prepay_id={placed['prepay_id']}"}
        text = f"{box.demo.credentials['appid']}\n1700000000\nn\n{params['package']}\n"
        return {**params, "signType": "RSA", "paySign": box.demo.sign(text.encode())}

    return signed


def test_an_order_is_paid_at_the_cashier(box: Any, browser: Browser, params: Callable[..., dict[str, str]]) -> None:
    browser.open("/pages/pay").submit("open", client_params=json.dumps(params(description=f"挂号费 {HOSTILE}")))
    assert "¥15.00" in browser.text
    assert HOSTILE in browser.text
    assert "<script" not in browser.page.text
    browser.submit("pay", deed="pay")
    assert ("requestPayment:ok" in browser.text, "已支付" in browser.text) == (True, True)
    (trade,) = box.control.items("/ledger", kind="trade")
    assert trade["state"] == "SUCCESS"
    box.notice(trade["out_trade_no"])
    assert 'value="pay"' not in browser.page.text


def test_params_in_the_query_open_the_same_sheet(box: Any, browser: Browser, params: Any) -> None:
    assert "¥15.00" in browser.open("/pages/pay", params=params()).text
    browser.submit("give up", deed="give_up")
    assert "requestPayment:fail cancel" in browser.text
    assert box.control.items("/ledger", kind="trade")[0]["state"] == "NOTPAY"
    browser.submit("pay", deed="pay")
    assert box.control.items("/ledger", kind="trade")[0]["state"] == "SUCCESS"
    assert browser.post("/pages/pay", client_params="{}", deed="pay").page.status_code == 422


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("paySign", "AAAA", "pay_sign_invalid"),
        ("timeStamp", "1700000001", "pay_sign_invalid"),
        ("signType", "MD5", "pay_params_invalid"),
        ("package", "prepay_id=wx0", "prepay_unknown"),
    ],
)
def test_bent_params_open_nothing(browser: Browser, params: Any, name: str, value: str, code: str) -> None:
    page = browser.open("/pages/pay", params=params() | {name: value}).page
    assert (page.status_code, code in page.text) == (409, True)


def test_a_prepay_that_ran_out_opens_nothing(box: Any, browser: Browser, params: Any) -> None:
    given = params()
    box.control.post("/clock", advance_seconds=7201)
    assert "prepay_expired" in browser.open("/pages/pay", params=given).text


def test_a_face_is_shown_to_the_camera(box: Any, browser: Browser) -> None:
    app = box.control.get("/credentials")["wechat_miniapp"][0]
    who = {"appid": app["appid"], "secret": app["secret"], "grant_type": "client_credential"}
    token = requests.post(app["base_url"] + "/cgi-bin/stable_token", json=who, timeout=15).json()["access_token"]

    def started(number: str) -> str:
        person = {"cert_type": "IDENTITY_CARD", "cert_name": "张三", "cert_no": "310101199801011234"}
        body = {"out_seq_no": number, "cert_info": person, "openid": box.openid}
        url = app["base_url"] + "/cityservice/face/identify/getverifyid"
        return str(requests.post(url, json=body, params={"access_token": token}, timeout=15).json()["verify_id"])

    passed, failed = started("seq-00001"), started("seq-00002")
    browser.open("/pages/face").submit("open", number=passed)
    assert ("seq-00001" in browser.text, "张三" in browser.text) == (True, False)
    browser.submit("pass", outcome="10000")
    assert "已通过" in browser.text
    assert browser.post(f"/pages/face/{passed}", outcome="10004").page.status_code == 409
    assert browser.post(f"/pages/face/{failed}", outcome="1").page.status_code == 422
    browser.open(f"/pages/face/{failed}").submit("pass", outcome="10004")
    assert "未通过" in browser.text


@pytest.mark.parametrize("provider", ["wechat_miniapp", "wechat_official"])
def test_a_login_code_can_be_copied(box: Any, browser: Browser, provider: str) -> None:
    browser.open("/pages/login").submit("get a code", provider=provider, open_id="a", union_id="u")
    found = re.search(r'class="copy" readonly value="([^"]+)"', browser.page.text)
    assert found is not None
    app = box.control.get("/credentials")[provider][0]
    path, name = {
        "wechat_miniapp": ("/sns/jscode2session", "js_code"),
        "wechat_official": ("/sns/oauth2/access_token", "code"),
    }[provider]
    who = {"appid": app["appid"], "secret": app["secret"], "grant_type": "authorization_code"}
    session = requests.get(app["base_url"] + path, params={**who, name: found[1]}, timeout=15).json()
    assert (session["openid"], session["unionid"]) == ("a", "u")


def test_a_link_shows_the_page_it_would_open(clinic: Clinic, browser: Browser) -> None:
    app = clinic.box.control.get("/credentials")["wechat_miniapp"][0]
    body = {"path": "pages/doctor", "query": "id=1&from=menu", "expire_type": 1, "expire_interval": 1}
    link = clinic.post("/wxa/generate_urllink", body, clinic.token(app))["url_link"]
    assert all(part in browser.open(link).text for part in (app["appid"], "pages/doctor", "id=1&from=menu"))
    clinic.box.control.post("/clock", advance_seconds=86401)
    assert browser.open(link).page.status_code == 404
