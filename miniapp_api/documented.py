"""What the OpenAPI document says of one operation and of the whole API. No request runs anything of this."""

from __future__ import annotations

import http
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from miniapp_api.auth import Auth
from miniapp_api.documented_problems import PROBLEM_SCHEMA, problem_examples, refusals
from miniapp_api.problems import PROBLEMS
from schemas.base import Day, Instant
from schemas.examples import NoExample, an_id, examples_of

VERSION = "1.0.0"
_DESCRIPTION = """\
Bookings of hospital appointments (预约挂号) for patients and their dependents (就诊人).

JSON in UTF-8, snake_case. Instants are RFC 3339 in UTC with `Z`, days are the hospital's calendar days, money is
integer fen. Unknown fields are refused. Every failure is `application/problem+json` with a stable `code`; titles come
in Chinese, or in English with `Accept-Language: en`. Every reply carries `X-Request-Id`.
Another account's object is 404, as one that does not exist. `HEAD` works wherever `GET` does.
"""
_KEY_PARAMETER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "description": "16 to 128 visible ASCII characters, made anew for each command. The first success is replayed, "
    "byte for byte, for 7 days; a refusal may be asked again.",
    "schema": {"type": "string", "minLength": 16, "maxLength": 128, "pattern": "^[!-~]+$"},
}
_ID_IN_PATH = re.compile(r"<uuid:(\w+)>")
_OF_A_PLATFORM = {
    "200": {"description": "taken, in the platform's own word", "content": {"*/*": {}}},
    "204": {"description": "taken, where the platform asks for no word"},
    "401": {"description": "refused, in the platform's own word", "content": {"*/*": {}}},
    "403": {"description": "refused, where the platform asks for this status", "content": {"*/*": {}}},
}
_OF_THE_DATABASE = {"overloaded", "outcome_unknown"}


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
    sent: Mapping[str, Any] | None,
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
        "responses": _together(_replies(auth, {status: reply, **also}, page=page), refusals(every)),
    }
    if view.__doc__:
        document["description"] = " ".join(view.__doc__.split())
    parameters: list[dict[str, Any]] = [dict(_KEY_PARAMETER)] if keyed else []
    if query is not None:
        parameters.append({"in": "query", "schema": query})
    if parameters:
        document["parameters"] = parameters
    if body is not None or (auth is Auth.SIGNATURE and method != "GET"):
        schema = {"type": "object"} if body is None else body
        needed = body is None or requires_anything(body())
        content = {"schema": schema} | ({"example": dict(sent or {})} if body is None else _examples(body))
        document["requestBody"] = {"required": needed, "content": {media_type: content}}
    return Described(document, every)


def requires_anything(schema: Schema) -> bool:
    """Whether a body of this shape must be sent at all."""
    return any(field.required for field in schema.fields.values())


def implied_codes(auth: Auth, method: str, has_id: bool, *, keyed: bool, limited: bool, page: bool = False) -> set[str]:
    """What every route of its kind may answer, whatever it does."""
    writes = method not in ("GET", "HEAD")
    codes = {"internal_error"}
    if auth is Auth.SIGNATURE:
        codes |= {"overloaded", "outcome_unknown"} | ({"payload_too_large"} if writes else set())
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


def _together(replies: dict[str, Any], refused: dict[str, Any]) -> dict[str, Any]:
    """A status may be a page's own and a problem's too."""
    both = {
        status: {**refused[status], "content": replies[status]["content"] | refused[status]["content"]}
        for status in replies.keys() & refused.keys()
    }
    return replies | refused | both


def _reply(status: int, schema: type[Schema] | None, *, page: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"description": http.HTTPStatus(status).phrase}
    if page and not 300 <= status < 400:
        said["content"] = {"text/html": {"schema": {"type": "string"}}}
    if schema is not None:
        said["content"] = {"application/json": {"schema": schema} | _examples(schema)}
    return said


def _examples(schema: type[Schema]) -> dict[str, Any]:
    """Nothing where no example can be made; a test names each of these."""
    try:
        return {"examples": {name: {"value": value} for name, value in examples_of(schema).items()}}
    except NoExample:
        return {}


def path_parameters(rule: str) -> list[dict[str, Any]]:
    """An example of each id in a path, the same as the replies show."""
    return [
        {"in": "path", "name": name, "example": an_id(name.removesuffix("_id"))} for name in _ID_IN_PATH.findall(rule)
    ]


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
    api.spec.components.schema("Problem", PROBLEM_SCHEMA)
    for code, example in problem_examples().items():
        api.spec.components.example(code, example)
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
