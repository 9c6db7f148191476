"""1.1.8, 1.2.4: a child without a number is one person for every limit, and no guardian has five of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from minors import ANYBODY, errors, newborn
from people import resident_id
from ward import Ward, add, agree, book
from wire import Phone, Reply

from core.clock import hospital_day

NOBODY_AGREES = ANYBODY | {"agreement_to_age": 0}


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def child(ward: Ward, phone: Phone, guardian: str, **more: Any) -> Reply:
    added = phone.post("/dependents", newborn(ward, guardian_dependent_id=guardian, **more))
    if added.status == 201:
        agree(phone, "minor", added.json["id"])
    return added


def test_1_1_8_one_child_of_one_guardian_is_one_person_in_every_account_and_again(ward: Ward, an: Phone) -> None:
    guardian, schedule = add(an), ward.schedule(terms=NOBODY_AGREES)
    first = child(ward, an, guardian).json["id"]
    again = child(ward, an, guardian, name="测试甲 之女")
    assert (again.code, again.json["facts"]) == ("dependent_exists", {"dependent_id": first})
    assert book(an, schedule, first, "on_site").status == 201
    bo = ward.log_in("bo")
    mother = add(bo, relationship="spouse")
    theirs = bo.post("/dependents", newborn(ward)).json["id"]  # its guardian is named later
    assert bo.send("PATCH", f"/dependents/{theirs}", {"guardian_dependent_id": mother}).status == 200
    agree(bo, "minor", theirs)
    assert book(bo, schedule, theirs, "on_site").code == "person_limit"


def test_1_2_4_twins_are_two_and_a_fourth_at_a_time_wants_a_number(ward: Ward, an: Phone) -> None:
    guardian, schedule = add(an), ward.schedule(terms=ANYBODY)
    for name in ("大宝", "二宝", "三宝"):
        added = child(ward, an, guardian, name=name)
        assert book(an, schedule, added.json["id"], "on_site").status == 201, name
    yesterday = hospital_day(ward.clock.now()) - timedelta(days=1)
    assert errors(child(ward, an, guardian, name="四宝", birth_date=str(yesterday))) == [
        ("#/id_type", "number_required")
    ]
    certificate = {"id_type": "birth_certificate", "id_number": "A123456789"}
    assert child(ward, an, guardian, name="四宝", **certificate).status == 201


def test_1_2_4_from_six_on_there_is_a_number(ward: Ward, an: Phone) -> None:
    guardian, today = add(an), hospital_day(ward.clock.now())
    six = today.replace(year=today.year - 6)
    assert errors(child(ward, an, guardian, birth_date=str(six))) == [("#/id_type", "number_required")]
    younger = child(ward, an, guardian, birth_date=str(six + timedelta(days=1)))
    assert (younger.status, younger.json["complete_by"]) == (201, str(six + timedelta(days=61)))  # not from today


def test_1_1_8_another_name_or_guardian_leaves_the_child_who_it_was(ward: Ward, an: Phone) -> None:
    schedule, bo = ward.schedule(terms=NOBODY_AGREES), ward.log_in("bo")
    guardian, other = add(an), add(an, id_number=resident_id(order=995), relationship="spouse")
    ours, theirs = child(ward, an, guardian).json["id"], child(ward, bo, add(bo)).json["id"]
    path = f"/dependents/{ours}"
    assert an.send("PATCH", path, {"guardian_dependent_id": other}).status == 200
    agree(an, "minor", ours)
    assert an.send("PATCH", path, {"name": "测试丁"}).json["id_number_masked"] == ""
    assert book(an, schedule, ours, "on_site").status == 201
    assert book(bo, schedule, theirs, "on_site").code == "person_limit"


def test_1_2_6_a_name_that_is_none_is_not_given_with_the_number(ward: Ward, an: Phone) -> None:
    added = child(ward, an, add(an)).json["id"]
    given = {"id_type": "resident_id", "id_number": resident_id(birth=hospital_day(ward.clock.now()), order=902)}
    refused = an.send("PUT", f"/dependents/{added}/document", given | {"name": "测试丙之子"})
    assert errors(refused) == [("#/name", "placeholder_name")]


def test_1_2_6_nor_where_the_record_is_corrected(ward: Ward, an: Phone) -> None:
    added = child(ward, an, add(an)).json["id"]
    given = {"id_type": "resident_id", "id_number": resident_id(birth=hospital_day(ward.clock.now()), order=902)}
    path = f"/dependents/{added}"
    assert errors(an.send("PATCH", path, given)) == [("#/name", "missing")]
    assert errors(an.send("PATCH", path, given | {"name": "测试丙之子"})) == [("#/name", "placeholder_name")]
    certificate = {"id_type": "birth_certificate", "id_number": "P330123456"}
    assert an.send("PATCH", path, certificate).status == 200  # it may say so itself
    ward.work()
    ward.clock.advance(timedelta(days=183))
    an = ward.log_in("an")
    assert an.send("PATCH", path, given | {"name": "测试丁"}).json["id_type"] == "resident_id"


def test_1_5_a_phone_that_is_empty_is_told_as_such(ward: Ward, an: Phone) -> None:
    assert errors(an.send("PATCH", f"/dependents/{add(an)}", {"phone": ""})) == [("#/phone", "empty")]
