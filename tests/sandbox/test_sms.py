"""Text messages at the sandbox: each call proven by its signature, the phones ring, and every refusal in its words."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from paper_browser import Browser
from sms_clients import PHONE, Aliyun, Tencent

from sandbox.keys import FILE_NAME, open_keyring


@pytest.fixture
def aliyun(box: Any) -> Aliyun:
    return Aliyun(box.demo.http, box.control.get("/credentials")["sms"][0])


@pytest.fixture
def tencent(box: Any) -> Tencent:
    return Tencent(box.demo.http, box.control.get("/credentials")["sms"][1])


def code_of(answer: requests.Response) -> str:
    """Aliyun's, Tencent's of the call, or Tencent's of the one number."""
    told = answer.json()
    if "Response" not in told:
        return str(told["Code"])
    inner = told["Response"]
    return str(inner["Error"]["Code"] if "Error" in inner else inner["SendStatusSet"][0]["Code"])


def test_credentials_have_the_form_of_the_product(box: Any) -> None:
    first, second = box.control.get("/credentials")["sms"]
    templates = {"template_id", "agreement_template_id"}
    assert first.keys() == {"provider", "access_key_id", "access_key_secret", "sign_name", "base_url"} | templates
    assert second.keys() - first.keys() == {"sdk_app_id", "region"}
    assert [one["base_url"] for one in (first, second)] == [
        f"{box.running.base_url}/sms/aliyun",
        f"{box.running.base_url}/sms/tencent",
    ]


# --- the phones ring


def test_a_message_of_aliyun_arrives(box: Any, aliyun: Aliyun) -> None:
    answer = aliyun.send()
    told = answer.json()
    assert (answer.status_code, told["Code"], told["Message"]) == (200, "OK", "OK")
    (message,) = box.control.items("/sms", phone=PHONE)
    assert (message["provider"], message["number"], message["params"]) == ("aliyun", told["BizId"], {"code": "123456"})
    assert message["text"] == "【约诊沙箱】您的验证码是123456，5分钟内有效，请勿告诉他人。"
    assert message["template"] == aliyun.account["template_id"]


def test_a_message_of_tencent_arrives(box: Any, tencent: Tencent) -> None:
    answer = tencent.send()
    (status,) = answer.json()["Response"]["SendStatusSet"]
    assert (status["Code"], status["PhoneNumber"], status["Fee"]) == ("Ok", PHONE, 1)
    (message,) = box.control.items("/sms", provider="tencent")
    assert (message["phone"], message["params"], message["number"]) == (PHONE, {"1": "123456"}, status["SerialNo"])
    assert "您的验证码是123456" in message["text"]


def test_each_template_has_a_text_of_its_own(box: Any, aliyun: Aliyun, tencent: Tencent) -> None:
    aliyun.send(TemplateCode=aliyun.account["agreement_template_id"])
    tencent.send(TemplateId=tencent.account["agreement_template_id"])
    texts = [one["text"] for one in box.control.items("/sms")]
    assert set(texts) == {
        "【约诊沙箱】验证码123456用于本人同意由他人代为预约挂号，5分钟内有效。"
        "将它告诉对方即表示同意，可随时撤回；不同意请勿告诉对方。"
    }
    assert len(texts) == 2


def test_an_installation_from_before_the_second_template_gets_one(tmp_path: Path) -> None:
    open_keyring(tmp_path)
    file = tmp_path / FILE_NAME
    stored = json.loads(file.read_text())
    stored["sms"] = [{k: v for k, v in one.items() if not k.startswith("agreement_")} for one in stored["sms"]]
    file.write_text(json.dumps(stored))
    first = open_keyring(tmp_path).sms
    assert all(one.agreement_template_id not in ("", one.template_id) for one in first)
    assert open_keyring(tmp_path).sms == first


@pytest.mark.parametrize("spelled", ["13800000001", "8613800000001", "008613800000001", PHONE])
def test_a_number_is_one_however_it_is_spelled(box: Any, aliyun: Aliyun, spelled: str) -> None:
    assert code_of(aliyun.send(PhoneNumbers=spelled)) == "OK"
    assert len(box.control.items("/sms", phone=PHONE)) == 1


def test_messages_can_be_chosen_and_forgotten(box: Any, aliyun: Aliyun, tencent: Tencent) -> None:
    aliyun.send()
    tencent.send(PhoneNumberSet=["+8613800000002"])
    assert [one["phone"] for one in box.control.items("/sms")] == [PHONE, "+8613800000002"]
    assert [one["provider"] for one in box.control.items("/sms", template=tencent.account["template_id"])] == [
        "tencent"
    ]
    assert box.control.call("DELETE", "/sms").status_code == 204
    assert box.control.items("/sms") == []


