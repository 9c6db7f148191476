"""Names of people: one stored form, the faults, and the mask (rules.md 1.4)."""

from __future__ import annotations

import re
import string
import unicodedata

from core.dependents.typed import InputFault

SEPARATOR = "·"
"""U+00B7, the only separator that official records use (1.4.1)."""
HAN_MAX, FOREIGN_MAX = 50, 100
"""In code points: a rare character outside the first plane counts once."""

HONORIFIC = "honorific"
"""A warning and never a refusal: 测试先生 may be a name."""

_LOOK_ALIKES = str.maketrans(dict.fromkeys("•・．.‧∙⋅●᛫･", SEPARATOR))
# A pinyin keyboard in full-width mode gives these; the dot is a separator and stays one.
_FULL_WIDTH = str.maketrans({chr(ord(c) + 0xFEE0): c for c in "-'," + string.ascii_letters})
_CHILD_OF = ("之子", "之女")
_HONORIFICS = ("先生", "女士", "小姐", "太太", "夫人")
_ROUND_SEPARATOR = re.compile(rf"\s*{SEPARATOR}\s*")
_BLANKS = re.compile(r"\s+")
# By range and not by category: Python's Unicode tables are older than the newest blocks in GB 18030.
_HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD))
_HAN_ZERO = "〇"
_FOREIGN_EXTRAS = frozenset(" -'’,་")  # the last one stands between syllables in Tibetan


def read_name(typed: str) -> str:
    """The form to store: NFC, separators as U+00B7, no blanks inside a Han name, single ones inside a foreign name.

    Letters of every script pass here; what a document demands is asked by `is_as_passports_print`.

    Raises: InputFault with `empty`, `control_characters`, `bad_charset` or `too_long`.
    """
    name = unicodedata.normalize("NFC", typed.strip())
    if not name:
        raise InputFault("empty")
    if any(_is_control(c) for c in name):
        raise InputFault("control_characters")
    name = _ROUND_SEPARATOR.sub(SEPARATOR, name.translate(_LOOK_ALIKES).translate(_FULL_WIDTH))
    has_han = any(map(_is_han, name))
    name = _BLANKS.sub("" if has_han else " ", name)
    if not _is_well_formed(name, has_han=has_han):
        raise InputFault("bad_charset")
    if len(name) > (HAN_MAX if has_han else FOREIGN_MAX):
        raise InputFault("too_long")
    return name


def masked_name(name: str) -> str:
    """张* for two characters, 张** for more; a name of one character shows nothing (1.4.5).

    The same to the owner and to others, and however long the name is. The rule lets the last character stand too; of
    the usual three it would leave one to guess (decision 0024).
    """
    if len(name) == 1:
        return "*"
    return name[0] + ("*" if len(name) == 2 else "**")


def name_warnings(name: str) -> tuple[str, ...]:
    """Code words for the log about a name in its stored form; such names are taken."""
    return (HONORIFIC,) if len(name) > len(_HONORIFICS[0]) and name.endswith(_HONORIFICS) else ()


def is_as_passports_print(name: str) -> bool:
    """Whether a name in its stored form is in Latin letters, as every passport has it, or in Han characters."""
    return all(_is_han(c) or unicodedata.name(c, "").startswith("LATIN ") for c in name if _is_letter(c))


def is_placeholder(name: str) -> bool:
    """Whether it is what a newborn without a name is called: 母名之子."""
    return name.endswith(_CHILD_OF)


def _is_well_formed(name: str, *, has_han: bool) -> bool:
    parts = name.split(SEPARATOR)
    if not all(any(map(_is_letter, part)) for part in parts):
        return False
    return all(_is_letter(c) or (not has_han and _belongs_to_foreign(c)) for part in parts for c in part)


def _is_letter(character: str) -> bool:
    return _is_han(character) or unicodedata.category(character).startswith("L")


def _belongs_to_foreign(character: str) -> bool:
    return character in _FOREIGN_EXTRAS or unicodedata.category(character) in ("Mn", "Mc")


def _is_han(character: str) -> bool:
    code = ord(character)
    return character == _HAN_ZERO or any(first <= code <= last for first, last in _HAN_RANGES)


def _is_control(character: str) -> bool:
    """Controls, direction marks, surrogates and line separators: they hide what a name says."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
