"""Too much, too little and something else, at every route: 4xx that names the field, and never anything of ours."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from ward import BODIES, OPERATIONS, PRIVATE, PUBLIC, Ward, request_of
from wire import Phone, Reply

from miniapp_api.auth import Auth
from miniapp_api.openapi import Operation

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
WRITES = sorted(name for name, one in OPERATIONS.items() if one.method != "GET" and one.auth is not Auth.SIGNATURE)
READS = sorted(
    name for name, one in OPERATIONS.items() if one.method == "GET" and not one.page and one.auth is not Auth.SIGNATURE
)
UNASKED = {
    "id": "01a205ee-7b8f-7046-ad1c-567e12b4e44b", "account_id": "01a205ee-7b8f-7046-ad1c-567e12b4e44b",
    "person_id": "01a205ee-7b8f-7046-ad1c-567e12b4e44b", "status": "booked", "fee_fen": 0, "amount_fen": 1,
    "identity_level": 2, "identity_status": "verified", "is_default": True, "level": 2, "merchant": "gulou",
    "hold_expires_at": "2099-01-01T00:00:00Z", "cancel_before": "2099-01-01T00:00:00Z", "created_at": None,
    "__class__": "Account", "constructor": {}, "$where": "1",
}  # fmt: skip
"""What nobody may set, and what no schema knows."""
NOT_OBJECTS = {
    "nothing": b"", "half": b'{"pay": ', "list": b"[]", "text": b'"text"', "number": b"1", "null": b"null",
    "two values": b"{} {}", "a key twice": b'{"a": 1, "a": 1}', "NaN": b'{"a": NaN}', "endless": b'{"a": 1e999}',
    "not UTF-8": b'{"a": "\xff"}', "UTF-16": '{"a": 1}'.encode("utf-16"), "a mark before": b"\xef\xbb\xbf{}",
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000, "single quotes": b"{'a': 1}", "NUL in a key": b'{"a\\u0000": 1}',
}  # fmt: skip
JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 1.5, "", "x" * 5000, "\u0000", "\ud800", "\u202e", "a\r\nb: c", [], ["x"], {}, {"$ne": 1},
    "' OR 1=1 --", "{{7*7}}", "../../etc/passwd", "2026-02-30", "2026-13-01T00:00:00Z", "null",
)  # fmt: skip
NOT_JSON = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json")
NOT_KEYS = ("", "short", "x" * 129, "with a space in it", "中文中文中文中文中文中文", "x" * 5000)
IDS = ("0", "null", "x" * 300, "01a205ee", "01A205EE-7B8F-7046-AD1C-567E12B4E44B0", "%00", "..", "１", "' OR 1=1 --")


def send(phone: Phone, ward: Ward, operation: Operation, **changed: Any) -> Reply:
    """The request that fits, with what `changed` says in its place."""
    method, path, body, headers = request_of(operation, ward.ids)
    headers |= {"Authorization": f"Bearer {phone.token}", "Content-Type": "application/json"}
    headers |= changed.get("headers", {})
    if changed.get("query"):
        path += ("&" if "?" in path else "?") + changed["query"]
    said = changed.get("body", body)
    data = changed["raw"] if "raw" in changed else b"" if said is None else json.dumps(said).encode()
    if method == "GET":
        data = b""
    answer = ward.app.test_client().open(changed.get("path", path), method=method, data=data, headers=headers)
    return Reply(answer.status_code, answer.get_json(silent=True), answer.data)


def pointers(reply: Reply) -> list[str]:
    return [one["pointer"] for one in (reply.json or {}).get("errors", [])]


def documented(ward: Ward) -> dict[str, dict[str, Any]]:
    """Each operation of the contract by its id."""
    paths = ward.send("GET", "/openapi.json").json["paths"].values()
    return {one["operationId"]: one for path in paths for one in path.values() if isinstance(one, dict)}


def fields_of(ward: Ward, name: str) -> dict[str, dict[str, Any]]:
    """The fields of an operation's body, each with its schema."""
    ref = documented(ward)[name]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    found: dict[str, dict[str, Any]] = ward.send("GET", "/openapi.json").json["components"]["schemas"][ref][
        "properties"
    ]
    return found


def fits(junk: Any, schema: dict[str, Any]) -> bool:
    """Whether the contract's type takes it; what it means is another matter."""
    kinds = schema.get("type", [])
    kind = {
        "NoneType": "null",
        "bool": "boolean",
        "int": "integer",
        "float": "number",
        "str": "string",
        "list": "array",
    }.get(type(junk).__name__, "other")
    return kind in kinds or (kind == "integer" and "number" in kinds) or (kind == "string" and "enum" in schema)


OF_ANOTHER = {
    "ask_for_agreement": ("#/way",), "give_agreement": ("#/way",),
    "give_dependent_document": ("#/id_type", "#/id_number"), "name_dependent_guardian": ("#/guardian_dependent_id",),
}  # fmt: skip
"""What this ward's dependent, oneself and of age, needs no word for: where it is told so."""


