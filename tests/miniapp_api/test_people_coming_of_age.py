"""1.2.1: at 18 guardianship ends, and who was a child takes the record over into an account of their own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from people import resident_id
from people_http import SELF
from sqlalchemy import select, update
from ward import Ward, add, agree, book
from wire import Phone

from core.clock import hospital_day
from models.notice import Notice, NoticeKind
from models.person import Dependent, IdentityLevel
from schemas.base import instant_text

ANYBODY = {"min_identity_level": 0}
FOR_ALL = ANYBODY | {"agreement_to_age": 0}


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def number(ward: Ward, *, turns_18_in: int = 20) -> str:
    """Of a son who comes of age in so many days."""
    day = hospital_day(ward.clock.now()) + timedelta(days=turns_18_in)
    return resident_id(birth=date(day.year - 18, day.month, day.day), order=921)


def son(ward: Ward, phone: Phone, id_number: str) -> str:
    known = {"name": "测试童", "id_number": id_number, "relationship": "son", "guardian_dependent_id": add(phone)}
    added = phone.post("/dependents", SELF | known)
    assert added.status == 201, added
    agree(phone, "minor", added.json["id"])
    return str(added.json["id"])


def himself(ward: Ward, id_number: str, *, level: int = IdentityLevel.PRESENT) -> Phone:
    phone = ward.log_in("the-son")
    wanted = SELF | {"name": "测试童", "id_number": id_number, "phone": "13900000007"}
    own = phone.post("/dependents", wanted).json["id"]
    with ward.workbench.transactions.database.write() as session:
        session.execute(
            update(Dependent)
            .where(Dependent.id == UUID(own))
            .values(identity_level=level, identity_method="name_match")
        )
    return phone


def shown(phone: Phone, dependent_id: str) -> dict[str, Any]:
    return dict(phone.get(f"/dependents/{dependent_id}"))


def test_1_2_1_who_comes_of_age_takes_the_record_over(ward: Ward, an: Phone) -> None:
    id_number = number(ward)
    child = son(ward, an, id_number)
    assert book(an, ward.schedule(terms=FOR_ALL), child, "on_site").status == 201
    ward.clock.advance(timedelta(days=20))
    he = himself(ward, id_number)
    for _ in range(2):
        assert he.send("POST", "/account/hand-over").status == 204
    mine = shown(an, child)
    assert mine["handed_over_at"] == instant_text(ward.clock.now())
    assert "guardian_dependent_id" not in mine
    assert mine["agreement"] == {"status": "needed"}
    # Whatever ages a hospital asks.
    assert book(an, ward.schedule(terms=FOR_ALL), child, "on_site").code == "agreement_required"
    with ward.workbench.transactions.database.read() as session:
        kinds = session.scalars(select(Notice.kind).where(Notice.dependent_id == UUID(child))).all()
    assert kinds == [NoticeKind.DEPENDENT_HANDED_OVER]


def test_1_2_1_nothing_more_is_kept_of_whoever_has_taken_the_record_over(ward: Ward, an: Phone) -> None:
    """What was told of them is erased, of their health first of all, and nothing is told anew without their word."""
    id_number = number(ward)
    child = son(ward, an, id_number)
    agree(an, "health", child)
    told = {"allergies_and_history": "青霉素过敏", "address": "虚构路 1 号", "email": "a@example.com"}
    assert an.send("PATCH", f"/dependents/{child}", told).status == 200
    ward.clock.advance(timedelta(days=20))
    assert himself(ward, id_number).send("POST", "/account/hand-over").status == 204
    assert not told.keys() & {name for name, value in shown(an, child).items() if value}
    (exported,) = [one for one in an.get("/account/export")["dependents"] if one["id"] == child]
    assert {exported[name] for name in ("id_number", "allergies_and_history", "address", "email")} == {None}
    assert exported["name"] == exported["name_masked"] != "测试童"
    standing = [one for one in an.get("/account/consents")["items"] if one.get("dependent_id") == child]
    assert {one["granted"] for one in standing} == {False}
    agree(an, "health", child)
    for name, value in told.items():
        refused = an.send("PATCH", f"/dependents/{child}", {name: value}).json["errors"]
        assert [(one["pointer"], one["code"]) for one in refused] == [(f"#/{name}", "handed_over")]
    # The phone may be put right: by it they are asked whether they agree.
    assert an.send("PATCH", f"/dependents/{child}", {"phone": "13900000007"}).status == 200


def test_1_2_1_not_a_day_before(ward: Ward, an: Phone) -> None:
    id_number = number(ward, turns_18_in=1)
    child = son(ward, an, id_number)
    he = himself(ward, id_number)
    refused = he.send("POST", "/account/hand-over")
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "too_young")
    assert "guardian_dependent_id" in shown(an, child)
    ward.clock.advance(timedelta(days=1))
    assert he.send("POST", "/account/hand-over").status == 204
    assert "handed_over_at" in shown(an, child)


def test_1_2_1_who_is_not_proven_takes_nothing_over(ward: Ward, an: Phone) -> None:
    id_number = number(ward, turns_18_in=0)
    he = himself(ward, id_number, level=IdentityLevel.TYPED)
    assert he.send("POST", "/account/hand-over").code == "identity_required"
    assert ward.log_in("bo").send("POST", "/account/hand-over").code == "identity_required"


def test_1_2_1_whoever_has_typed_a_grown_up_is_not_touched(ward: Ward, an: Phone) -> None:
    grown = resident_id(order=901)
    other = an.post("/dependents", SELF | {"name": "测试童", "id_number": grown, "relationship": "other"}).json["id"]
    assert himself(ward, grown).send("POST", "/account/hand-over").status == 204
    assert "handed_over_at" not in shown(an, other)


def test_who_ties_a_childs_certificate_to_a_number_of_their_own_takes_nothing_over(ward: Ward, an: Phone) -> None:
    """Numbers of certificates are seen by many; a record of another day of birth is nobody's own."""
    certificate = {"id_type": "birth_certificate", "id_number": "E135246780", "sex": "male", "relationship": "son"}
    today = hospital_day(ward.clock.now())
    guardian = add(an)
    typed = SELF | certificate | {"name": "测试童", "birth_date": str(today), "guardian_dependent_id": guardian}
    child = an.post("/dependents", typed).json["id"]
    own = resident_id(order=905)
    stranger = ward.log_in("stranger")
    grown = SELF | certificate | {"name": "测试童", "birth_date": "1990-01-01", "relationship": "other"}
    refused = stranger.post("/dependents", grown).json["errors"]
    assert [(one["pointer"], one["code"]) for one in refused] == [("#/id_type", "not_a_minor")]
    assert himself(ward, own).send("POST", "/account/hand-over").status == 204
    assert "handed_over_at" not in shown(an, child)
    assert shown(an, child)["guardian_dependent_id"] == guardian
