"""Phone numbers: typed as people type them, stored as E.164, shown masked (rules.md 1.5).

Numbers are portable: nothing is derived from the operator that a prefix once belonged to.
"""

from __future__ import annotations

import re
import unicodedata

from core.dependents.typed import InputFault

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_BETWEEN = frozenset("-.()/")
# +44 (0)20: dialled within the country alone, and no part of E.164.
_AT_HOME = re.compile(r"\(\s*0\s*\)")
_SATELLITE = re.compile(r"1349|174|1619")
# Numbers of machines have 13 digits; the ranges are theirs in any length.
_MACHINES = re.compile(r"14[0-4]\d{8}(\d\d)?")
_UNASSIGNED = re.compile(r"1[0-2]|154|194")
_LANDLINE = re.compile(r"0[1-9]\d{8,10}")
_LANDLINE_FROM_ABROAD = re.compile(r"(10|2\d|[3-9]\d\d)\d{7,8}")  # after +86 the zero is left out
# Contacts outside the mainland whose form is known; elsewhere only the length of E.164 is checked.
_KNOWN_FORMS = {"852": re.compile(r"[4-9]\d{7}"), "853": re.compile(r"6\d{7}"), "886": re.compile(r"9\d{8}")}
_TAILS = {"853": 3}  # all of its numbers begin with the same digit
_KNOWN_LENGTHS = {"852": 8, "853": 8, "886": 9}
E164_SHORTEST, E164_LONGEST = 8, 15


def read_phone(typed: str) -> str:
    """The number in E.164.

    Raises: InputFault with `empty`, `bad_charset`, `bad_length`, `landline`, `satellite`, `iot` or `unassigned`.
    """
    number = _squeezed(typed)
    if not number:
        raise InputFault("empty")
    international = number.startswith(("+", "00"))
    digits = number.removeprefix("+") if number.startswith("+") else number.removeprefix("00")
    if not (digits.isascii() and digits.isdigit()):
        raise InputFault("bad_charset")
    if digits.startswith("86") and (international or len(digits) == 13):
        if _LANDLINE_FROM_ABROAD.fullmatch(digits[2:]):
            raise InputFault("landline")
        return _mainland(digits[2:])
    return _abroad(digits) if international else _mainland(digits)


def masked_phone(e164: str) -> str:
    """138****0000; abroad the country code and the last four, or three where that would leave a thousand to guess."""
    if e164.startswith("+86"):
        return f"{e164[3:6]}****{e164[-4:]}"
    country = next((code for code in _KNOWN_FORMS if e164.startswith(f"+{code}")), "")
    return f"+{country}****{e164[-_TAILS.get(country, 4) :]}"


def _squeezed(typed: str) -> str:
    folded = typed.translate(_FULL_WIDTH)
    if _bare(folded).startswith(("+", "00")):  # also behind a mark that nobody sees, and in brackets
        folded = _AT_HOME.sub("", folded)
    return _bare(folded)


def _bare(folded: str) -> str:
    return "".join(
        c for c in folded if not c.isspace() and c not in _BETWEEN and unicodedata.category(c) not in ("Cf", "Pd")
    )


def _mainland(digits: str) -> str:
    if _LANDLINE.fullmatch(digits):
        raise InputFault("landline")
    if _MACHINES.fullmatch(digits):
        raise InputFault("iot")
    if len(digits) != 11:
        raise InputFault("bad_length")
    if _SATELLITE.match(digits):
        raise InputFault("satellite")
    if not digits.startswith("1") or _UNASSIGNED.match(digits):
        raise InputFault("unassigned")
    return f"+86{digits}"


def _abroad(digits: str) -> str:
    for country, form in _KNOWN_FORMS.items():
        if digits.startswith(country):
            local = digits.removeprefix(country)
            if len(local) != _KNOWN_LENGTHS[country]:
                raise InputFault("bad_length")
            if form.fullmatch(local) is None:
                raise InputFault("unassigned")
            return f"+{digits}"
    if digits.startswith("0") or not E164_SHORTEST <= len(digits) <= E164_LONGEST:
        raise InputFault("bad_length")
    return f"+{digits}"
