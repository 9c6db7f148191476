"""A partner and its two sub-merchants: which paths and fields are theirs, whose orders they are, and whose bills."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1

from sandbox.testing import MerchantClient, eventually

DIRECT, PARTNER = "/v3/pay/transactions", "/v3/pay/partner/transactions"


@pytest.fixture
def fuyou(box: Any) -> MerchantClient:
    """Has an app of its own."""
    client: MerchantClient = box.merchants["fuyou"]
    return client


@pytest.fixture
def kouqiang(box: Any) -> MerchantClient:
    """Is paid in an app of the partner's."""
    client: MerchantClient = box.merchants["kouqiang"]
    return client


def ids(client: MerchantClient) -> dict[str, str]:
    return {"sp_mchid": client.credentials["mchid"], "sub_mchid": client.credentials["sub_mchid"]}


def order(box: Any, client: MerchantClient, number: str, **changes: Any) -> dict[str, Any]:
    told, own = client.credentials, client.credentials["sub_appids"]
    wanted = {
        "sp_appid": told["appid"],
        **({"sub_appid": own[0]} if own else {}),
        **ids(client),
        "description": "挂号费",
        "out_trade_no": number,
        "notify_url": box.url,
        "amount": {"total": 1500, "currency": "CNY"},
        "payer": {"sub_openid" if own else "sp_openid": box.openid},
        **changes,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def place(box: Any, client: MerchantClient, number: str, **changes: Any) -> Any:
    return client.call("POST", f"{PARTNER}/jsapi", order(box, client, number, **changes))


def query(client: MerchantClient, number: str, **changes: str) -> Any:
    named = "&".join(f"{name}={value}" for name, value in (ids(client) | changes).items())
    return client.call("GET", f"{PARTNER}/out-trade-no/{number}?{named}")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("name", ["fuyou", "kouqiang"])
def test_an_order_goes_its_way_in_the_partners_form(box: Any, name: str) -> None:
    client, number = box.merchants[name], box.number()
    placed = place(box, client, number)
    assert placed.status_code == 200, placed.text
    assert placed.json()["prepay_id"].startswith("wx")
    assert box.control.post(f"/payments/{number}/pay")["state"] == "SUCCESS"
    found = query(client, number).json()
    sent = order(box, client, number)
    assert {field: found[field] for field in sent if field in found and field != "amount"} == {
        field: sent[field] for field in sent if field not in ("description", "notify_url", "amount")
    }
    assert not {"appid", "mchid"} & found.keys()
    (entry,) = box.control.items("/ledger", out_trade_no=number)
    assert (entry["merchant"], entry["mchid"]) == (name, client.credentials["sub_mchid"])
    refunded = client.refund(number, "R1", 500, box.url, sub_mchid=client.credentials["sub_mchid"])
    assert refunded.status_code == 200, refunded.text
    path = f"/v3/refund/domestic/refunds/R1?sub_mchid={client.credentials['sub_mchid']}"
    eventually(lambda: client.call("GET", path).json()["status"] == "SUCCESS")


def test_notices_name_both_merchants(box: Any, fuyou: MerchantClient) -> None:
    number = box.number()
    place(box, fuyou, number)
    box.control.post(f"/payments/{number}/pay")
    box.notice(number)
    fuyou.refund(number, "R1", 500, box.url, sub_mchid=fuyou.credentials["sub_mchid"])
    box.notice(number, kind="refund")
    payment, refund = (box.told(received, "fuyou") for received in box.receiver.received)
    payment, refund = (json.loads(one) if isinstance(one, str) else one for one in (payment, refund))
    for told in (payment, refund):
        assert {name: told[name] for name in ("sp_mchid", "sub_mchid")} == ids(fuyou)
        assert "mchid" not in told
    assert (payment["sub_appid"], payment["payer"]) == (fuyou.credentials["sub_appids"][0], {"sub_openid": box.openid})


def test_an_unpaid_order_is_closed_by_the_partner(box: Any, fuyou: MerchantClient) -> None:
    number = box.number()
    place(box, fuyou, number)
    path = f"{PARTNER}/out-trade-no/{number}/close"
    assert code(fuyou.call("POST", path, {"mchid": fuyou.credentials["mchid"]})) == (400, "PARAM_ERROR")
    assert fuyou.call("POST", path, ids(fuyou)).status_code == 204
    assert query(fuyou, number).json()["trade_state"] == "CLOSED"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mchid": "1600000000"}, "PARAM_ERROR"),
        ({"appid": "wx1"}, "PARAM_ERROR"),
        ({"sub_mchid": None}, "PARAM_ERROR"),
        ({"sub_mchid": "1700000000"}, "NO_AUTH"),
        ({"sp_mchid": "1600000000"}, "PARAM_ERROR"),
        ({"sp_appid": "wx1"}, "APPID_MCHID_NOT_MATCH"),
        ({"sub_appid": "wx1"}, "APPID_MCHID_NOT_MATCH"),
        ({"sub_appid": None}, "PARAM_ERROR"),
        ({"payer": {"openid": "patient-one"}}, "PARAM_ERROR"),
        ({"payer": {}}, "PARAM_ERROR"),
        ({"payer": {"sub_openid": "patient-one", "sp_openid": "patient-one"}}, "PARAM_ERROR"),
        ({"payer": {"sp_openid": "patient-one"}}, "OPENID_MISMATCH"),
        ({"payer": {"sub_openid": "nobody"}}, "PARAM_ERROR"),
    ],
)
def test_an_order_that_does_not_fit_is_refused(
    box: Any, fuyou: MerchantClient, changes: dict[str, Any], expected: str
) -> None:
    assert code(place(box, fuyou, box.number(), **changes))[1] == expected


