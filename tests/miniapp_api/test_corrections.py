"""1.1.5, 1.1.10, L-05: what was typed of somebody is corrected under the checks of adding, until it is matched."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from minors import child, newborn
from people import resident_id
from people_http import SELF
from provocations import a_spouse
from ward import Ward, add, agree, book, strike, verify, wait
from wire import Phone, Reply

from models.identity_check import IdentityCheck, IdentityCheckStatus
from models.person import Dependent

ANYBODY = {"min_identity_level": 0}
OTHER = resident_id(order=995)


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def correct(phone: Phone, dependent_id: str, /, **typed: Any) -> Reply:
    return phone.send("PATCH", f"/dependents/{dependent_id}", typed)


def person_of(ward: Ward, dependent_id: str) -> UUID:
    return ward.workbench.transactions.read(
        lambda session, _now: session.get_one(Dependent, UUID(dependent_id)).person_id
    )


def told(phone: Phone, dependent_id: str) -> dict[str, Any]:
    export = phone.send("GET", "/account/export").json["dependents"]
    return next(one for one in export if one["id"] == dependent_id)


def test_l_05_a_slip_is_corrected_and_the_person_found_as_when_adding(ward: Ward, an: Phone) -> None:
    slip = add(an)
    theirs = add(ward.log_in("bo"), id_number=OTHER)
    before = person_of(ward, slip)
    corrected = correct(an, slip, name="测试 乙", id_number=OTHER.lower(), phone="13900000001")
    assert (corrected.status, corrected.json["name_masked"], corrected.json["phone_masked"]) == (
        200, "测**", "139****0001",
    )  # fmt: skip
    assert corrected.json["identity"]["level"] == 0
    assert person_of(ward, slip) == person_of(ward, theirs) != before
    assert (told(an, slip)["name"], told(an, slip)["id_number"]) == ("测试乙", OTHER)


def test_l_05_another_number_says_birth_and_sex_anew_and_another_kind_wants_its_own(an: Phone) -> None:
    slip = add(an)
    child = resident_id(birth=date(2015, 6, 1), order=902)
    assert correct(an, slip, id_number=child).json["birth_date"] == "2015-06-01"
    assert correct(an, slip, id_number=child).status == 200  # the same is no change
    spouse = a_spouse(an)
    refused = correct(an, spouse, id_type="passport", id_number="AB1234567")
    assert [(one["pointer"], one["code"]) for one in refused.json["errors"]] == [
        ("#/country", "missing"), ("#/id_expires_on", "missing"),
    ]  # fmt: skip
    whole = {"id_type": "passport", "id_number": "AB1234567", "country": "USA", "id_expires_on": "2031-05-31"}
    changed = correct(an, spouse, **whole)
    assert (changed.status, changed.json["birth_date"], changed.json["country"]) == (200, "1990-01-01", "USA")


def test_1_1_5_a_correction_comes_once_in_half_a_year_and_oneself_once(ward: Ward, an: Phone) -> None:
    oneself, spouse = add(an), a_spouse(an)
    for dependent_id in (oneself, spouse):
        assert correct(an, dependent_id, name="测试丁").status == 200
        assert correct(an, dependent_id, name="测试丁").status == 200
        assert correct(an, dependent_id, name="测试戊").code == "change_limit"
    ward.clock.advance(timedelta(days=183))
    an = ward.log_in("an")
    assert correct(an, spouse, name="测试戊").status == 200
    refused = correct(an, oneself, name="测试戊")
    assert (refused.code, "retry_at" in refused.json) == ("change_limit", False)


def test_1_1_5_adding_anew_gives_no_new_correction(ward: Ward, an: Phone) -> None:
    """Oneself counts for oneself and whoever else for anybody else, so that no other's slip is held against one."""
    oneself, spouse = add(an), a_spouse(an)
    for dependent_id in (oneself, spouse):
        assert correct(an, dependent_id, name="测试丁").status == 200
        assert an.send("DELETE", f"/dependents/{dependent_id}").status == 204
    child = an.post("/dependents", SELF | {"id_number": resident_id(order=904), "relationship": "sibling"}).json["id"]
    assert correct(an, child, name="测试戊").status == 200  # of the other sex
    again, spouse = add(an), a_spouse(an)
    refused = correct(an, again, name="测试戊")
    assert (refused.code, "retry_at" in refused.json) == ("change_limit", False)
    refused = correct(an, spouse, name="测试戊")
    assert (refused.code, "retry_at" in refused.json) == ("change_limit", True)
    ward.clock.advance(timedelta(days=183))
    an = ward.log_in("an")
    assert correct(an, again, name="测试戊").code == "change_limit"
    assert correct(an, spouse, name="测试戊").status == 200


