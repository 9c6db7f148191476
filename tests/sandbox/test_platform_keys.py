"""What WeChat Pay signs with: public key, certificates, both; and how they change (protocol section 4.3, F-58)."""

import json
from base64 import b64decode
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509 import load_pem_x509_certificate

from sandbox.testing import MerchantClient, eventually
from sandbox.wechat_pay import console

ABSENT = "/v3/pay/transactions/out-trade-no/T1"


def keys(box: Any, merchant: str = "demo", **setting: Any) -> dict[str, Any]:
    """Set the mode, and let the client know all keys."""
    told: dict[str, Any] = box.control.post(f"/merchants/{merchant}/keys", **setting)
    learn(box, merchant)
    return told


def learn(box: Any, merchant: str) -> MerchantClient:
    """A client that knows every key the platform has for the merchant."""
    told = box.control.get(f"/merchants/{merchant}/keys")
    pems = [one["certificate"] for one in told["certificates"]]
    public = {"public_key_id": told["public_key_id"]}
    public["public_key"] = box.running.sandbox.keys.merchant_named(merchant).platform_public_pem
    known = {**box.merchants[merchant].credentials, **public, "platform_certificates": pems}
    box.merchants[merchant] = MerchantClient(known, box.demo.http)
    return box.merchants[merchant]


def asked(client: MerchantClient, serial: str | None, path: str = "/v3/certificates") -> requests.Response:
    headers = client.headers(client.authorization("GET", path, b""))
    headers.pop("Wechatpay-Serial", None)
    return client.send("GET", path, b"", headers if serial is None else headers | {"Wechatpay-Serial": serial})


def opened(client: MerchantClient, answer: requests.Response) -> dict[str, str]:
    """The certificates by serial, opened with `cryptography` alone."""
    found = {}
    for one in answer.json()["data"]:
        sealed = one["encrypt_certificate"]
        assert (sealed["algorithm"], sealed["associated_data"]) == ("AEAD_AES_256_GCM", "certificate")
        key = AESGCM(client.credentials["apiv3_key"].encode())
        pem = key.decrypt(sealed["nonce"].encode(), b64decode(sealed["ciphertext"]), b"certificate").decode()
        parsed = load_pem_x509_certificate(pem.encode())
        assert one["serial_no"] == f"{parsed.serial_number:X}"
        assert one["expire_time"].endswith("+08:00")
        found[one["serial_no"]] = pem
    return found


def test_a_merchant_with_the_public_key_alone_has_no_certificates(box: Any) -> None:
    answer = asked(box.demo, box.demo.credentials["public_key_id"])
    assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_EXISTS")
    assert box.control.call("POST", "/merchants/demo/certificates").json()["code"] == "public_key_mode"


@pytest.mark.parametrize("merchant", ["gulou", "xiehe"])
def test_certificates_are_given_sealed_and_signed(box: Any, merchant: str) -> None:
    client = box.merchants[merchant]
    answer = asked(client, None)
    found = opened(client, answer)
    assert list(found.values()) == client.credentials["platform_certificates"]
    assert answer.headers["Wechatpay-Serial"] in found
    assert client.proves(answer.headers, answer.content)
    assert not client.proves(answer.headers, answer.content.replace(b"serial_no", b"serial_n0"))


def test_before_the_switch_a_certificate_signs_whatever_is_asked_for(box: Any) -> None:
    client = learn(box, "xiehe")
    (serial,) = [one["serial_no"] for one in box.control.get("/merchants/xiehe/keys")["certificates"]]
    for wanted in (None, client.credentials["public_key_id"], serial):
        assert asked(client, wanted).headers["Wechatpay-Serial"] == serial
    assert asked(client, "PUB_KEY_ID_1").json()["code"] == "PARAM_ERROR"


def test_during_the_switch_answers_follow_the_request(box: Any) -> None:
    told = keys(box, mode="mixed")
    (serial,) = [one["serial_no"] for one in told["certificates"]]
    for wanted, signer in ((None, serial), (told["public_key_id"], told["public_key_id"]), (serial, serial)):
        answer = asked(box.demo, wanted)
        assert answer.headers["Wechatpay-Serial"] == signer
        assert box.demo.proves(answer.headers, answer.content)


