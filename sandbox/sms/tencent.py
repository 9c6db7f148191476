"""SendSms of sms 2021-01-11 (cloud.tencent.com/document/api/382/55981)."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from flask import request

from sandbox.clock import real_now
from sandbox.cloud.tencent import TencentCall, TencentError, answer, read_body
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Result, read_object
from sandbox.faults import Fault
from sandbox.keys import SmsAccount
from sandbox.sms.outbox import Message, deliver, is_abroad, mainland

MOST_NUMBERS = 200
FIELDS: Mapping[str, type] = {
    "PhoneNumberSet": list,
    "SmsSdkAppId": str,
    "TemplateId": str,
    "SignName": str,
    "TemplateParamSet": list,
    "ExtendCode": str,
    "SessionContext": str,
    "SenderId": str,
}
NEEDED = ("PhoneNumberSet", "SmsSdkAppId", "TemplateId")


class TencentExchange(TencentCall[SmsAccount]):
    """One sending."""

    service = "sms"
    action = "SendSms"
    version = "2021-01-11"
    regions = frozenset({"ap-beijing", "ap-guangzhou", "ap-nanjing"})

    def __init__(self, sandbox: Sandbox) -> None:
        body = read_object(request.get_data())
        numbers = body.get("PhoneNumberSet")
        told = numbers[0] if isinstance(numbers, list) and numbers and isinstance(numbers[0], str) else None
        template = body.get("TemplateId")
        facts = {"phone": told, "template": template if isinstance(template, str) else None}
        super().__init__(sandbox, "sms.tencent", told, facts)

    def account(self) -> SmsAccount:
        """The sandbox's own at Tencent Cloud."""
        return self.sandbox.keys.sms_account("tencent")

    def success(self, result: Result) -> Answer:
        """One status for each number."""
        return answer(result or {})

    def failure(self, fault: Fault) -> Answer:
        """InternalError, or the number's limit of 30 seconds, unless the script names another code or a bare status."""
        status = int(fault.params.get("status", 200))
        if status != 200:
            return Answer(status, b"<html><body>error</body></html>", {"Content-Type": "text/html"})
        message = str(fault.params.get("message", "scripted"))
        if fault.kind == "rate_limited":
            code = str(fault.params.get("code", "LimitExceeded.PhoneNumberThirtySecondLimit"))
            return answer({"SendStatusSet": [_status(str(self.number or ""), code, message=message)]})
        return answer({"Error": {"Code": str(fault.params.get("code", "InternalError")), "Message": message}})

    def send(self, account: SmsAccount) -> Result:
        """Each number has a fate of its own. Raises: TencentError."""
        body = _body()
        refused, params = _refused(account, body), body.get("TemplateParamSet", [])
        template = body["TemplateId"]
        statuses, messages = [], list[Message]()
        for number in body["PhoneNumberSet"]:
            phone, serial = mainland(number), f"{real_now()}:{secrets.token_hex(8)}"
            code = refused or _refused_number(number)
            if code is None and phone is not None:
                named = {str(place): param for place, param in enumerate(params, 1)}
                messages.append(Message(account, template, phone, named, serial, account.text(template, params[0])))
            statuses.append(_status(number, code or "Ok", serial=serial if code is None else ""))
        deliver(self.sandbox, messages)
        return {"SendStatusSet": statuses}


def _status(number: str, code: str, *, serial: str = "", message: str = "") -> dict[str, object]:
    return {
        "SerialNo": serial,
        "PhoneNumber": number,
        "Fee": 1 if code == "Ok" else 0,
        "SessionContext": "",
        "Code": code,
        "Message": message or ("send success" if code == "Ok" else "refused"),
        "IsoCode": "CN" if code == "Ok" else "",
    }


def _body() -> dict[str, Any]:
    """Raises: TencentError."""
    body = read_body(FIELDS, NEEDED)
    if not body["PhoneNumberSet"]:
        raise TencentError("MissingParameter.EmptyPhoneNumberSet")
    if len(body["PhoneNumberSet"]) > MOST_NUMBERS:
        raise TencentError("LimitExceeded.PhoneNumberCountLimit")
    return body


def _refused(account: SmsAccount, body: Mapping[str, Any]) -> str | None:
    """What is wrong whatever the number."""
    if body["SmsSdkAppId"] != account.sdk_app_id:
        return "UnauthorizedOperation.SmsSdkAppIdVerifyFail"
    if body.get("SignName") != account.sign_name:
        return "FailedOperation.SignatureIncorrectOrUnapproved"
    if not account.has_template(body["TemplateId"]):
        return "FailedOperation.TemplateUnapprovedOrNotExist"
    params = body.get("TemplateParamSet", [])
    if len(params) != 1:
        return "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"
    return None if re.fullmatch("[0-9]{1,6}", params[0]) else "InvalidParameterValue.TemplateParameterFormatError"


def _refused_number(number: str) -> str | None:
    if is_abroad(number):
        return "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone"
    return None if mainland(number) else "InvalidParameterValue.IncorrectPhoneNumber"
