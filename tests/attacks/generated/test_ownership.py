"""Another account's id is nobody's id: each place where an id can stand, with ids of somebody else and of nobody."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from attacks.generated.walk import FILTER, MERCHANT, OWNED, PLACES, PUBLIC, ask, kind_of, own_ids
from attacks.generated.world import Settled, World, created, new_key, new_person, said
from factories import make_account, make_identity, make_login
from sqlalchemy import select
from werkzeug.test import TestResponse

from core.identity.login import token_digest
from core.paging import make_cursor
from miniapp_api.auth import Auth
from models.account import Account, LoginSession
from models.base import new_id

NOT_OPERATIONS = {
    "docs.get_docs_file": "files of the reading page, by a fixed list",
    "h5_files.get_h5_file": "files of the patient's page, by a fixed list",
}


def with_places(*kinds: str) -> list[tuple[str, str]]:
    return [(name, place) for name, places in PLACES.items() for place, kind in places.items() if kind in kinds]


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def somebody_elses(victim: Settled, name: str, place: str) -> Iterator[str]:
    """The right one in two spellings, then every other id of the account, then ids of nobody."""
    right = victim.ids[kind_of(name, place)]
    yield from (right, right.upper(), *filter(_is_id, victim.ids.values()))
    yield from (str(uuid4()), str(new_id()), str(UUID(int=0)), str(UUID(int=2**128 - 1)))


# --- the table is whole ----------------------------------------------------------------------------------------------


def found_places(world: World) -> dict[str, set[str]]:
    """Where the served document and the URL map have an id."""
    found: dict[str, set[str]] = {}
    for operation in world.operations.values():
        places = {f"path.{name}" for name in re.findall(r"<(?:uuid:)?(\w+)>", operation.rule)}
        path = re.sub(r"<(?:uuid:)?(\w+)>", r"{\1}", operation.rule)
        said_of_it = world.document["paths"][path][operation.method.lower()]
        for parameter in said_of_it.get("parameters", []):
            if is_id(parameter["name"], parameter["schema"]):
                places.add(f"{parameter['in']}.{parameter['name']}")
        body = said_of_it.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        places |= {f"body.{name}" for name in ids_in(world, body)}
        if places:
            found[operation.name] = places
    return found


def is_id(name: str, schema: dict[str, Any]) -> bool:
    return schema.get("format") == "uuid" or name.endswith(("_id", "_ids"))


def ids_in(world: World, schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        schema = world.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for name, inner in schema.get("properties", {}).items():
        if is_id(name, inner):
            yield name
        yield from (f"{name}.{deeper}" for deeper in ids_in(world, inner.get("items", inner)))


def test_every_place_of_an_id_has_a_line(world: World) -> None:
    assert found_places(world) == {name: set(places) for name, places in PLACES.items()}


def test_every_rule_with_an_argument_belongs_to_an_operation(world: World) -> None:
    rules = {rule.endpoint: rule.rule for rule in world.app.url_map.iter_rules() if rule.arguments}
    operations = {endpoint for endpoint in rules if endpoint.partition(".")[2] in PLACES}
    assert set(rules) - operations == set(NOT_OPERATIONS)


# --- ids of others ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "place"), with_places(OWNED))
def test_what_another_owns_is_not_found_and_not_touched(world: World, name: str, place: str) -> None:
    victim, attacker = world.settle(), world.settle()
    world.clock.advance(timedelta(seconds=10))  # a payment may be asked about again
    before, calls = world.rows(), world.platform_calls()
    answers = [
        ask(world, attacker.patient, name, own_ids(name, attacker) | {place: wanted})
        for wanted in somebody_elses(victim, name, place)
    ]
    assert {answer.json["code"] if answer.is_json else answer.status_code for answer in answers} == {"not_found"}
    assert all(said(answer) == said(answers[-1]) for answer in answers)
    assert all(headers_of(answer) == headers_of(answers[-1]) for answer in answers)
    assert world.rows() == before
    assert world.platform_calls() == calls
    # The same request is right when it comes from whom it belongs to.
    assert ask(world, victim.patient, name, own_ids(name, victim)).status_code in (200, 201, 202, 204)


def headers_of(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name != "X-Request-Id"}


@pytest.mark.parametrize(("name", "place"), with_places(PUBLIC))
def test_what_nobody_has_is_not_found(world: World, name: str, place: str) -> None:
    writes = world.operations[name].method != "GET"
    victim, attacker = (world.settle(), world.settle()) if writes else world.two_settled()
    before = world.rows()
    right = victim.ids[kind_of(name, place)]
    of_the_kind = {one for kind, one in victim.ids.items() if kind.endswith(kind_of(name, place))}
    wrong = [one for one in somebody_elses(victim, name, place) if one.lower() not in of_the_kind]
    answers = [ask(world, attacker.patient, name, own_ids(name, attacker) | {place: one}) for one in wrong]
    assert {said(answer)[1]["code"] for answer in answers} == {"not_found"}
    assert all(said(answer) == said(answers[-1]) for answer in answers)
    assert world.rows() == before
    own = own_ids(name, attacker) | {place: right}
    # What is everybody's belongs together: a doctor works in one department.
    own |= {one: victim.ids[kind_of(name, one)] for one, kind in PLACES[name].items() if kind == PUBLIC}
    # A card is of one hospital, and this is another one.
    own = {one: wanted for one, wanted in own.items() if not one.endswith("visit_card_id")}
    if name in {"reschedule_own_appointment", "create_follow_up"}:  # which stay within the hospital, or department
        own[place] = attacker.ids["schedule"]
    assert ask(world, attacker.patient, name, own).status_code in (200, 201)


@pytest.mark.parametrize(("name", "place"), with_places(FILTER))
def test_a_filter_by_anothers_id_finds_what_nobodys_id_finds(world: World, name: str, place: str) -> None:
    victim, attacker = world.two_settled()
    ids = own_ids(name, attacker)
    nobodys = ask(world, attacker.patient, name, ids | {place: str(uuid4())})
    anothers = ask(world, attacker.patient, name, ids | {place: victim.ids[kind_of(name, place)]})
    assert (anothers.status_code, anothers.data) == (nobodys.status_code, nobodys.data)
    assert anothers.json["items"] == []
    mine = ask(world, attacker.patient, name, ids | {place: attacker.ids[kind_of(name, place)]})
    assert mine.status_code == 200


@pytest.mark.parametrize(("name", "place"), with_places(MERCHANT))
def test_an_event_for_a_merchant_that_is_not_ours_is_not_found(world: World, name: str, place: str) -> None:
    before, client = world.rows(), world.app.test_client()
    for merchant in ("nobody", "demo2", "DEMO", "demo%00", "%F0%9F%98%80", str(uuid4())):
        operation = world.operations[name]
        data = b"{}" if operation.method == "POST" else None
        answer = client.open(f"{operation.rule.partition('<')[0]}{merchant}", method=operation.method, data=data)
        assert (answer.status_code, said(answer)[1]["code"]) == (404, "not_found")
    assert world.rows() == before


# --- lists, cursors and keys -----------------------------------------------------------------------------------------


def test_no_reply_of_one_account_shows_an_id_of_another(world: World) -> None:
    victim, attacker = world.settle(), world.settle()
    hidden = {
        "dependent",
        "card",
        "check",
        "appointment",
        "booked",
        "today",
        "visited",
        "lost",
        "offer",
        "payment",
        "strike",
    }
    hidden |= {"join", "joined", "oneself", "grant"}
    for name, operation in world.operations.items():
        if operation.method == "GET" and operation.auth is Auth.LOGIN:
            answer = ask(world, attacker.patient, name, own_ids(name, attacker) if name in PLACES else {})
            assert answer.status_code == 200, answer.text
            assert not [kind for kind in hidden if victim.ids[kind] in answer.text], name


@pytest.mark.parametrize(("path", "kind"), [("/appointments", "booked"), ("/dependents", "dependent")])
def test_a_cursor_at_anothers_row_opens_nothing(world: World, path: str, kind: str) -> None:
    attacker, victim = world.settle(), world.settle()
    for place in (victim.ids[kind], str(UUID(int=0)), str(UUID(int=2**128 - 1))):
        page = attacker.patient.get(f"{path}?cursor={make_cursor(UUID(place))}")
        assert page.status_code == 200
        assert {one["id"] for one in page.json["items"]} <= set(attacker.ids.values())


def test_anothers_idempotency_key_is_a_key_of_ones_own(world: World) -> None:
    victim, attacker, key = world.anybody(), world.anybody(), new_key()
    wanted = new_person()
    first = created(victim.post("/dependents", wanted, key=key))
    second = created(attacker.post("/dependents", wanted, key=key))
    assert first["id"] != second["id"]
    assert attacker.get(f"/dependents/{first['id']}").status_code == 404


# --- who has no login ------------------------------------------------------------------------------------------------


def bad_headers(world: World) -> Iterator[tuple[str, str | None]]:
    """How a caller may fail to say who they are."""
    good = world.anybody().token
    yield from (("none", None), ("empty", ""), ("no token", "Bearer"), ("blank", "Bearer  "))
    yield from (("bare", good), ("basic", f"Basic {good}"), ("two", f"Bearer {good} {good}"))
    yield from (("cut", f"Bearer {good[:-1]}"), ("longer", f"Bearer {good}A"), ("quoted", f'Bearer "{good}"'))
    yield from (("other", f"Bearer {secrets.token_urlsafe(32)}"), ("long", f"Bearer {'A' * 5000}"))
    yield from (("non-ASCII", f"Bearer {good}\u00e9"), ("comma", f"Bearer {good}, Bearer {good}"))
    yield "hash", f"Bearer {token_digest(good).hex()}"
    revoked = world.anybody()
    assert revoked.send("DELETE", "/sessions/current").status_code == 204
    yield "revoked", f"Bearer {revoked.token}"
    yield "expired", f"Bearer {written_login(world, lasts=timedelta(days=1))}"
    yield "over this instant", f"Bearer {written_login(world, lasts=timedelta(days=2))}"
    yield "account closed", f"Bearer {closed_account(world)}"


def written_login(world: World, *, lasts: timedelta) -> str:
    """A login that began two days ago."""
    token, began = secrets.token_urlsafe(32), world.clock.now() - timedelta(days=2)
    with world.database.write() as session:
        account = make_account(session, now=began)
        identity = make_identity(session, world.workbench.vault, account, now=began)
        make_login(session, account, identity, token_hash=token_digest(token), now=began, lasts=lasts)
    return token


def closed_account(world: World) -> str:
    patient = world.anybody()
    with world.database.write() as session:
        query = select(LoginSession.account_id).where(LoginSession.token_hash == token_digest(patient.token))
        account = session.get_one(Account, session.scalars(query).one())
        account.closed_at = world.clock.now()
    return patient.token


def test_without_a_live_login_every_patient_route_is_401(world: World) -> None:
    owner, client = world.settle(), world.app.test_client()
    assert ask(world, owner.patient, "get_account", {}).status_code == 200
    bad, before = list(bad_headers(world)), world.rows()
    patients = {name: one for name, one in world.operations.items() if one.auth is Auth.LOGIN}
    assert len(patients) == 59
    for operation in patients.values():
        path = re.sub(r"<uuid:(\w+)_id>", lambda found: owner.ids[found[1]], operation.rule)
        answers = []
        for kind, header in bad:
            headers = {} if header is None else {"Authorization": header}
            answer = client.open(path, method=operation.method, headers=headers | {"Idempotency-Key": new_key()})
            assert answer.status_code == 401, (operation.name, kind)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            answers.append(said(answer))
        assert all(one == answers[0] for one in answers)
        assert answers[0][1]["code"] == "unauthenticated"
        assert said(client.open(f"{path}?access_token={owner.patient.token}", method=operation.method)) == answers[0]
    assert world.rows() == before
