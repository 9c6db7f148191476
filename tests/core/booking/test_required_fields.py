"""What a hospital wants to know of a patient (`required_fields`): told before, refused at booking, asked once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from eligible import codes, elsewhere, look, set_schedule
from harness import Patient, beside
from people import CAUSE
from sqlalchemy import event
from sqlalchemy.orm import Session

from core.booking.policy import PLATFORM_DEFAULTS, BookingPolicy, InvalidPolicy, merged
from core.booking.terms import Terms
from core.dependents.cards import NewCard, add_card
from core.dependents.contact import Change, change_contact
from core.refusals import FieldsRequired
from models.appointment import PayMode
from models.database import Database
from models.policy import RequiredField
from models.schedule import Schedule
from schemas.rules_in_words import booking_notice, rules_of

NAMES = [str(name) for name in RequiredField]
TYPED = {"address": "中山路321号", "email": "an@example.com", "insurance_number": "A12345678"}
SETS = [list(some) for many in range(len(NAMES) + 1) for some in combinations(NAMES, many)]


def wanting(patient: Patient, names: Iterable[str]) -> UUID:
    return beside(patient, terms={"required_fields": list(names)})


def whose(patient: Patient) -> dict[str, Any]:
    return {
        "account_id": patient.account_id, "dependent_id": patient.dependent_id, "vault": patient.workbench.vault,
    }  # fmt: skip


def bring(session: Session, patient: Patient, schedule_id: UUID, number: str, now: Any, **more: Any) -> UUID:
    """A card of the schedule's hospital."""
    wanted = NewCard(session.get_one(Schedule, schedule_id).hospital_id, number, **more)
    return add_card(session, **whose(patient), wanted=wanted, now=now).card.id


def fill_in(patient: Patient, names: Iterable[str], schedule_id: UUID) -> None:
    contact = {name: TYPED[name] for name in names if name in TYPED}
    patient.write(
        lambda session, now: change_contact(session, **whose(patient), change=Change(contact), now=now, cause=CAUSE)
    )
    if RequiredField.HOSPITAL_CARD in names:
        patient.write(lambda session, now: bring(session, patient, schedule_id, "0012345678", now))


@pytest.mark.parametrize("names", SETS, ids="-".join)
def test_each_that_is_wanted_and_missing_is_named_and_no_other(patient: Patient, names: list[str]) -> None:
    schedule_id = wanting(patient, names)
    if names:
        refused = look(patient, schedule_id).reasons[0]
        assert isinstance(refused.error, FieldsRequired)
        assert refused.error.facts == {"fields": names, "dependent_id": str(patient.dependent_id)}
        assert refused.alternatives == ["complete_fields", "desk"]
        with pytest.raises(FieldsRequired) as at_booking:
            patient.book(PayMode.ON_SITE, schedule_id=schedule_id)
        assert at_booking.value.facts == refused.error.facts
    fill_in(patient, names, schedule_id)
    assert codes(patient, schedule_id) == []
    patient.book(PayMode.ON_SITE, schedule_id=schedule_id)


def test_what_is_there_already_is_not_asked_again(patient: Patient) -> None:
    schedule_id = wanting(patient, ["address", "email"])
    fill_in(patient, ["email"], schedule_id)
    assert look(patient, schedule_id).reasons[0].error.facts["fields"] == ["address"]


def test_a_card_of_another_hospital_is_not_the_one_that_is_wanted(patient: Patient) -> None:
    here = wanting(patient, ["hospital_card"])
    fill_in(patient, ["hospital_card"], elsewhere(patient))
    assert codes(patient, here) == ["fields_required"]


def test_where_a_card_is_wanted_the_current_one_is_brought_unless_another_is_named(patient: Patient) -> None:
    schedule_id = wanting(patient, ["hospital_card"])
    fill_in(patient, ["hospital_card"], schedule_id)
    second = patient.write(lambda session, now: bring(session, patient, schedule_id, "0087654321", now))
    booked = patient.appointment(patient.book(PayMode.ON_SITE, schedule_id=schedule_id))
    assert booked.visit_card_id == second
    patient.cancel(booked.id)
    third = patient.write(lambda session, now: bring(session, patient, schedule_id, "OLD-1", now, is_current=False))
    booked = patient.appointment(patient.book(PayMode.ON_SITE, schedule_id=schedule_id, visit_card_id=third))
    assert booked.visit_card_id == third


def test_l_09_nobody_is_asked_for_more_unless_a_hospital_says_so() -> None:
    assert PLATFORM_DEFAULTS.required_fields == ()
    assert merged([]).required_fields == ()


@pytest.mark.parametrize("wrong", [["name"], ["address", "address"], "address", [1], None])
def test_only_words_that_are_known_can_be_wanted(wrong: Any) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        BookingPolicy.parse({"required_fields": wrong})
    assert [fault.key for fault in refused.value.faults] == ["required_fields"]


def test_the_narrowest_level_decides_alone() -> None:
    hospital = BookingPolicy.parse({"required_fields": ["address"]})
    doctor = BookingPolicy.parse({"required_fields": []})
    assert merged([hospital]).required_fields == ("address",)
    assert merged([hospital, doctor]).required_fields == ()


def test_terms_that_were_pinned_before_there_was_such_a_rule_want_nothing(patient: Patient) -> None:
    assert Terms.from_document({}).required_fields == ()
    set_schedule(patient, terms={})
    assert codes(patient) == []


def test_what_was_sold_stays_sold_when_the_hospital_wants_more(patient: Patient) -> None:
    sold = patient.appointment(patient.book())
    set_schedule(patient, terms=dict(sold.terms) | {"required_fields": ["address"]})
    assert patient.appointment(sold.id).terms == sold.terms
    assert patient.open_payment(sold.id) is None


def test_the_rule_is_told_in_words() -> None:
    drum_tower = merged(
        [BookingPolicy.parse({"min_identity_level": 2, "required_fields": ["address", "hospital_card"]})]
    )
    told = {rule.key: rule for rule in rules_of(drum_tower)}["fields"]
    assert told.value == {"required_fields": ("address", "hospital_card")}
    assert told.words.zh == "预约前须补充就诊人的住址、本院就诊卡号。"
    assert (
        told.words.en
        == "Before booking, the patient's address and number of a card of this hospital must be filled in."
    )
    assert told.words.zh in booking_notice(drum_tower, "").zh
    assert told.words.en in booking_notice(drum_tower, "").en
    nothing = {rule.key: rule for rule in rules_of(merged([]))}["fields"]
    assert nothing.words.en == "Of the patient only name, document, phone and relationship are asked for."
    assert nothing.words.en not in booking_notice(merged([]), "").en


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_what_stands_with_the_dependent_costs_no_statement(patient: Patient, database: Database) -> None:
    schedule_id = wanting(patient, ["address", "email", "insurance_number"])
    fill_in(patient, TYPED, schedule_id)
    statements = list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2].split()[0]))
    patient.book(schedule_id=schedule_id)
    assert statements == ["SELECT", "WITH", "SELECT", "SELECT", "UPDATE", "WITH"]
