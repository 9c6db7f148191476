"""Bad input of every kind, generated from the served document: refused, named, and without a trace in any table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from attacks.generated.walk import BODIES, own_ids, request_of
from attacks.generated.world import Settled, World
from werkzeug.test import TestResponse

from miniapp_api.auth import Auth
from miniapp_api.callbacks import BLUEPRINTS as CALLBACKS
from miniapp_api.h5 import BLUEPRINTS as H5
from miniapp_api.health import BLUEPRINTS as HEALTH
from miniapp_api.openapi import Operation
from miniapp_api.patient import BLUEPRINTS as PATIENT

OPERATIONS: dict[str, Operation] = {one.name: one for each in (*PATIENT, *HEALTH) for one in each.operations}
EVENTS = sorted(one.name for each in CALLBACKS for one in each.operations if one.auth is Auth.SIGNATURE)
PAGES = {one.name for each in (*CALLBACKS, *H5) for one in each.operations if one.page}
WRITES = sorted(name for name, one in OPERATIONS.items() if one.method != "GET")
KEYED = sorted(name for name, one in OPERATIONS.items() if one.keyed)

NOT_ASSIGNABLE: dict[str, Any] = {
    "id": "0198a000-0000-7000-8000-000000000000", "account_id": "0198a000-0000-7000-8000-000000000000",
    "person_id": "0198a000-0000-7000-8000-000000000000", "hospital_id": "0198a000-0000-7000-8000-000000000000",
    "slot_id": "0198a000-0000-7000-8000-000000000000", "identity_id": "0198a000-0000-7000-8000-000000000000",
    "status": "booked", "amount_fen": 1, "fee_fen": 0, "due_fen": 0, "paid_fen": 1, "verified": True,
    "is_default": True, "identity_level": 2, "identity_status": "verified", "level": 2, "number": "1", "now": 1,
    "hold_expires_at": "2099-01-01T00:00:00Z", "cancel_before": "2099-01-01T00:00:00Z", "out_trade_no": "1",
    "merchant": "demo", "sequence": 1, "session_id": "1", "visit_card_id": "1",
}  # fmt: skip
ASSIGNABLE = {"create_appointment": {"visit_card_id"}, "create_hospital_card": {"hospital_id", "number"}}
"""Which of them a client may set after all."""
MALFORMED = {
    "open": b"{", "list": b"[]", "number": b"7", "text": b'"x"', "null": b"null", "two": b"{}{}",
    "infinite": b'{"a":1e999}',
    "NaN": b'{"a":NaN}', "twice": b'{"a":1,"a":1}', "latin": b'{"a":"\xe9"}', "UTF-16": '{"a":1}'.encode("utf-16"),
    "deep": b'{"a":' * 6000 + b"1" + b"}" * 6000, "deep list": b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "mark": b"\xef\xbb\xbf{}", "NUL": b"\x00{}", "NUL in a key": b'{"a\\u0000":1}', "half key": b'{"\\ud800":1}',
    "17 deep": b'{"a":' * 17 + b"1" + b"}" * 17, "digits": b'{"a":' + b"9" * 5000 + b"}",
}  # fmt: skip
UNFIT = {
    "NUL": "a\0b",
    "half": "\ud800",
    "other half": "\udfff",
    "huge": 2**63,
    "huge below": -(2**64),
    "vast": 10**400,
}
WRONG_TYPES: tuple[Any, ...] = (7, -1, 1.5, True, [], ["x"], {}, {"$ne": None})
WRONG_QUERIES = (
    "", " ", "0", "-1", "1000000000", "9" * 400, "1e3", "0x10", "١", "x" * 5000, "\0", "a\0b", "null", "[]", "'--",
    "2026-02-30", "9999-12-31", "0001-01-01", "91,0", "nan,nan", "inf,inf", "1e400,0", "\u202e", "🏥" * 300,
)  # fmt: skip


class Sender:
    """One operation asked by somebody who may, again and again."""

    def __init__(self, world: World, name: str, settled: Settled) -> None:
        self.world, self.name, self.settled = world, name, settled

    def __call__(self, data: bytes | None = None, *, extra: str = "", **headers: str) -> TestResponse:
        request = request_of(self.world, self.name, own_ids(self.name, self.settled))
        given = {"Authorization": f"Bearer {self.settled.patient.token}", "Content-Type": "application/json"}
        given |= request.pop("headers") | {name.replace("_", "-"): value for name, value in headers.items()}
        fitting = request.pop("json", {})
        if OPERATIONS[self.name].method != "GET":
            request["data"] = json.dumps(fitting).encode() if data is None else data
        query = "&".join(f"{name}={quote(value)}" for name, value in request.pop("query_string").items())
        request["query_string"] = "&".join(filter(None, (query, extra)))
        return self.settled.patient.client.open(**request, headers=given)

    def body(self, **changed: Any) -> TestResponse:
        return self(json.dumps(self.fitting() | changed).encode())

    def fitting(self) -> dict[str, Any]:
        found: dict[str, Any] = request_of(self.world, self.name, own_ids(self.name, self.settled)).get("json", {})
        return found


def documented(world: World, name: str) -> dict[str, Any]:
    items = world.document["paths"].values()
    every = (one for item in items for one in item.values() if isinstance(one, dict))
    found: dict[str, Any] = next(one for one in every if one.get("operationId") == name)
    return found


def fields(world: World, name: str) -> dict[str, dict[str, Any]]:
    ref = documented(world, name)["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    found: dict[str, dict[str, Any]] = world.document["components"]["schemas"][ref]["properties"]
    return found


def required(world: World, name: str) -> list[str]:
    ref = documented(world, name)["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return list(world.document["components"]["schemas"][ref].get("required", []))


def refused(answer: TestResponse, *codes: str) -> None:
    assert answer.status_code in range(400, 500), (answer.status_code, answer.text)
    assert answer.mimetype == "application/problem+json"
    assert json.loads(answer.data)["code"] in codes, answer.text


def names(answer: TestResponse, *pointers: str) -> None:
    """422 at exactly these places."""
    assert (answer.status_code, json.loads(answer.data)["code"]) == (422, "validation_failed"), answer.text
    found = {error["pointer"] for error in json.loads(answer.data)["errors"]}
    assert found == set(pointers), (found, pointers)


@pytest.fixture
def sender(world: World, name: str) -> Iterator[Sender]:
    """Whatever it sends is refused and writes nothing."""
    settled, _ = world.two_settled()
    before = world.rows()
    yield Sender(world, name, settled)
    assert world.rows() == before


@pytest.mark.parametrize("name", WRITES)
def test_what_is_no_json_object_is_refused(sender: Sender) -> None:
    for data in MALFORMED.values():
        refused(sender(data), "malformed_json")
    for size in (65_537, 1_000_000):
        refused(sender(b'{"a":"' + b"x" * (size - 8) + b'"}'), "payload_too_large")
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/xml",
    ):
        refused(sender(b'{"a":1}', Content_Type=kind), "unsupported_media_type")
    for encoding in ("gzip", "br", "identity, gzip", "x"):
        refused(sender(b'{"a":1}', Content_Encoding=encoding), "unsupported_media_type")


@pytest.mark.parametrize("name", WRITES)
def test_a_field_nobody_may_set_is_refused_and_named(sender: Sender, world: World, name: str) -> None:
    known = fields(world, name) if name in BODIES else {}
    not_assignable = {field: NOT_ASSIGNABLE[field] for field in NOT_ASSIGNABLE.keys() - ASSIGNABLE.get(name, set())}
    for field, value in {"nobody_knows": 1, "a/b~c": 1, **not_assignable}.items():
        assert field not in known, "think again: may a client set it?"
        pointer = "#/" + field.replace("~", "~0").replace("/", "~1")
        names(sender.body(**{field: value}), pointer)
    every = [f"#/{field}" for field in not_assignable]
    names(sender.body(**not_assignable), *every)


@pytest.mark.parametrize("name", sorted(BODIES))
def test_a_field_of_the_wrong_kind_is_refused_and_named(sender: Sender, world: World, name: str) -> None:
    known = fields(world, name)
    for field, schema in known.items():
        kinds = schema.get("type", "anything")
        for value in WRONG_TYPES:
            if not fits(value, kinds):
                names(sender.body(**{field: value}), f"#/{field}")
        if "null" not in kinds and kinds != "anything":
            names(sender.body(**{field: None}), f"#/{field}")
        for value in UNFIT.values():
            names(sender.body(**{field: value}), f"#/{field}")
            names(sender.body(**{field: {"in": [value]}}), f"#/{field}/in/0")
    for field in required(world, name):
        rest = {key: value for key, value in sender.fitting().items() if key != field}
        names(sender(json.dumps(rest).encode()), f"#/{field}")


def fits(value: Any, kinds: Any) -> bool:
    """Whether the document lets a field hold such a value; what it lets pass may still be refused elsewhere."""
    kind = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}[type(value)]
    return kinds == "anything" or kind in kinds or (kind == "integer" and "number" in kinds)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_query_that_is_wrong_is_refused_and_named(sender: Sender, world: World, name: str) -> None:
    for query in ("nobody_knows=1", "__proto__=1", "a%5B%5D=1"):
        names(sender(extra=query), f"?{query.partition('=')[0].replace('%5B%5D', '[]')}")
    names(sender(extra="a%00b=1"), "?a\0b")
    names(sender(extra="a=%ff"), "?")
    queries = [one for one in documented(world, name).get("parameters", []) if one["in"] == "query"]
    for parameter in queries:
        field = parameter["name"]
        names(sender(extra=f"{field}=1&{field}=1"), f"?{field}")
        if field == "limit":
            for wrong in ("1000000000", "0", "-1", "101", "1.0", "", "9" * 400, "١"):
                names(sender(extra=f"limit={quote(wrong)}"), "?limit")


@pytest.mark.parametrize("name", sorted(name for name, one in OPERATIONS.items() if one.method == "GET"))
def test_no_query_is_too_much_for_us(sender: Sender, world: World, name: str) -> None:
    queries = [one["name"] for one in documented(world, name).get("parameters", []) if one["in"] == "query"]
    standing = set(request_of(world, name, own_ids(name, sender.settled))["query_string"])
    for field in set(queries) - standing:
        for value in WRONG_QUERIES:
            answer = sender(extra=f"{field}={quote(value)}")
            if answer.status_code != 200:
                names(answer, f"?{field}")


@pytest.mark.parametrize("name", KEYED)
def test_a_key_that_is_none_is_refused(sender: Sender) -> None:
    for key in ("", "x" * 15, "x" * 129, "x" * 5000, "with a space in it", "\u00e9" * 20, "tab\tin the middle of it"):
        refused(sender(Idempotency_Key=key), "idempotency_key_required")


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_nobody_signed_moves_nothing(world: World, name: str) -> None:
    path = request_of(world, name, own_ids(name, world.two_settled()[0]))["path"]
    before, client = world.rows(), world.app.test_client()
    for data in (b"", *MALFORMED.values()):
        assert client.post(path, data=data).status_code in {401, 403, 413}, data[:20]
    assert client.post(path, data=b"x" * 65_537).status_code == 413
    after = world.rows()
    assert len(after["refused_events"]) - len(before["refused_events"]) in range(16)  # a sample of them is kept
    assert {**after, "refused_events": []} == {**before, "refused_events": []}


def test_every_write_is_attacked(world: World) -> None:
    assert {*OPERATIONS, *EVENTS, *PAGES} == set(world.operations)
    assert {name for name in OPERATIONS if "requestBody" in documented(world, name)} == set(BODIES)
    open_to_all = {name for name, one in OPERATIONS.items() if one.auth is Auth.NONE and one.method != "GET"}
    assert open_to_all == {"create_session"}
