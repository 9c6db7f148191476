"""Login, user information, face check, phone number (protocol sections 5 and 6; rows A-30, A-40)."""

import json
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from sandbox.alipay import certify
from sandbox.testing_alipay import Said


def code(wallet: Any, open_id: str = "zhang-san", **rest: str) -> str:
    issued: str = wallet.control.post("/login-codes", provider="alipay_miniapp", open_id=open_id, **rest)["code"]
    return issued


def log_in(wallet: Any, given: str, merchant: str = "demo") -> Said:
    said: Said = wallet.accounts[merchant].call(
        "alipay.system.oauth.token", None, grant_type="authorization_code", code=given
    )
    return said


def refresh(wallet: Any, token: str) -> Said:
    said: Said = wallet.demo.call("alipay.system.oauth.token", None, grant_type="refresh_token", refresh_token=token)
    return said


def test_a_code_is_a_person(wallet: Any) -> None:
    issued = wallet.control.post("/login-codes", provider="alipay_miniapp", open_id="one", union_id="u1", app="patient")
    assert (issued["app"], issued["appid"]) == ("patient", wallet.demo.credentials["app_id"])
    said = log_in(wallet, issued["code"])
    assert (said.root, said.proved) == ("alipay_system_oauth_token_response", True)
    assert (said.node["open_id"], said.node["union_id"]) == ("one", "u1")
    assert {"code", "user_id"}.isdisjoint(said.node)
    assert (said.node["expires_in"], said.node["re_expires_in"]) == (15 * 86400, 30 * 86400)
    assert "union_id" not in log_in(wallet, code(wallet, "two")).node


def test_a_code_counts_once_for_its_app_and_for_three_minutes(wallet: Any) -> None:
    used, foreign, old, young = (code(wallet) for _ in range(4))
    log_in(wallet, used)
    for given, merchant in ((used, "demo"), (foreign, "gulou"), ("nonsense", "demo"), ("", "demo")):
        said = log_in(wallet, given, merchant)
        assert (said.root, said.node["code"], said.sub_code) == ("error_response", "40002", "isv.code-invalid")
        assert said.proved
    assert log_in(wallet, foreign).node["open_id"] == "zhang-san"
    wallet.control.post("/clock", advance_seconds=170)
    assert log_in(wallet, young).sub_code is None
    wallet.control.post("/clock", advance_seconds=11)
    assert log_in(wallet, old).sub_code == "isv.code-invalid"


def test_another_grant_is_refused(wallet: Any) -> None:
    for grant in ("password", None):
        said = wallet.demo.call("alipay.system.oauth.token", None, grant_type=grant, code=code(wallet))
        assert (said.root, said.sub_code) == ("error_response", "isv.grant-type-invalid")


def test_a_token_is_renewed_once(wallet: Any) -> None:
    first = log_in(wallet, code(wallet)).node
    second = refresh(wallet, first["refresh_token"]).node
    assert (second["open_id"], second["access_token"] != first["access_token"]) == ("zhang-san", True)
    assert refresh(wallet, first["refresh_token"]).sub_code == "isv.refreshed-token-invalid"
    assert refresh(wallet, "nonsense").sub_code == "isv.refresh-token-invalid"
    wallet.control.post("/clock", advance_seconds=30 * 86400)
    assert refresh(wallet, second["refresh_token"]).sub_code == "isv.refresh-token-time-out"


def test_what_a_token_tells(wallet: Any) -> None:
    token = log_in(wallet, code(wallet)).node["access_token"]
    told = wallet.demo.call("alipay.user.info.share", None, auth_token=token).node
    assert (told["code"], told["open_id"], told["is_certified"]) == ("10000", "zhang-san", "T")
    foreign = wallet.gulou.call("alipay.user.info.share", None, auth_token=token)
    assert (foreign.node["code"], foreign.sub_code) == ("20001", "aop.invalid-auth-token")
    wallet.control.post("/clock", advance_seconds=15 * 86400)
    late = wallet.demo.call("alipay.user.info.share", None, auth_token=token)
    assert (late.node["code"], late.sub_code) == ("20001", "aop.auth-token-time-out")


