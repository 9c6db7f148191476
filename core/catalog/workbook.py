"""The first sheet of an XLSX file as text, without trusting the file: nothing is evaluated and nothing is followed.

A workbook is a ZIP archive of XML parts. What it may unfold to is limited, a part with a DOCTYPE (and with it every
entity) is refused, and so is each cell with a formula: what a spreadsheet last computed is nobody's word. The library
that we know reads a formula as its last result and does not tell, so this is ours (docs/decisions/0036).
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from xml.parsers import expat

MAX_UNFOLDED_BYTES = 64 * 1024 * 1024
"""Of all parts that are read, together."""
MAX_COLUMNS = 64
_MAX_DEPTH = 64
_MOST_MERGES = 200
"""Each is looked for in each row."""
_LONGEST_CELL = 1000
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_BROKEN = (zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, NotImplementedError, RuntimeError, ValueError)


class BadWorkbook(Exception):
    """The file as a whole cannot be read. `code` is a stable word."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(detail)


@dataclass
class SheetRow:
    """`number` is the row's in the sheet; `formulas` are the columns, counted from 0, whose cells hold one, `merged`
    those whose cells are one with others."""

    number: int
    cells: dict[int, str] = field(default_factory=dict)
    formulas: set[int] = field(default_factory=set)
    merged: set[int] = field(default_factory=set)


def first_sheet(content: bytes, *, most_rows: int) -> list[SheetRow]:
    """The rows that hold anything, in the order of the file. Raises: BadWorkbook."""
    try:
        return _read(_Parts(content), most_rows)
    except _BROKEN as error:
        raise BadWorkbook("bad_workbook", f"no readable XLSX file: {type(error).__name__}") from error


