"""What the OpenAPI document says of problems: their shape, which operation may answer which, and one of each."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from miniapp_api.field_words import FIELD_WORDS
from miniapp_api.problems import PROBLEMS
from schemas.examples import an_id

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string", "description": "short, in the language asked for"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what helps"},
        "code": {"type": "string", "enum": sorted(PROBLEMS)},
        "instance": {"type": "string", "description": "the request id, as in X-Request-Id"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "additionalProperties": False,
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "`#/id_number`: into the body as sent; `?limit`: a query parameter",
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "retry_at": {"type": "string", "format": "date-time", "description": "when asking again may help"},
        "facts": {"type": "object", "description": "what the caller's own account may know about it"},
    },
}
_RETRY_AFTER = {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}
_TOLD_WHEN = {
    "check_limit", "closed_hours", "link_open", "not_released", "numbers_in_flight", "rate_limited", "rebook_too_soon",
    "request_in_progress",
}  # fmt: skip


def refusals(codes: frozenset[str]) -> dict[str, Any]:
    """The replies of an operation that may answer these codes, by status."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in sorted(codes):
        by_status[PROBLEMS[code].status].append(code)
    return {str(status): _refusal(status, found) for status, found in sorted(by_status.items())}


def _refusal(status: int, codes: list[str]) -> dict[str, Any]:
    exact = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": {"enum": codes}}}]}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    said: dict[str, Any] = {
        "description": "; ".join(f"`{code}`: {PROBLEMS[code].en.title}" for code in codes),
        "content": {"application/problem+json": {"schema": exact, "examples": examples}},
        "x-codes": codes,
    }
    if status in (409, 429, 503):
        said["headers"] = {"Retry-After": dict(_RETRY_AFTER)}
    return said


def problem_examples() -> dict[str, dict[str, Any]]:
    """One problem of each code as a Chinese patient is told it, to be pointed at."""
    return {code: {"summary": row.en.title, "value": _example(code)} for code, row in PROBLEMS.items()}


def _example(code: str) -> dict[str, Any]:
    row = PROBLEMS[code]
    body: dict[str, Any] = {
        "type": f"urn:yuezhen:problem:{code}",
        "title": row.zh.title,
        "status": row.status,
        "detail": row.zh.detail,
        "code": code,
        "instance": f"urn:uuid:{an_id('request')}",
    }
    if code == "validation_failed":
        body["errors"] = [{"pointer": "#/id_number", "code": "bad_checksum", "detail": FIELD_WORDS["bad_checksum"][0]}]
    if code in _TOLD_WHEN:
        body["retry_at"] = "2026-11-25T02:00:00.000Z"
    return body
