"""The numbers of 18 characters that share GB 11643's form: area 6, birth 8, sequence 3, check 1.

Order of the checks (rules.md 1.3): length, charset, type, date, future, too old, legacy, sequence, checksum, area.
"""

from __future__ import annotations

from datetime import date

from core.dependents.documents.numbers import (
    CHECK_CHARACTERS,
    DIGITS,
    UNKNOWN_AREA,
    NumberRead,
    check_character,
    read_birth_date,
    read_day,
)
from core.dependents.regions import is_known_region
from core.dependents.typed import InputFault
from models.person import Sex

LENGTH, LEGACY_LENGTH = 18, 15
HMT_AREAS = ("810000", "820000", "830000")
"""Hong Kong, Macao, Taiwan: the permits have codes of their own (Taiwan's in GB/T 2260 is 710000)."""
FOREIGN = "9"
"""Begins the card of foreign permanent residents (2023 form)."""

# 81, 82 and 83 begin the residence permits; 1 to 6 the provinces of the mainland.
_NOT_OF_RESIDENTS = (FOREIGN, "81", "82", "83")
_NOT_OF_PERMITS = (FOREIGN, "1", "2", "3", "4", "5", "6")


def read_resident(number: str, *, today: date) -> NumberRead:
    """Resident ID and household register.

    Raises: InputFault with `bad_length`, `bad_charset`, `doc_type_mismatch`, `bad_date`, `future_date`, `too_old`,
    `legacy_form`, `bad_sequence` or `bad_checksum`, the first that applies.
    """
    if len(number) == LEGACY_LENGTH:
        _refuse_legacy(number, today)
    require_form(number)
    if number.startswith(_NOT_OF_RESIDENTS):
        raise InputFault("doc_type_mismatch")
    return read_inside(number, today=today, warnings=() if is_known_region(number[:6]) else (UNKNOWN_AREA,))


def read_hmt_permit(number: str, *, today: date) -> NumberRead:
    """Residence permits of Hong Kong, Macao and Taiwan people. Three areas exist, so an unknown one is refused here.

    Raises: InputFault as for residents, but `legacy_form`; and `unknown_area`.
    """
    require_form(number)
    if number.startswith(_NOT_OF_PERMITS):
        raise InputFault("doc_type_mismatch")
    read = read_inside(number, today=today)
    if number[:6] not in HMT_AREAS:
        raise InputFault(UNKNOWN_AREA)
    return read


def require_form(number: str) -> None:
    """Raises: InputFault with `bad_length` or `bad_charset`."""
    if len(number) != LENGTH:
        raise InputFault("bad_length")
    if not (DIGITS.issuperset(number[:-1]) and number[-1] in CHECK_CHARACTERS):
        raise InputFault("bad_charset")


def read_inside(number: str, *, today: date, warnings: tuple[str, ...] = ()) -> NumberRead:
    """Birth date and sex of a number whose form and kind are right already.

    Raises: InputFault with `bad_date`, `future_date`, `too_old`, `bad_sequence` or `bad_checksum`.
    """
    born = read_birth_date(read_day(number[6:14]), today=today)
    if number[14:17] == "000":
        raise InputFault("bad_sequence")
    if check_character(number[:-1]) != number[-1]:
        raise InputFault("bad_checksum")
    sex = Sex.MALE if int(number[16]) % 2 else Sex.FEMALE
    return NumberRead(number, sex=sex, births=(born,), warnings=warnings)


def _refuse_legacy(number: str, today: date) -> None:
    """First-generation numbers name no new record: the cards are void since 2013. Faults of form are told first."""
    if not DIGITS.issuperset(number):
        raise InputFault("bad_charset")
    read_birth_date(read_day(f"19{number[6:12]}"), today=today)
    raise InputFault("legacy_form")
