"""SendSms of dysmsapi 2017-05-25, proven by ACS3-HMAC-SHA256 (help.aliyun.com, "V3版本请求体&签名机制")."""

import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote

from flask import request

from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Exchange, Refusal, Result, compact_json
from sandbox.faults import Fault
from sandbox.keys import SmsAccount
from sandbox.sms.outbox import Message, deliver, mainland
from sandbox.store import first

PREFIX = "/sms/aliyun"
ACTION, VERSION = "SendSms", "2017-05-25"
AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([0-9A-Za-z]{1,64}),SignedHeaders=([a-z0-9;-]{1,512}),Signature=([0-9a-f]{64})"
)
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
NONCE = re.compile(r"[!-~]{1,128}")
OLDEST = 900
MOST_NUMBERS = 1000
JSON_TYPE = "application/json;charset=utf-8"


class AliyunError(Refusal):
    """A refusal; those of the gateway have a status of their own, those of the product come with 200."""

    def __init__(self, code: str, message: str = "refused", status: int = 200) -> None:
        super().__init__(_answer(status, {"Code": code, "Message": message}))


class AliyunExchange(Exchange[SmsAccount]):
    """One signed call."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.params = _params()
        facts = {"phone": self.params.get("PhoneNumbers"), "template": self.params.get("TemplateCode")}
        super().__init__(sandbox, "sms.aliyun", self.params.get("PhoneNumbers"), facts)

    def admit(self) -> SmsAccount:
        """Raises: AliyunError."""
        if request.method not in ("GET", "POST"):
            raise AliyunError("UnsupportedHTTPMethod", status=400)
        told = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        if told is None:
            raise AliyunError("IncompleteSignature", status=400)
        key_id, names, signature = told.groups()
        account = self.sandbox.keys.sms_account("aliyun")
        if key_id != account.access_key_id:
            raise AliyunError("InvalidAccessKeyId.NotFound", status=404)
        self.caller_name = account.provider
        _check_stamp()
        if not hmac.compare_digest(signature, _signature(account, names.split(";"))):
            raise AliyunError("SignatureDoesNotMatch", status=400)
        self._check_nonce()
        if request.headers.get("x-acs-action") != ACTION:
            raise AliyunError("InvalidAction.NotFound", status=404)
        if request.headers.get("x-acs-version") != VERSION:
            raise AliyunError("InvalidVersion", status=400)
        return account

    def _check_nonce(self) -> None:
        """Each is good once. Raises: AliyunError."""
        nonce, now = request.headers.get("x-acs-signature-nonce", ""), real_now()
        if NONCE.fullmatch(nonce) is None:
            raise AliyunError("MissingSignatureNonce", status=400)
        with self.sandbox.store.transaction() as tx:
            tx.execute("delete from sms_nonces where seen_at < ?", (now - 2 * OLDEST,))
            if first(tx, "select 1 from sms_nonces where nonce = ?", (nonce,)) is not None:
                raise AliyunError("SignatureNonceUsed", status=400)
            tx.execute("insert into sms_nonces values (?, ?)", (nonce, now))

    def success(self, result: Result) -> Answer:
        """OK, and the number of the sending."""
        return _answer(200, {"Code": "OK", "Message": "OK", **(result or {})})

    def failure(self, fault: Fault) -> Answer:
        """isp.SYSTEM_ERROR or isv.BUSINESS_LIMIT_CONTROL, unless the script names another code or status."""
        usual = "isv.BUSINESS_LIMIT_CONTROL" if fault.kind == "rate_limited" else "isp.SYSTEM_ERROR"
        told = {"Code": str(fault.params.get("code", usual)), "Message": str(fault.params.get("message", "scripted"))}
        return _answer(int(fault.params.get("status", 200)), told)

    def send(self, account: SmsAccount) -> Result:
        """Raises: AliyunError."""
        for name in ("PhoneNumbers", "SignName", "TemplateCode"):
            if not self.params.get(name):
                raise AliyunError(f"Missing{name}", status=400)
        if self.params["SignName"] != account.sign_name:
            raise AliyunError("isv.SMS_SIGNATURE_ILLEGAL")
        if self.params["TemplateCode"] != account.template_id:
            raise AliyunError("isv.SMS_TEMPLATE_ILLEGAL")
        code = _variable(self.params.get("TemplateParam", ""))
        numbers = self.params["PhoneNumbers"].split(",")
        if len(numbers) > MOST_NUMBERS:
            raise AliyunError("isv.MOBILE_COUNT_OVER_LIMIT")
        found = [mainland(number) for number in numbers]
        sending = f"{real_now()}{secrets.randbelow(10**7):07d}^0"
        messages = [
            Message(account, phone, {"code": code}, sending, account.text(code)) for phone in found if phone is not None
        ]
        if len(messages) != len(numbers):
            raise AliyunError("isv.MOBILE_NUMBER_ILLEGAL")
        deliver(self.sandbox, messages)
        return {"BizId": sending}


def _answer(status: int, told: Mapping[str, object]) -> Answer:
    body = compact_json({"RequestId": str(uuid.uuid4()).upper(), **told})
    return Answer(status, body, {"Content-Type": JSON_TYPE})


def _params() -> dict[str, str]:
    """The query, each name once; a plus is a plus. A form is read where there is one, as the gateway does."""
    parts = [part.partition("=") for part in _raw_query().split("&") if part]
    form = request.form.to_dict() if request.mimetype == "application/x-www-form-urlencoded" else {}
    return form | {unquote(name): unquote(value) for name, _, value in parts}


def _raw_query() -> str:
    return request.query_string.decode("latin-1")


def _check_stamp() -> None:
    """Raises: AliyunError."""
    stamp = request.headers.get("x-acs-date", "")
    if STAMP.fullmatch(stamp) is None:
        raise AliyunError("InvalidTimeStamp.Format", status=400)
    try:
        at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AliyunError("InvalidTimeStamp.Format", status=400) from None
    if abs(at.timestamp() - real_now()) > OLDEST:
        raise AliyunError("InvalidTimeStamp.Expired", status=400)


def _signature(account: SmsAccount, names: list[str]) -> str:
    """What the signature must be. Every header that says what is asked must be among the signed ones.

    Raises: AliyunError."""
    content = hashlib.sha256(request.get_data()).hexdigest()
    if request.headers.get("x-acs-content-sha256") != content:
        raise AliyunError("SignatureDoesNotMatch", "x-acs-content-sha256", status=400)
    asked = {name.lower() for name, _ in request.headers if name.lower().startswith("x-acs-")} | {"host"}
    asked |= {"content-type"} if request.headers.get("Content-Type") else set()
    if names != sorted(set(names)) or not asked <= set(names):
        raise AliyunError("SignatureDoesNotMatch", "SignedHeaders", status=400)
    lines = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names)
    query = "&".join(sorted(_raw_query().split("&"), key=lambda part: part.partition("=")[0]))
    canonical = "\n".join([request.method, request.path, query, lines, ";".join(names), content])
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"
    return hmac.new(account.access_key_secret.encode(), text.encode(), hashlib.sha256).hexdigest()


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
