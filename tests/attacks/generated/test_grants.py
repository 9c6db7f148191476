"""The ownership matrix, its columns of a grant: every route of a patient that names something of the granter, asked by
whoever holds each scope, and by whoever held it.

A route or place without a line in `OPENED` opens nothing to a holder.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from attacks.generated.walk import FILTER, OWNED, PLACES, ask, own_ids
from attacks.generated.world import Settled, World, created
from people_http import Patient
from werkzeug.test import TestResponse

from miniapp_api.auth import Auth

OPENED = {
    ("create_appointment", "body.dependent_id", "oneself"): {"book"},
    ("get_eligibility", "query.dependent_id", "oneself"): {"book"},
    ("cancel_own_appointment", "path.appointment_id", "held"): {"book"},
    ("cancel_own_appointment", "path.appointment_id", "stands"): {"book"},
    ("check_in", "path.appointment_id", "held"): {"book"},
    ("check_in", "path.appointment_id", "stands"): {"book"},
    ("reschedule_own_appointment", "path.appointment_id", "held"): {"book"},
    ("reschedule_own_appointment", "path.appointment_id", "stands"): {"book"},
    ("get_appointment", "path.appointment_id", "held"): {"see", "book", "pay"},
    ("get_appointment", "path.appointment_id", "stands"): {"see", "book"},
    ("get_visit_pass", "path.appointment_id", "held"): {"see", "book"},
    ("get_visit_pass", "path.appointment_id", "stands"): {"see", "book"},
    ("open_payment", "path.appointment_id", "held"): {"pay"},
    ("open_payment", "path.appointment_id", "stands"): {"pay"},
    ("end_account_grant", "path.grant_id", "grant"): {"see", "book", "pay"},
}
"""By operation, place and what is named there: the scopes that find it."""
ALWAYS = {("end_account_grant", "path.grant_id", "grant")}
"""What either side has for ever: ending again what has ended changes nothing."""
LISTS = {"list_own_appointments": {"see": {"held", "stands"}, "book": {"held", "stands"}, "pay": {"held"}}}
ACTORS = ("see", "book", "pay", "ended", "over", "nobody")


@pytest.fixture
def granter(world: World) -> Settled:
    """With one of everything, for oneself too: `held` waits for its payment, `stands` is booked."""
    settled = world.settle()
    patient, oneself = settled.patient, settled.ids["oneself"]
    settled.ids["held"] = world.held(patient, oneself, in_days=6)
    settled.ids["stands"] = world.booked(patient, oneself, in_days=7)
    return settled


def actor(world: World, granter: Settled, who: str) -> tuple[Settled, str]:
    """Somebody with one of everything who holds, or held, a grant of the granter; and its id."""
    settled, oneself = world.settle(), granter.ids["oneself"]
    if who == "nobody":
        return settled, granter.ids["grant"]
    scopes = (who,) if who in ("see", "book", "pay") else ("see", "book", "pay")
    lasts = timedelta(hours=1)
    grant_id = world.grant(granter.patient, oneself, settled.patient, *scopes, lasts=lasts)
    if who == "ended":
        assert granter.patient.send("DELETE", f"/account/grants/{grant_id}").status_code == 200
    if who == "over":
        world.clock.advance(lasts)
    return settled, grant_id


def named(granter: Settled, grant_id: str) -> Iterator[tuple[str, str, str, str]]:
    """Operation, place, what is named there, and its id: every place with everything of the granter."""
    ours = granter.ids | {"grant": grant_id}
    names = ("dependent", "ward", "oneself", "check", "appointment", "held", "stands", "payment", "grant", "joined")
    for operation, places in PLACES.items():
        for place, kind in places.items():
            if kind == OWNED:
                yield from ((operation, place, name, ours[name]) for name in names)


def ids_for(world: World, operation: str, settled: Settled) -> dict[str, str]:
    ids = own_ids(operation, settled)
    if "body.schedule_id" in ids:
        ids["body.schedule_id"] = world.schedule(in_days=9)
        ids.pop("body.visit_card_id", None)  # a card is of one hospital and one patient
    return ids


@pytest.mark.parametrize("who", ACTORS)
def test_a_04_a_holder_finds_what_the_scope_opens_and_nothing_else(world: World, granter: Settled, who: str) -> None:
    holder, grant_id = actor(world, granter, who)
    found, wanted = set(), set()
    last = ("end_account_grant", "cancel_own_appointment")  # what takes something away comes last
    for operation, place, name, row_id in sorted(named(granter, grant_id), key=lambda one: _rank(one[0], last)):
        key = (operation, place, name)
        answer = ask(world, holder.patient, operation, ids_for(world, operation, holder) | {place: row_id})
        if _is_there(answer):
            found.add(key)
        scopes = OPENED.get(key, set())
        if who in scopes or (key in ALWAYS and who != "nobody"):
            wanted.add(key)
        if operation == "cancel_own_appointment" and key in found:
            _book_again(world, granter, name)
    assert found == wanted


def _rank(operation: str, last: tuple[str, ...]) -> int:
    return 0 if operation not in last else 2 - last.index(operation)


def _is_there(answer: TestResponse) -> bool:
    code = answer.get_json(silent=True) or {}
    assert answer.status_code < 500, answer.text
    return answer.status_code != 404 and code.get("code") not in ("validation_failed", "method_not_allowed")


def _book_again(world: World, granter: Settled, name: str) -> None:
    book = world.held if name == "held" else world.booked
    granter.ids[name] = book(granter.patient, granter.ids["oneself"], in_days=8)


@pytest.mark.parametrize("who", ACTORS)
def test_lists_show_a_holder_what_the_scope_opens_and_nothing_else(world: World, granter: Settled, who: str) -> None:
    holder, grant_id = actor(world, granter, who)
    secret = {name: granter.ids[name] for name in granter.ids if name not in ("merchant", "app", "official")}
    public = {"hospital", "department", "doctor", "schedule"}
    for name, operation in world.operations.items():
        if operation.method != "GET" or operation.auth is not Auth.LOGIN or "<" in operation.rule:
            continue
        shown = ask(world, holder.patient, name, own_ids(name, holder)).text
        seen = {kind for kind, row_id in secret.items() if row_id in shown} - public
        expected = set(LISTS.get(name, {}).get(who, set()))
        if who in ("see", "book", "pay") and name in ("list_own_appointments", "list_account_grants"):
            expected |= {"oneself"}  # whom it is about
        assert seen == expected, name
        if name == "list_account_grants" and who in ("ended", "over"):
            assert grant_id in shown  # one's own act is remembered, without whom it was about


def test_a_filter_by_the_granters_dependent_shows_what_the_scope_opens(world: World, granter: Settled) -> None:
    (place,) = PLACES["list_own_appointments"]
    assert PLACES["list_own_appointments"][place] == FILTER
    shown = {}
    for who in ACTORS:
        holder, _ = actor(world, granter, who)
        page = ask(world, holder.patient, "list_own_appointments", {place: granter.ids["oneself"]})
        shown[who] = {one["id"] for one in page.json["items"]}
    both = {granter.ids["held"], granter.ids["stands"]}
    assert shown["see"] == shown["book"] == both
    assert shown["pay"] == {granter.ids["held"]}
    assert shown["ended"] == shown["over"] == shown["nobody"] == set()


def test_the_owner_keeps_what_the_holder_booked(world: World, granter: Settled) -> None:
    """And reads in the access log who did it, and under which grant."""
    holder, grant_id = actor(world, granter, "book")
    made = created(world.book(holder.patient, granter.ids["oneself"], world.schedule(in_days=12), pay="on_site"))
    assert made["grant_id"] == grant_id
    granter.patient.send("DELETE", f"/account/grants/{grant_id}")
    assert holder.patient.get(f"/appointments/{made['id']}").status_code == 404
    assert granter.patient.get(f"/appointments/{made['id']}").json["grant_id"] == grant_id
    log = granter.patient.get("/account/access-log?limit=100").json["items"]
    assert ("grant_holder", "appointment.book", grant_id) in [
        (one["actor"], one["action"], one["grant_id"]) for one in log
    ]
    assert _cancelled(granter.patient, made["id"])


def _cancelled(patient: Patient, appointment_id: str) -> bool:
    return patient.post(f"/appointments/{appointment_id}/cancellation", {}).status_code == 200
