"""1.2: a minor is booked for with a guardian of age on the same account, and that guardian's consent."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from minors import booked, child, errors, newborn
from people import resident_id
from sqlalchemy import update
from ward import Ward, add, agree, book
from wire import Phone, Reply

from core.clock import hospital_day
from core.dependents.agreements import note_agreement
from core.identity.consent_texts import current_version
from models.account import Purpose
from models.agreement import AgreementWay
from models.person import Dependent


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


@pytest.mark.parametrize("who", [child, newborn])
def test_1_2_a_minor_is_booked_for_with_guardian_and_consent(ward: Ward, an: Phone, who: Any) -> None:
    guardian = add(an)
    added = an.post("/dependents", who(ward))
    assert (added.status, "guardian_dependent_id" in added.json) == (201, False)
    minor = added.json["id"]
    refused = booked(ward, an, minor).json
    assert (refused["code"], refused["facts"]["fields"]) == ("fields_required", ["guardian_dependent_id"])
    changed = an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": guardian})
    assert (changed.status, changed.json["guardian_dependent_id"]) == (200, guardian)
    assert booked(ward, an, minor).json["code"] == "consent_required"
    agree(an, "minor", minor)
    assert booked(ward, an, minor).status == 201


def consent(phone: Phone, dependent_id: str, *, granted: bool = True) -> Reply:
    said = {"purpose": "minor", "version": current_version(Purpose.MINOR), "granted": granted}
    return phone.send("POST", "/account/consents", said | {"dependent_id": dependent_id})


def stands(phone: Phone, dependent_id: str) -> bool:
    """Whether the guardian's consent for this dependent does."""
    (newest,) = [
        one["granted"] for one in phone.get("/account/consents")["items"] if one.get("dependent_id") == dependent_id
    ]
    return bool(newest)


def test_l_04_the_consent_is_a_guardians_word_about_a_minor(ward: Ward, an: Phone) -> None:
    """The other one is 15 and holds the account: nobody consents for them here, and booking says who is missing."""
    guardian, minor = add(an), an.post("/dependents", child(ward)).json["id"]
    assert errors(consent(an, minor)) == [("#/dependent_id", "guardian_missing")]
    an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": guardian})
    assert consent(an, minor).status == 201
    youth = ward.log_in("youth")
    own = youth.post("/dependents", child(ward, years=15, order=927, relationship="self")).json["id"]
    assert errors(consent(youth, own)) == [("#/dependent_id", "guardian_missing")]
    assert booked(ward, youth, own).json["facts"]["fields"] == ["guardian_dependent_id"]


def test_l_04_another_guardian_has_not_said_what_the_first_one_said(ward: Ward, an: Phone) -> None:
    mother = add(an)
    sister = an.post("/dependents", child(ward, years=40, order=928, name="测试姐", relationship="other")).json["id"]
    minor = an.post("/dependents", child(ward, guardian_dependent_id=mother)).json["id"]
    for guardian in (sister, mother, None):
        assert consent(an, minor).status == 201
        assert an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": guardian}).status == 200
        assert not stands(an, minor)
    assert errors(consent(an, minor)) == [("#/dependent_id", "guardian_missing")]
    assert an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": mother}).status == 200
    consent(an, minor)
    told = {"guardian_dependent_id": sister, "relation": "75", "evidence": "declared"}
    named = an.send("PUT", f"/dependents/{minor}/guardian", told)
    assert named.status == 200, named
    assert not stands(an, minor)
    consent(an, minor)
    assert an.send("PUT", f"/dependents/{minor}/guardian", told).status == 200
    assert stands(an, minor)