def test_each_mode_has_its_own_paths(box: Any, fuyou: MerchantClient) -> None:
    number = box.number()
    direct = box.demo.order(number, box.openid, box.url)
    assert code(box.demo.call("POST", f"{PARTNER}/jsapi", order(box, fuyou, number))) == (403, "NO_AUTH")
    assert code(fuyou.call("POST", f"{DIRECT}/jsapi", direct)) == (403, "NO_AUTH")
    assert code(box.demo.place(direct | {"sub_mchid": fuyou.credentials["sub_mchid"]})) == (400, "PARAM_ERROR")
    place(box, fuyou, number)
    assert code(fuyou.query(number)) == (403, "NO_AUTH")
    assert code(box.demo.call("GET", f"{PARTNER}/out-trade-no/{number}?{DIRECT}")) == (403, "NO_AUTH")
    sub = {"sub_mchid": fuyou.credentials["sub_mchid"]}
    assert code(box.demo.refund(box.paid(), "R9", 100, **sub)) == (400, "PARAM_ERROR")
    assert code(fuyou.refund(number, "R9", 100)) == (400, "PARAM_ERROR")


def test_a_sub_merchant_does_not_see_its_siblings_orders(
    box: Any, fuyou: MerchantClient, kouqiang: MerchantClient
) -> None:
    number = box.number()
    place(box, fuyou, number)
    assert code(query(kouqiang, number)) == (404, "ORDERNOTEXIST")
    box.control.post(f"/payments/{number}/pay")
    sub = kouqiang.credentials["sub_mchid"]
    assert code(kouqiang.refund(number, "R1", 100, sub_mchid=sub)) == (404, "RESOURCE_NOT_EXISTS")
    place(box, kouqiang, number)  # a number of its own
    assert len(box.control.items("/ledger", out_trade_no=number)) == 2


@pytest.mark.parametrize("kind", ["wrong_merchant", "other_merchant"])
def test_a_false_notice_names_the_sibling(box: Any, fuyou: MerchantClient, kouqiang: MerchantClient, kind: str) -> None:
    """It opens with the same keys, which is what makes it worth trying."""
    box.fault("notice.payment", kind, match={"merchant": "fuyou"})
    number = box.number()
    place(box, fuyou, number)
    box.control.post(f"/payments/{number}/pay")
    eventually(lambda: box.receiver.received)
    told = box.told(box.receiver.received[0], "fuyou")
    told = json.loads(told) if isinstance(told, str) else told
    assert {name: told[name] for name in ("sp_mchid", "sub_mchid")} == ids(kouqiang)


def test_a_bill_has_the_sub_merchants_lines_and_its_flow_comes_sealed(
    box: Any, fuyou: MerchantClient, kouqiang: MerchantClient
) -> None:
    first, second = box.number(), box.number()
    for client, number in ((fuyou, first), (kouqiang, second)):
        place(box, client, number)
        box.control.post(f"/payments/{number}/pay")
    on = datetime.fromisoformat(box.control.get("/clock")["now"]).astimezone(ZoneInfo("Asia/Shanghai")).date()
    box.control.post("/clock", offset_seconds=86400 * 2)
    for client, number in ((fuyou, first), (kouqiang, second)):
        sub = client.credentials["sub_mchid"]
        told = client.call("GET", _trades(on, sub)).json()
        text = _fetched(client, told["download_url"]).decode()
        assert number in text
        assert (first if number == second else second) not in text
        assert f",`{client.credentials['mchid']},`{sub},`" in text
        told = client.call("GET", _flow(on, sub) + "&tar_type=GZIP").json()
        (one,) = told["download_bill_list"]
        key = client.key.decrypt(b64decode(one["encrypt_key"]), OAEP(MGF1(SHA1()), SHA1(), None))
        file = AESGCM(key).decrypt(one["nonce"].encode(), _fetched(client, one["download_url"]), b"")
        assert f"`收入,`15.00,`15.00,`system,`,`{number}" in gzip.decompress(file).decode()
        assert code(client.call("GET", _flow(on, sub).replace("AEAD_AES_256_GCM", "SM4_GCM")))[1] == "PARAM_ERROR"
        assert code(client.call("GET", f"/v3/bill/fundflowbill?bill_date={on}")) == (403, "NO_AUTH")
        assert code(client.call("GET", f"/v3/bill/tradebill?bill_date={on}")) == (400, "PARAM_ERROR")
        assert code(box.demo.call("GET", _flow(on, sub))) == (403, "NO_AUTH")


def _trades(day: date, sub: str) -> str:
    return f"/v3/bill/tradebill?bill_date={day}&sub_mchid={sub}"


def _flow(day: date, sub: str) -> str:
    query = f"sub_mchid={sub}&bill_date={day}&account_type=BASIC&algorithm=AEAD_AES_256_GCM"
    return f"/v3/bill/sub-merchant-fundflowbill?{query}"


def _fetched(client: MerchantClient, url: str) -> bytes:
    answer = client.call("GET", url.partition("/wechat-pay")[2])
    assert answer.status_code == 200, answer.text
    return bytes(answer.content)


def test_certificates_and_keys_are_the_partners(box: Any, fuyou: MerchantClient, kouqiang: MerchantClient) -> None:
    box.control.post("/merchants/fuyou/keys", mode="certificate")
    told = box.control.get("/merchants/kouqiang/keys")
    assert (told["mode"], len(told["certificates"])) == ("certificate", 1)
