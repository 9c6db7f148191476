"""SendSms of sms 2021-01-11, proven by TC3-HMAC-SHA256 (cloud.tencent.com/document/api/382/52072 and 55981)."""

import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import request

from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Exchange, Refusal, Result, compact_json, read_object
from sandbox.faults import Fault
from sandbox.keys import SmsAccount
from sandbox.sms.outbox import Message, deliver, is_abroad, mainland

PREFIX = "/sms/tencent"
SERVICE, ACTION, VERSION = "sms", "SendSms", "2021-01-11"
REGIONS = frozenset({"ap-beijing", "ap-guangzhou", "ap-nanjing"})
AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([0-9A-Za-z]{1,64})/([0-9-]{10})/([a-z]{1,32})/tc3_request, "
    r"SignedHeaders=([a-z0-9;-]{1,512}), Signature=([0-9a-f]{64})"
)
OLDEST = 300
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


class TencentError(Refusal):
    """A refusal of the whole call: HTTP 200, and an Error."""

    def __init__(self, code: str, message: str = "refused") -> None:
        super().__init__(_answer({"Error": {"Code": code, "Message": message}}))


class TencentExchange(Exchange[SmsAccount]):
    """One signed call."""

    def __init__(self, sandbox: Sandbox) -> None:
        body = read_object(request.get_data())
        numbers = body.get("PhoneNumberSet")
        told = numbers[0] if isinstance(numbers, list) and numbers and isinstance(numbers[0], str) else None
        template = body.get("TemplateId")
        facts = {"phone": told, "template": template if isinstance(template, str) else None}
        super().__init__(sandbox, "sms.tencent", told, facts)

    def admit(self) -> SmsAccount:
        """Raises: TencentError."""
        told = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        if told is None:
            raise TencentError("AuthFailure.InvalidAuthorization")
        secret_id, day, service, names, signature = told.groups()
        account = self.sandbox.keys.sms_account("tencent")
        if secret_id != account.access_key_id:
            raise TencentError("AuthFailure.SecretIdNotFound")
        self.caller_name = account.provider
        stamp = _stamp()
        if day != datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d") or service != SERVICE:
            raise TencentError("AuthFailure.SignatureFailure", "Credential")
        if not hmac.compare_digest(signature, _signature(account, names.split(";"), stamp)):
            raise TencentError("AuthFailure.SignatureFailure")
        if request.headers.get("X-TC-Action") != ACTION:
            raise TencentError("InvalidAction")
        if request.headers.get("X-TC-Version") != VERSION:
            raise TencentError("NoSuchVersion")
        if request.headers.get("X-TC-Region") not in REGIONS:
            raise TencentError("UnsupportedRegion")
        return account

    def success(self, result: Result) -> Answer:
        """One status for each number."""
        return _answer(result or {})

    def failure(self, fault: Fault) -> Answer:
        """InternalError, or the number's limit of 30 seconds, unless the script names another code or a bare status."""
        status = int(fault.params.get("status", 200))
        if status != 200:
            return Answer(status, b"<html><body>error</body></html>", {"Content-Type": "text/html"})
        message = str(fault.params.get("message", "scripted"))
        if fault.kind == "rate_limited":
            code = str(fault.params.get("code", "LimitExceeded.PhoneNumberThirtySecondLimit"))
            return _answer({"SendStatusSet": [_status(str(self.number or ""), code, message=message)]})
        return _answer({"Error": {"Code": str(fault.params.get("code", "InternalError")), "Message": message}})

    def send(self, account: SmsAccount) -> Result:
        """Each number has a fate of its own. Raises: TencentError."""
        body = _body()
        refused, params = _refused(account, body), body.get("TemplateParamSet", [])
        statuses, messages = [], list[Message]()
        for number in body["PhoneNumberSet"]:
            phone, serial = mainland(number), f"{real_now()}:{secrets.token_hex(8)}"
            code = refused or _refused_number(number)
            if code is None and phone is not None:
                named = {str(place): param for place, param in enumerate(params, 1)}
                messages.append(Message(account, phone, named, serial, account.text(params[0])))
            statuses.append(_status(number, code or "Ok", serial=serial if code is None else ""))
        deliver(self.sandbox, messages)
        return {"SendStatusSet": statuses}