def test_1_2_2_an_invented_guardian_answers_for_nobody(ward: Ward, an: Phone) -> None:
    """Whoever types a child and makes a guardian up is refused what a stranger is refused."""
    add(an)
    invented = an.post("/dependents", child(ward, years=40, order=928, name="测试姐", relationship="other")).json["id"]
    minor = an.post("/dependents", child(ward, guardian_dependent_id=invented)).json["id"]
    consent(an, minor)
    know(ward, minor)
    schedule = ward.schedule(terms={"min_identity_level": 1})
    reasons = an.get(f"/schedules/{schedule}/eligibility?dependent_id={minor}")["reasons"]
    about = [(one["code"], one["facts"]["dependent_id"]) for one in reasons]
    assert about == [("agreement_required", invented), ("identity_required", invented)]
    assert book(an, schedule, minor, "on_site").status == 409
    know(ward, invented)
    assert book(an, schedule, minor, "on_site").code == "agreement_required"
    ward.workbench.transactions.write(
        lambda session, now: note_agreement(
            session, session.get_one(Dependent, UUID(invented)), AgreementWay.DESK, witnessed_by="desk-1", now=now
        )
    )
    assert book(an, schedule, minor, "on_site").status == 201


def test_1_2_2_a_child_that_was_seen_needs_no_match_of_its_guardian(ward: Ward, an: Phone) -> None:
    mother = add(an)
    minor = an.post("/dependents", child(ward, guardian_dependent_id=mother)).json["id"]
    consent(an, minor)
    schedule = ward.schedule(terms={"min_identity_level": 1})
    know(ward, minor)
    assert book(an, schedule, minor, "on_site").code == "identity_required"
    know(ward, minor, level=2)
    assert book(an, schedule, minor, "on_site").status == 201


def test_l_04_without_a_guardian_either_way_of_naming_one_is_open(ward: Ward, an: Phone) -> None:
    """The consent that was theirs ended with them, and nobody could give it before there is another."""
    mother = add(an)
    minor = an.post("/dependents", child(ward, guardian_dependent_id=mother)).json["id"]
    consent(an, minor)
    assert an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": None}).status == 200
    told = {"guardian_dependent_id": mother, "relation": "51", "evidence": "declared"}
    named = an.send("PUT", f"/dependents/{minor}/guardian", told)
    assert named.status == 200, named


def test_l_04_a_guardian_who_becomes_somebody_else_has_said_nothing(ward: Ward, an: Phone) -> None:
    guardian = an.post("/dependents", child(ward, years=40, order=929, relationship="other")).json["id"]
    minor = an.post("/dependents", child(ward, guardian_dependent_id=guardian)).json["id"]
    consent(an, minor)
    told = {"guardian_dependent_id": guardian, "relation": "51", "evidence": "declared"}
    assert "guardianship" in an.send("PUT", f"/dependents/{minor}/guardian", told).json
    another = {"id_number": child(ward, years=41, order=931)["id_number"]}
    assert an.send("PATCH", f"/dependents/{guardian}", another).status == 200
    assert not stands(an, minor)
    assert "guardianship" not in an.get(f"/dependents/{minor}")


def know(ward: Ward, dependent_id: str, *, level: int = 1) -> None:
    with ward.workbench.transactions.database.write() as session:
        known = {"identity_level": level, "identity_method": "name_match"}
        session.execute(update(Dependent).where(Dependent.id == UUID(dependent_id)).values(**known))


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


def test_1_3_a_birth_certificate_is_the_document_of_a_child_when_it_is_added_and_when_it_comes(
    ward: Ward, an: Phone
) -> None:
    certificate = {"id_type": "birth_certificate", "id_number": "A123456789"}
    today = hospital_day(ward.clock.now())
    grown = newborn(ward, birth_date=f"{today.replace(year=today.year - 18)}") | certificate
    assert errors(an.post("/dependents", grown)) == [("#/id_type", "not_a_minor")]
    born = today - timedelta(days=365)
    bound = an.post("/dependents", newborn(ward, birth_date=f"{born}") | {"guardian_dependent_id": add(an)})
    path = f"/dependents/{bound.json['id']}/document"
    ward.clock.advance(born.replace(year=born.year + 18) - today)
    assert errors(ward.log_in("an").send("PUT", path, certificate)) == [("#/id_type", "not_a_minor")]
    ward.clock.advance(-timedelta(days=1))
    assert ward.log_in("an").send("PUT", path, certificate).status == 200


