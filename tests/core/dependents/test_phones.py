"""Phone numbers: every case of phone_cases.json, E.164, masks (rules.md 1.5)."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dependents.phones import masked_phone, read_phone
from core.dependents.typed import InputFault

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "phone_cases.json").read_text(encoding="utf-8")
)["cases"]
CODES = {"CHARSET": "bad_charset", "LENGTH": "bad_length"}


def fault_of(typed: str) -> str:
    with pytest.raises(InputFault) as refused:
        read_phone(typed)
    return refused.value.code


@pytest.mark.parametrize("case", [case for case in CASES if case["valid"]], ids=lambda case: case["input"])
def test_1_5_2_a_good_number_becomes_e164(case: dict[str, Any]) -> None:
    assert read_phone(case["input"]) == case["normalized"]


@pytest.mark.parametrize("case", [case for case in CASES if not case["valid"]], ids=lambda case: case["input"])
def test_1_5_1_a_bad_number_is_refused_with_its_reason(case: dict[str, Any]) -> None:
    assert fault_of(case["input"]) == CODES.get(case["reason"], case["reason"].lower())


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("17400000000", "satellite"),
        ("16190000000", "satellite"),
        ("14000000000", "iot"),
        ("14400000000", "iot"),
        ("1440000000000", "iot"),
        ("+86 1400 0000 00000", "iot"),
        ("144000000000", "bad_length"),
        ("13491234567", "satellite"),
        ("+86 1749 0000 000", "satellite"),
        ("+86 571 8723 0000", "landline"),
        ("86-571-87230000", "landline"),
        ("+86 10 1234 5678", "landline"),
        ("0086 21 12345678", "landline"),
        ("(010)12345678", "landline"),
        ("13８０000000a", "bad_charset"),
        ("138 0000 0000#1", "bad_charset"),
        ("10000000000", "unassigned"),
        ("23800000000", "unassigned"),
        ("1380000000", "bad_length"),
        ("+", "bad_charset"),
        ("+86", "bad_length"),
        ("00", "bad_charset"),
        ("++8613800000000", "bad_charset"),
        ("１３８００００００００0", "bad_length"),
        ("٠13800000000", "bad_charset"),
        ("010-12345678", "landline"),
        ("+852 1234 5678", "unassigned"),
        ("+853 2812 3456", "unassigned"),
        ("+886 812345678", "unassigned"),
        ("+886 9123456789", "bad_length"),
        ("+1234567", "bad_length"),
        ("+1234567890123456", "bad_length"),
    ],
)
def test_1_5_1_each_fault_has_its_code(typed: str, code: str) -> None:
    assert fault_of(typed) == code


@pytest.mark.parametrize("prefix", ["162", "165", "167", "170", "171", "130", "145", "147", "149", "166", "190", "198"])
def test_1_5_1_resale_and_every_other_range_is_taken(prefix: str) -> None:
    assert read_phone(f"{prefix}00000000") == f"+86{prefix}00000000"


def test_1_5_2_a_taiwan_mobile_may_be_a_contact() -> None:
    assert read_phone("+886 912-345-678") == "+886912345678"


@pytest.mark.parametrize(
    "typed",
    [
        "+44 (0)20 7946 0958",
        "0044 (0) 20 7946 0958",
        "＋44（0）20 7946 0958",
        "\u202a+44 (0)20 7946 0958\u202c",
        "(+44) (0)20 7946 0958",
        "+44 ( 0 ) 20 7946 0958",
    ],
)
def test_1_5_2_a_zero_that_is_dialled_at_home_alone_is_no_part_of_e164(typed: str) -> None:
    assert read_phone(typed) == "+442079460958"


def test_a_number_pasted_with_direction_marks_is_read() -> None:
    assert read_phone("\u202d138\u20110000\u20100000\u202c") == "+8613800000000"


@pytest.mark.parametrize(
    ("number", "mask"),
    [
        ("+8613800000000", "138****0000"),
        ("+85261234567", "+852****4567"),
        ("+85361234567", "+853****567"),
        ("+886912345678", "+886****5678"),
        ("+12025550143", "+****0143"),
    ],
)
def test_1_4_5_masks(number: str, mask: str) -> None:
    assert masked_phone(number) == mask


@given(st.text(max_size=30))
def test_reading_never_breaks_and_is_stable(typed: str) -> None:
    number: str | None = None
    with suppress(InputFault):
        number = read_phone(typed)
    assert number is None or (number.startswith("+") and number[1:].isascii() and number[1:].isdigit())
    assert number is None or read_phone(number) == number