def test_every_operation_that_takes_a_body_is_here(ward: Ward) -> None:
    taking = {name for name, one in documented(ward).items() if "requestBody" in one}
    signed = {name for name, operation in OPERATIONS.items() if operation.auth is Auth.SIGNATURE}
    assert taking - signed == BODIES.keys()


def test_what_nobody_may_set_is_refused(ward: Ward, owner: Phone) -> None:
    """A-25."""
    for name in BODIES:
        operation = OPERATIONS[name]
        body = request_of(operation, ward.ids)[2]
        for field, value in UNASKED.items():
            reply = send(owner, ward, operation, body=body | {field: value})
            assert (reply.status, reply.code) == (422, "validation_failed"), (name, field)
            told = [(one["pointer"], one["code"]) for one in reply.json["errors"]]
            assert told == [(f"#/{field}", "unknown_field")], name
        if name not in OF_ANOTHER:
            assert send(owner, ward, operation).code != "validation_failed", name  # without it, it fits


def test_what_is_no_object_is_refused(ward: Ward, owner: Phone) -> None:
    contract = documented(ward)
    for name in WRITES:
        operation = OPERATIONS[name]
        for kind, data in NOT_OBJECTS.items():
            if data or contract[name].get("requestBody", {}).get("required"):
                reply = send(owner, ward, operation, raw=data)
                assert (reply.status, reply.code) == (400, "malformed_json"), (name, kind)
        reply = send(owner, ward, operation, raw=b'{"a": "' + b"x" * 65_536 + b'"}')
        assert (reply.status, reply.code) == (413, "payload_too_large"), name
        for content in NOT_JSON:
            reply = send(owner, ward, operation, raw=b'{"a": 1}', headers={"Content-Type": content})
            assert (reply.status, reply.code) == (415, "unsupported_media_type"), (name, content)
        reply = send(owner, ward, operation, raw=b"{}", headers={"Content-Encoding": "gzip"})
        assert reply.code == "unsupported_media_type", name


def test_every_field_refuses_junk_and_is_named(ward: Ward, owner: Phone) -> None:
    for name in sorted(name for name, body in BODIES.items() if body):
        body = request_of(OPERATIONS[name], ward.ids)[2]
        for field, schema in fields_of(ward, name).items():
            for junk in JUNK:
                reply = send(owner, ward, OPERATIONS[name], body=body | {field: junk})
                seen = (name, field, junk, reply)
                assert reply.status < 500, seen
                if reply.code == "validation_failed":
                    named = (f"#/{field}", *OF_ANOTHER.get(name, ()))
                    assert all(one.startswith(named) for one in pointers(reply)), seen
                else:
                    assert fits(junk, schema) or reply.code == "identity_frozen", seen


def test_queries_nobody_knows_are_refused_and_named(ward: Ward, owner: Phone) -> None:
    for name in (*READS, *WRITES):
        for query in ("nope=1", "limit[]=1", "__proto__=1"):
            reply = send(owner, ward, OPERATIONS[name], query=query)
            assert (reply.status, reply.code) == (422, "validation_failed"), (name, query)
            assert pointers(reply) == [f"?{query.partition('=')[0]}"], name


def test_every_query_refuses_junk_and_is_named(ward: Ward, owner: Phone) -> None:
    contract = documented(ward)
    for name in READS:
        path = request_of(OPERATIONS[name], ward.ids)[1].partition("?")[0]
        for parameter in (one["name"] for one in contract[name].get("parameters", []) if one["in"] == "query"):
            for junk in (one for one in JUNK if isinstance(one, str)):
                text = quote(junk.encode("utf-8", "surrogatepass"))
                reply = send(owner, ward, OPERATIONS[name], path=f"{path}?{parameter}={text}")
                assert reply.status in {200, 404, 422}, (name, parameter, junk, reply)
            reply = send(owner, ward, OPERATIONS[name], path=f"{path}?{parameter}=1&{parameter}=2")
            assert pointers(reply) == [f"?{parameter}"], name


def test_what_is_no_id_is_not_found(ward: Ward, owner: Phone) -> None:
    for operation in OPERATIONS.values():
        for name in (one for one in PRIVATE | PUBLIC if f"<uuid:{one}>" in operation.rule):
            for junk in IDS:
                path = operation.rule.replace(f"<uuid:{name}>", quote(junk, safe="%"))
                reply = send(owner, ward, operation, path=path)
                assert (reply.status, reply.code) == (404, "not_found"), path


def test_a_key_is_a_key(ward: Ward, owner: Phone) -> None:
    for operation in (one for one in OPERATIONS.values() if one.keyed):
        for key in NOT_KEYS:
            reply = send(owner, ward, operation, headers={"Idempotency-Key": key.encode().decode("latin-1")})
            assert (reply.status, reply.code) == (400, "idempotency_key_required"), (operation.name, key)
