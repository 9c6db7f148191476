"""Delegation on the wire: the code, what it opens, the log that tells of it, and its end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from people import resident_id
from ward import Ward, add, book, give, offer
from wire import Phone, Reply, new_key

from models.grant import Grant
from schemas.base import instant_text

ANYBODY = {"min_identity_level": 0}


@pytest.fixture
def father(ward: Ward) -> Phone:
    """Who grants; `ward.ids` names him."""
    phone = ward.log_in("father")
    ward.ids["dependent_id"] = add(phone, name="测试甲")
    return phone


@pytest.fixture
def daughter(ward: Ward) -> Phone:
    phone = ward.log_in("daughter")
    add(phone, name="试验乙", id_number=resident_id(order=998))
    return phone


def given(ward: Ward, father: Phone, daughter: Phone, *scopes: str) -> str:
    return give(ward, father, ward.ids["dependent_id"], daughter, *scopes)


def booked(ward: Ward, phone: Phone, pay: str = "on_site", **schedule: Any) -> Reply:
    return book(phone, ward.schedule(terms=ANYBODY, **schedule), ward.ids["dependent_id"], pay)


def errors(reply: Reply) -> list[tuple[str, str]]:
    assert reply.code == "validation_failed", reply
    return [(one["pointer"], one["code"]) for one in reply.json["errors"]]


def test_a_daughter_books_and_pays_for_her_father(ward: Ward, father: Phone, daughter: Phone) -> None:
    made = offer(ward, father, ward.ids["dependent_id"], "book", "pay")
    assert made.status == 201
    taken = daughter.post("/account/grants/acceptance", {"code": made.json["code"].replace("-", "").lower()})
    assert taken.status == 201
    assert taken.json["dependent"] == {"id": ward.ids["dependent_id"], "name_masked": "测**"}
    assert taken.json["scopes"] == ["see", "book", "pay"]
    grant_id = taken.json["id"]

    schedule_id = ward.schedule(terms=ANYBODY)
    query = f"/schedules/{schedule_id}/eligibility?dependent_id={ward.ids['dependent_id']}"
    assert daughter.get(query)["allowed"]
    appointment = book(daughter, schedule_id, ward.ids["dependent_id"]).json
    assert appointment["grant_id"] == grant_id
    assert appointment["dependent"]["relationship"] == "other"
    opened = daughter.post(f"/appointments/{appointment['id']}/payments", {"channel": "wechat_jsapi"})
    assert opened.status == 201, opened
    ward.adapters.the_gateway.pay(opened.json["out_trade_no"])
    ward.work(after=timedelta(seconds=6))

    (shown,) = father.get("/appointments")["items"]
    assert (shown["id"], shown["status"], shown["grant_id"]) == (appointment["id"], "booked", grant_id)
    assert shown["dependent"]["relationship"] == "self"
    assert daughter.get(f"/appointments/{appointment['id']}/visit-pass")["code"]
    log = [one for one in father.get("/account/access-log")["items"] if one["purpose"] == "delegation"]
    assert [(one["actor"], one["action"], one["grant_id"]) for one in reversed(log)] == [
        ("self", "grant.offer", grant_id),
        ("grant_holder", "grant.accept", grant_id),
        ("grant_holder", "eligibility.ask", grant_id),
        ("grant_holder", "appointment.book", grant_id),
        ("grant_holder", "payment.open", grant_id),
        ("grant_holder", "visit_pass.show", grant_id),
    ]
    assert daughter.get("/account/access-log")["items"] == []


def test_each_side_sees_the_other_masked(ward: Ward, father: Phone, daughter: Phone) -> None:
    grant_id = given(ward, father, daughter, "see")
    for phone, is_giver, other in ((father, True, "试**"), (daughter, False, "测**")):
        (seen,) = phone.get("/account/grants")["items"]
        assert (seen["id"], seen["given"], seen["state"]) == (grant_id, is_giver, "live")
        assert seen["other"] == {"name_masked": other, "wallet": "wechat_miniapp"}
        assert (seen["ended_at"], seen["ended_by"]) == (None, None)


def test_an_offer_that_waits_names_nobody_and_keeps_its_code(ward: Ward, father: Phone) -> None:
    made = offer(ward, father, ward.ids["dependent_id"], "see")
    (seen,) = father.get("/account/grants")["items"]
    assert (seen["state"], seen["other"], seen["from_at"]) == ("offered", None, None)
    assert made.json["code"] not in json.dumps(seen)


@pytest.mark.parametrize("side", ["father", "daughter"])
def test_a_04_ended_by_either_side_it_opens_nothing_from_that_instant_on(
    ward: Ward, father: Phone, daughter: Phone, side: str
) -> None:
    grant_id = given(ward, father, daughter)
    stands = booked(ward, daughter).json["id"]
    ended = {"father": father, "daughter": daughter}[side].send("DELETE", f"/account/grants/{grant_id}")
    assert (ended.status, ended.json["state"]) == (200, "ended")
    assert ended.json["ended_by"] == {"father": "granter", "daughter": "holder"}[side]
    refused = [
        booked(ward, daughter),
        daughter.send("GET", f"/appointments/{stands}"),
        daughter.send("GET", f"/appointments/{stands}/visit-pass"),
        daughter.post(f"/appointments/{stands}/cancellation"),
        daughter.post(f"/appointments/{stands}/payments", {"channel": "wechat_jsapi"}),
    ]
    assert {(one.status, one.code) for one in refused} == {(404, "not_found")}
    assert daughter.get("/appointments")["items"] == []
    assert father.post(f"/appointments/{stands}/cancellation").json["status"] == "cancelled"


def test_another_scope_and_a_stranger_get_the_same_answer_as_for_nothing(
    ward: Ward, father: Phone, daughter: Phone
) -> None:
    given(ward, father, daughter, "pay")
    stands = booked(ward, father).json["id"]
    stranger = ward.log_in("stranger")
    for phone in (daughter, stranger):
        reply = phone.send("GET", f"/appointments/{stands}")
        assert (reply.status, reply.code) == (404, "not_found")
        assert phone.send("GET", f"/dependents/{ward.ids['dependent_id']}").status == 404


def test_an_offer_and_a_code_are_kept_under_their_keys(ward: Ward, father: Phone, daughter: Phone) -> None:
    key, wanted = new_key(), {"dependent_id": ward.ids["dependent_id"], "scopes": ["see"]}
    wanted["to_at"] = instant_text(ward.clock.now() + timedelta(days=1))
    offer(ward, father, ward.ids["dependent_id"])  # makes him matched
    first, again = (father.post("/account/grants", wanted, key=key) for _ in range(2))
    assert first.body == again.body
    key, typed = new_key(), {"code": first.json["code"]}
    taken, repeated = (daughter.post("/account/grants/acceptance", typed, key=key) for _ in range(2))
    assert (taken.status, taken.body) == (201, repeated.body)
    assert daughter.post("/account/grants/acceptance", typed).code == "grant_refused"


def test_what_is_wrong_with_an_offer_is_told_at_its_place(ward: Ward, father: Phone) -> None:
    offer(ward, father, ward.ids["dependent_id"])
    other = add(father, relationship="sibling", id_number=resident_id(order=999))
    soon, late = (instant_text(ward.clock.now() + timedelta(days=days)) for days in (-1, 400))
    right = {"dependent_id": ward.ids["dependent_id"], "scopes": ["see"], "to_at": instant_text(ward.clock.now())}
    for change, told in (
        ({"to_at": soon}, ("#/to_at", "too_soon")),
        ({"to_at": late}, ("#/to_at", "too_late")),
        ({"dependent_id": other, "to_at": late}, ("#/dependent_id", "not_self")),
        ({"scopes": []}, ("#/scopes", "too_short")),
        ({"scopes": ["read"]}, ("#/scopes/0", "unknown_word")),
    ):
        assert told in errors(father.post("/account/grants", right | change))


def test_closing_either_account_ends_it(ward: Ward, father: Phone, daughter: Phone) -> None:
    other = ward.log_in("son")
    add(other, id_number=resident_id(order=999))
    ids = [given(ward, father, one, "see") for one in (daughter, other)]
    assert daughter.send("DELETE", "/account").status == 200
    assert father.send("DELETE", "/account").status == 200
    for grant_id in ids:
        kept = ward.workbench.transactions.read(
            lambda session, _now, one=grant_id: next(row for row in session.query(Grant) if str(row.id) == one)
        )
        assert (kept.ended_by, kept.code_hash) == ("removed", None)
    assert [one["state"] for one in other.get("/account/grants")["items"]] == ["ended"]


def test_money_on_its_way_keeps_the_payers_account_open(ward: Ward, father: Phone, daughter: Phone) -> None:
    given(ward, father, daughter, "pay")
    held = booked(ward, father, "online").json["id"]
    opened = daughter.post(f"/appointments/{held}/payments", {"channel": "wechat_jsapi"})
    refused = daughter.send("DELETE", "/account")
    assert (refused.code, refused.json["facts"]["unsettled_payments"]) == ("account_in_use", 1)
    assert daughter.get(f"/payments/{opened.json['id']}")["amount_fen"] == opened.json["amount_fen"]


def test_an_export_tells_what_was_given_and_held_and_names_the_other_side_masked(
    ward: Ward, father: Phone, daughter: Phone
) -> None:
    grant_id = given(ward, father, daughter, "pay")
    held = booked(ward, father, "online").json["id"]
    opened = daughter.post(f"/appointments/{held}/payments", {"channel": "wechat_jsapi"}).json["id"]
    told, theirs = father.get("/account/export"), daughter.get("/account/export")
    (gave,), (holds,) = told["grants_given"], theirs["grants_held"]
    assert (gave["id"], gave["other_name_masked"], gave["may_pay"]) == (grant_id, "试**", True)
    assert (holds["id"], holds["other_name_masked"]) == (grant_id, "测**")
    assert told["grants_held"] == theirs["grants_given"] == []
    assert [one["id"] for one in theirs["payments_for_others"]] == [one["id"] for one in told["payments"]] == [opened]
    assert theirs["payments"] == told["payments_for_others"] == []
    accounts = [phone.get("/account")["id"] for phone in (father, daughter)]
    assert accounts[1] not in json.dumps(told)
    assert accounts[0] not in json.dumps(theirs)
    assert ward.ids["dependent_id"] not in json.dumps(theirs)
    assert theirs["appointments"] == []
