"""Name matching by Tencent Cloud: IdCardVerification of faceid 2018-03-01 (cloud.tencent.com, "身份信息认证")."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields

from core.ports import MatchAnswer, MatchSubject, NameMatch, ProviderUnavailable
from integrations.answers import AnswerSchema, load_answer, text
from integrations.cloud.codes import request_number
from integrations.cloud.tc3 import Tc3Key, json_headers
from integrations.realname._means import ACCEPTED_ID_TYPES, failure_of, read_codes, require_resident_id
from integrations.realname.config import NameMatchAccount
from integrations.transport import DEFAULT_TIMEOUTS, Answer, Timeouts, Transport, strict_object

SERVICE, ACTION, VERSION = "faceid", "IdCardVerification", "2018-03-01"

OUTCOMES = {"0": NameMatch.MATCHED, "-1": NameMatch.MISMATCH, "-5": NameMatch.NO_RECORD}
"""By Result."""

CODES = read_codes(
    down="""
        -4 -6
        InternalError InternalError.UnKnown InternalError.OtherError ServiceUnavailable
        FailedOperation.DbError FailedOperation.UnKnown FailedOperation
    """,
    later="""
        -7
        RequestLimitExceeded FailedOperation.RequestLimitExceeded LimitExceeded
        UnauthorizedOperation UnauthorizedOperation.Arrears UnauthorizedOperation.ChargeStatusException
        UnauthorizedOperation.NonAuthorize UnauthorizedOperation.Nonactivated
        AuthFailure.SignatureFailure AuthFailure.SignatureExpire AuthFailure.SecretIdNotFound AuthFailure.TokenFailure
        AuthFailure.UnauthorizedOperation AuthFailure.InvalidSecretId AuthFailure.MFAFailure
        AuthFailure.InvalidAuthorization FailedOperation.StsUnAuthErrError
        InvalidParameter InvalidParameterValue InvalidAction MissingParameter UnknownParameter NoSuchVersion
        UnsupportedRegion UnsupportedProtocol UnsupportedOperation InvalidRequest
    """,
    subject="-2 -3 FailedOperation.IdFormatError FailedOperation.NameFormatError",
)
"""Tencent's codes: numbers are Results that are no answer, words are Errors of the whole call."""


class _ErrorSchema(AnswerSchema):
    code = text(100, required=True, data_key="Code")


class _ResponseSchema(AnswerSchema):
    """`Description` and the error's `Message` are not named: they may repeat what was asked."""

    error = fields.Nested(_ErrorSchema, data_key="Error")
    request = fields.Raw(data_key="RequestId")
    result = text(100, data_key="Result")


class _MatchedSchema(AnswerSchema):
    response = fields.Nested(_ResponseSchema, required=True, data_key="Response")


class TencentNameMatcher:
    """Port NameMatcher."""

    provider = "tencent_realname"
    accepted_id_types = ACCEPTED_ID_TYPES

    def __init__(
        self,
        account: NameMatchAccount,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._account, self._clock = account, clock
        self._key = Tc3Key(account.access_key_id, account.access_key_secret, SERVICE)
        # Nothing secret is in the URL; but no error of the library below has a place in a log beside a name either.
        self._transport = Transport(timeouts=timeouts, secret_urls=True)

    def match(self, subject: MatchSubject, *, reference: str) -> MatchAnswer:
        """The platform takes no number of ours: `reference` stays here.

        Raises: ProviderUnavailable, ProviderRefused."""
        require_resident_id(subject)
        wanted = {"IdCard": subject.id_number, "Name": subject.name}
        body = json.dumps(wanted, ensure_ascii=False, separators=(",", ":")).encode()
        headers = json_headers(
            self._key,
            host=self._account.host,
            path=self._account.path,
            body=body,
            action=ACTION,
            version=VERSION,
            now=self._clock(),
        )
        return _opened(self._transport.exchange("POST", self._account.url, headers=headers, body=body))


def _opened(answer: Answer) -> MatchAnswer:
    """The HTTP status is 200 for refusals too."""
    if answer.status != 200:
        raise ProviderUnavailable(f"answered with HTTP {answer.status}")
    try:
        content: dict[str, Any] = strict_object(answer.body)
    except ValueError:
        # Not chained: the error of json holds the document, which may repeat what was asked.
        raise ProviderUnavailable("answer is not a JSON object") from None
    told = load_answer(_MatchedSchema(), content)["response"]
    request = told.get("request")
    if "error" in told:
        raise failure_of(CODES, told["error"]["code"], request=request)
    if "result" not in told:
        raise ProviderUnavailable("answer tells nothing of the person")
    if told["result"] not in OUTCOMES:
        raise failure_of(CODES, told["result"], request=request)
    return MatchAnswer(OUTCOMES[told["result"]], request_number(request))
