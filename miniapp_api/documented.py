"""What the OpenAPI document says of one operation and of the whole API. No request runs anything of this."""

from __future__ import annotations

import http
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from miniapp_api.auth import Auth
from miniapp_api.problems import PROBLEMS
from schemas.base import Day, Instant

VERSION = "1.0.0"
_DESCRIPTION = """\
Bookings of hospital appointments (预约挂号) for patients and their dependents (就诊人).

JSON in UTF-8, snake_case. Instants are RFC 3339 in UTC with `Z`, days are the hospital's calendar days, money is
integer fen. Unknown fields are refused. Every failure is `application/problem+json` with a stable `code`; titles come
in Chinese, or in English with `Accept-Language: en`. Every reply carries `X-Request-Id`.
Another account's object is 404, as one that does not exist. `HEAD` works wherever `GET` does.
"""
_PROBLEM_SCHEMA = {
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
_KEY_PARAMETER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "description": "16 to 128 visible ASCII characters, made anew for each command. The first success is replayed, "
    "byte for byte, for 7 days; a refusal may be asked again.",
    "schema": {"type": "string", "minLength": 16, "maxLength": 128, "pattern": "^[!-~]+$"},
}
_OF_A_PLATFORM = {
    "200": {"description": "taken, in the platform's own word", "content": {"*/*": {}}},
    "204": {"description": "taken, where the platform asks for no word"},
    "401": {"description": "refused, in the platform's own word", "content": {"*/*": {}}},
}
_OF_THE_DATABASE = {"overloaded", "outcome_unknown"}
_RETRY_AFTER = {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}


@dataclass(frozen=True)
class Described:
    document: dict[str, Any]
    codes: frozenset[str]


def describe(
    view: Callable[..., Any],
    auth: Auth,
    method: str,
    path: str,
    *,
    body: type[Schema] | None,
    query: type[Schema] | None,
    reply: type[Schema] | None,
    status: int,
    keyed: bool,
    codes: set[str],
    also: Mapping[int, type[Schema] | None],
    limited: bool,
    tag: str,
    summary: str,
    media_type: str,
    page: bool,
    stateless: bool,
) -> Described:
    """The operation's document, and every code that it may answer."""
    implied = implied_codes(auth, method, "<" in path, keyed=keyed, limited=limited, page=page)
    every = frozenset(codes | (implied - _OF_THE_DATABASE if stateless else implied))
    document: dict[str, Any] = {
        "operationId": view.__name__,
        "tags": [tag],
        "summary": summary,
        "security": [{"bearer": []}] if auth is Auth.LOGIN else [],
        "x-codes": sorted(every),
        "responses": _replies(auth, {status: reply, **also}, page=page) | _refusals(every),
    }
    if view.__doc__:
        document["description"] = " ".join(view.__doc__.split())
    parameters: list[dict[str, Any]] = [dict(_KEY_PARAMETER)] if keyed else []
    if query is not None:
        parameters.append({"in": "query", "schema": query})
    if parameters:
        document["parameters"] = parameters
    if body is not None or auth is Auth.SIGNATURE:
        schema = {"type": "object"} if body is None else body
        needed = body is None or requires_anything(body())
        document["requestBody"] = {"required": needed, "content": {media_type: {"schema": schema}}}
    return Described(document, every)


def requires_anything(schema: Schema) -> bool:
    """Whether a body of this shape must be sent at all."""
    return any(field.required for field in schema.fields.values())


def implied_codes(auth: Auth, method: str, has_id: bool, *, keyed: bool, limited: bool, page: bool = False) -> set[str]:
    """What every route of its kind may answer, whatever it does."""
    writes = method not in ("GET", "HEAD")
    codes = {"internal_error"}
    if auth is Auth.SIGNATURE:
        codes |= {"payload_too_large", "overloaded", "outcome_unknown"}
    elif not page:
        codes.add("validation_failed")  # an unknown query parameter at the least
        if writes:
            codes |= {"malformed_json", "payload_too_large", "unsupported_media_type", "outcome_unknown"}
    if limited:
        codes |= {"rate_limited", "overloaded"}  # what is not limited is health, which answers in its own words
    if auth is Auth.LOGIN:
        codes.add("unauthenticated")
    if keyed:
        codes |= {"idempotency_key_required", "idempotency_key_reused", "request_in_progress"}
    if has_id:
        codes.add("not_found")
    return codes


def _replies(auth: Auth, told: Mapping[int, type[Schema] | None], *, page: bool) -> dict[str, Any]:
    if auth is Auth.SIGNATURE:
        return dict(_OF_A_PLATFORM)
    return {str(status): _reply(status, schema, page=page) for status, schema in told.items()}


def _reply(status: int, schema: type[Schema] | None, *, page: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"description": http.HTTPStatus(status).phrase}
    if page and status == 200:
        said["content"] = {"text/html": {"schema": {"type": "string"}}}
    if schema is not None:
        said["content"] = {"application/json": {"schema": schema}}
    return said


def _refusals(codes: frozenset[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in sorted(codes):
        by_status[PROBLEMS[code].status].append(code)
    return {str(status): _refusal(status, found) for status, found in sorted(by_status.items())}


def _refusal(status: int, codes: list[str]) -> dict[str, Any]:
    exact = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": {"enum": codes}}}]}
    said: dict[str, Any] = {
        "description": "; ".join(f"`{code}`: {PROBLEMS[code].en.title}" for code in codes),
        "content": {"application/problem+json": {"schema": exact}},
        "x-codes": codes,
    }
    if status in (409, 429, 503):
        said["headers"] = {"Retry-After": dict(_RETRY_AFTER)}
    return said


def api_options(base_url: str) -> dict[str, Any]:
    """What the document says at its top."""
    plugin = MarshmallowPlugin(schema_name_resolver=schema_name)
    return {
        "title": "Yuezhen 约诊",
        "version": VERSION,
        "openapi_version": "3.1.0",
        "marshmallow_plugin": plugin,
        "info": {"description": _DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": base_url}],
        "x-codes": {
            code: {"status": row.status, "zh-CN": row.zh.title, "en": row.en.title} for code, row in PROBLEMS.items()
        },
    }


def complete(api: Any) -> None:
    """Put in what every operation points at."""
    api.spec.components.schema("Problem", _PROBLEM_SCHEMA)
    api.spec.components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "description": "the token of POST /api/v1/sessions"}
    )
    api.register_field(Instant, "string", "date-time")
    api.register_field(Day, "string", "date")


def schema_name(schema: type[Schema] | Schema | str) -> str:
    """`AppointmentSchema` is `Appointment` in the document."""
    if isinstance(schema, str):
        return schema
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")
