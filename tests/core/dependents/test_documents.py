"""Resident ID numbers: every case of id_cases.json, and what the checksum must catch (F-86)."""

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

from core.dependents.documents import UNKNOWN_AREA, check_character, masked_number, normal_number, read_resident_id
from core.dependents.typed import InputFault
from models.person import Sex

DATA = json.loads((Path(__file__).parents[2] / "data" / "id_cases.json").read_text(encoding="utf-8"))
TODAY = date.fromisoformat(DATA["as_of"])
CASES: list[dict[str, Any]] = [case for case in DATA["cases"] if case["doc_type"].startswith("RESIDENT_ID")]
GOOD = [case for case in CASES if case["valid"]]
SEXES = {"M": Sex.MALE, "F": Sex.FEMALE}

numbers = st.builds(
    resident_id,
    birth=st.dates(min_value=date(1900, 1, 1), max_value=TODAY),
    order=st.integers(min_value=1, max_value=999),
    area=st.sampled_from(["110101", "330102", "650102", "440304", "310103"]),
)


def fault_of(typed: str, *, today: date = TODAY) -> str:
    with pytest.raises(InputFault) as refused:
        read_resident_id(typed, today=today)
    return refused.value.code


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["id"])
def test_a_good_number_is_read(case: dict[str, Any]) -> None:
    read = read_resident_id(case["input"], today=TODAY)
    assert read.number == case["normalized"]
    assert read.birth_date.isoformat() == case["birth"]
    assert read.sex is SEXES[case["sex"]]
    assert read.warnings == ()


@pytest.mark.parametrize("case", [case for case in CASES if not case["valid"]], ids=lambda case: case["id"])
def test_a_bad_number_is_refused_with_the_first_reason(case: dict[str, Any]) -> None:
    assert fault_of(case["input"]) == case["reason"].lower()


def test_the_checksum_agrees_with_the_published_weights() -> None:
    for case in GOOD:
        digits = case["normalized"]
        total = sum(weight * int(digit) for weight, digit in zip(DATA["weights"], digits[:17], strict=True))
        assert check_character(digits[:17]) == DATA["check_chars"][total % 11] == digits[17]


@given(number=numbers, place=st.integers(0, 16), shift=st.integers(1, 9))
def test_any_one_wrong_digit_is_refused(number: str, place: int, shift: int) -> None:
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert fault_of(wrong) != ""


@given(number=numbers, other=st.sampled_from("0123456789X"))
def test_any_wrong_check_character_is_refused(number: str, other: str) -> None:
    if other != number[-1]:
        assert fault_of(number[:-1] + other) == "bad_checksum"


@given(number=numbers, place=st.integers(0, 16))
def test_any_swap_of_neighbours_is_refused(number: str, place: int) -> None:
    one, two = number[place : place + 2]
    if one != two:
        assert fault_of(number[:place] + two + one + number[place + 2 :]) != ""


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["id"])
def test_every_slip_of_a_published_number_is_refused(case: dict[str, Any]) -> None:
    number = case["normalized"]
    slips = {number[:i] + d + number[i + 1 :] for i in range(18) for d in "0123456789X"}
    slips |= {number[:i] + number[i + 1] + number[i] + number[i + 2 :] for i in range(17)}
    for slip in slips - {number}:
        assert fault_of(slip)


@given(number=numbers)
def test_a_number_is_read_however_it_is_typed(number: str) -> None:
    full_width = number.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789X"})
    blanks = "\u3000".join([number[:6], number[6:14], number[14:]])
    pasted = f"\u202d {number.lower()}\u200b\u202c\n"
    for typed in (full_width, blanks, pasted):
        assert read_resident_id(typed, today=TODAY).number == number


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
    assert read_resident_id(resident_id(birth=TODAY), today=TODAY).birth_date == TODAY
    assert fault_of(resident_id(birth=date(2026, 11, 23))) == "future_date"


def test_too_old_begins_after_130_full_years() -> None:
    assert read_resident_id(resident_id(birth=date(1895, 11, 23)), today=TODAY)
    assert fault_of(resident_id(birth=date(1895, 11, 22))) == "too_old"


def test_born_on_a_leap_day() -> None:
    assert read_resident_id(resident_id(birth=date(2024, 2, 29)), today=TODAY).birth_date == date(2024, 2, 29)
    assert fault_of("330102202302299978") == "bad_date"


def test_an_abolished_area_is_known_and_an_unknown_one_only_warned_of() -> None:
    assert read_resident_id(resident_id(area="330104"), today=TODAY).warnings == ()
    assert read_resident_id(resident_id(area="000000"), today=TODAY).warnings == (UNKNOWN_AREA,)


def test_the_owner_sees_three_and_four_characters() -> None:
    assert masked_number("33010219900101997X") == "330***********997X"


@given(st.text())
def test_reading_never_breaks(typed: str) -> None:
    with suppress(InputFault):
        read_resident_id(typed, today=TODAY)
    assert normal_number(normal_number(typed)) == normal_number(typed)
