"""Text messages by Tencent Cloud: SendSms of sms 2021-01-11 (cloud.tencent.com/document/api/382/55981)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields, validate

from core.ports import ProviderUnavailable, TextKind
from integrations.answers import AnswerSchema, load_answer, text
from integrations.cloud.tc3 import Tc3Key, json_headers
from integrations.sms._means import failure_of, read_codes
from integrations.sms.config import TENCENT, SmsAccount
from integrations.transport import DEFAULT_TIMEOUTS, Answer, Timeouts, Transport, strict_object

SERVICE, ACTION, VERSION = "sms", "SendSms", "2021-01-11"
OK = "Ok"

CODES = read_codes(
    unknown="""
        InternalError InternalError.OtherError InternalError.RequestTimeException InternalError.Timeout
        InternalError.UnknownError ServiceUnavailable
    """,
    number="""
        InvalidParameterValue.IncorrectPhoneNumber FailedOperation.PhoneNumberInBlacklist
        LimitExceeded.PhoneNumberThirtySecondLimit LimitExceeded.PhoneNumberOneHourLimit
        LimitExceeded.PhoneNumberDailyLimit LimitExceeded.PhoneNumberSameContentDailyLimit
        LimitExceeded.DeliveryFrequencyLimit UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone
        UnsupportedOperation.UnsuportedRegion LimitExceeded.AppCountryOrRegionInBlacklist
    """,
    later="""
        LimitExceeded.AppDailyLimit LimitExceeded.AppMainlandChinaDailyLimit LimitExceeded.AppGlobalDailyLimit
        LimitExceeded.AppCountryOrRegionDailyLimit LimitExceeded.DailyLimit RequestLimitExceeded LimitExceeded
    """,
    ours="""
        FailedOperation.InsufficientBalanceInSmsPackage UnauthorizedOperation.SerivceSuspendDueToArrears
        FailedOperation.TemplateIncorrectOrUnapproved FailedOperation.TemplateUnapprovedOrNotExist
        FailedOperation.SignatureIncorrectOrUnapproved FailedOperation.ContainSensitiveWord
        FailedOperation.TemplateParamSetNotMatchApprovedTemplate FailedOperation.ParametersOtherError
        FailedOperation.JsonParseFail FailedOperation.FailResolvePacket FailedOperation
        FailedOperation.MarketingSendTimeConstraint InvalidParameterValue.SdkAppIdNotExist
        InvalidParameterValue.TemplateParameterFormatError InvalidParameterValue.TemplateParameterLengthLimit
        InvalidParameterValue.ContentLengthLimit InvalidParameterValue.ProhibitedUseUrlInTemplateParameter
        MissingParameter.EmptyPhoneNumberSet LimitExceeded.PhoneNumberCountLimit
        UnauthorizedOperation.RequestIpNotInWhitelist UnauthorizedOperation.RequestPermissionDeny
        UnauthorizedOperation.SdkAppIdIsDisabled UnauthorizedOperation.SmsSdkAppIdVerifyFail
        UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny
        UnsupportedOperation UnsupportedOperation.GlobalTemplateToChineseMainlandPhone
        UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber
        InternalError.SigFieldMissing InternalError.SigVerificationFail InternalError.JsonParseFail
        AuthFailure.SignatureFailure AuthFailure.SignatureExpire AuthFailure.SecretIdNotFound
        AuthFailure.TokenFailure AuthFailure.UnauthorizedOperation AuthFailure.InvalidSecretId AuthFailure.MFAFailure
        AuthFailure.InvalidAuthorization UnauthorizedOperation InvalidParameter InvalidParameterValue InvalidAction
        MissingParameter UnknownParameter NoSuchVersion UnsupportedRegion UnsupportedProtocol InvalidRequest
    """,
)
"""Tencent's codes, one of them misspelled for good: of the whole call and of its one number alike."""


class _StatusSchema(AnswerSchema):
    """What became of one number. `Message` and `PhoneNumber` are not named: they repeat the number."""

    code = text(100, required=True, data_key="Code")
    number = fields.String(data_key="SerialNo", validate=validate.Regexp(r"\A[0-9A-Za-z:._-]{1,64}\Z"))


class _ErrorSchema(AnswerSchema):
    code = text(100, required=True, data_key="Code")


class _ResponseSchema(AnswerSchema):
    error = fields.Nested(_ErrorSchema, data_key="Error")
    request = fields.Raw(data_key="RequestId")
    statuses = fields.List(fields.Nested(_StatusSchema), data_key="SendStatusSet", validate=validate.Length(equal=1))


class _SentSchema(AnswerSchema):
    response = fields.Nested(_ResponseSchema, required=True, data_key="Response")


class TencentSmsGateway:
    """Port SmsGateway."""

    provider = TENCENT

    def __init__(
        self,
        account: SmsAccount,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._account, self._clock = account, clock
        self._key = Tc3Key(account.access_key_id, account.access_key_secret, SERVICE)
        # Nothing secret is in the URL; but no error of the library below has a place in a log beside a number either.
        self._transport = Transport(timeouts=timeouts, secret_urls=True)

    def send_code(self, *, phone: str, code: str, kind: TextKind) -> str:
        """Raises: NumberRefused, ProviderRefused, ProviderUnavailable."""
        wanted = {
            "PhoneNumberSet": [phone],
            "SmsSdkAppId": self._account.sdk_app_id,
            "SignName": self._account.sign_name,
            "TemplateId": self._account.template(kind),
            "TemplateParamSet": [code],
        }
        body = json.dumps(wanted, ensure_ascii=False, separators=(",", ":")).encode()
        headers = json_headers(
            self._key,
            host=self._account.host,
            path=self._account.path,
            body=body,
            action=ACTION,
            version=VERSION,
            region=self._account.region or "",
            now=self._clock(),
        )
        return _opened(self._transport.exchange("POST", self._account.url, headers=headers, body=body))


def _opened(answer: Answer) -> str:
    """The number of the message. The HTTP status is 200 for refusals too."""
    if answer.status != 200:
        raise ProviderUnavailable(f"answered with HTTP {answer.status}")
    try:
        content: dict[str, Any] = strict_object(answer.body)
    except ValueError:
        # Not chained: the error of json holds the document, which repeats the number.
        raise ProviderUnavailable("answer is not a JSON object") from None
    told = load_answer(_SentSchema(), content)["response"]
    failed = told.get("error")
    if failed is None and "statuses" not in told:
        raise ProviderUnavailable("answer tells nothing of the number")
    status = failed or told["statuses"][0]
    if failed is None and status["code"] == OK:
        return str(status.get("number", ""))
    raise failure_of(CODES, status["code"], request=told.get("request"))
