"""What the readers of every kind share: the normal form, birth dates, and the checksum of GB 11643."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import date

from core.dependents.typed import InputFault
from models.person import Sex

OLDEST_YEARS = 130
"""Full years. Whoever would be older is a slip of the keyboard."""
UNKNOWN_AREA = "unknown_area"
"""A warning for residents: whoever was registered in a district keeps its code for life (rules.md 1.3)."""

DIGITS = frozenset("0123456789")
CHECK_CHARACTERS = "10X98765432"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
# Full-width forms become ASCII, and ASCII letters upper-case. Nothing else is folded: other digits of Unicode, and
# letters such as ß that grow when upper-cased, stay as they are and fail the check of the form.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_UPPER = {code: code - 0x20 for code in range(ord("a"), ord("z") + 1)}


@dataclass(frozen=True)
class NumberRead:
    """A number in its normal form and what it says about its holder.

    `births` holds every day of birth that the number may mean, the likeliest first: none where it says nothing, two
    where it gives the year with two digits. `country` is ISO 3166 alpha-3.
    """

    number: str = field(repr=False)
    sex: Sex | None = None
    births: tuple[date, ...] = field(default=(), repr=False)
    country: str | None = None
    warnings: tuple[str, ...] = ()


def normal_number(typed: str) -> str:
    """Full-width characters folded, blanks and invisible (often pasted) characters dropped, letters upper-case."""
    folded = typed.translate(_FULL_WIDTH).translate(_UPPER)
    return "".join(c for c in folded if not c.isspace() and unicodedata.category(c) != "Cf")


def check_character(first_seventeen: str) -> str:
    """ISO 7064 MOD 11-2. Finds every wrong digit and every swap of neighbours."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first_seventeen, strict=True))
    return CHECK_CHARACTERS[total % 11]


def read_day(digits: str) -> date:
    """YYYYMMDD. Raises: InputFault with `bad_date`."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise InputFault("bad_date") from None


def read_birth_date(born: date, *, today: date) -> date:
    """The same day, if somebody alive can be born on it. Raises: InputFault with `future_date` or `too_old`."""
    if born > today:
        raise InputFault("future_date")
    if (born.year + OLDEST_YEARS + 1, born.month, born.day) <= (today.year, today.month, today.day):
        raise InputFault("too_old")
    return born
