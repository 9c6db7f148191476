"""A file as clerks save it: CSV in UTF-8 or GB18030, or XLSX, under English or Chinese headings."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from core.catalog.faults import Fault
from core.catalog.tables import MAX_ROWS, Row, header_fits, read_bytes
from core.catalog.workbook import BadWorkbook, SheetRow, first_sheet, grid

HEADINGS: Mapping[str, str] = {
    "hospital_code": "医院代码",
    "department_code": "科室代码",
    "doctor_code": "医生代码",
    "visit_date": "出诊日期",
    "period": "时段",
    "starts": "开始时间",
    "ends": "结束时间",
    "clinic_type": "号别代码",
    "fee": "挂号费",
    "segment_minutes": "每段分钟数",
    "numbers_per_segment": "每段号数",
    "campus_code": "院区代码",
}
MAY_BE_ABSENT = frozenset({"campus_code"})
"""Of a file of half days, as are the headings."""
_FORMULA_SIGNS = ("=", "+", "@")

_Numbered = Iterator[tuple[int, list[str], SheetRow]]


def read_sheet(
    path: Path,
    faults: list[Fault],
    *,
    headings: Mapping[str, str] = HEADINGS,
    may_be_absent: Set[str] = MAY_BE_ABSENT,
) -> list[Row]:
    """The records of a file, each with its row number, cells tidied; a column that may be absent reads as empty then.
    What is wrong goes to `faults`."""
    content = read_bytes(path, faults)
    if content is None:
        return []
    try:
        numbered = _xlsx(content) if content.startswith(b"PK") else _csv(path.name, content, faults)
        return list(_records(path.name, numbered, _Heads(headings, may_be_absent), faults))
    except BadWorkbook as error:
        faults.append(Fault(path.name, 0, "", error.code, error.detail))
    except csv.Error as error:
        faults.append(Fault(path.name, 0, "", "bad_csv", str(error)))
    return []


def _xlsx(content: bytes) -> _Numbered:
    """Raises: BadWorkbook."""
    return grid(first_sheet(content, most_rows=MAX_ROWS + 1))


def _csv(name: str, content: bytes, faults: list[Fault]) -> _Numbered:
    """Raises: csv.Error."""
    text = _decoded(content)
    if text is None:
        faults.append(Fault(name, 0, "", "bad_encoding", "neither UTF-8 nor GB18030, or no text file"))
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    for count, cells in enumerate(reader):
        if count > MAX_ROWS:
            faults.append(Fault(name, line, "", "too_many_rows", f"more than {MAX_ROWS}"))
            return
        formulas = {place for place, cell in enumerate(cells) if tidied(cell).startswith(_FORMULA_SIGNS)}
        yield line, cells, SheetRow(line, formulas=formulas)
        line = reader.line_num + 1


def _decoded(content: bytes) -> str | None:
    """What Chinese spreadsheets save as CSV is GBK or GB18030; that is read only where it is not UTF-8."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def tidied(cell: str) -> str:
    """Full-width digits, letters and blanks as plain ones, and no blanks around."""
    return unicodedata.normalize("NFKC", cell).strip()


@dataclass(frozen=True)
class _Heads:
    """Columns by their English headings, with the Chinese ones."""

    chinese: Mapping[str, str]
    may_be_absent: Set[str]

    def columns(self, cells: list[str]) -> list[str]:
        """What the headings of a file stand for; one that nobody knows stands for itself."""
        known = {chinese: column for column, chinese in self.chinese.items()}
        return [known.get(cell, cell) for cell in cells]

    def needed(self, header: list[str]) -> list[str]:
        return [column for column in self.chinese if column not in self.may_be_absent or column in header]


def _records(name: str, numbered: _Numbered, heads: _Heads, faults: list[Fault]) -> Iterator[Row]:
    """The first row that is not empty holds the headings."""
    header: list[str] = []
    for line, raw, row in numbered:
        cells = [tidied(cell) for cell in raw]
        if not any(cells) and not row.formulas:
            continue
        if not header:
            while cells and not cells[-1]:
                cells.pop()
            header = heads.columns(cells)
            if not header_fits(name, header, heads.needed(header), faults, line=line):
                return
        elif any(cells[len(header) :]) or len(cells) < len(header):
            faults.append(Fault(name, line, "", "bad_field_count", f"{len(cells)} fields under {len(header)} columns"))
        elif merged := {place for place in row.merged if place < len(header)}:
            told = "what lies under it is empty in the file: split the cells"
            faults += [Fault(name, line, column, "merged", told) for column in _named(header, merged)]
        elif row.formulas:
            told = "formulas are not read: paste it as a value"
            faults += [Fault(name, line, column, "formula", told) for column in _named(header, row.formulas)]
        else:
            yield Row(line, dict.fromkeys(heads.may_be_absent, "") | dict(zip(header, cells, strict=False)))
    if not header:
        faults.append(Fault(name, 1, "", "empty_file", "no row of headings"))


def _named(header: list[str], places: Set[int]) -> list[str]:
    return [header[place] if place < len(header) else "" for place in sorted(places)]