def test_1_5_4_a_number_beside_anothers_insurance_number_is_refused(an: Phone) -> None:
    whose = SELF["id_number"]
    slip = add(an, insurance_number=whose)
    contradicts = [("#/id_number", "contradicts_insurance_number")]
    refused = correct(an, slip, id_number=OTHER)
    assert [(one["pointer"], one["code"]) for one in refused.json["errors"]] == contradicts
    assert told(an, slip)["id_number"] == whose
    both = correct(an, slip, id_number=OTHER, insurance_number=whose)
    assert [(one["pointer"], one["code"]) for one in both.json["errors"]] == [
        ("#/insurance_number", "contradicts_id_number")
    ]
    assert correct(an, slip, name="测试丁").status == 200
    spouse = a_spouse(an, insurance_number=resident_id(order=901))
    assert correct(an, spouse, id_number=OTHER, insurance_number=OTHER).status == 200


def test_1_1_10_while_a_number_stands_only_the_name_is_corrected(ward: Ward, an: Phone) -> None:
    oneself = add(an)
    assert book(an, ward.schedule(terms=ANYBODY), oneself, "on_site").status == 201
    for typed in ({"id_number": OTHER}, {"id_number": OTHER, "name": "测试乙"}, {"relationship": "other"}):
        refused = correct(an, oneself, **typed)
        assert (refused.code, refused.json["facts"]) == ("dependent_in_use", {"open_appointments": 1, "waiting": 0})
    assert correct(an, oneself, name="测试乙").status == 200
    waiting = a_spouse(an)
    verify(ward, waiting)
    wait(ward, an, waiting)
    unmatch(ward, waiting)
    assert correct(an, waiting, id_number=OTHER).json["facts"] == {"open_appointments": 0, "waiting": 1}


def unmatch(ward: Ward, dependent_id: str) -> None:
    with ward.workbench.transactions.database.write() as session:
        session.get_one(Dependent, UUID(dependent_id)).note_other_document()


def test_l_05_what_was_matched_is_frozen_and_an_open_check_ends(ward: Ward, an: Phone) -> None:
    oneself = add(an)
    begun = an.post(f"/dependents/{oneself}/identity-checks", {"method": "on_site"})
    assert begun.status == 201
    assert correct(an, oneself, name="测试乙").json["identity"]["status"] == "unverified"
    with ward.workbench.transactions.database.read() as session:
        check = session.get_one(IdentityCheck, UUID(begun.json["id"]))
        assert (check.status, check.reason) == (IdentityCheckStatus.FAILED, "corrected")
    verify(ward, oneself)
    frozen = correct(an, oneself, name="测试甲", relationship="other", phone="13900000001")
    assert (frozen.code, frozen.json["facts"]) == ("identity_frozen", {"fields": ["name", "relationship"]})
    assert told(an, oneself)["name"] == "测试乙"


def test_1_1_9_a_relationship_changes_by_the_rules_of_adding(an: Phone) -> None:
    oneself, spouse = add(an), a_spouse(an)
    assert correct(an, spouse, relationship="sibling").json["relationship"] == "sibling"
    assert correct(an, spouse, relationship="spouse").status == 200  # does not count
    assert correct(an, spouse, relationship="self").json["facts"] == {"dependent_id": oneself}
    assert correct(an, spouse, id_number=SELF["id_number"]).json["facts"] == {"dependent_id": oneself}
    assert correct(an, oneself, relationship="parent").status == 200
    assert correct(an, spouse, relationship="self").status == 200


def test_strikes_of_a_child_count_together_once_the_number_has_come_by_a_correction(ward: Ward, an: Phone) -> None:
    bo = ward.log_in("bo")
    mother, father = add(an), add(bo, id_number=OTHER)
    number = resident_id(birth=ward.day(0), order=902)
    certificate = {"id_type": "birth_certificate", "id_number": "P330123456"}
    unnumbered = an.post("/dependents", newborn(ward, guardian_dependent_id=mother) | certificate).json["id"]
    known = bo.post("/dependents", child(ward, guardian_dependent_id=father, id_number=number)).json["id"]
    schedule = ward.schedule(terms=ANYBODY, numbers=9)
    for phone, whom in ((bo, known), (bo, known), (an, unnumbered)):
        agree(phone, "minor", whom)
        made = book(phone, schedule, whom, "on_site").json["id"]
        assert phone.post(f"/appointments/{made}/cancellation").status == 200
        strike(ward, made)
    assert correct(an, unnumbered, id_type="resident_id", id_number=number, name="测试宝").status == 200
    ward.work()
    for phone, whom in ((bo, known), (an, unnumbered)):
        reasons = phone.get(f"/schedules/{schedule}/eligibility?dependent_id={whom}")["reasons"]
        assert "person_limit" in [one["code"] for one in reasons]
