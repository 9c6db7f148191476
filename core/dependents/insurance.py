"""The number of somebody's medical insurance (rules.md 1.5.4, 1.5.5)."""

from __future__ import annotations

import re

from core.dependents.documents.eighteen import LENGTH, require_form
from core.dependents.documents.numbers import check_character, normal_number, read_day
from core.dependents.typed import InputFault
from models.person import IdType

_CARD = re.compile(r"[A-Z][0-9]{8}", re.ASCII)
_CARD_LENGTH = 9
_WITH_CITIZEN_NUMBER = frozenset({IdType.RESIDENT_ID, IdType.HOUSEHOLD_REGISTER})
_LONGEST_NUMBER = 20  # what is longer came out of a scanner


def contradicts(insurance_number: str | None, id_type: IdType, id_number: str) -> bool:
    """Whether it is a citizen number, and of somebody else than whom the document names (Social Insurance Act 58)."""
    if insurance_number is None or len(insurance_number) != LENGTH:
        return False
    return id_type in _WITH_CITIZEN_NUMBER and insurance_number != id_number


def read_insurance_number(typed: str) -> str:
    """The citizen number, or the number of a social-insurance card: a letter and eight digits.

    The code that the insurance's app shows (医保码) changes by the minute and pays: it is told apart and never kept.
    Raises: InputFault with `empty`, `dynamic_code`, `bad_length`, `bad_charset`, `bad_date` or `bad_checksum`."""
    number = normal_number(typed)
    if not number:
        raise InputFault("empty")
    if len(number) > _LONGEST_NUMBER:
        raise InputFault("dynamic_code")
    if len(number) == _CARD_LENGTH:
        if _CARD.fullmatch(number) is None:
            raise InputFault("bad_charset")
        return number
    if len(number) != LENGTH:
        raise InputFault("bad_length")
    require_form(number)
    read_day(number[6:14])
    if check_character(number[:-1]) != number[-1]:
        raise InputFault("bad_checksum")
    return number
