"""Text messages by Aliyun: SendSms of dysmsapi 2017-05-25 (help.aliyun.com/document_detail/419273)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields, validate

from core.ports import ProviderUnavailable, TextKind
from integrations.answers import AnswerSchema, load_answer, text
from integrations.cloud.acs3 import Acs3Key, canonical_query, query_headers
from integrations.sms._means import failure_of, read_codes
from integrations.sms.config import ALIYUN, SmsAccount
from integrations.transport import DEFAULT_TIMEOUTS, Answer, Timeouts, Transport, strict_object

ACTION, VERSION = "SendSms", "2017-05-25"
OK = "OK"

CODES = read_codes(
    unknown="isp.SYSTEM_ERROR isv.SYSTEM_ERROR InternalError ServiceUnavailable",
    number="""
        isv.MOBILE_NUMBER_ILLEGAL isv.BUSINESS_LIMIT_CONTROL isv.BLACK_KEY_CONTROL_LIMIT
        isv.DOMESTIC_NUMBER_NOT_SUPPORTED isv.CUSTOMER_REFUSED VALVE:M_MC VALVE:H_MC VALVE:D_MC
    """,
    later="isv.DAY_LIMIT_CONTROL isv.MONTH_LIMIT_CONTROL Throttling Throttling.User Throttling.Api",
    ours="""
        isv.AMOUNT_NOT_ENOUGH isv.OUT_OF_SERVICE isv.ACCOUNT_NOT_EXISTS isv.ACCOUNT_ABNORMAL
        isv.PRODUCT_UN_SUBSCRIPT isv.PRODUCT_UNSUBSCRIBE isp.RAM_PERMISSION_DENY isv.DENY_IP_RANGE
        isv.SMS_TEMPLATE_ILLEGAL isv.SMS_SIGNATURE_ILLEGAL isv.SMS_SIGN_ILLEGAL isv.SMS_CONTENT_ILLEGAL FILTER
        isv.INVALID_PARAMETERS isv.INVALID_JSON_PARAM isv.TEMPLATE_MISSING_PARAMETERS isv.TEMPLATE_PARAMS_ILLEGAL
        isv.PARAM_LENGTH_LIMIT isv.PARAM_NOT_SUPPORT_URL isv.MOBILE_COUNT_OVER_LIMIT
        SignatureDoesNotMatch IncompleteSignature InvalidTimeStamp.Expired SignatureNonceUsed
        InvalidAccessKeyId.NotFound InvalidAccessKeyId.Inactive InvalidVersion InvalidAction.NotFound
        MissingPhoneNumbers MissingSignName MissingTemplateCode Forbidden.RAM NoPermission
    """,
)
"""Aliyun's codes, of the product (isv., isp.) and of the gateway before it."""


class _SentSchema(AnswerSchema):
    """SendSms, and what the gateway says instead. `Message` is not named: it may repeat the number."""

    code = text(100, required=True, data_key="Code")
    request = fields.Raw(data_key="RequestId")
    number = fields.String(data_key="BizId", validate=validate.Regexp(r"\A[0-9A-Za-z^._-]{1,64}\Z"))


class AliyunSmsGateway:
    """Port SmsGateway."""

    provider = ALIYUN

    def __init__(
        self,
        account: SmsAccount,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._account, self._clock = account, clock
        self._key = Acs3Key(account.access_key_id, account.access_key_secret)
        # SendSms takes its parameters in the query: number and code stand in the URL.
        self._transport = Transport(timeouts=timeouts, secret_urls=True)

    def send_code(self, *, phone: str, code: str, kind: TextKind) -> str:
        """Raises: NumberRefused, ProviderRefused, ProviderUnavailable."""
        query = canonical_query(
            {
                "PhoneNumbers": phone,
                "SignName": self._account.sign_name,
                "TemplateCode": self._account.template(kind),
                "TemplateParam": json.dumps({"code": code}, separators=(",", ":")),
            }
        )
        url = f"{self._account.url}?{query}"
        headers = query_headers(
            self._key,
            host=self._account.host,
            path=self._account.path,
            query=query,
            action=ACTION,
            version=VERSION,
            now=self._clock(),
        )
        return _opened(self._transport.exchange("POST", url, headers=headers))


def _opened(answer: Answer) -> str:
    """The number of the message. A refusal of the gateway has a status of its own, one of the product has 200."""
    content = load_answer(_SentSchema(), _object(answer))
    if answer.status == 200 and content["code"] == OK:
        return str(content.get("number", ""))
    if content["code"] == OK:
        raise ProviderUnavailable(f"answered OK with HTTP {answer.status}")
    error = failure_of(CODES, content["code"], request=content.get("request"))
    if answer.status >= 500 and content["code"] not in CODES:
        raise ProviderUnavailable(f"answered with HTTP {answer.status}") from error
    raise error


def _object(answer: Answer) -> Mapping[str, Any]:
    """Raises: ProviderUnavailable."""
    try:
        return strict_object(answer.body)
    except ValueError:
        # Not chained: the error of json holds the document, which may repeat the number.
        raise ProviderUnavailable(f"answered with HTTP {answer.status} and no JSON object") from None