def test_1_2_8_18_is_reached_on_the_birthday(ward: Ward, an: Phone) -> None:
    guardian = add(an)
    today = hospital_day(ward.clock.now())
    grown = child(ward, id_number=resident_id(birth=today.replace(year=today.year - 18), order=927))
    assert errors(an.post("/dependents", grown | {"guardian_dependent_id": guardian})) == [
        ("#/guardian_dependent_id", "not_a_minor")
    ]
    added = an.post("/dependents", grown)
    # No guardian any more: from now on they answer for themselves.
    assert booked(ward, an, added.json["id"]).code == "agreement_required"


# --- what the guardian is to the child, and what shows it


def name(phone: Phone, minor: str, guardian: str, **more: Any) -> Reply:
    told = {"guardian_dependent_id": guardian, "relation": "52", "evidence": "birth_certificate"} | more
    return phone.send("PUT", f"/dependents/{minor}/guardian", told)


def mother(phone: Phone) -> str:
    return add(phone, id_number=resident_id(order=996))


def test_1_2_2_relation_and_evidence_are_told_and_the_number_is_sealed(ward: Ward, an: Phone) -> None:
    guardian, minor = mother(an), an.post("/dependents", child(ward)).json["id"]
    named = name(an, minor, guardian, evidence_number="　Ｂ123456789 ")
    assert (named.status, named.json["guardian_dependent_id"]) == (200, guardian)
    assert named.json["guardianship"] == {
        "relation": "52", "evidence": "birth_certificate", "told_at": named.json["guardianship"]["told_at"],
    }  # fmt: skip
    assert b"123456789" not in named.body
    told = next(one for one in an.get("/account/export")["dependents"] if one["id"] == minor)
    assert told["guardian_evidence_number"] == "B123456789"
    agree(an, "minor", minor)
    assert booked(ward, an, minor).status == 201


def test_1_2_2_the_relation_fits_the_guardian(ward: Ward, an: Phone) -> None:
    guardian, minor = mother(an), an.post("/dependents", child(ward)).json["id"]
    assert errors(name(an, minor, guardian, relation="51")) == [("#/relation", "contradicts_guardian")]
    assert errors(name(an, guardian, minor)) == [("#/guardian_dependent_id", "not_a_minor")]
    assert errors(name(an, minor, guardian, relation="99")) == [("#/relation", "unknown_word")]
    assert name(an, minor, minor).status == 404


def test_1_2_2_with_another_guardian_the_evidence_is_of_nobody(ward: Ward, an: Phone) -> None:
    guardian, minor = mother(an), an.post("/dependents", child(ward)).json["id"]
    other = add(an, id_number=resident_id(birth=date(1950, 1, 1), order=997), relationship="parent")
    assert name(an, minor, guardian).status == 200
    same = an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": guardian}).json
    assert "guardianship" in same
    changed = an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": other}).json
    assert (changed["guardian_dependent_id"], "guardianship" in changed) == (other, False)


def test_l_04_the_desk_confirms_what_it_has_seen(ward: Ward, an: Phone) -> None:
    guardian, minor = mother(an), an.post("/dependents", child(ward)).json["id"]
    cli = ward.app.test_cli_runner()
    seen = ["--operator", "desk-1", "--relation", "52", "--evidence", "court_order", "--evidence-seen"]
    assert cli.invoke(args=["confirm-guardian", minor, *seen]).exit_code == 1
    name(an, minor, guardian, evidence="declared")
    father = cli.invoke(args=["confirm-guardian", minor, *seen, "--relation", "51"])
    assert (father.exit_code, father.output) == (1, "relation: contradicts_guardian\n")
    assert "confirmed_at" not in an.get(f"/dependents/{minor}")["guardianship"]
    assert cli.invoke(args=["confirm-guardian", minor, *seen]).exit_code == 0
    guardianship = an.get(f"/dependents/{minor}")["guardianship"]
    assert guardianship["evidence"] == "court_order"
    assert "confirmed_at" in guardianship
    (entry,) = an.get("/account/access-log")["items"]
    assert (entry["action"], entry["actor"]) == ("guardian.confirm", "desk-1")
    again = name(an, minor, guardian).json["guardianship"]
    assert "confirmed_at" not in again