# --- signatures


def flips(text: str, letters: str = "ab") -> list[str]:
    """The text with each character changed in turn."""
    first, second = letters
    return [text[:at] + (second if one == first else first) + text[at + 1 :] for at, one in enumerate(text)]


def test_aliyun_refuses_any_one_changed_byte(box: Any, aliyun: Aliyun) -> None:
    query = aliyun.query()
    headers = aliyun.signed(query, {})
    # Not by a and b: requests itself makes an escape of lower-case letters one of capitals, and nothing has changed.
    assert {code_of(aliyun.post(bent, headers)) for bent in flips(query, "xy")} == {"SignatureDoesNotMatch"}
    signed = ("x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version")
    for name in signed:
        found = {code_of(aliyun.post(query, headers | {name: bent})) for bent in flips(headers[name])}
        assert found <= {"SignatureDoesNotMatch", "InvalidTimeStamp.Format"}, name
    found = {code_of(aliyun.post(query, headers | {"Authorization": bent})) for bent in flips(headers["Authorization"])}
    assert found == {"IncompleteSignature", "InvalidAccessKeyId.NotFound", "SignatureDoesNotMatch"}
    with_body = aliyun.http.post(f"{aliyun.account['base_url']}/?{query}", data=b"x", headers=headers, timeout=15)
    assert code_of(with_body) == "SignatureDoesNotMatch"
    assert box.control.items("/sms") == []
    assert code_of(aliyun.post(query, headers)) == "OK"  # none of that used the nonce up


def test_tencent_refuses_any_one_changed_byte(box: Any, tencent: Tencent) -> None:
    body = tencent.body()
    headers, text = tencent.signed(body), body.decode()
    assert {code_of(tencent.post(bent.encode(), headers)) for bent in flips(text)} == {"AuthFailure.SignatureFailure"}
    found = {code_of(tencent.post(body, headers | {"Authorization": one})) for one in flips(headers["Authorization"])}
    known = {"InvalidAuthorization", "SecretIdNotFound", "SignatureFailure"}
    assert found == {f"AuthFailure.{code}" for code in known}
    later = headers | {"X-TC-Timestamp": str(int(headers["X-TC-Timestamp"]) + 1)}
    assert code_of(tencent.post(body, later)) == "AuthFailure.SignatureFailure"
    assert code_of(tencent.post(body, headers | {"X-TC-Action": "SendSmt"})) == "AuthFailure.SignatureFailure"
    assert code_of(tencent.post(body, headers | {"Content-Type": "application/jsom"})) == "AuthFailure.SignatureFailure"
    assert box.control.items("/sms") == []


def test_aliyun_wants_every_header_of_its_own_signed(aliyun: Aliyun) -> None:
    query = aliyun.query()
    assert code_of(aliyun.post(query, aliyun.signed(query, {}) | {"x-acs-extra": "1"})) == "SignatureDoesNotMatch"


def test_a_nonce_of_aliyun_is_good_once(aliyun: Aliyun) -> None:
    query = aliyun.query()
    headers = aliyun.signed(query, {})
    assert [code_of(aliyun.post(query, headers)) for _ in range(2)] == ["OK", "SignatureNonceUsed"]


@pytest.mark.parametrize(
    ("seconds", "code"), [(-890, "OK"), (-910, "InvalidTimeStamp.Expired"), (910, "InvalidTimeStamp.Expired")]
)
def test_a_stamp_of_aliyun_lives_a_quarter_of_an_hour(aliyun: Aliyun, seconds: int, code: str) -> None:
    stamp = datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert code_of(aliyun.send(headers={"x-acs-date": stamp})) == code


@pytest.mark.parametrize(
    ("seconds", "code"), [(-290, "Ok"), (-310, "AuthFailure.SignatureExpire"), (310, "AuthFailure.SignatureExpire")]
)
def test_a_stamp_of_tencent_lives_five_minutes(tencent: Tencent, seconds: int, code: str) -> None:
    body = tencent.body()
    assert code_of(tencent.post(body, tencent.signed(body, stamp=int(time.time()) + seconds))) == code


