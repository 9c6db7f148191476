"""A document with what was typed beside its number: what is required, what must agree, and every fault's pointer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from people import resident_id

from core.dependents.documents import Document, TypedDocument, read_document
from core.dependents.documents.countries import read_country
from core.dependents.fields import Fields
from core.dependents.typed import InputFault
from models.errors import ValidationFailed
from models.person import IdType, Sex

TODAY = date(2026, 11, 22)
BORN = {"birth_date": date(1988, 12, 25), "sex": Sex.FEMALE}
PASSPORT = {"id_type": IdType.PASSPORT, "id_number": "AB1234567", "country": "USA", "id_expires_on": TODAY} | BORN
SILENT = {
    IdType.HK_MACAO_PERMIT: "H12345678",
    IdType.TAIWAN_PERMIT: "12345678",
    IdType.PASSPORT: "AB1234567",
    IdType.BIRTH_CERTIFICATE: "P330123456",
    IdType.OFFICER_CARD: "军字第1234567号",
    IdType.GUARDIAN_BOUND: None,
}
TELLING = {
    IdType.RESIDENT_ID: "320106198812259988",
    IdType.HOUSEHOLD_REGISTER: "320106198812259988",
    IdType.HMT_RESIDENCE_PERMIT: resident_id(birth=date(1988, 12, 25), order=998, area="810000"),
    IdType.FOREIGN_PERMANENT_RESIDENT: resident_id(birth=date(1988, 12, 25), order=998, area="933840"),
}


def read(**given: Any) -> Document:
    fields = Fields()
    document = read_document(TypedDocument(**given), today=TODAY, fields=fields)
    fields.done()
    assert document is not None
    return document


def faults(**given: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationFailed) as refused:
        read(**given)
    return [(error.pointer, error.code) for error in refused.value.errors]


@pytest.mark.parametrize(("kind", "number"), TELLING.items())
def test_1_3_the_number_says_sex_and_birth_date(kind: IdType, number: str) -> None:
    said = read(id_type=kind, id_number=number)
    assert (said.birth_date, said.sex) == (BORN["birth_date"], BORN["sex"])
    assert read(id_type=kind, id_number=number, **BORN) == said


@pytest.mark.parametrize(("kind", "number"), TELLING.items())
def test_1_3_what_was_typed_must_agree_with_the_number(kind: IdType, number: str) -> None:
    given = {"id_type": kind, "id_number": number}
    assert faults(**given, birth_date=date(1988, 12, 26)) == [("#/birth_date", "contradicts_id_number")]
    assert faults(**given, sex=Sex.MALE) == [("#/sex", "contradicts_id_number")]
    assert faults(**given, birth_date=date(2030, 1, 1), sex=Sex.MALE) == [
        ("#/birth_date", "contradicts_id_number"),
        ("#/sex", "contradicts_id_number"),
    ]


def _beside(kind: IdType) -> dict[str, Any]:
    return {"country": "USA", "id_expires_on": TODAY} if kind is IdType.PASSPORT else {}


@pytest.mark.parametrize(("kind", "number"), SILENT.items())
def test_1_3_where_the_number_says_nothing_both_are_required(kind: IdType, number: str | None) -> None:
    given = {"id_type": kind, "id_number": number} | _beside(kind)
    assert read(**given, **BORN).birth_date == BORN["birth_date"]
    assert faults(**given) == [("#/birth_date", "missing"), ("#/sex", "missing")]
    assert faults(**given, sex=Sex.MALE) == [("#/birth_date", "missing")]
    assert faults(**given, birth_date=TODAY) == [("#/sex", "missing")]


@pytest.mark.parametrize(("kind", "number"), SILENT.items())
@pytest.mark.parametrize(
    ("birth_date", "code"), [(TODAY + timedelta(1), "future_date"), (date(1895, 11, 22), "too_old")]
)
def test_1_3_a_typed_birth_date_is_one_of_somebody_alive(
    kind: IdType, number: str | None, birth_date: date, code: str
) -> None:
    given = {"id_type": kind, "id_number": number, "sex": Sex.MALE, "birth_date": birth_date} | _beside(kind)
    assert faults(**given) == [("#/birth_date", code)]


def test_1_3_a_bad_number_hides_no_other_fault() -> None:
    wrong = {"id_type": IdType.PASSPORT, "id_number": "1", "country": "ZZ", "id_expires_on": TODAY - timedelta(1)}
    assert sorted(faults(**wrong)) == [
        ("#/birth_date", "missing"),
        ("#/country", "unknown_country"),
        ("#/id_expires_on", "expired"),
        ("#/id_number", "bad_format"),
        ("#/sex", "missing"),
    ]


@pytest.mark.parametrize("kind", [kind for kind in IdType if kind is not IdType.GUARDIAN_BOUND])
def test_1_3_a_number_is_needed(kind: IdType) -> None:
    assert ("#/id_number", "missing") in faults(id_type=kind, **BORN)


@pytest.mark.parametrize("number", [None, "", " \u3000"])
def test_1_2_6_a_newborn_needs_none(number: str | None) -> None:
    newborn = read(id_type=IdType.GUARDIAN_BOUND, id_number=number, birth_date=TODAY, sex=Sex.FEMALE)
    assert (newborn.number, newborn.birth_date) == ("", TODAY)


def test_1_3_a_passport_names_its_country_and_its_last_day() -> None:
    for missing in ("country", "id_expires_on"):
        assert faults(**PASSPORT | {missing: None}) == [(f"#/{missing}", "missing")]
    assert faults(**PASSPORT | {"country": " "}) == [("#/country", "empty")]
    said = read(**PASSPORT)
    assert (said.country, said.id_expires_on) == ("USA", TODAY)


def test_1_3_chinese_passports_have_forms_of_their_own() -> None:
    assert read(**PASSPORT | {"country": "CN", "id_number": "EA1234567"}).country == "CHN"
    assert faults(**PASSPORT | {"country": "CN"}) == [("#/id_number", "bad_format")]


@pytest.mark.parametrize(("kind", "number"), (SILENT | TELLING).items())
def test_1_3_an_expired_document_is_refused_from_the_next_day_on(kind: IdType, number: str | None) -> None:
    given = {"id_type": kind, "id_number": number} | _beside(kind) | BORN
    assert read(**given | {"id_expires_on": TODAY}).id_expires_on == TODAY
    assert faults(**given | {"id_expires_on": TODAY - timedelta(1)}) == [("#/id_expires_on", "expired")]


OLD_CARD = {"id_type": IdType.FOREIGN_PERMANENT_RESIDENT, "id_number": "USA110010010101"}


def test_1_3_the_old_foreign_card_says_all_but_the_sex() -> None:
    assert faults(**OLD_CARD) == [("#/sex", "missing")]
    said = read(**OLD_CARD, sex=Sex.MALE)
    assert (said.birth_date, said.sex, said.country) == (date(2010, 1, 1), Sex.MALE, "USA")
    assert read(**OLD_CARD, sex=Sex.MALE, birth_date=date(1910, 1, 1)).birth_date == date(1910, 1, 1)
    assert faults(**OLD_CARD, sex=Sex.MALE, birth_date=date(1910, 1, 2)) == [("#/birth_date", "contradicts_id_number")]
    assert faults(**OLD_CARD, sex=Sex.MALE, country="FR") == [("#/country", "contradicts_id_number")]
    assert read(**OLD_CARD, sex=Sex.MALE, country="us") == said


@pytest.mark.parametrize(
    ("typed", "code"),
    [("us", "USA"), ("USA", "USA"), (" Ｄ ", "DEU"), ("de", "DEU"), ("gbn", "GBR"), ("XXA", "XXA"), ("hkg", "HKG")],
)
def test_1_3_a_country_is_read_as_passports_print_it(typed: str, code: str) -> None:
    assert read_country(typed) == code


@pytest.mark.parametrize("typed", ["USSA", "840", "中国", "U", "-", "UK"])
def test_1_3_an_unknown_country_is_refused(typed: str) -> None:
    with pytest.raises(InputFault, match="unknown_country"):
        read_country(typed)


def test_nothing_of_a_document_shows_in_its_representation() -> None:
    given = TypedDocument(**PASSPORT)
    for shown in (repr(given), repr(read(**PASSPORT))):
        assert "1234567" not in shown
        assert "1988" not in shown