@pytest.mark.parametrize("mode", ["public_key", "certificate", "mixed"])
def test_an_unknown_serial_is_refused_in_every_mode(box: Any, mode: str) -> None:
    keys(box, mode=mode)
    for serial in ("PUB_KEY_ID_1", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", ""):
        assert asked(box.demo, serial, ABSENT).json()["code"] == "PARAM_ERROR"


def test_a_new_certificate_lives_beside_the_old_one(box: Any) -> None:
    keys(box, "xiehe", mode="certificate")
    old, new = box.control.get("/merchants/xiehe/keys")["certificates"][0], issue(box)
    client = learn(box, "xiehe")
    assert set(opened(client, asked(client, None))) == {old["serial_no"], new["serial_no"]}
    for wanted, signer in ((None, new), (old["serial_no"], old), (new["serial_no"], new)):
        answer = asked(client, wanted)
        assert answer.headers["Wechatpay-Serial"] == signer["serial_no"]
        assert client.proves(answer.headers, answer.content)


def issue(box: Any, **times: int) -> dict[str, Any]:
    made: dict[str, Any] = box.control.post("/merchants/xiehe/certificates", **times)
    return made


@pytest.mark.parametrize("times", [{"begins_in_seconds": -7200, "lasts_seconds": 3600}, {"begins_in_seconds": 3600}])
def test_a_certificate_outside_its_time_is_neither_given_nor_used(box: Any, times: dict[str, int]) -> None:
    made = issue(box, **times)
    client = learn(box, "xiehe")
    assert not made["valid"]
    answer = asked(client, None)
    assert made["serial_no"] not in opened(client, answer)
    assert answer.headers["Wechatpay-Serial"] != made["serial_no"]
    assert asked(client, made["serial_no"]).json()["code"] == "PARAM_ERROR"
    keys(box, "xiehe", mode="certificate", certificate_serial=made["serial_no"])
    assert asked(client, None).headers["Wechatpay-Serial"] == made["serial_no"]  # unless it is told to


def test_events_go_over_to_the_public_key_by_a_share(box: Any) -> None:
    for percent, starts in ((0, ("5",)), (100, ("PUB_KEY_ID_",))):
        keys(box, mode="mixed", public_key_percent=percent)
        box.receiver.received.clear()
        box.notice(box.paid())
        (event,) = box.receiver.received
        assert event.headers["Wechatpay-Serial"].startswith(starts)
        assert box.demo.proves(event.headers, event.body)


def test_events_of_a_half_way_switch_are_of_both_kinds_and_each_keeps_its_own(box: Any) -> None:
    keys(box, mode="mixed", public_key_percent=50)
    sandbox = box.running.sandbox
    demo = sandbox.keys.merchant_named("demo")
    serials = [console.notice_signer(sandbox, demo, f"EV-{number}").serial for number in range(400)]
    assert 120 < len([serial for serial in serials if serial.startswith("PUB_KEY_ID_")]) < 280
    assert serials == [console.notice_signer(sandbox, demo, f"EV-{number}").serial for number in range(400)]


def test_without_a_share_the_switch_takes_seven_days(box: Any) -> None:
    shares = [keys(box, mode="mixed")["public_key_percent"]]
    for _ in range(7):
        box.control.post("/clock", advance_seconds=86400)
        shares.append(box.control.get("/merchants/demo/keys")["public_key_percent"])
    assert shares == [0.1, 1, 5, 10, 20, 50, 100, 100]


@pytest.mark.parametrize("mode", ["public_key", "certificate", "mixed"])
def test_an_answer_and_an_event_may_lack_the_signature_type(box: Any, mode: str) -> None:
    keys(box, mode=mode)
    box.fault("pay.query", "untyped", times=1)
    box.fault("notice.payment", "untyped", times=1)
    number = box.placed()
    answer = box.demo.query(number)
    assert "Wechatpay-Signature-Type" not in answer.headers
    assert box.demo.proves(answer.headers, answer.content)
    box.control.post(f"/payments/{number}/pay")
    (event,) = eventually(lambda: box.receiver.received)
    assert "Wechatpay-Signature-Type" not in event.headers
    assert box.demo.proves(event.headers, event.body)


@pytest.mark.parametrize("mode", ["certificate", "mixed"])
def test_faults_of_signatures_are_played_with_certificates_too(box: Any, mode: str) -> None:
    keys(box, mode=mode)
    for kind in ("bad_signature", "signtest", "unknown_serial", "forged", "stale", "unsigned"):
        box.fault("pay.certificates", kind, times=1)
        spoilt = asked(box.demo, None)
        assert spoilt.status_code == 200
        assert kind in ("stale", "unsigned") or not box.demo.proves(spoilt.headers, spoilt.content)
    assert box.demo.proves((good := asked(box.demo, None)).headers, good.content)


def test_any_kind_of_key_can_be_chosen_for_a_forgery(box: Any) -> None:
    told = keys(box, mode="mixed")
    (serial,) = [one["serial_no"] for one in told["certificates"]]
    for chosen, name in (("public_key", told["public_key_id"]), ("certificate", serial), (serial, serial)):
        forged = box.control.post("/notices/forge", merchant="demo", signed_with=chosen)
        assert forged["headers"]["Wechatpay-Serial"] == name
        assert box.demo.proves(forged["headers"], forged["body"].encode())
    refused = box.control.call("POST", "/notices/forge", {"merchant": "demo", "signed_with": "5F"})
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/merchants/nobody/keys", {"mode": "mixed"}, "merchant_not_found"),
        ("/merchants/demo/keys", {}, "missing_field"),
        ("/merchants/demo/keys", {"mode": "sm2"}, "out_of_range"),
        ("/merchants/demo/keys", {"mode": "mixed", "public_key_percent": 101}, "out_of_range"),
        ("/merchants/demo/keys", {"mode": "mixed", "certificate_serial": "5F"}, "certificate_not_found"),
        ("/merchants/xiehe/certificates", {"lasts_seconds": 0}, "out_of_range"),
        ("/merchants/xiehe/certificates", {"begins_in_seconds": 10**10}, "out_of_range"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(box: Any, path: str, body: dict[str, Any], code: str) -> None:
    assert box.control.call("POST", path, body).json()["code"] == code


# --- wechatpayv3, the other reading -----------------------------------------------------------------------------------


def test_wechatpayv3_works_with_certificates(box: Any) -> None:
    """It places, is paid, opens the event, and fetches the certificates by itself."""
    xiehe, wxpay, number = box.merchants["xiehe"], box.wxpay("xiehe"), box.number()
    status, _ = wxpay.pay("挂号费", number, {"total": 2500}, payer={"openid": box.openid}, notify_url=box.url)
    assert status == 200
    box.control.post(f"/payments/{number}/pay")
    (event,) = eventually(lambda: box.receiver.received)
    assert event.headers["Wechatpay-Serial"] in xiehe.platform_keys()
    assert box.told(event, "xiehe")["out_trade_no"] == number
    assert json.loads(wxpay.query(out_trade_no=number)[1])["trade_state"] == "SUCCESS"

    made = issue(box)
    assert json.loads(wxpay.query(out_trade_no=number)[1])["trade_state"] == "SUCCESS"  # it asked for the new one
    assert f"{wxpay._core._certificates[-1].serial_number:X}" == made["serial_no"]


def test_wechatpayv3_takes_either_kind_during_a_switch(box: Any) -> None:
    wxpay = box.wxpay("gulou")
    for percent in (0, 100):
        keys(box, "gulou", mode="mixed", public_key_percent=percent)
        number = box.number()
        wxpay.pay("挂号费", number, {"total": 2500}, payer={"openid": box.openid}, notify_url=box.url)
        box.control.post(f"/payments/{number}/pay")
        event = eventually(lambda place=int(percent > 0): box.receiver.received[place:])[0]
        wxpay._core._update_certificates()
        assert wxpay.callback(event.headers, event.body)["resource"]["out_trade_no"] == number
