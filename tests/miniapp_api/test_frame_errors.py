"""Every refusal has its own code, a status and words; every failure is one problem+json and tells no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

import pytest
from fakes import ManualClock
from flask.testing import FlaskClient
from frame_probes import to_raise
from marshmallow import ValidationError
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug import exceptions as http
from werkzeug.test import TestResponse

import miniapp_api.cli  # noqa: F401 - with it every module that defines a refusal
from core.ports import InvalidSignature, LoginRefused, ProviderError, ProviderRefused, ProviderUnavailable
from core.refusals import NumbersInFlight, SoldOut
from core.registry import NotConfigured
from miniapp_api.errors import code_of, flatten
from miniapp_api.field_words import FIELD_WORDS
from miniapp_api.problems import PROBLEMS, STATUS_CODES
from models.errors import (
    Conflict,
    DomainError,
    FieldError,
    IllegalTransition,
    NotFound,
    TooMany,
    Unavailable,
    ValidationFailed,
)
from models.sealing import SealBroken

ABSTRACT = {Conflict, Unavailable}
CANARY = "canary-张三-320106199001011234"


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


def refusals(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for child in kind.__subclasses__():
        if child not in ABSTRACT:
            yield child
        yield from refusals(child)


def failing(client: FlaskClient, error: BaseException, **headers: str) -> TestResponse:
    to_raise.append(error)
    return client.get("/api/v1/probe/failure", headers=headers)


@pytest.mark.parametrize("refusal", sorted(set(refusals()), key=lambda kind: kind.__name__))
def test_every_refusal_has_a_row_with_both_languages(refusal: type[DomainError]) -> None:
    row = PROBLEMS[refusal.code]
    assert row.status in {400, 401, 404, 409, 415, 422, 429, 503}
    assert all((row.zh.title, row.zh.detail, row.en.title, row.en.detail))


def test_no_two_refusals_share_a_code() -> None:
    codes = [refusal.code for refusal in set(refusals())]
    assert sorted(codes) == sorted(set(codes))


def test_a_code_is_one_of_the_kind_its_class_says() -> None:
    for refusal in set(refusals(Conflict)):
        assert PROBLEMS[refusal.code].status == 409, refusal
    for refusal in set(refusals(Unavailable)):
        assert PROBLEMS[refusal.code].status == 503, refusal


def test_words_are_short_and_in_their_language() -> None:
    for code, row in PROBLEMS.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
        assert HTTPStatus(row.status)
        for words, chinese in ((row.zh, True), (row.en, False)):
            assert len(words.title) <= 40
            assert bool(re.search("[\u4e00-\u9fff]", words.title)) is chinese, code
            assert not (chinese and "," in words.title + words.detail), code
    assert set(STATUS_CODES.values()) <= set(PROBLEMS)
    assert all(len(pair) == 2 and all(pair) for pair in FIELD_WORDS.values())
    assert not [chinese for chinese, _ in FIELD_WORDS.values() if "," in chinese]


def test_a_problem_is_rfc_9457_in_chinese_by_default(client: FlaskClient) -> None:
    reply = client.get("/api/v1/nowhere")
    assert (reply.status_code, reply.content_type) == (404, "application/problem+json")
    assert reply.headers["Content-Language"] == "zh-CN"
    body = reply.get_json(force=True)
    assert set(body) == {"type", "title", "status", "detail", "code", "instance"}
    assert (body["code"], body["status"], body["title"]) == ("not_found", 404, "没有找到")
    assert body["type"] == "urn:yuezhen:problem:not_found"
    assert body["instance"] == f"urn:uuid:{reply.headers['X-Request-Id']}"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("en", "en"), ("en-GB,en;q=0.8", "en"), ("zh-CN,en;q=0.5", "zh-CN"), ("zh-TW", "zh-CN"), ("fr", "zh-CN"),
        ("en;q=0", "zh-CN"), ("", "zh-CN"), ("\x00;;q=x", "zh-CN"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_asked_for(client: FlaskClient, asked: str, told: str) -> None:
    reply = client.get("/nowhere", headers={"Accept-Language": asked})
    assert reply.headers["Content-Language"] == told
    assert reply.get_json(force=True)["title"] == ("Not found" if told == "en" else "没有找到")


def test_facts_and_the_time_to_come_back_are_told(client: FlaskClient, clock: ManualClock) -> None:
    error = NumbersInFlight(
        retry_at=clock.now() + timedelta(seconds=89.2), schedule_id=UUID(int=7), seen_at=clock.now()
    )
    reply = failing(client, error)
    body = reply.get_json(force=True)
    assert reply.status_code == 409
    assert reply.headers["Retry-After"] == "90"
    assert body["retry_at"] == "2026-11-22T02:01:29.200Z"
    assert body["facts"] == {"schedule_id": str(UUID(int=7)), "seen_at": "2026-11-22T02:00:00.000Z"}


def test_a_time_to_come_back_that_has_passed_is_now(client: FlaskClient, clock: ManualClock) -> None:
    assert failing(client, TooMany(retry_at=clock.now() - timedelta(1))).headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound(), 404, "not_found"),
        (SoldOut(), 409, "sold_out"),
        (ProviderUnavailable(CANARY), 503, "provider_unavailable"),
        (ProviderRefused("PARAM_ERROR", CANARY), 503, "provider_unavailable"),
        (InvalidSignature(CANARY), 503, "provider_unavailable"),
        (LoginRefused("40029", CANARY), 401, "login_failed"),
        (NotConfigured(CANARY), 422, "validation_failed"),
        (IllegalTransition(CANARY, "a", "b"), 500, "internal_error"),
        (SealBroken(CANARY), 500, "internal_error"),
        (KeyError(CANARY), 500, "internal_error"),
        (RecursionError(CANARY), 500, "internal_error"),
        (UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY), 500, "internal_error"),
        (OperationalError(CANARY, {"name": CANARY}, Exception(CANARY)), 503, "overloaded"),
        (PoolTimeout(CANARY), 503, "overloaded"),
        (IntegrityError(CANARY, {"name": CANARY}, Exception(CANARY)), 500, "internal_error"),
        (http.BadRequest(CANARY), 400, "malformed_request"),
        (http.RequestTimeout(CANARY), 408, "request_timeout"),
        (http.RequestURITooLarge(CANARY), 414, "uri_too_long"),
        (http.RequestHeaderFieldsTooLarge(CANARY), 431, "header_fields_too_large"),
        (http.ImATeapot(CANARY), 400, "malformed_request"),
        (http.BadGateway(CANARY), 500, "internal_error"),
        (http.ServiceUnavailable(CANARY), 503, "overloaded"),
        (ValidationError({"name": [CANARY]}), 422, "validation_failed"),
    ],
)  # fmt: skip
def test_a_63_no_failure_tells_what_it_knows(
    client: FlaskClient, error: Exception, status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = failing(client, error)
    body = reply.get_json(force=True)
    assert (reply.status_code, body["status"], body["code"]) == (status, status, code)
    assert "canary" not in reply.get_data(as_text=True)
    assert "canary" not in str(reply.headers)
    assert "320106199001011234" not in capsys.readouterr().err


def test_what_crashes_is_logged_with_its_trace_and_told_as_an_id(
    client: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    reply = failing(client, ZeroDivisionError("1/0"))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    crash = next(line for line in lines if line["event"] == "crashed")
    assert crash["level"] == "error"
    assert "ZeroDivisionError" in crash["exception"]
    assert crash["request_id"] == reply.headers["X-Request-Id"]


def test_a_wrong_method_is_told_which_ones_work(client: FlaskClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        reply = client.open("/api/v1/time", method=method)
        assert reply.status_code == 405, method
        assert set(reply.headers["Allow"].split(", ")) == {"GET", "HEAD"}
        assert reply.content_type == "application/problem+json"


def test_nothing_is_redirected(client: FlaskClient) -> None:
    for path in ("/api/v1/time/", "//api/v1/time", "/api//v1/time", "/api/v1/../v1/time", "/API/v1/time"):
        assert client.get(path).status_code == 404, path


def test_errors_of_fields_point_into_the_body(client: FlaskClient) -> None:
    error = ValidationFailed(FieldError("#/id_number", "bad_checksum"), FieldError("#/x", "no_such_word", "own words"))
    body = failing(client, error, **{"Accept-Language": "en"}).get_json(force=True)
    assert body["errors"] == [
        {"pointer": "#/id_number", "code": "bad_checksum", "detail": "does not pass its checksum"},
        {"pointer": "#/x", "code": "no_such_word", "detail": "own words"},
    ]
    unknown = failing(client, ValidationFailed(FieldError("#/x", "no_such_word"))).get_json(force=True)["errors"]
    assert unknown == [{"pointer": "#/x", "code": "no_such_word", "detail": "no_such_word"}]


def test_nested_messages_become_pointers() -> None:
    messages = {"_schema": ["not_an_object"], "a/b~": {0: {"c": ["missing"]}}, "d": ["Not a valid string."]}
    assert [(error.pointer, error.code) for error in flatten(messages)] == [
        ("#", "not_an_object"), ("#/a~1b~0/0/c", "missing"), ("#/d", "invalid"),
    ]  # fmt: skip


def test_every_provider_error_has_a_code() -> None:
    for kind in (ProviderError, *ProviderError.__subclasses__(), *ProviderRefused.__subclasses__()):
        assert code_of(kind) in PROBLEMS


def test_every_reply_is_private_and_carries_our_request_id(client: FlaskClient) -> None:
    sent = {"X-Request-Id": "theirs-1", "X-HTTP-Method-Override": "DELETE"}
    for path in ("/api/v1/time", "/nowhere", "/healthz", "/openapi.json"):
        headers = client.get(path, headers=sent).headers
        assert UUID(headers["X-Request-Id"])
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in headers
        assert not {"Server", "X-Powered-By", "Set-Cookie"} & set(headers.keys())
