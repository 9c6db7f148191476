"""Every code that an operation has by its kind is provoked on it, and on both kinds of database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from attacks.generated.walk import PLACES, PUBLIC, own_ids, request_of
from attacks.generated.world import Settled, World, new_key, new_person
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from core.idempotency import KeyedRequest, lease_key, take_key
from core.identity.login import token_digest
from miniapp_api import limits
from miniapp_api.app import BLUEPRINTS
from miniapp_api.auth import Auth
from miniapp_api.documented import implied_codes
from miniapp_api.openapi import Operation
from miniapp_api.problems import PROBLEMS
from models import database as database_module
from models.account import LoginSession
from models.base import canonical_json

NAMES = sorted(one.name for blueprint in BLUEPRINTS for one in blueprint.operations)


class Attack:
    """One operation, somebody who may ask for it, and a request that fits."""

    def __init__(self, world: World, name: str, settled: Settled, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.name, self.settled, self.monkeypatch = world, name, settled, monkeypatch
        self.operation: Operation = world.operations[name]
        self.endpoint = next(one for one in world.app.view_functions if one.endswith(f".{name}"))

    def send(self, *, ids: dict[str, str] | None = None, **changed: Any) -> TestResponse:
        request = request_of(self.world, self.name, own_ids(self.name, self.settled) | (ids or {}))
        headers = {"Authorization": f"Bearer {self.settled.patient.token}"} if self.operation.auth is Auth.LOGIN else {}
        headers |= request.pop("headers") | changed.pop("headers", {})
        if "data" in changed:
            request.pop("json", None)
        return self.settled.patient.client.open(**request | changed, headers=headers)

    def send_raw(self, data: bytes, content_type: str = "application/json") -> TestResponse:
        return self.send(data=data, headers={"Content-Type": content_type})


# --- one provocation for each code -----------------------------------------------------------------------------------


def no_login(attack: Attack) -> TestResponse:
    return attack.send(headers={"Authorization": "Bearer nobody"})


def unknown_query(attack: Attack) -> TestResponse:
    return attack.send(query_string={"nobody_knows": "1"})


def nobodys_id(attack: Attack) -> TestResponse:
    if attack.name == "get_page_signature":  # not found is what the login's app has none of
        attack.monkeypatch.setattr(attack.world.adapters, "officials", {})
        return attack.send()
    place, kind = next((place, kind) for place, kind in PLACES[attack.name].items() if place != "query.doctor_id")
    assert kind != PUBLIC or attack.name.startswith(("get_", "show_", "create_appointment", "create_bundle"))
    return attack.send(ids={place: str(uuid4())})


def too_many(attack: Attack) -> TestResponse:
    config = attack.world.app.extensions["yuezhen"].config
    strict = limits.Limits(replace(config, address_limit="1/hour"))
    attack.monkeypatch.setitem(attack.world.app.extensions, "yuezhen-limits", strict)
    attack.send(query_string={"nobody_knows": "1", "to": "//nowhere"})  # counts, and does nothing
    return attack.send()


def database_away(attack: Attack) -> TestResponse:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    attack.monkeypatch.delitem(attack.world.app.extensions, "yuezhen-shared-replies", raising=False)  # of a second ago
    for way in ("_sessions", "find"):
        attack.monkeypatch.setattr(attack.world.database, way, refuse)
    adapters, read = attack.world.adapters, attack.world.workbench.transactions.read
    # Who proves it reads the token store where no key fits.
    if attack.name == "alipay_app_event":
        attack.monkeypatch.setattr(adapters.the_app_gateway, "answer", lambda _body: read(lambda _session, _now: None))
    if attack.name == "alipay_payment_return":
        attack.monkeypatch.setattr(adapters, "payment_return", lambda _merchant: read(lambda _session, _now: None))
    return attack.send()


class _Heard(list[str]):
    """A warning that comes with every COMMIT."""

    def clear(self) -> None:
        self.append("canceling wait for synchronous replication")


SHOWN_UNDER_A_GRANT = {"get_appointment", "get_eligibility", "get_visit_pass", "list_own_appointments"}
"""Looking at one's own writes nothing; looking at another's is written down."""


def by_a_holder(attack: Attack) -> Attack:
    """The same, asked about somebody who lets the one who asks book for them."""
    world, granter, holder = attack.world, attack.world.settle(), attack.world.anybody()
    oneself = granter.ids["oneself"]
    world.grant(granter.patient, oneself, holder, "book")
    booked = world.booked(granter.patient, oneself, in_days=11)
    ids = granter.ids | {"dependent": oneself, "appointment": booked, "booked": booked}
    return Attack(world, attack.name, Settled(holder, ids), attack.monkeypatch)


def commit_unsure(attack: Attack) -> TestResponse:
    attack = by_a_holder(attack) if attack.name in SHOWN_UNDER_A_GRANT else attack
    attack.world.clock.advance(timedelta(seconds=10))  # a payment may be asked about again
    attack.monkeypatch.setattr(database_module, "_commit_warnings", lambda _connection: _Heard())
    return attack.send()


def a_bug(attack: Attack) -> TestResponse:
    def broken(**_: Any) -> Any:
        raise RuntimeError("nobody thought of this")

    attack.monkeypatch.setitem(attack.world.app.view_functions, attack.endpoint, broken)
    return attack.send()


def used_key(attack: Attack) -> TestResponse:
    key = new_key()
    assert attack.settled.patient.post("/dependents", new_person(), key=key).status_code == 201
    return attack.send(headers={"Idempotency-Key": key})


def twin_at_work(attack: Attack) -> TestResponse:
    """Its lease stands as a process leaves it that was killed a moment ago."""
    key, world = new_key(), attack.world
    request = request_of(world, attack.name, own_ids(attack.name, attack.settled))
    content = f"{request['method']} {request['path']}\n{canonical_json(request.get('json', {})).decode()}"

    def take(session: Any, now: Any) -> None:
        digest = token_digest(attack.settled.patient.token)
        account_id = session.scalars(select(LoginSession.account_id).where(LoginSession.token_hash == digest)).one()
        row: Any = take_key(session, world.workbench.vault, KeyedRequest(UUID(str(account_id)), key, content), now=now)
        lease_key(row, step="begun", now=now)

    world.workbench.transactions.write(take)
    return attack.send(json=request.get("json", {}), headers={"Idempotency-Key": key})


IMPLIED: dict[str, Callable[[Attack], TestResponse]] = {
    "unauthenticated": no_login,
    "validation_failed": unknown_query,
    "not_found": nobodys_id,
    "malformed_json": lambda attack: attack.send_raw(b"{"),
    "payload_too_large": lambda attack: attack.send_raw(json.dumps({"a": "x" * 65_536}).encode()),
    "unsupported_media_type": lambda attack: attack.send_raw(b'{"a": 1}', "text/plain"),
    "idempotency_key_required": lambda attack: attack.send(headers={"Idempotency-Key": "short"}),
    "idempotency_key_reused": used_key,
    "request_in_progress": twin_at_work,
    "rate_limited": too_many,
    "overloaded": database_away,
    "outcome_unknown": commit_unsure,
    "internal_error": a_bug,
}
UNSURE_BY_DESIGN = {"outcome_unknown", "idempotency_key_reused", "request_in_progress"}
"""These leave rows: what was done, or the key."""


def test_every_operation_is_walked(world: World) -> None:
    assert set(NAMES) == set(world.operations)


def test_every_code_of_a_kind_has_its_provocation() -> None:
    every = (
        implied_codes(auth, method, has_id, keyed=keyed, limited=limited)
        for auth in Auth
        for method in ("GET", "POST")
        for has_id in (True, False)
        for keyed in (True, False)
        for limited in (True, False)
    )
    assert set().union(*every) == set(IMPLIED)


@pytest.mark.parametrize("name", NAMES)
def test_the_codes_of_its_kind_are_provoked_on_each_operation(
    world: World, name: str, only_documented_codes: set[tuple[str, str]]
) -> None:
    writes = world.operations[name].method != "GET"
    settled = world.settle_for(name) if writes else world.two_settled()[0]
    documented = world.operations[name].codes & set(IMPLIED)
    for code in sorted(documented, key=UNSURE_BY_DESIGN.__contains__):  # what was done may end the login
        before = world.rows()
        with pytest.MonkeyPatch.context() as monkeypatch:
            answer = IMPLIED[code](Attack(world, name, settled, monkeypatch))
        said = (answer.status_code, answer.get_json(force=True)["code"])
        assert said == (PROBLEMS[code].status, code)
        if code not in UNSURE_BY_DESIGN:
            assert world.rows() == before, code
    assert {code for seen, code in only_documented_codes if seen == name} >= documented


@pytest.mark.parametrize("name", NAMES)
def test_no_operation_answers_a_fault_it_does_not_document(world: World, name: str) -> None:
    """The autouse fixture holds what is seen against the document."""
    if name == "get_readiness":  # it tells in its own words what is away
        return
    writes = world.operations[name].method != "GET" or name == "get_payment"
    settled = world.settle_for(name) if writes else world.two_settled()[0]
    for fault in (database_away, commit_unsure):
        with pytest.MonkeyPatch.context() as monkeypatch:
            answer = fault(Attack(world, name, settled, monkeypatch))
        assert answer.status_code in {200, 201, 204, 302, 401, 503}, answer.text
