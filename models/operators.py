"""Two people of the hospital who decide together. Their names are typed, and nothing proves them."""

from __future__ import annotations

import unicodedata


def is_same_name(one: str, other: str) -> bool:
    """Whether both names are one person's: width, case and blanks make nobody another."""
    return _folded(one) == _folded(other)


def both_reasons(first: str, second: str) -> str:
    """What both said, the first one's before the second one's."""
    return first if first == second else f"{first} / {second}"


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())
