"""Reading the files of a directory without trusting them: size, encoding, columns, and cells by kind."""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from core.catalog.faults import Fault

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_ROWS = 200_000
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_FLAGS = {"true": True, "false": False}

W = TypeVar("W", bound=StrEnum)


@dataclass(frozen=True)
class Row:
    """One record. `line` is where it begins in its file."""

    line: int
    cells: Mapping[str, str]


def read_bytes(path: Path, faults: list[Fault]) -> bytes | None:
    """The content, or None with a fault where the file is missing, too large or unreadable."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        faults.append(Fault(path.name, 0, "", "missing_file", "the directory needs this file"))
        return None
    except OSError as error:
        faults.append(Fault(path.name, 0, "", "unreadable", error.strerror or "cannot be read"))
        return None
    if len(content) > MAX_FILE_BYTES:
        faults.append(Fault(path.name, 0, "", "too_large", f"more than {MAX_FILE_BYTES} bytes"))
        return None
    return content


def decoded(name: str, content: bytes, faults: list[Fault]) -> str | None:
    """UTF-8, with or without the mark that spreadsheets put in front."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.append(Fault(name, line, "", "bad_encoding", f"not UTF-8 at byte {error.start}"))
        return None


def read_table(path: Path, columns: Iterable[str], faults: list[Fault]) -> list[Row]:
    """The records of a CSV file with exactly `columns`, in any order. What is wrong goes to `faults`."""
    content = read_bytes(path, faults)
    text = None if content is None else decoded(path.name, content, faults)
    if text is None:
        return []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not header_fits(path.name, header, list(columns), faults):
            return []
        return list(_rows(path.name, reader, header, faults))
    except csv.Error as error:
        faults.append(Fault(path.name, reader.line_num, "", "bad_csv", str(error)))
        return []


def header_fits(name: str, header: list[str], columns: list[str], faults: list[Fault], *, line: int = 1) -> bool:
    """Exactly `columns`, in any order; what is not goes to `faults`."""
    twice = sorted({column for column in header if header.count(column) > 1})
    found = [
        Fault(name, line, column, "missing_column", "no such column") for column in columns if column not in header
    ]
    found += [Fault(name, line, column, "duplicate_column", "named twice") for column in twice]
    found += [
        Fault(name, line, one[:64], "unknown_column", "not a column here") for one in header if one not in columns
    ]
    faults += found
    return not found


def _rows(name: str, reader: Iterator[list[str]], header: list[str], faults: list[Fault]) -> Iterator[Row]:
    line = 2
    for count, cells in enumerate(reader, start=1):
        if count > MAX_ROWS:
            faults.append(Fault(name, line, "", "too_many_rows", f"more than {MAX_ROWS}"))
            return
        if len(cells) == len(header):
            yield Row(line, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
        elif cells:  # a blank line is no record
            faults.append(Fault(name, line, "", "bad_field_count", f"{len(cells)} fields under {len(header)} columns"))
        line = getattr(reader, "line_num", line) + 1


@dataclass
class Cells:
    """The cells of one row by kind. A bad cell is noted, and reads as an empty value of its kind."""

    file: str
    row: Row
    faults: list[Fault]
    bad: bool = field(default=False, init=False)

    def refuse(self, column: str, code: str, detail: str) -> None:
        self.bad = True
        self.faults.append(Fault(self.file, self.row.line, column, code, detail))

    def _given(self, column: str, *, needed: bool) -> str:
        value = self.row.cells[column]
        if needed and not value:
            self.refuse(column, "required", "must not be empty")
        return value

    def text(self, column: str, *, longest: int = 200, needed: bool = True) -> str:
        value = self._given(column, needed=needed)
        if len(value) > longest:
            self.refuse(column, "too_long", f"more than {longest} characters")
        elif any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in value):
            self.refuse(column, "bad_characters", "holds control characters")
        return value

    def code(self, column: str, *, needed: bool = True) -> str:
        value = self._given(column, needed=needed)
        if value and not _CODE.fullmatch(value):
            self.refuse(column, "bad_code", "letters, digits, dot, dash and underscore, at most 64")
        return value

    def whole(self, column: str, low: int, high: int) -> int:
        value = self._given(column, needed=True)
        if not value:
            return low
        if not _WHOLE.fullmatch(value) or not low <= int(value) <= high:
            self.refuse(column, "bad_number", f"must be a whole number from {low} to {high}")
            return low
        return int(value)

    def number(self, column: str, low: float, high: float) -> float | None:
        value = self._given(column, needed=False)
        if not value:
            return None
        if not _NUMBER.fullmatch(value) or not low <= float(value) <= high:
            self.refuse(column, "bad_number", f"must be a number from {low:g} to {high:g}")
            return None
        return float(value)

    def years(self, column: str) -> int | None:
        """An age in years, where a part of a year counts as the full years reached in it."""
        value = self.number(column, 0, 150)
        return None if value is None else math.floor(value)

    def time(self, column: str) -> time | None:
        value = self._given(column, needed=True)
        if _TIME.fullmatch(value):
            return time.fromisoformat(value)
        if value:
            self.refuse(column, "bad_time", "must be HH:MM")
        return None

    def day(self, column: str) -> date | None:
        value = self._given(column, needed=True)
        try:
            if _DAY.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        if value:
            self.refuse(column, "bad_date", "must be YYYY-MM-DD")
        return None

    def flag(self, column: str) -> bool:
        value = self._given(column, needed=True)
        if value and value not in _FLAGS:
            self.refuse(column, "bad_flag", "must be true or false")
        return _FLAGS.get(value, False)

    def word(self, column: str, words: Mapping[str, W], *, needed: bool = True) -> W | None:
        value = self._given(column, needed=needed)
        if value and value not in words:
            self.refuse(column, "bad_word", f"must be one of {', '.join(words)}")
        return words.get(value)