def test_who_calls_for_something_else(aliyun: Aliyun, tencent: Tencent) -> None:
    assert code_of(aliyun.send(headers={"x-acs-action": "QuerySendDetails"})) == "InvalidAction.NotFound"
    assert code_of(aliyun.send(headers={"x-acs-version": "2017-05-26"})) == "InvalidVersion"
    body = tencent.body()
    for name, value, code in (
        ("X-TC-Version", "2019-07-11", "NoSuchVersion"),
        ("X-TC-Region", "ap-mars", "UnsupportedRegion"),
        ("X-TC-Timestamp", "now", "InvalidParameterValue"),
    ):
        assert code_of(tencent.post(body, tencent.signed(body, **{name: value}))) == code


# --- what is asked


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"PhoneNumbers": ""}, "MissingPhoneNumbers"),
        ({"PhoneNumbers": "1380000000"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"PhoneNumbers": "85291234567"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"SignName": "别人"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"TemplateCode": "SMS_0"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": ""}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"TemplateParam": "{"}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": '{"code":123456}'}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": '{"code":"http://a"}'}, "isv.TEMPLATE_PARAMS_ILLEGAL"),
    ],
)
def test_what_aliyun_does_not_send(box: Any, aliyun: Aliyun, change: dict[str, str], code: str) -> None:
    assert code_of(aliyun.send(**change)) == code
    assert box.control.items("/sms") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"PhoneNumberSet": []}, "MissingParameter.EmptyPhoneNumberSet"),
        ({"PhoneNumberSet": None}, "MissingParameter"),
        ({"PhoneNumberSet": PHONE}, "InvalidParameter"),
        ({"PhoneNumberSet": ["1380000000"]}, "InvalidParameterValue.IncorrectPhoneNumber"),
        ({"PhoneNumberSet": ["+85291234567"]}, "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone"),
        ({"SmsSdkAppId": "1400000000"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
        ({"SignName": "别人"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"TemplateId": "0"}, "FailedOperation.TemplateUnapprovedOrNotExist"),
        ({"TemplateParamSet": []}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"TemplateParamSet": ["abc"]}, "InvalidParameterValue.TemplateParameterFormatError"),
        ({"Surprise": "1"}, "UnknownParameter"),
    ],
)
def test_what_tencent_does_not_send(box: Any, tencent: Tencent, change: dict[str, Any], code: str) -> None:
    assert code_of(tencent.send(**change)) == code
    assert box.control.items("/sms") == []


# --- bad days


def test_faults_have_the_platforms_words(box: Any, aliyun: Aliyun, tencent: Tencent) -> None:
    for target, client, error, limited in (
        ("sms.aliyun", aliyun, "isp.SYSTEM_ERROR", "isv.BUSINESS_LIMIT_CONTROL"),
        ("sms.tencent", tencent, "InternalError", "LimitExceeded.PhoneNumberThirtySecondLimit"),
    ):
        box.fault(target, "error", times=1)
        box.fault(target, "rate_limited", times=1, match={"phone": PHONE})
        box.fault(target, "error", times=1, code="Arrears.Of.Ours")
        assert [code_of(client.send()) for _ in range(3)] == [error, limited, "Arrears.Of.Ours"]
    assert box.control.items("/sms") == []


def test_an_answer_can_be_lost_after_the_message_went(box: Any, aliyun: Aliyun) -> None:
    box.fault("sms.aliyun", "drop_after", times=1)
    with pytest.raises(requests.ConnectionError):
        aliyun.send()
    assert len(box.control.items("/sms")) == 1
    assert [one["status"] for one in box.control.items("/calls", operation="sms.aliyun")] == ["dropped"]


# --- a person reads


def test_a_person_reads_the_code(browser: Browser, aliyun: Aliyun, tencent: Tencent) -> None:
    assert "还没有短信" in browser.open("/pages/sms").text
    aliyun.send()
    tencent.send(TemplateParamSet=["654321"])
    assert f'href="/pages/sms/{PHONE}"' in browser.open("/pages/sms").text
    page = browser.open("/pages/sms?phone=138%200000%200001")
    assert page.page.status_code == 404
    text = browser.open("/pages/sms?phone=13800000001").text
    assert text.index("您的验证码是654321") < text.index("您的验证码是123456")


@pytest.mark.parametrize("phone", ["x", "13800000001", "+85291234567", "%3Cscript%3E"])
def test_what_is_no_phone_has_no_page(browser: Browser, phone: str) -> None:
    page = browser.open(f"/pages/sms/{phone}").page
    assert page.status_code == 404
    assert "<script" not in page.text
