"""The documents of other forms: foreign residents, travel permits, passports, and what is checked loosely."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

from core.dependents.documents.countries import CHINA, is_country
from core.dependents.documents.eighteen import FOREIGN, read_inside, require_form
from core.dependents.documents.numbers import NumberRead, read_birth_date, read_day
from core.dependents.typed import InputFault

OLD_FOREIGN_LENGTH = 15

_OLD_FOREIGN = re.compile(r"[A-Z]{3}[0-9]{12}")
# H Hong Kong, M Macao; HA and MA are their permanent residents of other nationalities (since 2024-07-10). The form of
# 1999 has two more digits, which count the issues.
HK_MACAO = re.compile(r"[HM][0-9]{8}([0-9]{2})?|[HM]A[0-9]{7}")
# Card: eight digits for life. Paper: the same eight, two that count the issues, and the issuing authority in brackets,
# which some provinces left out from 2006 on (China News Service, 2008-09-12).
TAIWAN = re.compile(r"[0-9]{8}([0-9]{2}(\([0-9A-Z]\))?)?")
# E and older G ordinary, D diplomatic, S service, P public affairs; a second letter is never I or O.
CHINESE_PASSPORT = re.compile(r"[EG][0-9]{8}|E[A-HJ-NP-Z][0-9]{7}|[DSP][0-9]{7,8}|[DSP]E[0-9]{7}")
FOREIGN_PASSPORT = re.compile(r"[A-Z0-9]{5,20}")
BIRTH_CERTIFICATE = re.compile(r"[A-Z][0-9]{9}")
# Its format is not public: a loose check only.
OFFICER_CARD = re.compile(r"[\u4e00-\u9fff]{1,4}字第[0-9]{4,8}号")


def read_form(number: str, form: re.Pattern[str]) -> NumberRead:
    """A number that says nothing about its holder. Raises: InputFault with `bad_format`."""
    if form.fullmatch(number) is None:
        raise InputFault("bad_format")
    return NumberRead(number)


def read_passport(number: str, *, country: str | None) -> NumberRead:
    """`country` is alpha-3, None where it could not be read: then the wider form is asked for.

    Raises: InputFault with `bad_format`.
    """
    form = CHINESE_PASSPORT if country == CHINA else FOREIGN_PASSPORT
    return read_form(number.replace("-", ""), form)


def read_foreign_resident(number: str, *, today: date) -> NumberRead:
    """Both forms of the foreign permanent resident's card: 18 characters since 2023, 15 before, valid until it ends.

    Raises: InputFault with `bad_length`, `bad_charset`, `doc_type_mismatch`, `bad_date`, `future_date`, `too_old`,
    `bad_sequence` or `bad_checksum`, the first that applies.
    """
    if len(number) == OLD_FOREIGN_LENGTH:
        return _read_old_foreign(number, today)
    require_form(number)
    if not number.startswith(FOREIGN):
        raise InputFault("doc_type_mismatch")
    return read_inside(number, today=today)


def _read_old_foreign(number: str, today: date) -> NumberRead:
    """Country 3, area 4, birth YYMMDD, 2 more. Its check digit is not enforced (rules.md 1.3)."""
    if number.isascii() and number.isdigit():
        raise InputFault("doc_type_mismatch")  # a resident's number of the first generation
    if _OLD_FOREIGN.fullmatch(number) is None:
        raise InputFault("bad_charset")
    births = []
    for century in ("20", "19", "18"):
        with suppress(InputFault):
            births.append(read_birth_date(read_day(century + number[7:13]), today=today))
    if not births:
        raise InputFault("bad_date")
    country = number[:3]
    return NumberRead(number, births=tuple(births), country=country if is_country(country) else None)