def _answer(told: Mapping[str, object]) -> Answer:
    body = compact_json({"Response": {**told, "RequestId": str(uuid.uuid4())}})
    return Answer(200, body, {"Content-Type": "application/json"})


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


def _stamp() -> int:
    """Raises: TencentError."""
    told = request.headers.get("X-TC-Timestamp", "")
    if re.fullmatch("[1-9][0-9]{0,10}", told) is None:
        raise TencentError("MissingParameter" if not told else "InvalidParameterValue", "X-TC-Timestamp")
    if abs(int(told) - real_now()) > OLDEST:
        raise TencentError("AuthFailure.SignatureExpire")
    return int(told)


def _signature(account: SmsAccount, names: list[str], stamp: int) -> str:
    """What the signature must be: over the headers that the caller names, content-type and host among them.

    Raises: TencentError."""
    if names != sorted(set(names)) or not {"content-type", "host"} <= set(names):
        raise TencentError("AuthFailure.SignatureFailure", "SignedHeaders")
    lines = "".join(f"{name}:{request.headers.get(name, '').strip().lower()}\n" for name in names)
    query, digest = request.query_string.decode("latin-1"), hashlib.sha256(request.get_data()).hexdigest()
    canonical = "\n".join([request.method, request.path, query, lines, ";".join(names), digest])
    day = datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d")
    hashed = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    text = f"TC3-HMAC-SHA256\n{stamp}\n{day}/{SERVICE}/tc3_request\n{hashed}"
    key = b"TC3" + account.access_key_secret.encode()
    for part in (day, SERVICE, "tc3_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def _body() -> dict[str, Any]:
    """Raises: TencentError."""
    if request.mimetype != "application/json":
        raise TencentError("InvalidParameter", "Content-Type")
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise TencentError("InvalidParameter", "not JSON") from None
    if not isinstance(body, dict):
        raise TencentError("InvalidParameter", "not an object")
    for name, value in body.items():
        if name not in FIELDS:
            raise TencentError("UnknownParameter", name)
        if not isinstance(value, FIELDS[name]) or (isinstance(value, list) and not _are_texts(value)):
            raise TencentError("InvalidParameter", name)
    for name in NEEDED:
        if name not in body:
            raise TencentError("MissingParameter", name)
    if not body["PhoneNumberSet"]:
        raise TencentError("MissingParameter.EmptyPhoneNumberSet")
    if len(body["PhoneNumberSet"]) > MOST_NUMBERS:
        raise TencentError("LimitExceeded.PhoneNumberCountLimit")
    return body


def _are_texts(value: list[Any]) -> bool:
    return all(isinstance(each, str) for each in value)


def _refused(account: SmsAccount, body: Mapping[str, Any]) -> str | None:
    """What is wrong whatever the number."""
    if body["SmsSdkAppId"] != account.sdk_app_id:
        return "UnauthorizedOperation.SmsSdkAppIdVerifyFail"
    if body.get("SignName") != account.sign_name:
        return "FailedOperation.SignatureIncorrectOrUnapproved"
    if body["TemplateId"] != account.template_id:
        return "FailedOperation.TemplateUnapprovedOrNotExist"
    params = body.get("TemplateParamSet", [])
    if len(params) != 1:
        return "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"
    return None if re.fullmatch("[0-9]{1,6}", params[0]) else "InvalidParameterValue.TemplateParameterFormatError"


def _refused_number(number: str) -> str | None:
    if is_abroad(number):
        return "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone"
    return None if mainland(number) else "InvalidParameterValue.IncorrectPhoneNumber"
