"""Errors of WeChat Pay: code, message, detail, and the internal number at the end of Request-ID (section 4.8)."""

import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.exchange import Answer, Refusal, compact_json

JSON_TYPE = "application/json; charset=utf-8"

OK = 0
BAD_PARAMETER = 268435461
FREQUENT = 268447840
ORDER_ABSENT = 268512771
ALREADY_PAID = 268449538
EXTRA_PARAMETER = 270924358
ORDER_EXPIRED = 268447914
BAD_SIGNATURE = 268443699
OTHER_PARAMETERS = 268498688
NOT_BOUND = 268445527


def request_id(number: int) -> str:
    """`…-<number>`: the suffix is an internal code worth logging (section 4.2)."""
    return f"08{secrets.token_hex(20).upper()}-{number}"


class PayError(Refusal):
    """A refusal of WeChat Pay; unsigned like every 4xx and 5xx."""

    def __init__(
        self, status: int, code: str, message: str, number: int = BAD_PARAMETER, detail: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(error_answer(status, code, message, number, detail))
        self.code = code


def error_answer(status: int, code: str, message: str, number: int, detail: Mapping[str, Any] | None = None) -> Answer:
    """The body of an error."""
    body: dict[str, Any] = {"code": code, "message": message}
    if detail is not None:
        body = {"code": code, "detail": dict(detail), "message": message}
    return Answer(status, compact_json(body), {"Content-Type": JSON_TYPE, "Request-ID": request_id(number)})


def bad_parameter(
    field: str, value: object, issue: str, *, location: str = "body", number: int = BAD_PARAMETER
) -> PayError:
    """PARAM_ERROR naming the field by its JSON pointer."""
    detail = {"field": field, "value": value, "issue": issue, "location": location}
    return PayError(400, "PARAM_ERROR", f"参数错误: {issue}", number, detail)


def sign_error(reason: str) -> PayError:
    """401: who speaks is not proved."""
    detail = {"field": "signature", "issue": reason, "location": "authorization"}
    return PayError(401, "SIGN_ERROR", f"签名错误: {reason}", BAD_SIGNATURE, detail)
