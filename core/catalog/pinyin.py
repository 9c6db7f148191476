"""Search text from Chinese names: only the loader needs this module, and with it the dictionary of pypinyin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypinyin import Style, pinyin

from core.catalog.search import ALIAS, INITIALS, NAME, READING, normalised, tokens

MOST_READINGS = 12
"""Spellings kept of one name: polyphonic characters multiply, and the likeliest come first."""

Part = tuple[str, str]
"""One syllable, or one run of Latin letters and digits: how it is spelled in full, and what it begins with."""
Reading = tuple[Part, ...]

_LONGEST_KEY = 8
_LATIN = re.compile(r"([0-9a-z]+)", re.ASCII)


class InvalidOverrides(Exception):
    """The table of readings is not of its form."""


@dataclass(frozen=True)
class Overrides:
    """Readings that the dictionary does not know or ranks wrong: of phrases, and of surnames in front of a name."""

    phrases: Mapping[str, Reading]
    surnames: Mapping[str, tuple[Reading, ...]]

    @classmethod
    def read(cls, path: Path) -> Overrides:
        """Raises: InvalidOverrides."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                phrases={phrase: _reading(phrase, syllables) for phrase, syllables in document["phrases"].items()},
                surnames={
                    surname: tuple(_reading(surname, spelling.split()) for spelling in spellings)
                    for surname, spellings in document["surnames"].items()
                },
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidOverrides(f"{path.name}: {error}") from error


NO_OVERRIDES = Overrides({}, {})


def _reading(text: str, syllables: Iterable[Any]) -> Reading:
    spelled = tuple(syllables)
    if len(spelled) != len(text) or len(text) > _LONGEST_KEY or not all(_LATIN.fullmatch(one) for one in spelled):
        raise ValueError(f"{text} needs one syllable in a-z for each of its characters, at most {_LONGEST_KEY}")
    return tuple((one, one[0]) for one in spelled)


def search_text(name: str, aliases: Iterable[str] = (), *, overrides: Overrides, person: bool = False) -> str:
    """What the search looks through: the name, its aliases, their pinyin in full and by initials, in every reading.

    `person`: the name begins with a surname, which is often read differently there."""
    others = list(aliases)
    marked = [(NAME, name), *((ALIAS, other) for other in others)]
    for spoken in (name, *others):
        readings = readings_of(spoken, overrides=overrides, person=person)
        marked += [(READING, "".join(full for full, _ in reading)) for reading in readings]
        marked += [(INITIALS, "".join(initial for _, initial in reading)) for reading in readings]
    return tokens(marked)


def readings_of(name: str, *, overrides: Overrides, person: bool = False) -> list[Reading]:
    """The likeliest readings first, at most `MOST_READINGS`."""
    text = normalised(name)
    surname = _longest(text, 0, overrides.surnames) if person else None
    if surname is None:
        return _likeliest(_ways(text, overrides.phrases))
    heads = list(overrides.surnames[surname])
    if len(surname) == 1:  # who reads it as the dictionary does shall find it too
        heads += [way for way in _dictionary(surname)[0] if way not in heads]
    return _likeliest([heads, *_ways(text[len(surname) :], overrides.phrases)])


def _ways(text: str, phrases: Mapping[str, Reading]) -> list[list[Reading]]:
    """Piece by piece the ways to read it, the likeliest first. The table's phrases come before the dictionary's."""
    found: list[list[Reading]] = []
    at = plain_from = 0
    while at < len(text):
        phrase = _longest(text, at, phrases)
        if phrase is None:
            at += 1
            continue
        found += [*_dictionary(text[plain_from:at]), [phrases[phrase]]]
        at = plain_from = at + len(phrase)
    return found + _dictionary(text[plain_from:])


def _dictionary(text: str) -> list[list[Reading]]:
    found: list[list[Reading]] = []
    for run in filter(None, _LATIN.split(text)):
        if _LATIN.fullmatch(run):
            found.append([((run, run),)])
        else:
            spelled = pinyin(run, style=Style.NORMAL, heteronym=True)
            found += [[((way, way[0]),) for way in dict.fromkeys(ways)] for ways in spelled]
    return found


def _longest(text: str, at: int, table: Mapping[str, Any]) -> str | None:
    pieces = (text[at : at + length] for length in range(_LONGEST_KEY, 0, -1))
    return next((piece for piece in pieces if piece in table), None)


def _likeliest(parts: Iterable[list[Reading]]) -> list[Reading]:
    """Join one reading of each part in every way; those that use early, likely readings come first."""
    joined: list[tuple[int, Reading]] = [(0, ())]
    for ways in parts:
        longer = [(cost + rank, head + way) for cost, head in joined for rank, way in enumerate(ways)]
        joined = sorted(longer, key=lambda one: one[0])[:MOST_READINGS]
    return list(dict.fromkeys(reading for _, reading in joined))
