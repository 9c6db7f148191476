"""Document numbers: every case of id_cases.json, and what the checksum must catch (rules.md 1.3, F-86)."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import resident_id

from core.dependents.documents import (
    UNKNOWN_AREA,
    NumberRead,
    check_character,
    masked_for_others,
    masked_number,
    normal_number,
    read_number,
)
from core.dependents.typed import InputFault
from models.person import IdType, Sex

DATA = json.loads((Path(__file__).parents[2] / "data" / "id_cases.json").read_text(encoding="utf-8"))
TODAY = date.fromisoformat(DATA["as_of"])
CASES: list[dict[str, Any]] = DATA["cases"]
GOOD = [case for case in CASES if case["valid"]]
SEXES = {"M": Sex.MALE, "F": Sex.FEMALE, None: None}
KINDS = {
    "RESIDENT_ID": (IdType.RESIDENT_ID, None),
    "RESIDENT_ID_15": (IdType.RESIDENT_ID, None),
    "HMT_RESIDENCE": (IdType.HMT_RESIDENCE_PERMIT, None),
    "FOREIGN_PR": (IdType.FOREIGN_PERMANENT_RESIDENT, None),
    "HM_PERMIT": (IdType.HK_MACAO_PERMIT, None),
    "TW_PERMIT": (IdType.TAIWAN_PERMIT, None),
    "PASSPORT_CN": (IdType.PASSPORT, "CHN"),
    "PASSPORT_FOREIGN": (IdType.PASSPORT, "USA"),
    "BIRTH_CERT": (IdType.BIRTH_CERTIFICATE, None),
    "MILITARY": (IdType.OFFICER_CARD, None),
    "HOUSEHOLD": (IdType.HOUSEHOLD_REGISTER, None),
    "GUARDIAN_BOUND": (IdType.GUARDIAN_BOUND, None),
}
CHECKED = {
    IdType.RESIDENT_ID: ["110101", "330102", "650102", "440304", "310103"],
    IdType.HOUSEHOLD_REGISTER: ["110101", "330102"],
    IdType.HMT_RESIDENCE_PERMIT: ["810000", "820000", "830000"],
    IdType.FOREIGN_PERMANENT_RESIDENT: ["933840", "911036"],
}


@st.composite
def checked(draw: st.DrawFn) -> tuple[IdType, str]:
    """A kind whose numbers have a checksum, and a good number of it."""
    kind = draw(st.sampled_from(list(CHECKED)))
    number = resident_id(
        birth=draw(st.dates(min_value=date(1900, 1, 1), max_value=TODAY)),
        order=draw(st.integers(min_value=1, max_value=999)),
        area=draw(st.sampled_from(CHECKED[kind])),
    )
    return kind, number


def read_case(case: dict[str, Any]) -> NumberRead:
    kind, country = KINDS[case["doc_type"]]
    return read_number(kind, case["input"], today=TODAY, country=country)


def read_resident_id(typed: str, *, today: date) -> NumberRead:
    return read_number(IdType.RESIDENT_ID, typed, today=today)


def fault_of(typed: str, kind: IdType = IdType.RESIDENT_ID, *, country: str | None = None) -> str:
    with pytest.raises(InputFault) as refused:
        read_number(kind, typed, today=TODAY, country=country)
    return refused.value.code


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["id"])
def test_1_3_a_good_number_is_read(case: dict[str, Any]) -> None:
    read = read_case(case)
    assert read.number == case["normalized"]
    assert read.warnings == ()
    if case["doc_type"] != "HOUSEHOLD":  # the table of rules.md has both inside; the case does not name them
        assert (read.births[0].isoformat() if read.births else None) == case["birth"]
        assert read.sex is SEXES[case["sex"]]


@pytest.mark.parametrize("case", [case for case in CASES if not case["valid"]], ids=lambda case: case["id"])
def test_1_3_a_bad_number_is_refused_with_the_first_reason(case: dict[str, Any]) -> None:
    with pytest.raises(InputFault) as refused:
        read_case(case)
    assert refused.value.code == case["reason"].lower()


def test_the_checksum_agrees_with_the_published_weights() -> None:
    for case in GOOD:
        if KINDS[case["doc_type"]][0] not in CHECKED or len(case["normalized"]) != 18:
            continue
        digits = case["normalized"]
        total = sum(weight * int(digit) for weight, digit in zip(DATA["weights"], digits[:17], strict=True))
        assert check_character(digits[:17]) == DATA["check_chars"][total % 11] == digits[17]


@given(good=checked(), place=st.integers(0, 16), shift=st.integers(1, 9))
def test_1_3_any_one_wrong_digit_is_refused(good: tuple[IdType, str], place: int, shift: int) -> None:
    kind, number = good
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert fault_of(wrong, kind)


@given(good=checked(), other=st.sampled_from("0123456789X"))
def test_1_3_any_wrong_check_character_is_refused(good: tuple[IdType, str], other: str) -> None:
    kind, number = good
    if other != number[-1]:
        assert fault_of(number[:-1] + other, kind) == "bad_checksum"


@given(good=checked(), place=st.integers(0, 16))
def test_1_3_any_swap_of_unequal_neighbours_is_refused(good: tuple[IdType, str], place: int) -> None:
    kind, number = good
    one, two = number[place : place + 2]
    if one != two:
        assert fault_of(number[:place] + two + one + number[place + 2 :], kind)


@pytest.mark.parametrize(
    "case",
    [case for case in GOOD if KINDS[case["doc_type"]][0] in CHECKED and len(case["normalized"]) == 18],
    ids=lambda case: case["id"],
)
def test_1_3_every_slip_of_a_published_number_is_refused(case: dict[str, Any]) -> None:
    number = case["normalized"]
    slips = {number[:i] + d + number[i + 1 :] for i in range(18) for d in "0123456789X"}
    slips |= {number[:i] + number[i + 1] + number[i] + number[i + 2 :] for i in range(17)}
    for slip in slips - {number}:
        assert fault_of(slip, KINDS[case["doc_type"]][0])


@given(good=checked())
def test_1_3_a_number_is_read_however_it_is_typed(good: tuple[IdType, str]) -> None:
    kind, number = good
    full_width = number.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789X"})
    blanks = "\u3000".join([number[:6], number[6:14], number[14:]])
    pasted = f"\u202d {number.lower()}\u200b\u202c\n"
    for typed in (full_width, blanks, pasted):
        assert read_number(kind, typed, today=TODAY).number == number


@pytest.mark.parametrize("prefix", ["810000", "820000", "830000", "933921", "999999"])
def test_permits_are_told_from_the_resident_id(prefix: str) -> None:
    assert fault_of(resident_id(area=prefix)) == "doc_type_mismatch"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty"),
        (" \u3000\u200b ", "empty"),
        ("33010219900101997", "bad_length"),
        ("²30102199001019973", "bad_charset"),
        ("٣30102199001019973", "bad_charset"),
        ("33010219900101997A", "bad_charset"),
        ("33010X900101997", "bad_charset"),
        ("330102900101997", "legacy_form"),
        ("330102901301997", "bad_date"),
        ("330102199013019970", "bad_date"),
    ],
)
def test_each_fault_has_its_code(typed: str, code: str) -> None:
    assert fault_of(typed) == code


def test_sequence_zero_was_never_given() -> None:
    assert fault_of(resident_id(order=0)) == "bad_sequence"


def test_the_day_of_birth_may_be_today_but_not_tomorrow() -> None:
    assert read_resident_id(resident_id(birth=TODAY), today=TODAY).births == (TODAY,)
    assert fault_of(resident_id(birth=date(2026, 11, 23))) == "future_date"


def test_too_old_begins_after_130_full_years() -> None:
    assert read_resident_id(resident_id(birth=date(1895, 11, 23)), today=TODAY)
    assert fault_of(resident_id(birth=date(1895, 11, 22))) == "too_old"


def test_born_on_a_leap_day() -> None:
    assert read_resident_id(resident_id(birth=date(2024, 2, 29)), today=TODAY).births == (date(2024, 2, 29),)
    assert fault_of("330102202302299978") == "bad_date"


def test_an_abolished_area_is_known_and_an_unknown_one_only_warned_of() -> None:
    assert read_resident_id(resident_id(area="330104"), today=TODAY).warnings == ()
    assert read_resident_id(resident_id(area="000000"), today=TODAY).warnings == (UNKNOWN_AREA,)


HMT, FOREIGN, PASSPORT = IdType.HMT_RESIDENCE_PERMIT, IdType.FOREIGN_PERMANENT_RESIDENT, IdType.PASSPORT


@pytest.mark.parametrize(
    ("area", "code"),
    [
        ("330102", "doc_type_mismatch"),
        ("933840", "doc_type_mismatch"),
        ("710000", "unknown_area"),
        ("810001", "unknown_area"),
        ("840000", "unknown_area"),
        ("000000", "unknown_area"),
    ],
)
def test_1_3_residence_permits_have_three_areas(area: str, code: str) -> None:
    assert fault_of(resident_id(area=area), HMT) == code


def test_1_3_an_unknown_area_is_the_last_thing_told() -> None:
    assert fault_of("710000199013019970", HMT) == "bad_date"
    assert fault_of(resident_id(area="710000")[:-1] + "A", HMT) == "bad_charset"
    right = resident_id(area="710000")
    assert fault_of(right[:-1] + str((int(right[-1].replace("X", "0")) + 1) % 10), HMT) == "bad_checksum"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty"),
        ("USA11008007040", "bad_length"),
        ("USA1100800704011", "bad_length"),
        ("9331840198007049970", "bad_length"),
        ("US1110080070401", "bad_charset"),
        ("USA11008007040X", "bad_charset"),
        ("ÜSA110080070401", "bad_charset"),
        ("330102900101997", "doc_type_mismatch"),
        ("330102199001019973", "doc_type_mismatch"),
        ("810000198705059975", "doc_type_mismatch"),
        ("USA110080130401", "bad_date"),
        ("USA110080023001", "bad_date"),
        ("USA110081022901", "bad_date"),
        (resident_id(area="933840", birth=date(2026, 11, 23)), "future_date"),
        (resident_id(area="933840", birth=date(1890, 1, 1)), "too_old"),
        (resident_id(area="933840", order=0), "bad_sequence"),
    ],
)
def test_1_3_foreign_residents_faults(typed: str, code: str) -> None:
    assert fault_of(typed, FOREIGN) == code


@pytest.mark.parametrize(
    ("typed", "births"),
    [
        ("USA110080070401", ["1980-07-04"]),
        ("gbr 3100 261122 05", ["2026-11-22", "1926-11-22"]),
        ("FRA310026112305", ["1926-11-23"]),
        ("FRA310000022905", ["2000-02-29"]),
        ("JPN310010010105", ["2010-01-01", "1910-01-01"]),
        ("KOR310099010105", ["1999-01-01", "1899-01-01"]),
    ],
)
def test_1_3_two_digits_of_a_year_may_mean_two_centuries(typed: str, births: list[str]) -> None:
    read = read_number(FOREIGN, typed, today=TODAY)
    assert [day.isoformat() for day in read.births] == births
    assert read.sex is None


def test_1_3_the_old_card_says_its_country_and_its_last_digit_is_not_enforced() -> None:
    for last in range(10):
        assert read_number(FOREIGN, f"USA11008007040{last}", today=TODAY).country == "USA"
    assert read_number(FOREIGN, "ZZZ110080070401", today=TODAY).country is None
    assert read_number(FOREIGN, "93339219951212998X", today=TODAY).country is None


FORMS: list[tuple[IdType, str | None, str, str | None]] = [
    (IdType.HK_MACAO_PERMIT, None, "h 12345678", "H12345678"),
    (IdType.HK_MACAO_PERMIT, None, "M87654321", "M87654321"),
    (IdType.HK_MACAO_PERMIT, None, "Ｈ１２３４５６７８", "H12345678"),
    (IdType.HK_MACAO_PERMIT, None, "HA1234567", "HA1234567"),
    (IdType.HK_MACAO_PERMIT, None, "ma1234567", "MA1234567"),
    (IdType.HK_MACAO_PERMIT, None, "H1234567801", "H1234567801"),
    (IdType.HK_MACAO_PERMIT, None, "M1234567812", "M1234567812"),
    (IdType.HK_MACAO_PERMIT, None, "H123456780", None),
    (IdType.HK_MACAO_PERMIT, None, "H123456789012", None),
    (IdType.HK_MACAO_PERMIT, None, "HA12345678", None),
    (IdType.HK_MACAO_PERMIT, None, "HB1234567", None),
    (IdType.HK_MACAO_PERMIT, None, "C12345678", None),
    (IdType.HK_MACAO_PERMIT, None, "H1234567O", None),
    (IdType.HK_MACAO_PERMIT, None, "H１２３٤5678", None),
    (IdType.TAIWAN_PERMIT, None, "12345678", "12345678"),
    (IdType.TAIWAN_PERMIT, None, "1234567801(B)", "1234567801(B)"),
    (IdType.TAIWAN_PERMIT, None, "1234567801（b）", "1234567801(B)"),
    (IdType.TAIWAN_PERMIT, None, "1234567801 (1)", "1234567801(1)"),
    (IdType.TAIWAN_PERMIT, None, "1234567801", "1234567801"),
    (IdType.TAIWAN_PERMIT, None, "123456789", None),
    (IdType.TAIWAN_PERMIT, None, "12345678(B)", None),
    (IdType.TAIWAN_PERMIT, None, "1234567801(B", None),
    (IdType.TAIWAN_PERMIT, None, "A1234567", None),
    (PASSPORT, "CHN", "E12345678", "E12345678"),
    (PASSPORT, "CHN", "e 1234 5678", "E12345678"),
    (PASSPORT, "CHN", "EB1234567", "EB1234567"),
    (PASSPORT, "CHN", "G12345678", "G12345678"),
    (PASSPORT, "CHN", "D1234567", "D1234567"),
    (PASSPORT, "CHN", "S12345678", "S12345678"),
    (PASSPORT, "CHN", "P1234567", "P1234567"),
    (PASSPORT, "CHN", "SE1234567", "SE1234567"),
    (PASSPORT, "CHN", "EI1234567", None),
    (PASSPORT, "CHN", "EO1234567", None),
    (PASSPORT, "CHN", "EAA123456", None),
    (PASSPORT, "CHN", "E123456789", None),
    (PASSPORT, "CHN", "X12345678", None),
    (PASSPORT, "USA", "AB-123 4567", "AB1234567"),
    (PASSPORT, "USA", "123456789", "123456789"),
    (PASSPORT, "FRA", "12aa34567", "12AA34567"),
    (PASSPORT, "JPN", "A" * 20, "A" * 20),
    (PASSPORT, "JPN", "12345", "12345"),
    (PASSPORT, "JPN", "1234", None),
    (PASSPORT, "JPN", "A" * 21, None),
    (PASSPORT, "JPN", "AB_12345", None),
    (PASSPORT, "JPN", "--------", None),
    (PASSPORT, "DEU", "straße1", None),
    (PASSPORT, None, "护照123456", None),
    (PASSPORT, None, "X12345678", "X12345678"),
    (IdType.BIRTH_CERTIFICATE, None, "p330123456", "P330123456"),
    (IdType.BIRTH_CERTIFICATE, None, "A 123 456 789", "A123456789"),
    (IdType.BIRTH_CERTIFICATE, None, "1330123456", None),
    (IdType.BIRTH_CERTIFICATE, None, "P33012345", None),
    (IdType.BIRTH_CERTIFICATE, None, "P3301234567", None),
    (IdType.BIRTH_CERTIFICATE, None, "PP30123456", None),
    (IdType.OFFICER_CARD, None, "武字第 12345678 号", "武字第12345678号"),
    (IdType.OFFICER_CARD, None, "士字第１２３４号", "士字第1234号"),
    (IdType.OFFICER_CARD, None, "军字第123号", None),
    (IdType.OFFICER_CARD, None, "军字第123456789号", None),
    (IdType.OFFICER_CARD, None, "军字第1234567", None),
    (IdType.OFFICER_CARD, None, "字第1234567号", None),
    (IdType.OFFICER_CARD, None, "军字第12345A7号", None),
]


@pytest.mark.parametrize(("kind", "country", "typed", "normal"), FORMS)
def test_1_3_numbers_without_a_checksum_keep_their_form(
    kind: IdType, country: str | None, typed: str, normal: str | None
) -> None:
    if normal is None:
        assert fault_of(typed, kind, country=country) == "bad_format"
    else:
        assert read_number(kind, typed, today=TODAY, country=country) == NumberRead(normal)


@pytest.mark.parametrize("kind", [kind for kind in IdType if kind is not IdType.GUARDIAN_BOUND])
@pytest.mark.parametrize("typed", ["", " \u3000", "\u200b\u202e"])
def test_1_3_every_kind_but_one_wants_a_number(kind: IdType, typed: str) -> None:
    assert fault_of(typed, kind) == "empty"


def test_1_2_6_who_is_bound_to_a_guardian_has_no_number() -> None:
    assert read_number(IdType.GUARDIAN_BOUND, " ", today=TODAY).number == ""
    assert fault_of("330102199001019973", IdType.GUARDIAN_BOUND) == "not_allowed"


@pytest.mark.parametrize(
    ("number", "mask"),
    [
        ("33010219900101997X", "330***********997X"),
        ("USA110080070401", "USA********0401"),
        ("H1234567801", "H1******801"),
        ("P330123456", "P3*****456"),
        ("EA1234567", "EA*****67"),
        ("12345678", "12****78"),
        ("123456", "1****6"),
        ("12345", "****5"),
        ("1234", "****"),
        ("", ""),
    ],
)
def test_1_4_5_the_owner_sees_three_and_four_characters_and_less_of_a_short_number(number: str, mask: str) -> None:
    assert masked_number(number) == mask


@pytest.mark.parametrize(
    ("number", "mask"),
    [("33010219900101997X", "3" + "*" * 16 + "X"), ("123456", "1****6"), ("12345", "*****"), ("", "")],
)
def test_1_4_5_others_see_the_first_and_the_last_character(number: str, mask: str) -> None:
    assert masked_for_others(number) == mask


@given(st.text(max_size=64))
def test_1_4_5_a_mask_hides_half_and_keeps_the_length(number: str) -> None:
    for mask in (masked_number(number), masked_for_others(number)):
        assert len(mask) == len(number)
        hidden = sum(said != shown or shown == "*" for said, shown in zip(number, mask, strict=True))
        assert hidden >= min(len(number), max(4, len(number) // 2))


@pytest.mark.parametrize("kind", list(IdType))
@given(typed=st.text(max_size=30) | st.text(alphabet="0123456789XABEHMGP()（）字第军号 -", max_size=20))
def test_reading_never_breaks_and_is_stable(kind: IdType, typed: str) -> None:
    assert normal_number(normal_number(typed)) == normal_number(typed)
    for country in (None, "CHN", "USA"):
        with suppress(InputFault):
            number = read_number(kind, typed, today=TODAY, country=country).number
            assert read_number(kind, number, today=TODAY, country=country).number == number
