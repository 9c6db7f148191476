"""Name matching by Aliyun: Id2MetaVerify of cloudauth 2019-03-07 (help.aliyun.com, "身份二要素核验")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields

from core.ports import MatchAnswer, MatchSubject, NameMatch, ProviderUnavailable
from integrations.answers import AnswerSchema, load_answer
from integrations.cloud.acs3 import Acs3Key, canonical_query, query_headers
from integrations.cloud.codes import request_number
from integrations.realname._means import ACCEPTED_ID_TYPES, failure_of, read_codes, require_resident_id
from integrations.realname.config import NameMatchAccount
from integrations.transport import DEFAULT_TIMEOUTS, Answer, Timeouts, Transport, strict_object

ACTION, VERSION = "Id2MetaVerify", "2019-03-07"
OK = "200"
PLAIN = "normal"

OUTCOMES = {"1": NameMatch.MATCHED, "2": NameMatch.MISMATCH, "3": NameMatch.NO_RECORD}
"""By BizCode."""

CODES = read_codes(
    down="InternalError ServiceUnavailable",
    later="""
        400 402 403 410 411 MissingParameter
        Throttling Throttling.User Throttling.Api
        SignatureDoesNotMatch IncompleteSignature MissingSignatureNonce SignatureNonceUsed InvalidTimeStamp.Expired
        InvalidTimeStamp.Format InvalidAccessKeyId.NotFound InvalidAccessKeyId.Inactive InvalidVersion
        InvalidAction.NotFound Forbidden.RAM NoPermission
        Forbidden.AccountAccessDenied Forbidden.RAMUserAccessDenied Forbidden.ExceptionRepeatedInvoke
    """,
    subject="401 InvalidParameter",
)
"""Aliyun's codes: numbers are the product's, words those of the gateway before it. 402 says three things at once: the
register is down, a rule of the console forbids it, or the account may not."""


class _ResultSchema(AnswerSchema):
    code = fields.Raw(required=True, data_key="BizCode")


class _MatchedSchema(AnswerSchema):
    """Id2MetaVerify, and what the gateway says instead. `Message` is not named: it may repeat what was asked."""

    code = fields.Raw(required=True, data_key="Code")
    request = fields.Raw(data_key="RequestId")
    result = fields.Nested(_ResultSchema, data_key="ResultObject")


class AliyunNameMatcher:
    """Port NameMatcher."""

    provider = "aliyun_realname"
    accepted_id_types = ACCEPTED_ID_TYPES

    def __init__(
        self,
        account: NameMatchAccount,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._account, self._clock = account, clock
        self._key = Acs3Key(account.access_key_id, account.access_key_secret)
        # The action takes its parameters in the query: name and number stand in the URL.
        self._transport = Transport(timeouts=timeouts, secret_urls=True)

    def match(self, subject: MatchSubject, *, reference: str) -> MatchAnswer:
        """The platform takes no number of ours: `reference` stays here.

        Raises: ProviderUnavailable, ProviderRefused."""
        require_resident_id(subject)
        query = canonical_query({"ParamType": PLAIN, "UserName": subject.name, "IdentifyNum": subject.id_number})
        headers = query_headers(
            self._key,
            host=self._account.host,
            path=self._account.path,
            query=query,
            action=ACTION,
            version=VERSION,
            now=self._clock(),
        )
        return _opened(self._transport.exchange("POST", f"{self._account.url}?{query}", headers=headers))


def _opened(answer: Answer) -> MatchAnswer:
    """A refusal of the gateway has a status of its own, one of the product may have 200."""
    content = load_answer(_MatchedSchema(), _object(answer))
    code, request = _told(content["code"]), content.get("request")
    if code != OK:
        error = failure_of(CODES, code, request=request)
        if answer.status >= 500 and code not in CODES:
            raise ProviderUnavailable(f"answered with HTTP {answer.status}") from error
        raise error
    if answer.status != 200:
        raise ProviderUnavailable(f"answered success with HTTP {answer.status}")
    if "result" not in content:
        raise ProviderUnavailable("answer tells nothing of the person")
    outcome = _told(content["result"]["code"])
    if outcome not in OUTCOMES:
        # Not looked up in CODES: the same number means another thing there.
        raise failure_of({}, outcome, request=request)
    return MatchAnswer(OUTCOMES[outcome], request_number(request))


def _told(code: object) -> str:
    """The platform's examples show a code as a text here and as a number there. Raises: ProviderUnavailable."""
    if isinstance(code, bool) or not isinstance(code, str | int):
        raise ProviderUnavailable("answer has a code that is none")
    return str(code)


def _object(answer: Answer) -> Mapping[str, Any]:
    """Raises: ProviderUnavailable."""
    try:
        return strict_object(answer.body)
    except ValueError:
        # Not chained: the error of json holds the document, which may repeat what was asked.
        raise ProviderUnavailable(f"answered with HTTP {answer.status} and no JSON object") from None