def test_an_older_mini_program_knows_people_by_user_id(wallet: Any) -> None:
    assert wallet.control.post("/alipay/id-mode", id_mode="user_id")["app"] == "patient"
    assert {row["id_mode"] for row in wallet.control.get("/credentials")["alipay"]} == {"user_id"}
    person = log_in(wallet, code(wallet, user_id="2088000000000001")).node
    assert (person["user_id"], "open_id" in person) == ("2088000000000001", False)
    assert person["alipay_user_id"] != person["user_id"]
    for merchant in ("demo", "gulou"):
        client = wallet.accounts[merchant]
        order = client.order(wallet.number(), "", op_buyer_open_id=None, buyer_open_id=None, buyer_id=person["user_id"])
        assert client.place(order, wallet.url).node["code"] == "10000"
        wallet.control.post(f"/payments/{order['out_trade_no']}/pay")
        shown = client.query(order["out_trade_no"]).node
        assert (shown["buyer_user_id"], "buyer_open_id" in shown) == (person["user_id"], False)
        wallet.notice(order["out_trade_no"])
        event = client.notice(wallet.receiver.received[-1].body)
        assert (event["buyer_id"], "buyer_open_id" in event) == (person["user_id"], False)
    wallet.control.post("/alipay/id-mode", id_mode="open_id", app="patient")
    assert log_in(wallet, code(wallet)).node["open_id"] == "zhang-san"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/login-codes", {"provider": "alipay_miniapp", "open_id": "a", "app": "other"}, 404),
        ("/login-codes", {"provider": "alipay_miniapp", "open_id": "a b"}, 422),
        ("/login-codes", {"provider": "alipay_miniapp", "open_id": "a", "user_id": "1"}, 422),
        ("/alipay/id-mode", {"id_mode": "union_id"}, 422),
        ("/alipay/id-mode", {"id_mode": "open_id", "app": "other"}, 404),
        ("/alipay/rotate-certificate", {"merchant": "nobody"}, 404),
        ("/alipay/gateway-check", {"charset": "latin-1"}, 422),
        ("/alipay/gateway-check", {"signed_by": "me"}, 422),
        ("/alipay/gateway-check", {"params": {"a": 1}}, 422),
        ("/phone-payloads", {"phone": "1", "failure": "isv.nothing"}, 422),
        ("/phone-payloads", {"phone": "1", "app": "other"}, 404),
        ("/phone-payloads", {}, 422),
    ],
)
def test_mistakes(wallet: Any, path: str, body: dict[str, Any], status: int) -> None:
    assert wallet.refused(path, **body)[0] == status


def begun(wallet: Any, **changes: Any) -> str:
    said = wallet.demo.initialize(**changes)
    assert said.node["code"] == "10000", said.raw
    certify_id: str = said.node["certify_id"]
    return certify_id


def query(wallet: Any, certify_id: str, merchant: str = "demo") -> Said:
    said: Said = wallet.accounts[merchant].call("alipay.user.certify.open.query", {"certify_id": certify_id})
    return said


def page(wallet: Any, certify_id: str, **bent: str) -> Any:
    params = wallet.demo.params("alipay.user.certify.open.certify", {"certify_id": certify_id}) | bent
    url = f"{wallet.demo.credentials['gateway']}?{urlencode(params)}"
    return wallet.demo.http.get(url, allow_redirects=False, timeout=15)


def test_a_face_check_from_beginning_to_end(wallet: Any) -> None:
    certify_id = begun(wallet)
    assert (len(certify_id), certify_id[:2]) == (32, "OC")
    opened = page(wallet, certify_id)
    assert (opened.status_code, urlsplit(opened.headers["Location"]).path) == (302, f"/pages/face/{certify_id}")
    waiting = query(wallet, certify_id).node
    assert (waiting["passed"], "fail_reason" in waiting) == ("F", False)
    assert wallet.control.post(f"/identity/{certify_id}/pass") == {"certify_id": certify_id, "passed": "T"}
    assert query(wallet, certify_id).node["passed"] == "T"
    assert wallet.refused(f"/identity/{certify_id}/fail") == (409, "verification_already_finished")
    assert "OPEN_CERTIFY_BILL_STATUS_ERROR" in page(wallet, certify_id).text


def test_another_face(wallet: Any) -> None:
    certify_id, other = begun(wallet), begun(wallet)
    wallet.control.post(f"/identity/{certify_id}/fail")
    wallet.control.post(f"/identity/{other}/fail", fail_reason="Z1147")
    assert query(wallet, certify_id).node["fail_reason"] == certify.FAIL_REASON
    assert (query(wallet, other).node["passed"], query(wallet, other).node["fail_reason"]) == ("F", "Z1147")


def test_a_face_check_belongs_to_its_app_and_ends_after_23_hours(wallet: Any) -> None:
    certify_id = begun(wallet)
    assert query(wallet, certify_id, "gulou").sub_code == "OPEN_CERTIFY_BILL_NOT_EXIST"
    assert query(wallet, "OC0").sub_code == "OPEN_CERTIFY_BILL_NOT_EXIST"
    assert wallet.demo.call("alipay.user.certify.open.query", {}).sub_code == "ILLEGAL_ARGUMENT_FORMAT"
    passed = begun(wallet)
    wallet.control.post(f"/identity/{passed}/pass")
    wallet.control.post("/clock", advance_seconds=23 * 3600)
    assert query(wallet, certify_id).sub_code == "CERTIFY_ID_EXPIRED"
    assert wallet.refused(f"/identity/{certify_id}/pass") == (409, "verification_expired")
    assert query(wallet, passed).node["passed"] == "T"


