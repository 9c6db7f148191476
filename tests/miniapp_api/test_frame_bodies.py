"""A-03 A-05 A-10 A-11 A-50: a body has one meaning or none, and what no column can hold is refused by name."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

LIMIT = 64 * 1024
JSON = "application/json"


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


def send(client: FlaskClient, body: bytes | str, content_type: str = JSON, **more: Any) -> TestResponse:
    return client.post("/api/v1/probe", data=body, content_type=content_type, **more)


def code_and_errors(reply: TestResponse) -> tuple[int, str, list[tuple[str, str]]]:
    body = json.loads(reply.data)
    return reply.status_code, body["code"], [(error["pointer"], error["code"]) for error in body.get("errors", [])]


@pytest.mark.parametrize(
    "key", ["state", "amount", "account_id", "hospital_id", "verified", "role", "remaining", "", "__proto__"]
)
def test_a_03_unknown_fields_are_refused_by_name(client: FlaskClient, key: str) -> None:
    reply = send(client, json.dumps({"name": "a", key: 1}))
    assert code_and_errors(reply) == (422, "validation_failed", [(f"#/{key}", "unknown_field")])


def test_a_03_so_are_those_inside(client: FlaskClient) -> None:
    reply = send(client, json.dumps({"name": "a", "inner": {"x": 1}, "inners": [{}, {"~/": 1}]}))
    assert sorted(code_and_errors(reply)[2]) == [("#/inner/x", "unknown_field"), ("#/inners/1/~0~1", "unknown_field")]


def test_what_is_right_passes(client: FlaskClient) -> None:
    body = {
        "name": "张三",
        "amount_fen": -5,
        "sure": False,
        "provider": "handoff",
        "dependent_id": "01a205da-7a95-7518-9ed1-d1aeee8126c5",
        "at": "2026-11-22T02:00:00.5Z",
        "inner": {"day": "2024-02-29", "tags": ["a"]},
    }
    for content_type in (JSON, "application/json; charset=utf-8", 'Application/JSON; charset="UTF-8"'):
        reply = send(client, json.dumps(body, ensure_ascii=False).encode(), content_type)
        assert reply.json == {"seen": sorted(body)}


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[]", b'"a"', b"1", b"null", b"{'name': 1}", b'{"name": "a",}', b'{"name": "a"} {}',
        b'{"name": NaN}', b'{"name": Infinity}', b'{"name": -Infinity}', b'{"amount_fen": 1e999}', b'{"a": 01}',
        b'{"name": "a", "name": "b"}', b'{"inner": {"day": 1, "day": 2}}', b'{"name": "a", "n\\u0061me": "b"}',
        b'{"name": "\xff\xfe"}', b'{"name": "\xc0\x80"}', b'{"name": "\xed\xa0\x80"}', b"\xef\xbb\xbf{}", b"\x80",
        '{"name": "a"}'.encode("utf-16"), '{"name": "张"}'.encode("gbk"), b'{"name": "a\x00"}', b'{"name": "a\nb"}',
        b'{"na\\u0000me": 1}', b'{"\\ud800": 1}', b'{"amount_fen": ' + b"9" * 5000 + b"}",
        b'{"name": ' + b"[" * 17 + b"]" * 17 + b"}", b"[" * 60_000, b'{"a":' * 10_000,
        b'{"name": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", b"a=b&name=c", b"<xml/>", b"!!python/object:os.system",
    ],
)  # fmt: skip
def test_a_05_a_11_what_has_no_single_meaning_is_malformed(client: FlaskClient, body: bytes) -> None:
    assert code_and_errors(send(client, body)) == (400, "malformed_json", [])


@pytest.mark.parametrize(
    ("value", "pointer", "code"),
    [
        ({"name": "a\x00b"}, "#/name", "invalid_character"),
        ({"name": "\ud800"}, "#/name", "invalid_character"),
        ({"name": "a", "inner": {"tags": ["x", "\x00"]}}, "#/inner/tags/1", "invalid_character"),
        ({"name": "a\nb"}, "#/name", "invalid_character"),
        ({"name": "a\x1b[31m"}, "#/name", "invalid_character"),
        ({"name": "a\x9b31m"}, "#/name", "invalid_character"),
        ({}, "#/name", "missing"),
        ({"name": None}, "#/name", "null_not_allowed"),
        ({"name": ""}, "#/name", "too_short"),
        ({"name": "x" * 21}, "#/name", "too_long"),
        ({"name": 5}, "#/name", "not_a_string"),
        ({"name": ["a"]}, "#/name", "not_a_string"),
        ({"name": {"$ne": ""}}, "#/name", "not_a_string"),
        ({"name": "a", "amount_fen": "5"}, "#/amount_fen", "not_a_whole_number"),
        ({"name": "a", "amount_fen": 5.0}, "#/amount_fen", "not_a_whole_number"),
        ({"name": "a", "amount_fen": True}, "#/amount_fen", "not_a_whole_number"),
        ({"name": "a", "amount_fen": 2**53}, "#/amount_fen", "too_large"),
        ({"name": "a", "amount_fen": -(10**300)}, "#/amount_fen", "too_large"),
        ({"name": "a", "sure": 1}, "#/sure", "not_a_boolean"),
        ({"name": "a", "sure": "true"}, "#/sure", "not_a_boolean"),
        ({"name": "a", "provider": "wechat"}, "#/provider", "unknown_word"),
        ({"name": "a", "provider": ["handoff"]}, "#/provider", "not_a_string"),
        ({"name": "a", "dependent_id": "1"}, "#/dependent_id", "not_an_id"),
        ({"name": "a", "dependent_id": "{01a205da-7a95-7518-9ed1-d1aeee8126c5}"}, "#/dependent_id", "not_an_id"),
        ({"name": "a", "dependent_id": 1}, "#/dependent_id", "not_an_id"),
        ({"name": "a", "at": "2026-11-22T02:00:00"}, "#/at", "not_an_instant"),
        ({"name": "a", "at": "2026-11-22T10:00:00+08:00"}, "#/at", "not_an_instant"),
        ({"name": "a", "at": "2026-13-22T02:00:00Z"}, "#/at", "not_an_instant"),
        ({"name": "a", "at": 1763812345}, "#/at", "not_an_instant"),
        ({"name": "a", "inner": {"day": "2025-02-29"}}, "#/inner/day", "not_a_day"),
        ({"name": "a", "inner": {"day": "2025-2-9"}}, "#/inner/day", "not_a_day"),
        ({"name": "a", "inner": []}, "#/inner", "not_an_object"),
        ({"name": "a", "inner": {"tags": "x"}}, "#/inner/tags", "not_a_list"),
    ],
)
def test_a_05_what_cannot_be_kept_is_named(client: FlaskClient, value: Any, pointer: str, code: str) -> None:
    assert code_and_errors(send(client, json.dumps(value))) == (422, "validation_failed", [(pointer, code)])


@pytest.mark.parametrize(
    "text",
    [
        "' OR 1=1 --",
        "%_%",
        "{{7*7}}",
        "{0.__class__}",
        "%s%n",
        "../../etc",
        "$(id)",
        "\u202eabc",
        "<script>",
        "￥",
        "𠮷",
    ],
)
def test_a_05_text_is_text(client: FlaskClient, text: str) -> None:
    assert send(client, json.dumps({"name": text})).status_code == 200


def test_details_of_fields_are_in_the_language_asked_for(client: FlaskClient) -> None:
    chinese, english = (json.loads(send(client, "{}", headers={"Accept-Language": at}).data) for at in ("zh", "en"))
    assert chinese["errors"][0]["detail"] == "请填写"
    assert english["errors"][0]["detail"] == "is missing"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/json; charset=GBK", "application/json; charset=utf-16", "application/json5", "application/xml",
     "application/problem+json", "application/json, text/plain"],
)  # fmt: skip
def test_a_11_only_json_in_utf_8_is_read(client: FlaskClient, content_type: str) -> None:
    assert code_and_errors(send(client, b'{"name": "a"}', content_type)) == (415, "unsupported_media_type", [])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "x"])
def test_a_10_nothing_is_unpacked(client: FlaskClient, encoding: str) -> None:
    bomb = gzip.compress(b" " * 1_000_000)
    for method, path in (
        ("POST", "/api/v1/probe"),
        ("DELETE", f"/api/v1/probe/{'01a205da-7a95-7518-9ed1-d1aeee8126c5'}"),
    ):
        reply = client.open(path, method=method, data=bomb, content_type=JSON, headers={"Content-Encoding": encoding})
        assert reply.status_code == 415


def test_a_50_one_byte_too_many_is_not_read(client: FlaskClient) -> None:
    fits = b'{"name": "a"' + b" " * (LIMIT - 13) + b"}"
    assert len(fits) == LIMIT
    assert send(client, fits).status_code == 200
    assert code_and_errors(send(client, fits + b" ")) == (413, "payload_too_large", [])


class Endless(io.RawIOBase):
    """A chunked body without an end; it counts what was taken of it."""

    taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.taken += len(buffer)
        buffer[:] = b" " * len(buffer)
        return len(buffer)


@pytest.mark.parametrize("path", ["/api/v1/probe", "/callbacks/probe/main"])
def test_a_50_an_endless_body_is_cut_off(client: FlaskClient, path: str) -> None:
    body = Endless()
    chunked = {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    reply = client.post(path, content_type=JSON, environ_overrides=chunked)
    assert code_and_errors(reply) == (413, "payload_too_large", [])
    assert body.taken < 4 * LIMIT


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413), (LIMIT, 413)])
def test_a_50_a_body_without_a_length_is_taken_whole_or_not_at_all(client: FlaskClient, more: int, status: int) -> None:
    body = io.BytesIO(b'{"name": "a"}' + b" " * (LIMIT - 13 + more))
    chunked = {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert client.post("/api/v1/probe", content_type=JSON, environ_overrides=chunked).status_code == status


def test_a_50_many_keys_and_many_faults_make_a_short_reply(client: FlaskClient) -> None:
    many = json.dumps({"name": "a", **{f"k{number}": 0 for number in range(5000)}})
    reply = send(client, many)
    assert reply.status_code == 422
    assert len(json.loads(reply.data)["errors"]) == 50


def test_a_half_character_in_a_key_breaks_no_reply(client: FlaskClient) -> None:
    assert send(client, b'{"\\udfff": 1}').status_code == 400


def test_a_route_without_a_body_takes_none(client: FlaskClient) -> None:
    path = "/api/v1/probe/01a205da-7a95-7518-9ed1-d1aeee8126c5"
    assert client.delete(path).status_code == 204
    assert client.delete(path, json={}).status_code == 204
    assert code_and_errors(client.delete(path, json={"force": True})) == (
        422, "validation_failed", [("#/force", "unknown_field")],
    )  # fmt: skip
    assert client.delete(path, data="x", content_type="text/plain").status_code == 415
    assert client.delete(path, data="[]", content_type=JSON).status_code == 400


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("x=1", "?x", "unknown_field"),
        ("size=1&size=2", "?size", "repeated"),
        ("q=%00", "?q", "invalid_character"),
        ("q=%ff", "?", "invalid_character"),
        ("%c0%80=1", "?", "invalid_character"),
        ("q=%0a", "?q", "invalid_character"),
        ("q=" + "x" * 21, "?q", "too_long"),
        ("limit=1000000000", "?limit", "out_of_range"),
        ("limit=0", "?limit", "out_of_range"),
        ("limit=-1", "?limit", "out_of_range"),
        ("limit=1e2", "?limit", "not_a_whole_number"),
        ("limit=%EF%BC%91", "?limit", "not_a_whole_number"),
        ("limit=" + "9" * 400, "?limit", "not_a_whole_number"),
        ("limit=", "?limit", "not_a_whole_number"),
        ("limit[]=5", "?limit[]", "unknown_field"),
        ("sort=password", "?sort", "unknown_field"),
    ],
)
def test_a_53_queries_are_as_strict(client: FlaskClient, query: str, pointer: str, code: str) -> None:
    assert code_and_errors(client.get(f"/api/v1/probe?{query}")) == (422, "validation_failed", [(pointer, code)])


def test_a_query_is_read_in_its_types(client: FlaskClient) -> None:
    assert client.get("/api/v1/probe?size=7&q=%E9%BC%93").json == {
        "seen": {"cursor": None, "limit": 20, "q": "鼓", "size": 7}
    }


def test_a_body_beside_a_query_is_not_a_second_query(client: FlaskClient) -> None:
    reply = client.get("/api/v1/probe?limit=5", json={"limit": 7})
    assert reply.json is not None
    assert reply.json["seen"]["limit"] == 5
    assert send(client, '{"name": "a"}', query_string="name=b").status_code == 422


def test_a_signed_route_reads_raw_bytes_of_any_kind(client: FlaskClient) -> None:
    reply = client.post("/callbacks/probe/main?x=1", data=b"\xff\x00{", content_type="text/plain")
    assert (reply.status_code, reply.data) == (200, b"3")
