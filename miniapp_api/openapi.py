"""Blueprints with their auth, and `endpoint`, which makes a route and its OpenAPI operation out of one declaration.

flask-smorest makes the document; bodies and queries are read here, strictly. What an operation documents is exactly
what it can answer: `Operation.codes` holds every problem code of it, and a test compares them with those seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import flask_smorest
from flask import Flask, Response, request
from marshmallow import Schema, ValidationError

from core.ports import ProviderError
from miniapp_api.auth import Auth, refuse_if_moved, require_login
from miniapp_api.body import StrictRequest, escape_pointer
from miniapp_api.documented import api_options, complete, describe, path_parameters, requires_anything
from miniapp_api.errors import code_of, flatten
from miniapp_api.limits import limit_account, limit_address
from models.errors import DomainError, FieldError, NotFound, ValidationFailed

View = Callable[..., Response]
Refusal = type[DomainError] | type[ProviderError]
_EXTENSION = "yuezhen-operations"


@dataclass(frozen=True)
class Operation:
    """One method of one path, with every code it may answer."""

    name: str
    method: str
    rule: str
    auth: Auth
    keyed: bool
    codes: frozenset[str]
    page: bool = False


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc] # smorest is untyped
    """Routes that ask the same of their callers. `limited` ones count against the caller's network address."""

    def __init__(self, name: str, prefix: str, *, auth: Auth, limited: bool = True, tag: str | None = None) -> None:
        super().__init__(name, __name__, url_prefix=prefix or None)
        self.auth, self.limited, self.tag = auth, limited, tag or name
        self.operations: list[Operation] = []
        if limited:
            self.before_request(limit_address)
        if auth is Auth.LOGIN:
            self.before_request(require_login)
            self.before_request(limit_account)


def patient_blueprint(name: str, prefix: str, *, tag: str | None = None) -> Blueprint:
    """Needs a live login; `current_caller()` is set. `prefix` is the whole one: `/api/v1/appointments`."""
    return Blueprint(name, prefix, auth=Auth.LOGIN, tag=tag)


def open_blueprint(name: str, prefix: str, *, limited: bool = True, tag: str | None = None) -> Blueprint:
    """For everybody."""
    return Blueprint(name, prefix, auth=Auth.NONE, limited=limited, tag=tag)


def signed_blueprint(name: str, prefix: str, *, tag: str | None = None) -> Blueprint:
    """For a platform that signs: the route checks the signature over the raw bytes, and nothing reads them before."""
    return Blueprint(name, prefix, auth=Auth.SIGNATURE, limited=False, tag=tag)


def endpoint(
    blp: Blueprint,
    method: str,
    path: str,
    *,
    body: type[Schema] | None = None,
    query: type[Schema] | None = None,
    reply: type[Schema] | None = None,
    status: int = 200,
    keyed: bool = False,
    refusals: tuple[Refusal, ...] = (),
    also: Mapping[int, type[Schema] | None] | None = None,
    media_type: str = "application/json",
    page: bool = False,
    stateless: bool = False,
    sent: Mapping[str, Any] | None = None,
    summary: str = "",
) -> Callable[[View], View]:
    """Register a route with its operation; operationId is the function's name.

    The view gets path parameters by name, `body=` and `query=` (loaded) where declared, and returns a Response.
    `refusals` are the errors it may raise beyond what every route of its kind may (`documented.implied_codes`).
    `also` names further statuses that are no problem. `media_type` is what a platform that signs sends, and `sent` an
    example of it. A `page` is HTML for a browser and reads its query by itself. A `stateless` route touches no row, so
    the database cannot fail it unless `refusals` say so.
    """

    def register(view: View) -> View:
        codes = {code_of(refusal) for refusal in refusals}
        described = describe(
            view, blp.auth, method, path,
            body=body, query=query, reply=reply, status=status, keyed=keyed, codes=codes,
            also=also or {}, limited=blp.limited, tag=blp.tag, summary=summary,
            media_type=media_type, page=page, stateless=stateless, sent=sent,
        )  # fmt: skip
        rule = f"{blp.url_prefix or ''}{path}"
        operation = Operation(view.__name__, method, rule, blp.auth, keyed, described.codes, page)
        blp.operations.append(operation)
        served = _reading_payload(view, blp.auth, method, body=body, query=query, page=page)
        served._apidoc = {"manual_doc": described.document}  # type: ignore[attr-defined]
        blp.add_url_rule(path, view.__name__, served, methods=[method], parameters=path_parameters(path))
        return view

    return register


