"""1.2: a minor is booked for with a guardian of age on the same account, and that guardian's consent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minors import booked, child, errors, newborn
from people import resident_id
from ward import Ward, add, agree, open_ward
from wire import Phone

from core.clock import hospital_day
from core.invariants import check_invariants
from models.database import Database


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened
        with database.read() as session:
            assert check_invariants(session, now=opened.clock.now()) == []


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


@pytest.mark.parametrize("who", [child, newborn])
def test_1_2_a_minor_is_booked_for_with_guardian_and_consent(ward: Ward, an: Phone, who: Any) -> None:
    guardian = add(an)
    added = an.post("/dependents", who(ward))
    assert (added.status, "guardian_dependent_id" in added.json) == (201, False)
    minor = added.json["id"]
    assert booked(ward, an, minor).json["code"] == "consent_required"
    changed = an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": guardian})
    assert (changed.status, changed.json["guardian_dependent_id"]) == (200, guardian)
    assert booked(ward, an, minor).json["code"] == "consent_required"
    agree(an, "minor", minor)
    assert booked(ward, an, minor).status == 201


def test_a_guardian_can_be_named_at_once_and_taken_away(ward: Ward, an: Phone) -> None:
    guardian = add(an)
    added = an.post("/dependents", child(ward, guardian_dependent_id=guardian))
    assert (added.status, added.json["guardian_dependent_id"]) == (201, guardian)
    gone = an.send("PATCH", f"/dependents/{added.json['id']}", {"guardian_dependent_id": None})
    assert (gone.status, "guardian_dependent_id" in gone.json) == (200, False)


def test_1_2_1_a_guardian_is_of_age_and_of_the_same_account(ward: Ward, an: Phone) -> None:
    guardian, theirs = add(an), add(ward.log_in("bo"))
    youth = an.post("/dependents", child(ward, years=17, order=923)).json["id"]
    minor = an.post("/dependents", child(ward)).json["id"]
    pointer = "#/guardian_dependent_id"
    change = {"guardian_dependent_id": youth}
    assert errors(an.send("PATCH", f"/dependents/{minor}", change)) == [(pointer, "not_of_age")]
    for wanted in (theirs, minor):
        assert an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": wanted}).status == 404
    fresh = child(ward, order=925, guardian_dependent_id=theirs)
    assert an.post("/dependents", fresh).status == 404
    change = {"guardian_dependent_id": minor}
    assert errors(an.send("PATCH", f"/dependents/{guardian}", change)) == [(pointer, "not_a_minor")]


def test_1_2_6_only_a_minor_is_bound_to_a_guardian_for_want_of_a_number(ward: Ward, an: Phone) -> None:
    grown = newborn(ward, birth_date="1990-01-01")
    assert errors(an.post("/dependents", grown)) == [("#/id_type", "not_a_minor")]


def test_18_is_reached_on_the_birthday(ward: Ward, an: Phone) -> None:
    guardian = add(an)
    today = hospital_day(ward.clock.now())
    grown = child(ward, id_number=resident_id(birth=today.replace(year=today.year - 18), order=927))
    assert errors(an.post("/dependents", grown | {"guardian_dependent_id": guardian})) == [
        ("#/guardian_dependent_id", "not_a_minor")
    ]
    added = an.post("/dependents", grown)
    assert booked(ward, an, added.json["id"]).status == 201
