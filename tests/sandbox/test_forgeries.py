"""Forgeries, and what changes in transit: nothing but the platform's own words is believed (rows A-20 to A-24)."""

import json
import time
from typing import Any

import pytest

from sandbox.crypto import unseal


def test_a_forgery_is_genuine_where_nothing_else_is_asked(box: Any) -> None:
    made = box.control.post("/notices/forge", merchant="demo", url=box.url, plaintext={"out_trade_no": "x"})
    assert [attempt["status"] for attempt in made["attempts"]] == [204]
    assert box.told(box.receiver.received[0]) == {"out_trade_no": "x"}


@pytest.mark.parametrize(
    "bent",
    [
        {"signed_by": "stranger"},
        {"signed_by": "gulou"},
        {"sealed_by": "stranger"},
        {"sealed_by": "gulou"},
        {"signature": "AAAA"},
        {"nonce": "n", "signature": ""},
        {"resource_type": "other"},
        {"tamper": {"signature": 7}},
        {"tamper": {"body": 9}},
    ],
)
def test_forgeries_are_not_believed(box: Any, bent: dict[str, Any]) -> None:
    box.control.post(
        "/notices/forge", merchant="demo", url=box.url, serial=box.demo.credentials["public_key_id"], **bent
    )
    assert box.told(box.receiver.received[0]) is None


def test_a_forgery_can_be_bent_in_every_part(box: Any) -> None:
    made = box.control.post(
        "/notices/forge",
        merchant="demo",
        id="EV-1",
        event_type="REFUND.SUCCESS",
        original_type="refund",
        stamp_offset=-301,
        signature_type="HMAC",
        headers={"Wechatpay-Nonce": None, "X-Extra": "1"},
        copies=3,
    )
    assert made["attempts"] == []
    body, headers = json.loads(made["body"]), made["headers"]
    assert (body["id"], body["event_type"], body["resource"]["associated_data"]) == ("EV-1", "REFUND.SUCCESS", "refund")
    assert "Wechatpay-Nonce" not in headers
    assert (headers["X-Extra"], headers["Wechatpay-Signature-Type"]) == ("1", "HMAC")
    assert abs(time.time() - 301 - int(headers["Wechatpay-Timestamp"])) < 30
    raw = box.control.post("/notices/forge", merchant="demo", body="not json")
    assert raw["body"] == "not json"


@pytest.mark.parametrize(
    ("bent", "status"),
    [
        ({"merchant": "nobody"}, 404),
        ({"signed_by": "nobody"}, 404),
        ({"tamper": {"body": 10**6}}, 422),
        ({"resource_nonce": "x"}, 422),
        ({"surprise": 1}, 422),
        ({"copies": 0}, 422),
    ],
)
def test_a_forgery_with_a_mistake_is_refused(box: Any, bent: dict[str, Any], status: int) -> None:
    assert box.control.call("POST", "/notices/forge", {"merchant": "demo"} | bent).status_code == status


def test_any_one_byte_changed_in_a_notice_is_seen(box: Any) -> None:
    box.notice(box.paid())
    received = box.receiver.received[0]
    assert box.demo.proves(received.headers, received.body)
    for at in range(len(received.body)):
        bent = received.body[:at] + bytes([received.body[at] ^ 1]) + received.body[at + 1 :]
        assert not box.demo.proves(received.headers, bent)
    for name in ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"):
        value = received.headers[name]
        assert not box.demo.proves(
            received.headers | {name: value[:3] + chr(ord(value[3]) ^ 1) + value[4:]}, received.body
        )


def test_any_one_byte_changed_in_a_sealed_resource_is_seen(box: Any) -> None:
    box.notice(box.paid())
    resource = json.loads(box.receiver.received[0].body)["resource"]
    key, sealed = box.demo.credentials["apiv3_key"].encode(), resource["ciphertext"]
    assert unseal(key, resource["nonce"], "transaction", sealed) is not None
    assert len(resource["nonce"]) == 12
    for at in range(len(sealed)):
        bent = sealed[:at] + chr(ord(sealed[at]) ^ 1) + sealed[at + 1 :]
        assert unseal(key, resource["nonce"], "transaction", bent) is None
    assert unseal(key, resource["nonce"], "refund", sealed) is None
    assert unseal(key, "-" + resource["nonce"][1:], "transaction", sealed) is None