def _reading_payload(
    view: View,
    auth: Auth,
    method: str,
    *,
    body: type[Schema] | None,
    query: type[Schema] | None,
    page: bool,
) -> View:
    body_schema = None if body is None else body()
    query_schema = None if query is None else query()

    @wraps(view)
    def served(**given: Any) -> Response:
        if auth is not Auth.SIGNATURE and not page:
            sent = _query_sent()
            if query_schema is not None:
                given["query"] = _loaded(query_schema, sent, at="?")
            elif sent:
                raise ValidationFailed(*(FieldError(f"?{name}", "unknown_field") for name in sent))
            if body_schema is not None:
                given["body"] = _loaded(body_schema, _body_sent(body_schema), at="#")
            elif method not in ("GET", "HEAD"):
                _refuse_body()
        try:
            return view(**given)
        except NotFound:
            refuse_if_moved()
            raise

    return served


def _loaded(schema: Schema, payload: Mapping[str, Any], *, at: str) -> Any:
    """Raises: ValidationFailed."""
    try:
        return schema.load(payload)
    except ValidationError as error:
        faults = flatten(error.messages)
        if at == "?":
            faults = [FieldError(f"?{fault.pointer.removeprefix('#/')}", fault.code) for fault in faults]
        raise ValidationFailed(*faults) from error


def _query_sent() -> dict[str, str]:
    """Each parameter once. Raises: ValidationFailed."""
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError as error:
        raise ValidationFailed(FieldError("?", "invalid_character")) from error
    faults = [FieldError(f"?{name}", "repeated") for name, values in request.args.lists() if len(values) > 1]
    faults += [
        FieldError(f"?{name}", "invalid_character") for name, text in request.args.items() if "\0" in name + text
    ]
    if faults:
        raise ValidationFailed(*faults)
    return request.args.to_dict()


def _body_sent(schema: Schema) -> dict[str, Any]:
    """A body in which nothing is required may be left out. Raises: as `object_sent`."""
    asked = cast(StrictRequest, request)
    if not requires_anything(schema):
        asked.refuse_encodings()
        if not asked.get_data():
            return {}
    return asked.object_sent()


def _refuse_body() -> None:
    """A route without a body takes none, or an empty object. Raises: as `object_sent`."""
    asked = cast(StrictRequest, request)
    asked.refuse_encodings()
    if asked.get_data():
        unknown = asked.object_sent()
        if unknown:
            raise ValidationFailed(*(FieldError(f"#/{escape_pointer(name)}", "unknown_field") for name in unknown))


# --- the document ----------------------------------------------------------------------------------------------------


class Api(flask_smorest.Api):  # type: ignore[misc] # smorest is untyped
    """smorest, for the document only: errors are ours, and no default response or pagination header is invented."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """`miniapp_api/errors.py` answers every failure."""

    def _register_responses(self) -> None:
        """Each operation documents its own."""

    def _register_doc_blueprint(self) -> None:
        """`miniapp_api/docs.py` serves the document, under an auth of its own."""


def make_api(app: Flask, base_url: str) -> Api:
    """The API of `app`, to register blueprints with."""
    api = Api(app, spec_kwargs=api_options(base_url))
    complete(api)
    return api


def register(app: Flask, api: Api, blueprints: Iterable[Blueprint]) -> None:
    """Serve and document the blueprints, and remember their operations."""
    known: dict[str, Operation] = app.extensions.setdefault(_EXTENSION, {})
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
        known |= {f"{blueprint.name}.{operation.name}": operation for operation in blueprint.operations}


def operations(app: Flask) -> Mapping[str, Operation]:
    """Every documented operation by Flask's endpoint."""
    found: Mapping[str, Operation] = app.extensions[_EXTENSION]
    return found
