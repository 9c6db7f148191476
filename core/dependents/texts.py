"""Words that somebody wrote: kept as they were typed, but for what cannot be seen."""

from __future__ import annotations

import unicodedata

from core.dependents.typed import InputFault

_LINES = frozenset("\n\t")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINER = "\u200d"  # holds an emoji together


def read_text(typed: str, *, most: int, lines: bool = False) -> str:
    """NFC, without outer blanks; with `lines` line breaks and tabs are kept.

    Raises: InputFault with `empty`, `too_long` or `control_characters`."""
    text = unicodedata.normalize("NFC", typed.replace("\r\n", "\n").strip())
    if not text:
        raise InputFault("empty")
    if len(text) > most:
        raise InputFault("too_long")
    kept = _LINES | {_JOINER} if lines else frozenset()
    if any(one not in kept and unicodedata.category(one) in _UNSEEN for one in text):
        raise InputFault("control_characters")
    return text
