"""The resident ID number (GB 11643): its normal form, and every fault with a code of its own.

Pure functions: whether such a person exists is a matter of identity checks. Order of the checks: rules.md 1.3.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date

from core.dependents.regions import is_known_region
from core.dependents.typed import InputFault
from models.person import Sex

LENGTH, LEGACY_LENGTH = 18, 15
OLDEST_YEARS = 130
UNKNOWN_AREA = "unknown_area"
"""A warning and never a refusal: whoever was registered in a district keeps its code for life (rules.md 1.3)."""

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_DIGITS = frozenset("0123456789")
# 9 begins the card of foreign permanent residents, 81, 82 and 83 the permits for Hong Kong, Macao and Taiwan residents.
_OTHER_DOCUMENTS = ("9", "81", "82", "83")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True)
class ResidentId:
    """A number in its normal form (18 characters, upper-case X) and what it says about its holder."""

    number: str
    sex: Sex
    birth_date: date
    area_code: str
    warnings: tuple[str, ...] = ()


def read_resident_id(typed: str, *, today: date) -> ResidentId:
    """Read what somebody typed or pasted. `today` is the hospital's day.

    Raises: InputFault with `empty`, `bad_length`, `bad_charset`, `doc_type_mismatch`, `bad_date`, `future_date`,
    `too_old`, `legacy_form`, `bad_sequence` or `bad_checksum`, the first that applies.
    """
    number = normal_number(typed)
    if not number:
        raise InputFault("empty")
    if len(number) == LEGACY_LENGTH:
        _refuse_legacy(number, today)
    if len(number) != LENGTH:
        raise InputFault("bad_length")
    if not (_DIGITS.issuperset(number[:-1]) and number[-1] in _CHECK_CHARACTERS):
        raise InputFault("bad_charset")
    if number.startswith(_OTHER_DOCUMENTS):
        raise InputFault("doc_type_mismatch")
    birth_date = _birth_date(number[6:14], today)
    if number[14:17] == "000":
        raise InputFault("bad_sequence")
    if check_character(number[:-1]) != number[-1]:
        raise InputFault("bad_checksum")
    return ResidentId(
        number=number,
        sex=Sex.MALE if int(number[16]) % 2 else Sex.FEMALE,
        birth_date=birth_date,
        area_code=number[:6],
        warnings=() if is_known_region(number[:6]) else (UNKNOWN_AREA,),
    )


def normal_number(typed: str) -> str:
    """Full-width characters folded, blanks and invisible characters (often pasted along) dropped, letters upper-case.

    Only that: other digits of Unicode stay as they are and fail the charset check.
    """
    folded = typed.translate(_FULL_WIDTH)
    return "".join(c for c in folded if not c.isspace() and unicodedata.category(c) != "Cf").upper()


def check_character(first_seventeen: str) -> str:
    """ISO 7064 MOD 11-2. Finds every wrong digit and every swap of neighbours."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first_seventeen, strict=True))
    return _CHECK_CHARACTERS[total % 11]


def masked_number(number: str) -> str:
    """As its owner sees it: the first three and the last four characters (rules.md 1.4.5)."""
    return f"{number[:3]}{'*' * (len(number) - 7)}{number[-4:]}"


def _refuse_legacy(number: str, today: date) -> None:
    """First-generation numbers name no new record: the cards are void since 2013. Faults of form are told first."""
    if not _DIGITS.issuperset(number):
        raise InputFault("bad_charset")
    _birth_date(f"19{number[6:12]}", today)
    raise InputFault("legacy_form")


def _birth_date(digits: str, today: date) -> date:
    try:
        born = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise InputFault("bad_date") from None
    if born > today:
        raise InputFault("future_date")
    if (born.year + OLDEST_YEARS + 1, born.month, born.day) <= (today.year, today.month, today.day):
        raise InputFault("too_old")
    return born