class _Parts:
    """The archive. Reading stops at the limit, whatever the archive says about its sizes."""

    def __init__(self, content: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        self._left = MAX_UNFOLDED_BYTES

    def read(self, name: str, handler: _Handler) -> None:
        """Raises: BadWorkbook, KeyError where there is no such part."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = handler.start
        parser.EndElementHandler = handler.end
        parser.CharacterDataHandler = handler.text
        with self._archive.open(name) as part:
            while chunk := part.read(min(1 << 16, self._left + 1)):
                self._left -= len(chunk)
                if self._left < 0:
                    raise BadWorkbook("too_large", f"unfolds to more than {MAX_UNFOLDED_BYTES} bytes")
                parser.Parse(chunk, False)
        parser.Parse(b"", True)

    def has(self, name: str) -> bool:
        return name in self._archive.NameToInfo


def _refuse_doctype(*_: Any) -> None:
    raise BadWorkbook("bad_workbook", "a part of it has a DOCTYPE")


class _Handler:
    """Elements by their plain name; the depth is limited."""

    def __init__(self) -> None:
        self._depth = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BadWorkbook("bad_workbook", "a part of it is nested too deep")
        self.opened(name.rpartition(" ")[2], attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        self.closed(name.rpartition(" ")[2])

    def opened(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def closed(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


class _Book(_Handler):
    """Which sheet is the first, and how days are counted."""

    sheet = ""

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "workbookPr" and attributes.get("date1904") in {"1", "true"}:
            raise BadWorkbook("bad_workbook", "it counts days from 1904: save it with the usual day count")
        if name == "sheet" and not self.sheet:
            self.sheet = next((value for key, value in attributes.items() if key.endswith("/relationships id")), "")


class _Relations(_Handler):
    """Where each part lies, by its id."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: dict[str, str] = {}

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")


class _Strings(_Handler):
    """The shared strings; readings over characters (rPh) are no part of them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_text, self._in_reading = False, False

    def opened(self, name: str, _attributes: Mapping[str, str]) -> None:
        if name == "si":
            self.found.append("")
        self._in_reading = self._in_reading or name == "rPh"
        self._in_text = name == "t"

    def closed(self, name: str) -> None:
        self._in_reading = self._in_reading and name != "rPh"
        self._in_text = False

    def text(self, text: str) -> None:
        if self._in_text and not self._in_reading and self.found:
            self.found[-1] += text


class _Merge(NamedTuple):
    """A block of cells that are shown as one; all but the first of them are empty in the file."""

    rows: range
    columns: range


def _merge_of(place: str) -> _Merge | None:
    first, _, last = place.partition(":")
    start, end = _PLACE.fullmatch(first), _PLACE.fullmatch(last)
    if not start or not end:
        return None
    columns = range(_column_of(start[1]), min(_column_of(end[1]) + 1, MAX_COLUMNS))
    return _Merge(range(int(start[2]), int(end[2]) + 1), columns)


class _Sheet(_Handler):
    """The cells. A cell or row that names no place follows the one before."""

    def __init__(self, strings: list[str], most_rows: int) -> None:
        super().__init__()
        self.rows: list[SheetRow] = []
        self._strings, self._most_rows = strings, most_rows
        self.merges: list[_Merge] = []
        self._row, self._column, self._kind = SheetRow(0), -1, ""
        self._collecting, self._in_reading, self._text = False, False, ""

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "row":
            self._row, self._column = SheetRow(int(attributes.get("r", self._row.number + 1))), -1
        elif name == "c":
            place = _PLACE.fullmatch(attributes.get("r", ""))
            self._column = _column_of(place[1]) if place else self._column + 1
            self._kind, self._text = attributes.get("t", "n"), ""
        elif name == "f":
            self._refuse_far_right()
            self._row.formulas.add(self._column)
        elif name == "mergeCell" and (merge := _merge_of(attributes.get("ref", ""))):
            self.merges.append(merge)
            if len(self.merges) > _MOST_MERGES:
                raise BadWorkbook("bad_workbook", f"more than {_MOST_MERGES} merged cells")
        self._in_reading = self._in_reading or name == "rPh"
        self._collecting = name == "v" or (name == "t" and not self._in_reading)

    def closed(self, name: str) -> None:
        self._collecting = False
        self._in_reading = self._in_reading and name != "rPh"
        if name == "c" and (value := self._value()):
            self._refuse_far_right()
            self._row.cells[self._column] = value[:_LONGEST_CELL]
        elif name == "row" and (self._row.cells or self._row.formulas):
            self.rows.append(self._row)
            if len(self.rows) > self._most_rows:
                raise BadWorkbook("too_many_rows", f"more than {self._most_rows}")

    def text(self, text: str) -> None:
        if self._collecting:
            self._text += text

    def _refuse_far_right(self) -> None:
        if self._column >= MAX_COLUMNS:
            raise BadWorkbook("bad_workbook", f"more than {MAX_COLUMNS} columns")

    def _value(self) -> str:
        if self._kind == "s":
            at = int(self._text or -1)
            return self._strings[at] if 0 <= at < len(self._strings) else ""
        return _plain(self._text) if self._kind == "n" else self._text


def _column_of(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def _plain(number: str) -> str:
    """As a person would write it: spreadsheets keep 25.1 as 25.100000000000001."""
    try:
        value = Decimal(number.strip())
    except InvalidOperation:
        return number
    if not value.is_finite() or abs(value.adjusted()) > 15:
        return number
    short = value.quantize(Decimal(1).scaleb(min(0, value.adjusted() - 14))).normalize()
    return f"{short:f}"


def _read(parts: _Parts, most_rows: int) -> list[SheetRow]:
    book, relations, strings = _Book(), _Relations(), _Strings()
    try:
        parts.read("xl/workbook.xml", book)
        parts.read("xl/_rels/workbook.xml.rels", relations)
        target = relations.targets[book.sheet]
    except KeyError as error:
        raise BadWorkbook("bad_workbook", "it has no sheet, or is no XLSX file") from error
    if parts.has("xl/sharedStrings.xml"):
        parts.read("xl/sharedStrings.xml", strings)
    sheet = _Sheet(strings.found, most_rows)
    name = posixpath.normpath(posixpath.join("xl", target)).lstrip("/")
    if not parts.has(name):
        raise BadWorkbook("bad_workbook", "its first sheet is missing")
    parts.read(name, sheet)
    for row in sheet.rows:
        for merge in sheet.merges:
            if row.number in merge.rows:
                row.merged.update(merge.columns)
    return sheet.rows


def grid(rows: list[SheetRow]) -> Iterator[tuple[int, list[str], SheetRow]]:
    """Row numbers with as many cells as the widest row has, and the row itself."""
    width = 1 + max((column for row in rows for column in (*row.cells, *row.formulas)), default=-1)
    for row in rows:
        yield row.number, [row.cells.get(column, "") for column in range(width)], row