def test_the_page_checks_the_signature_of_its_address(wallet: Any) -> None:
    mine, other = begun(wallet), begun(wallet)
    for bent in ({"biz_content": json.dumps({"certify_id": other})}, {"sign": "AAAA"}, {"app_id": "2021000000000000"}):
        refused = page(wallet, mine, **bent)
        assert refused.status_code == 200
        assert refused.text.startswith("<!doctype html>")
        assert ("invalid-signature" in refused.text) or ("invalid-app-id" in refused.text)
    assert "OPEN_CERTIFY_BILL_NOT_EXIST" in page(wallet, mine, **resigned(wallet, "<script>")).text
    assert "<script>" not in page(wallet, mine, biz_content="<script>").text


def resigned(wallet: Any, certify_id: str) -> dict[str, str]:
    params: dict[str, str] = wallet.demo.params("alipay.user.certify.open.certify", {"certify_id": certify_id})
    return params


IDENTITY = {
    "identity_type": "CERT_INFO",
    "cert_type": "IDENTITY_CARD",
    "cert_name": "张三",
    "cert_no": "11010519491231002X",
}


@pytest.mark.parametrize(
    "change",
    [
        {"outer_order_no": "a-b"},
        {"outer_order_no": "a" * 33},
        {"outer_order_no": ""},
        {"biz_code": "VOICE"},
        {"identity_param": None},
        {"identity_param": "{"},
        {"identity_param": []},
        {"identity_param": IDENTITY | {"identity_type": "X"}},
        {"identity_param": IDENTITY | {"cert_type": "PASSPORT"}},
        {"identity_param": IDENTITY | {"cert_name": ""}},
        {"identity_param": IDENTITY | {"cert_no": "11010519491231002"}},
        {"identity_param": IDENTITY | {"cert_no": 1}},
        {"merchant_config": {}},
        {"merchant_config": {"return_url": 1}},
    ],
)
def test_a_face_check_with_a_mistake_is_refused(wallet: Any, change: dict[str, Any]) -> None:
    said = wallet.demo.initialize(**change)
    assert (said.node["code"], said.sub_code, said.proved) == ("40004", "ILLEGAL_ARGUMENT_FORMAT", True)


def test_objects_may_come_as_texts(wallet: Any) -> None:
    identity = IDENTITY | {"cert_type": "PERMANENT_RESIDENCE_FOREIGNER", "cert_no": "ABC0"}
    begun(wallet, identity_param=json.dumps(identity), merchant_config='{"return_url":"https://example.com"}')


def test_an_order_number_counts_once(wallet: Any) -> None:
    number = secrets.token_hex(16)
    begun(wallet, outer_order_no=number)
    assert wallet.demo.initialize(outer_order_no=number).sub_code == "ILLEGAL_ARGUMENT_FORMAT"


def test_what_a_page_is_told(wallet: Any) -> None:
    sandbox, certify_id = wallet.running.sandbox, begun(wallet)
    assert certify.describe(sandbox, certify_id) == {
        "certify_id": certify_id,
        "name": "张*",
        "return_url": "https://example.com/back",
        "state": "pending",
        "fail_reason": None,
    }
    certify.finish(sandbox, certify_id, passed=False)
    state = certify.describe(sandbox, certify_id)
    assert state is not None
    assert state["state"] == "failed"
    assert certify.describe(sandbox, "OC0") is None


def proves(wallet: Any, payload: dict[str, str], covered: str) -> bool:
    proved: bool = wallet.demo.proves(covered.encode(), payload["sign"])
    return proved


def test_a_phone_number_comes_encrypted_and_signed(wallet: Any) -> None:
    payload = wallet.control.post("/phone-payloads", phone="13900000000")
    assert proves(wallet, payload, f'"{payload["response"]}"')
    assert not proves(wallet, payload, payload["response"])
    opened = json.loads(wallet.demo.decrypt(payload["response"]))
    assert opened == {"code": "10000", "msg": "Success", "mobile": "13900000000"}


def test_a_phone_number_in_plain(wallet: Any) -> None:
    payload = wallet.control.post("/phone-payloads", phone="13900000000", app="patient", encrypted=False)
    assert json.loads(payload["response"])["mobile"] == "13900000000"
    assert proves(wallet, payload, payload["response"])


def test_a_phone_number_that_was_not_given(wallet: Any) -> None:
    payload = wallet.control.post("/phone-payloads", phone="", failure="isv.missing-encrypt-key")
    told = json.loads(payload["response"])
    assert (told["code"], told["subCode"], "mobile" in told) == ("40001", "isv.missing-encrypt-key", False)
    assert proves(wallet, payload, payload["response"])
    assert "sign" not in wallet.control.post("/phone-payloads", phone="13900000000", signed=False)
