"""Both gateways against a scripted server: what travels, what each answer means, and that no text tells the number."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import responses

from core.ports import NumberRefused, ProviderError, ProviderRefused, ProviderUnavailable, SmsGateway, TextKind
from integrations.cloud import acs3, tc3
from integrations.sms import AliyunSmsGateway, SmsAccount, TencentSmsGateway, aliyun, tencent

PHONE, CODE, SECRET = "+8613800000001", "482913", "not-a-real-secret"
NOW = datetime(2026, 11, 22, 2, 0, 0, 999_000, tzinfo=UTC)


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def account(provider: str, **more: Any) -> SmsAccount:
    given = {"access_key_id": "key-id", "access_key_secret": SECRET, "sign_name": "约诊", "template_id": "SMS_1"}
    given["agreement_template_id"] = "SMS_2"
    return SmsAccount(provider, **given | more)


ALIYUN = AliyunSmsGateway(account("aliyun"), clock=lambda: NOW)
TENCENT = TencentSmsGateway(account("tencent", sdk_app_id="1400000001"), clock=lambda: NOW)
URLS = {"aliyun": "https://dysmsapi.aliyuncs.com/", "tencent": "https://sms.tencentcloudapi.com/"}
BOTH = pytest.mark.parametrize("gateway", [ALIYUN, TENCENT], ids=lambda one: one.provider)


def told(gateway: SmsGateway, code: str, *, number: str | None = "n1") -> Any:
    """What the platform answers about the one number."""
    if gateway is ALIYUN:
        return {"Code": code, "Message": f"to {PHONE}", "RequestId": "R-1", "BizId": number}
    status = {"Code": code, "Message": f"to {PHONE}", "PhoneNumber": PHONE, "SerialNo": number, "Fee": 1}
    return {"Response": {"SendStatusSet": [status], "RequestId": "R-1"}}


def success(gateway: SmsGateway) -> str:
    return "OK" if gateway is ALIYUN else "Ok"


def answers(wire: responses.RequestsMock, gateway: SmsGateway, **how: Any) -> None:
    wire.add(responses.POST, URLS[gateway.provider], **how)


def failure(gateway: SmsGateway) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        gateway.send_code(phone=PHONE, code=CODE, kind=TextKind.CODE)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(vars(caught.value))
    assert [one for one in (PHONE[1:], PHONE[3:], CODE, SECRET) if one in shown] == []
    return caught.value


# --- what travels


def sent(wire: responses.RequestsMock) -> requests.PreparedRequest:
    (call,) = wire.calls
    request: requests.PreparedRequest = call.request
    return request


def signed_headers(request: requests.PreparedRequest) -> dict[str, str]:
    names = re.search(r"SignedHeaders=([^,]+),", request.headers["Authorization"])
    assert names is not None
    return {name: request.headers[name] for name in names[1].split(";")}


def test_aliyun_is_sent_the_template_signed_over_its_query(wire: responses.RequestsMock) -> None:
    answers(wire, ALIYUN, json=told(ALIYUN, "OK", number="9006^0"))
    assert ALIYUN.send_code(phone=PHONE, code=CODE, kind=TextKind.CODE) == "9006^0"
    request = sent(wire)
    query = urlsplit(request.url or "").query
    assert dict(parse_qsl(query)) == {
        "PhoneNumbers": PHONE,
        "SignName": "约诊",
        "TemplateCode": "SMS_1",
        "TemplateParam": '{"code":"482913"}',
    }
    headers = signed_headers(request)
    nonce = headers.pop("x-acs-signature-nonce")
    assert re.fullmatch("[0-9a-f]{32}", nonce)
    assert headers == {
        "host": "dysmsapi.aliyuncs.com",
        "x-acs-action": "SendSms",
        "x-acs-content-sha256": acs3.sha256_hex(b""),
        "x-acs-date": "2026-11-22T02:00:00Z",
        "x-acs-version": "2017-05-25",
    }
    assert not request.body
    assert request.headers["Authorization"] == acs3.authorization(
        acs3.Acs3Key("key-id", SECRET),
        method="POST",
        path="/",
        query=query,
        headers=headers | {"x-acs-signature-nonce": nonce},
        body_digest=acs3.sha256_hex(b""),
    )


@BOTH
def test_1_1_6_an_agreement_goes_out_in_the_template_of_its_own(
    wire: responses.RequestsMock, gateway: SmsGateway
) -> None:
    answers(wire, gateway, json=told(gateway, success(gateway)))
    gateway.send_code(phone=PHONE, code=CODE, kind=TextKind.AGREEMENT)
    request = sent(wire)
    body = request.body
    if isinstance(body, bytes) and body:
        assert json.loads(body) | {"TemplateId": "SMS_2", "TemplateParamSet": [CODE]} == json.loads(body)
    else:
        asked = dict(parse_qsl(urlsplit(request.url or "").query))
        assert (asked["TemplateCode"], asked["TemplateParam"]) == ("SMS_2", '{"code":"482913"}')


def test_no_nonce_is_used_twice(wire: responses.RequestsMock) -> None:
    answers(wire, ALIYUN, json=told(ALIYUN, "OK"))
    for _ in range(2):
        ALIYUN.send_code(phone=PHONE, code=CODE, kind=TextKind.CODE)
    assert len({call.request.headers["x-acs-signature-nonce"] for call in wire.calls}) == 2


def test_tencent_is_sent_the_template_signed_over_its_body(wire: responses.RequestsMock) -> None:
    answers(wire, TENCENT, json=told(TENCENT, "Ok", number="2019:1:2"))
    assert TENCENT.send_code(phone=PHONE, code=CODE, kind=TextKind.CODE) == "2019:1:2"
    request = sent(wire)
    body = request.body
    assert isinstance(body, bytes)
    assert json.loads(body) == {
        "PhoneNumberSet": [PHONE],
        "SmsSdkAppId": "1400000001",
        "SignName": "约诊",
        "TemplateId": "SMS_1",
        "TemplateParamSet": [CODE],
    }
    headers, timestamp = signed_headers(request), int(NOW.timestamp())
    assert headers == {
        "content-type": "application/json; charset=utf-8",
        "host": "sms.tencentcloudapi.com",
        "x-tc-action": "SendSms",
        "x-tc-region": "ap-guangzhou",
        "x-tc-timestamp": str(timestamp),
        "x-tc-version": "2021-01-11",
    }
    assert request.headers["Authorization"] == tc3.authorization(
        tc3.Tc3Key("key-id", SECRET, "sms"), method="POST", path="/", headers=headers, body=body, timestamp=timestamp
    )


# --- what an answer means


@BOTH
def test_a_message_without_a_number_was_sent_all_the_same(wire: responses.RequestsMock, gateway: SmsGateway) -> None:
    answers(wire, gateway, json=told(gateway, success(gateway), number=None))
    assert gateway.send_code(phone=PHONE, code=CODE, kind=TextKind.CODE) == ""


MEANINGS = [
    (ALIYUN, "isv.BUSINESS_LIMIT_CONTROL", NumberRefused, False),
    (ALIYUN, "isv.MOBILE_NUMBER_ILLEGAL", NumberRefused, False),
    (ALIYUN, "isv.SMS_TEMPLATE_ILLEGAL", ProviderRefused, False),
    (ALIYUN, "isv.AMOUNT_NOT_ENOUGH", ProviderRefused, False),
    (ALIYUN, "isv.DAY_LIMIT_CONTROL", ProviderRefused, True),
    (TENCENT, "LimitExceeded.PhoneNumberThirtySecondLimit", NumberRefused, False),
    (TENCENT, "InvalidParameterValue.IncorrectPhoneNumber", NumberRefused, False),
    (TENCENT, "FailedOperation.TemplateUnapprovedOrNotExist", ProviderRefused, False),
    (TENCENT, "UnauthorizedOperation.SerivceSuspendDueToArrears", ProviderRefused, False),
    (TENCENT, "LimitExceeded.AppDailyLimit", ProviderRefused, True),
]


@pytest.mark.parametrize(("gateway", "code", "kind", "retryable"), MEANINGS)
def test_a_code_means_what_the_table_says(
    wire: responses.RequestsMock, gateway: SmsGateway, code: str, kind: type[ProviderRefused], retryable: bool
) -> None:
    answers(wire, gateway, json=told(gateway, code))
    error = failure(gateway)
    assert type(error) is kind
    assert isinstance(error, ProviderRefused)
    assert (error.code, error.retryable, "request R-1" in str(error)) == (code, retryable, True)


@pytest.mark.parametrize(
    ("gateway", "code"), [(ALIYUN, "isp.SYSTEM_ERROR"), (TENCENT, "InternalError.Timeout")], ids=["aliyun", "tencent"]
)
def test_after_a_fault_of_theirs_it_may_have_been_sent(
    wire: responses.RequestsMock, gateway: SmsGateway, code: str
) -> None:
    answers(wire, gateway, json=told(gateway, code))
    error = failure(gateway)
    assert isinstance(error, ProviderUnavailable)
    assert error.sent


@BOTH
def test_a_code_that_is_not_listed_is_raised_and_shown(wire: responses.RequestsMock, gateway: SmsGateway) -> None:
    answers(wire, gateway, json=told(gateway, "isv.NEW_IN_2027"))
    error = failure(gateway)
    assert type(error) is ProviderRefused
    assert "not listed" in str(error)


@BOTH
def test_a_code_of_another_form_is_not_repeated(wire: responses.RequestsMock, gateway: SmsGateway) -> None:
    answers(wire, gateway, json=told(gateway, f"refused for {PHONE}"))
    error = failure(gateway)
    assert isinstance(error, ProviderRefused)
    assert error.code == "unreadable"


def test_tencents_error_of_the_whole_call(wire: responses.RequestsMock) -> None:
    error = {"Code": "AuthFailure.SignatureFailure", "Message": f"{PHONE}"}
    answers(wire, TENCENT, json={"Response": {"Error": error, "RequestId": "R-1"}})
    refused = failure(TENCENT)
    assert isinstance(refused, ProviderRefused)
    assert refused.code == "AuthFailure.SignatureFailure"


def test_aliyuns_gateway_refuses_with_a_status(wire: responses.RequestsMock) -> None:
    answers(wire, ALIYUN, json=told(ALIYUN, "SignatureDoesNotMatch"), status=400)
    refused = failure(ALIYUN)
    assert isinstance(refused, ProviderRefused)
    assert refused.code == "SignatureDoesNotMatch"


UNPROVEN: list[dict[str, Any]] = [
    {"body": b""},
    {"body": b"<html>"},
    {"body": b"[]"},
    {"body": b'{"Code":"OK","Code":"OK"}'},
    {"json": {}},
    {"json": {"Code": 5}},
    {"json": {"Response": {}}},
    {"json": {"Response": {"SendStatusSet": []}}},
    {"json": {"Response": {"SendStatusSet": [{"Code": "Ok"}, {"Code": "Ok"}]}}},
    {"json": {"Response": {"SendStatusSet": [{}]}}},
    {"body": b"", "status": 502},
    {"body": b'{"Code":"OK"}', "status": 500},
    {"json": {"Code": "Strange.Thing"}, "status": 503},
    {"body": b"", "status": 302, "headers": {"Location": "http://127.0.0.1/"}},
    {"body": b"x" * (1024 * 1024 + 1)},
    {"body": requests.ReadTimeout(f"reading {PHONE}")},
]


@BOTH
@pytest.mark.parametrize("answer", UNPROVEN, ids=[str(number) for number in range(len(UNPROVEN))])
def test_an_answer_that_nothing_can_be_read_from_leaves_it_unknown(
    wire: responses.RequestsMock, gateway: SmsGateway, answer: dict[str, Any]
) -> None:
    answers(wire, gateway, **answer)
    error = failure(gateway)
    assert isinstance(error, ProviderUnavailable)
    assert error.sent


@pytest.mark.parametrize(("module", "least"), [(aliyun, 40), (tencent, 50)])
def test_no_code_stands_in_the_table_twice(module: Any, least: int) -> None:
    assert len(module.CODES) >= least
    assert not {"OK", "Ok"} & module.CODES.keys()
