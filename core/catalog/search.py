"""Finding by Chinese name, alias, pinyin or its initials, in `search_text` columns.

A column holds tokens between bars, each behind the mark of its kind:

    |=南京鼓楼医院|+鼓楼医院|~nanjinggulouyiyuan|~gulouyiyuan|^njglyy|^glyy|

Names and questions are normalised alike to letters and digits, so that neither a bar nor a wildcard of LIKE is left in
either of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, literal
from sqlalchemy.orm import InstrumentedAttribute

NAME, ALIAS, READING, INITIALS = "=", "+", "~", "^"
LONGEST_QUESTION = 50


def normalised(text: str) -> str:
    """NFKC, lower case, letters and digits only; ü is written v, as input methods do."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ü", "v")
    return "".join(letter for letter in folded if letter.isalnum())


def tokens(marked: Iterable[tuple[str, str]]) -> str:
    """The content of a `search_text` column: each different (mark, text) once."""
    pieces = dict.fromkeys(mark + plain for mark, text in marked if (plain := normalised(text)))
    return f"|{'|'.join(pieces)}|"


def aliases_of(cell: str) -> list[str]:
    """Other names stand in one cell, between semicolons."""
    return [name.strip() for name in cell.replace("；", ";").split(";") if name.strip()]


@dataclass(frozen=True)
class Answers:
    """As SQL: which rows answer a question, and how well; 0 is best."""

    match: ColumnElement[bool]
    rank: ColumnElement[int]


def answers(column: InstrumentedAttribute[str], question: str) -> Answers | None:
    """Exact name, exact alias, beginning of either, whole pinyin or initials, beginning of the initials, beginning of
    the pinyin, anywhere. None where normalising leaves nothing of the question: that finds nothing."""
    asked = normalised(question)[:LONGEST_QUESTION]
    if not asked:
        return None
    patterns = (
        [f"|{NAME}{asked}|%"],
        [f"%|{ALIAS}{asked}|%"],
        [f"|{NAME}{asked}%", f"%|{ALIAS}{asked}%"],
        [f"%|{READING}{asked}|%", f"%|{INITIALS}{asked}|%"],
        [f"%|{INITIALS}{asked}%"],
        [f"%|{READING}{asked}%"],
    )
    whens = [(column.like(pattern), place) for place, group in enumerate(patterns) for pattern in group]
    return Answers(match=column.like(f"%{asked}%"), rank=case(*whens, else_=literal(len(patterns))))
