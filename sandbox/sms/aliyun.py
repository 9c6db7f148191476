"""SendSms of dysmsapi 2017-05-25."""

import json
import re
import secrets

from sandbox.clock import real_now
from sandbox.cloud.aliyun import AliyunCall, AliyunError, answer, params
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Result
from sandbox.faults import Fault
from sandbox.keys import SmsAccount
from sandbox.sms.outbox import Message, deliver, mainland

MOST_NUMBERS = 1000


class AliyunExchange(AliyunCall[SmsAccount]):
    """One sending."""

    action = "SendSms"
    version = "2017-05-25"

    def __init__(self, sandbox: Sandbox) -> None:
        self.params = params()
        facts = {"phone": self.params.get("PhoneNumbers"), "template": self.params.get("TemplateCode")}
        super().__init__(sandbox, "sms.aliyun", self.params.get("PhoneNumbers"), facts)

    def account(self) -> SmsAccount:
        """The sandbox's own at Aliyun."""
        return self.sandbox.keys.sms_account("aliyun")

    def success(self, result: Result) -> Answer:
        """OK, and the number of the sending."""
        return answer(200, {"Code": "OK", "Message": "OK", **(result or {})})

    def failure(self, fault: Fault) -> Answer:
        """isp.SYSTEM_ERROR or isv.BUSINESS_LIMIT_CONTROL, unless the script names another code or status."""
        usual = "isv.BUSINESS_LIMIT_CONTROL" if fault.kind == "rate_limited" else "isp.SYSTEM_ERROR"
        told = {"Code": str(fault.params.get("code", usual)), "Message": str(fault.params.get("message", "scripted"))}
        return answer(int(fault.params.get("status", 200)), told)

    def send(self, account: SmsAccount) -> Result:
        """Raises: AliyunError."""
        for name in ("PhoneNumbers", "SignName", "TemplateCode"):
            if not self.params.get(name):
                raise AliyunError(f"Missing{name}", status=400)
        if self.params["SignName"] != account.sign_name:
            raise AliyunError("isv.SMS_SIGNATURE_ILLEGAL")
        template = self.params["TemplateCode"]
        if not account.has_template(template):
            raise AliyunError("isv.SMS_TEMPLATE_ILLEGAL")
        code = _variable(self.params.get("TemplateParam", ""))
        numbers = self.params["PhoneNumbers"].split(",")
        if len(numbers) > MOST_NUMBERS:
            raise AliyunError("isv.MOBILE_COUNT_OVER_LIMIT")
        found = [mainland(number) for number in numbers]
        sending = f"{real_now()}{secrets.randbelow(10**7):07d}^0"
        messages = [
            Message(account, template, phone, {"code": code}, sending, account.text(template, code))
            for phone in found
            if phone is not None
        ]
        if len(messages) != len(numbers):
            raise AliyunError("isv.MOBILE_NUMBER_ILLEGAL")
        deliver(self.sandbox, messages)
        return {"BizId": sending}


def _variable(param: str) -> str:
    """The code that the template asks for. Raises: AliyunError."""
    try:
        told = json.loads(param or "{}")
    except (ValueError, RecursionError):
        raise AliyunError("isv.INVALID_JSON_PARAM") from None
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise AliyunError("isv.INVALID_JSON_PARAM")
    if "code" not in told:
        raise AliyunError("isv.TEMPLATE_MISSING_PARAMETERS")
    if re.fullmatch("[0-9A-Za-z]{4,6}", told["code"]) is None:
        raise AliyunError("isv.TEMPLATE_PARAMS_ILLEGAL")
    return str(told["code"])
