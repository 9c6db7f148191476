"""Rows of rules.md section 1 that belong to no other file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minors import booked, child
from people import resident_id
from ward import OPERATIONS, Ward, add, agree, open_ward

from core.identity.consent_texts import CHINESE, ENGLISH, consent_text
from models.account import Purpose
from models.database import Database
from models.person import Relationship

RELATIONS = {  # GB/T 4761, one digit (rules.md 1.1.9) -> the words of api.md
    "0": {"self"}, "1": {"spouse"}, "2": {"son"}, "3": {"daughter"}, "4": {"grandchild"}, "5": {"parent"},
    "6": {"grandparent"}, "7": {"sibling"}, "8": {"other"},
}  # fmt: skip


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened


def test_1_1_7_two_guardians_bind_one_child_and_each_hears_of_their_own_bookings(ward: Ward) -> None:
    mother, father = ward.log_in("mother"), ward.log_in("father")
    appointments = {}
    for phone, order in ((mother, 996), (father, 997)):
        own = add(phone, id_number=resident_id(order=order))
        added = phone.post("/dependents", child(ward, guardian_dependent_id=own))
        assert added.status == 201, added
        agree(phone, "minor", added.json["id"])
        made = booked(ward, phone, added.json["id"])
        assert made.status == 201, made
        appointments[phone.token] = made.json["id"]
    for phone in (mother, father):
        told = json.dumps(phone.get("/account/export")["notices"])
        listed = [one["id"] for one in phone.get("/appointments")["items"]]
        assert listed == [appointments[phone.token]]
        assert all((one in told) == (one in listed) for one in appointments.values())


def test_1_1_9_every_relation_of_the_standard_has_its_word(ward: Ward) -> None:
    assert {word for words in RELATIONS.values() for word in words} == {str(one) for one in Relationship}
    assert RELATIONS.keys() == {str(digit) for digit in range(9)}


@pytest.mark.parametrize("relationship", list(Relationship))
def test_1_1_9_each_relation_is_taken_and_told(ward: Ward, relationship: Relationship) -> None:
    phone = ward.log_in("an")
    dependent_id = add(phone, relationship=str(relationship))
    assert phone.get(f"/dependents/{dependent_id}")["relationship"] == relationship


def test_1_1_11_whom_an_appointment_is_for_never_changes(ward: Ward) -> None:
    """No operation about an appointment that exists takes anybody else; another patient is another booking."""
    document = ward.app.test_client().get("/openapi.json").json
    about = [one for one in OPERATIONS.values() if "<uuid:appointment_id>" in one.rule and one.method != "GET"]
    assert about
    for operation in about:
        path = operation.rule.replace("<uuid:", "{").replace(">", "}")
        body = document["paths"][path][operation.method.lower()].get("requestBody", {})
        assert "dependent_id" not in json.dumps(_fields(document, body)), operation.name


def _fields(document: Any, body: Any) -> Any:
    schema = body.get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return sorted(schema.get("properties", {}))


@pytest.mark.parametrize(
    ("language", "words"), [(CHINESE, ("未成年人", "监护人", "14")), (ENGLISH, ("guardian", "14"))]
)
def test_1_2_3_minors_have_rules_of_their_own(language: str, words: tuple[str, ...]) -> None:
    own, general = consent_text(Purpose.MINOR, language=language), consent_text(Purpose.SERVICE, language=language)
    assert all(word in own.text for word in words)
    assert own.text != general.text


def test_1_2_4_a_child_with_a_number_and_no_card_types_it_and_names_the_guardian(ward: Ward) -> None:
    phone = ward.log_in("an")
    added = phone.post("/dependents", child(ward, years=3, guardian_dependent_id=add(phone)))
    assert (added.status, added.json["id_type"], added.json["age"]) == (201, "resident_id", 3)


def test_1_2_5_a_child_is_booked_for_in_its_own_name(ward: Ward) -> None:
    """The appointment names the child; the mother's own booking is another and counts for her."""
    phone = ward.log_in("an")
    own = add(phone)
    minor = phone.post("/dependents", child(ward, guardian_dependent_id=own)).json["id"]
    agree(phone, "minor", minor)
    assert booked(ward, phone, minor).json["dependent"]["id"] == minor
    assert booked(ward, phone, own).json["dependent"]["id"] == own


@pytest.mark.parametrize("id_type", ["resident_id", "household_register"])
def test_1_2_7_under_sixteen_card_or_register_will_do(ward: Ward, id_type: str) -> None:
    phone = ward.log_in("an")
    added = phone.post("/dependents", child(ward, years=15, id_type=id_type))
    assert (added.status, added.json["id_type"]) == (201, id_type)
