"""Every route of the URL map that takes an id, walked with another account's: the same 404 as for an id of nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from ward import OPERATIONS, PRIVATE, PUBLIC, Ward, request_of, settle_in
from wire import Phone, Reply

from miniapp_api.openapi import Operation
from models.base import new_id

_ARGUMENT = re.compile(r"<uuid:(\w+)>")
WITH_ID = sorted(name for name, operation in OPERATIONS.items() if _ARGUMENT.search(operation.rule))
OF_SOMEBODY = sorted(name for name in WITH_ID if PRIVATE & set(_ARGUMENT.findall(OPERATIONS[name].rule)))
NAMED_IN_QUERY = {("get_eligibility", "dependent_id"), ("list_own_appointments", "dependent_id")}
NAMED_IN_BODY = {
    ("create_account_grant", "dependent_id"),
    ("create_account_join", "join_id"),
    ("create_appointment", "dependent_id"),
    ("create_consent", "dependent_id"),
}
one_kind = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def ask(phone: Phone, operation: Operation, ids: Mapping[str, str]) -> Reply:
    method, path, body, headers = request_of(operation, ids)
    return phone.send(method, path.removeprefix("/api/v1"), body, key=headers.get("Idempotency-Key"))


def told(reply: Reply) -> tuple[int, Any]:
    """All of it but the request's own id."""
    return reply.status, {name: value for name, value in reply.json.items() if name != "instance"}


def test_the_walk_knows_every_id_of_the_url_map(ward: Ward) -> None:
    documented = {operation.rule for operation in OPERATIONS.values()}
    for rule in ward.app.url_map.iter_rules():
        assert set(_ARGUMENT.findall(rule.rule)) <= PRIVATE | PUBLIC, f"{rule.rule}: whose is its id?"
        assert rule.rule in documented or rule.endpoint.startswith(("docs.", "h5_files.")), (
            f"{rule.rule} is no operation"
        )


@one_kind
def test_the_walk_knows_every_id_in_queries_and_bodies(ward: Ward) -> None:
    document = ward.send("GET", "/openapi.json").json
    queries, bodies = set(), set()
    for operation in (one for path in document["paths"].values() for one in path.values() if isinstance(one, dict)):
        name = operation["operationId"]
        queries |= {(name, one["name"]) for one in operation.get("parameters", []) if one.get("in") == "query"}
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = document["components"]["schemas"].get(content["schema"].get("$ref", "").rpartition("/")[2], {})
            bodies |= {(name, field) for field in schema.get("properties", {})}
    assert {(name, field) for name, field in queries if field in PRIVATE} == NAMED_IN_QUERY
    assert {(name, field) for name, field in bodies if field in PRIVATE} == NAMED_IN_BODY


def test_an_id_of_nothing_is_not_found(ward: Ward, owner: Phone) -> None:
    nothing = {one: str(new_id()) for one in ward.ids}
    told_of = {name: ask(owner, OPERATIONS[name], nothing) for name in WITH_ID}
    assert {name: (reply.status, reply.code) for name, reply in told_of.items()} == dict.fromkeys(
        WITH_ID, (404, "not_found")
    )


def test_what_is_somebody_elses_is_as_if_it_were_not(ward: Ward, owner: Phone) -> None:
    stranger, nothing = ward.log_in("stranger"), {one: str(new_id()) for one in ward.ids}
    for name in OF_SOMEBODY:
        theirs, none = ask(stranger, OPERATIONS[name], ward.ids), ask(stranger, OPERATIONS[name], nothing)
        assert told(theirs) == told(none), name
        assert theirs.code == "not_found", name
    last = ("GET", "PUT", "PATCH", "POST", "DELETE")  # the walk's ids are there until something takes them away
    for name in sorted(OF_SOMEBODY, key=lambda one: (last.index(OPERATIONS[one].method), one == "delete_dependent")):
        # No mini-program goes with the logins of this ward, and nobody is their own guardian.
        if name not in ("get_miniapp_link", "name_dependent_guardian"):
            assert ask(owner, OPERATIONS[name], ward.ids).code != "not_found", name


@pytest.mark.parametrize(("name", "field"), sorted(NAMED_IN_QUERY))
def test_somebody_elses_id_in_a_query_finds_nothing(ward: Ward, owner: Phone, name: str, field: str) -> None:
    stranger = ward.log_in("stranger")
    path = OPERATIONS[name].rule.replace("<uuid:schedule_id>", ward.ids["schedule_id"]).removeprefix("/api/v1")
    theirs, none = (stranger.send("GET", f"{path}?{field}={one}") for one in (ward.ids[field], new_id()))
    assert told(theirs) == told(none)
    assert theirs.status == 404 or theirs.json == {"items": [], "next_cursor": None}
    assert told(owner.send("GET", f"{path}?{field}={ward.ids[field]}")) != told(none)


@pytest.mark.parametrize(("name", "field"), sorted(NAMED_IN_BODY))
def test_somebody_elses_id_in_a_body_finds_nothing(ward: Ward, owner: Phone, name: str, field: str) -> None:
    stranger = ward.log_in("stranger")
    body = request_of(OPERATIONS[name], ward.ids)[2]
    if name == "create_consent":
        body |= {"purpose": "face"}
        ours = owner.get("/account/consents")["items"]
        body |= {"version": next(one["version"] for one in ours if one["purpose"] == "face")}
    path = OPERATIONS[name].rule.removeprefix("/api/v1")
    theirs, none = (stranger.post(path, body | {field: str(one)}) for one in (ward.ids[field], new_id()))
    assert told(theirs) == told(none)
    assert theirs.code == "not_found"


def test_a_strangers_attempts_move_nothing(ward: Ward) -> None:
    """Every writing route, with every id of somebody else: afterwards all is as before."""
    owner = settle_in(ward)
    stranger = ward.log_in("stranger")
    seen = ("/appointments", f"/dependents/{ward.ids['dependent_id']}", "/account/consents")
    before = [owner.get(path) for path in seen]
    for name in OF_SOMEBODY:
        if OPERATIONS[name].method != "GET":
            ask(stranger, OPERATIONS[name], ward.ids)
    assert [owner.get(path) for path in seen] == before
