"""What a patient may add: e-mail, insurance number, allergies and history, and the number of a card."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import resident_id

from core.dependents.cards import read_card_number
from core.dependents.contact import HISTORY_MAX, read_history
from core.dependents.documents import masked_number
from core.dependents.emails import masked_email, read_email
from core.dependents.insurance import read_insurance_number
from core.dependents.typed import InputFault

OWN = resident_id()


def fault_of(reader: object, typed: str) -> str:
    with pytest.raises(InputFault) as refused:
        reader(typed)  # type: ignore[operator]
    return refused.value.code


# --- e-mail


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("an@example.com", "an@example.com"),
        (" An.Li+1@Example.COM ", "An.Li+1@example.com"),
        ("ａｎ＠ｅｘａｍｐｌｅ。ｃｎ", "an@example.cn"),
        ("an@\u200bexample.com", "an@example.com"),
        ("an@mail.xn--fiqs8s", "an@mail.xn--fiqs8s"),
    ],
)
def test_an_address_is_kept_in_one_form(typed: str, stored: str) -> None:
    assert read_email(typed) == stored


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty"),
        ("\u3000", "empty"),
        ("an", "bad_format"),
        ("@example.com", "bad_format"),
        ("an@example", "bad_format"),
        ("an@-example.com", "bad_format"),
        ("a..n@example.com", "bad_format"),
        ("an@li@example.com", "bad_format"),
        ("安@example.com", "bad_format"),
        ("an@example.com\0", "bad_format"),
        (f"{'a' * 65}@example.com", "too_long"),
        (f"an@{'b' * 60}.{'b' * 60}.{'b' * 60}.{'b' * 60}.{'b' * 60}.com", "too_long"),
    ],
)
def test_what_is_no_address_is_refused(typed: str, code: str) -> None:
    assert fault_of(read_email, typed) == code


@given(local=st.text(string.ascii_letters + string.digits, min_size=1, max_size=64), tidy=st.booleans())
def test_the_mask_of_an_address_shows_one_letter_at_most(local: str, tidy: bool) -> None:
    masked = masked_email(read_email(f"{local}@example.com" if tidy else f" {local} @EXAMPLE.com"))
    assert masked == f"{local[0] if len(local) > 1 else ''}***@example.com"


# --- insurance number (1.5.4, 1.5.5)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [(OWN, OWN), (f" {OWN[:6]} {OWN[6:]} ", OWN), ("a12345678", "A12345678"), ("Ａ１２３４５６７８", "A12345678")],
)
def test_1_5_4_the_citizen_number_or_a_letter_and_eight_digits(typed: str, stored: str) -> None:
    assert read_insurance_number(typed) == stored


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty"),
        ("1234567", "bad_length"),
        ("123456789", "bad_charset"),
        ("AB1234567", "bad_charset"),
        ("A1234567X", "bad_charset"),
        (f"{OWN[:17]}A", "bad_charset"),
        (f"{OWN[:6]}19900230{OWN[14:]}", "bad_date"),
        (OWN[:-1] + ("1" if OWN[-1] != "1" else "2"), "bad_checksum"),
    ],
)
def test_1_5_4_anything_else_is_refused(typed: str, code: str) -> None:
    assert fault_of(read_insurance_number, typed) == code


@given(place=st.integers(0, 17), digit=st.sampled_from(string.digits))
def test_1_5_4_a_citizen_number_with_one_wrong_digit_is_refused(place: int, digit: str) -> None:
    wrong = OWN[:place] + digit + OWN[place + 1 :]
    if wrong != OWN:
        assert fault_of(read_insurance_number, wrong) in {"bad_checksum", "bad_date"}


@given(code=st.text(string.ascii_uppercase + string.digits, min_size=21, max_size=64))
def test_1_5_5_a_dynamic_code_is_never_stored(code: str) -> None:
    """The app shows 28 digits, a scanner reads more."""
    assert fault_of(read_insurance_number, code) == "dynamic_code"


def test_1_4_5_an_insurance_number_shows_as_much_as_a_document() -> None:
    assert (masked_number("A12345678"), masked_number(OWN)) == ("A1*****78", f"{OWN[:3]}{'*' * 11}{OWN[-4:]}")


# --- what was told of health


def test_lines_and_pictures_stay_and_what_cannot_be_seen_goes() -> None:
    said = "青霉素过敏\r\n2019 阑尾手术 👨\u200d👩\u200d👧"
    assert read_history(f" {said} \n") == said.replace("\r\n", "\n")
    assert fault_of(read_history, "青霉素\u202e过敏") == "control_characters"
    assert fault_of(read_history, " \n ") == "empty"
    assert read_history("痛" * HISTORY_MAX) == "痛" * HISTORY_MAX
    assert fault_of(read_history, "痛" * (HISTORY_MAX + 1)) == "too_long"


# --- cards (1.5.3)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("0012345678", "0012345678"), (" m-00 12345 ", "M-0012345"), ("ａ１２３", "A123"), ("a" * 64, "A" * 64)],
)
def test_1_5_3_the_number_of_a_card_is_kept_in_one_form(typed: str, stored: str) -> None:
    assert read_card_number(typed) == stored


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty"), ("123", "bad_length"), ("1" * 65, "bad_length"), ("12-34-", "bad_charset"),
        ("就诊卡1234", "bad_charset"), ("1234;DROP", "bad_charset"), ("ß234", "bad_charset"),
    ],
)  # fmt: skip
def test_1_5_3_what_no_hospital_prints_is_refused(typed: str, code: str) -> None:
    assert fault_of(read_card_number, typed) == code
