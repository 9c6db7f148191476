"""Import files as clerks save them, and as somebody makes them who means harm."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spreadsheet import COLUMNS, GOOD, Cell, csv_bytes, row, sheet_xml, xlsx_bytes

from core.catalog import workbook
from core.catalog.faults import Fault
from core.catalog.import_rows import ImportRow, read_import
from core.catalog.sheets import HEADINGS
from core.catalog.workbook import BadWorkbook, first_sheet
from models.hospital import Period


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(content: bytes) -> tuple[list[ImportRow], list[tuple[int, str, str]]]:
        path, faults = tmp_path / "file", list[Fault]()
        path.write_bytes(content)
        rows = read_import(path, faults)
        return rows, [(one.line, one.column, one.code) for one in faults]

    return read


CHINESE = [HEADINGS[column] for column in COLUMNS]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("heads", [COLUMNS, CHINESE])
def test_a_csv_is_read_in_the_encodings_and_headings_of_clerks(read: Any, encoding: str, heads: list[str]) -> None:
    rows, faults = read(csv_bytes([row(period="上午")], encoding=encoding, heads=heads))
    assert faults == []
    assert (rows[0].line, rows[0].visit_date, rows[0].sitting.period) == (2, date(2026, 11, 28), Period.MORNING)
    assert (rows[0].sitting.fee_fen, rows[0].sitting.campus_code) == (5000, "")


@pytest.mark.parametrize(
    ("column", "written", "read_as"),
    [
        ("visit_date", "2026/11/28", date(2026, 11, 28)),
        ("visit_date", "２０２６／１１／２８　", date(2026, 11, 28)),
        ("visit_date", "2026年3月5日", date(2026, 3, 5)),
        ("visit_date", "2026.3.5", date(2026, 3, 5)),
        ("visit_date", "20260305", date(2026, 3, 5)),
        ("visit_date", "2028-2-29", date(2028, 2, 29)),
        ("visit_date", "46354", date(2026, 11, 28)),
        ("visit_date", "2026-11-28 00:00:00", date(2026, 11, 28)),
        ("starts", "8:00", time(8)),
        ("starts", "０８：００", time(8)),
        ("starts", "08:00:00", time(8)),
        ("starts", "0.333333333333333", time(8)),
        ("fee", "25.5", 2550),
        ("fee", "２５．０５", 2505),
        ("fee", "0", 0),
        ("fee", "100000", 10_000_000),
        ("period", "全天", Period.ALL_DAY),
        ("period", "all_day", Period.ALL_DAY),
        ("doctor_code", "　", ""),
    ],
)
def test_a_cell_is_read_as_it_is_meant(read: Any, column: str, written: str, read_as: Any) -> None:
    rows, faults = read(csv_bytes([row(**{column: written})]))
    assert faults == []
    name = {"fee": "fee_fen"}.get(column, column)
    assert getattr(rows[0], name, None) == read_as or getattr(rows[0].sitting, name, None) == read_as


@pytest.mark.parametrize(
    ("column", "written", "code"),
    [
        ("hospital_code", "", "required"),
        ("department_code", "心内科", "bad_code"),
        ("visit_date", "2026-02-29", "bad_date"),
        ("visit_date", "28/11/2026", "bad_date"),
        ("visit_date", "2026-11-28 08:00", "bad_date"),
        ("visit_date", "46354.5", "bad_date"),
        ("period", "早上", "bad_word"),
        ("period", "下午", "bad_range"),
        ("period", "晚上", "bad_range"),
        ("starts", "24:00", "bad_time"),
        ("starts", "0.3334", "bad_time"),
        ("starts", "8", "bad_time"),
        ("ends", "08:00", "bad_range"),
        ("fee", "-1", "bad_amount"),
        ("fee", "25.555", "bad_amount"),
        ("fee", "1e3", "bad_amount"),
        ("fee", "￥50", "bad_amount"),
        ("fee", "100000.01", "bad_amount"),
        ("fee", "", "required"),
        ("segment_minutes", "45", "bad_range"),
        ("segment_minutes", "60", "bad_range"),
        ("segment_minutes", "40", "bad_range"),
        ("segment_minutes", "0", "bad_number"),
        ("numbers_per_segment", "0", "bad_number"),
        ("numbers_per_segment", "2.5", "bad_number"),
        ("clinic_type", "=1+1", "formula"),
        ("fee", "＝50", "formula"),
        ("doctor_code", "@SUM(A1)", "formula"),
    ],
)
def test_a_bad_cell_is_named(read: Any, column: str, written: str, code: str) -> None:
    rows, faults = read(csv_bytes([row(), row(**{column: written})]))
    assert faults == [(3, column, code)]
    assert len(rows) == 1


def test_a_morning_does_not_begin_in_the_evening(read: Any) -> None:
    """A half day is told by its name and its time, and whoever typed one of them wrong is asked which."""
    evening = row(period="上午", starts="18:00", ends="20:00")
    assert read(csv_bytes([evening])) == ([], [(2, "period", "bad_range")])
    for period, starts, ends, read_as in (
        ("上午", "12:30", "13:30", Period.MORNING),
        ("下午", "11:30", "13:30", Period.AFTERNOON),
        ("晚上", "16:30", "18:30", Period.EVENING),
        ("全天", "08:00", "18:00", Period.ALL_DAY),
    ):
        rows, faults = read(csv_bytes([row(period=period, starts=starts, ends=ends)]))
        assert ([one.sitting.period for one in rows], faults) == ([read_as], [])


def test_headings_alone_are_no_file(read: Any) -> None:
    assert read(csv_bytes([])) == ([], [(1, "", "empty_file")])


def test_every_bad_row_is_named_and_a_blank_one_is_none(read: Any) -> None:
    rows, faults = read(csv_bytes([row(), [""] * len(COLUMNS), row(fee="x"), row(), ["H1", "H1-D1"], row(starts="x")]))
    assert sorted(faults) == [
        (4, "fee", "bad_amount"),
        (5, "", "duplicate"),
        (6, "", "bad_field_count"),
        (7, "starts", "bad_time"),
    ]
    assert [one.line for one in rows] == [2]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", (1, "", "empty_file")),
        (b"\xff\xfe\x00", (0, "", "bad_encoding")),
        (b'a,"b', (0, "", "bad_csv")),
        (csv_bytes([], heads=COLUMNS[1:]), (1, "hospital_code", "missing_column")),
        (csv_bytes([], heads=[*COLUMNS, "fee"]), (1, "fee", "duplicate_column")),
        (csv_bytes([], heads=[*COLUMNS, "memo"]), (1, "memo", "unknown_column")),
        (b"PK\x03\x04 no archive", (0, "", "bad_workbook")),
    ],
)
def test_a_file_that_cannot_be_read_is_told(read: Any, content: bytes, fault: tuple[int, str, str]) -> None:
    rows, faults = read(content)
    assert (rows, faults[0]) == ([], fault)


# --- XLSX


def typed(**but: Cell) -> list[Cell]:
    """As a spreadsheet keeps it: days, times and amounts are numbers."""
    numbers: dict[str, Cell] = {
        "visit_date": 46354, "starts": 8 / 24, "ends": 10 / 24, "fee": 25.1, "segment_minutes": 30,
        "numbers_per_segment": 2,
    }  # fmt: skip
    return [(dict(GOOD) | numbers | but)[column] for column in COLUMNS]


def test_an_xlsx_is_read_with_its_days_times_and_amounts(read: Any) -> None:
    rows, faults = read(xlsx_bytes([CHINESE, [], typed(), typed(starts=0.35416666666666669, ends=10.5 / 24)]))
    assert faults == []
    assert [one.line for one in rows] == [3, 4]
    assert (rows[0].visit_date, rows[0].sitting.starts, rows[0].sitting.fee_fen) == (date(2026, 11, 28), time(8), 2510)
    assert rows[1].sitting.starts == time(8, 30)


def test_shared_strings_are_read_without_their_readings(read: Any) -> None:
    strings = "".join(f"<si><r><t>{one[:2]}</t></r><r><t>{one[2:]}</t></r><rPh><t>X</t></rPh></si>" for one in COLUMNS)
    cells = "".join(f'<c t="s"><v>{place}</v></c>' for place in range(len(COLUMNS)))
    sheet = sheet_xml([[], typed()]).replace('<row r="1"></row>', f"<row>{cells}</row>")
    parts = {"xl/sharedStrings.xml": f"<sst>{strings}</sst>", "xl/worksheets/sheet1.xml": sheet}
    rows, faults = read(xlsx_bytes(parts=parts))
    assert (faults, len(rows)) == ([], 1)


def test_a_formula_is_refused_whatever_its_last_result(read: Any) -> None:
    rows, faults = read(xlsx_bytes([COLUMNS, typed(fee="f:20+5|25"), typed(starts=0.5, ends=14 / 24)]))
    assert faults == [(2, "fee", "formula")]
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("merged", "faults"),
    [
        (["C2:C3"], [(2, "doctor_code", "merged"), (3, "doctor_code", "merged")]),
        (["C1:C2"], [(2, "doctor_code", "merged")]),
        (["B3:C3"], [(3, "department_code", "merged"), (3, "doctor_code", "merged")]),
        (["A1:C1", "A6:C900", "Z2:Z4"], []),
    ],
)
def test_merged_cells_are_refused_in_rows_of_data(
    read: Any, merged: list[str], faults: list[tuple[int, str, str]]
) -> None:
    """What lies under one is empty in the file: a doctor there would be none."""
    rows = [COLUMNS, typed(), typed(doctor_code="", starts=0.5, ends=14 / 24)]
    found, told = read(xlsx_bytes(parts={"xl/worksheets/sheet1.xml": sheet_xml(rows, merged=merged)}))
    assert told == faults
    assert len(found) == 2 - len({line for line, *_ in faults})


@pytest.mark.parametrize("place", ["D2", "D2:", "A1:ZZZZ9", "", "A1:XFD1048576"])
def test_a_merge_that_covers_everything_or_nothing_costs_nothing(place: str) -> None:
    sheet = sheet_xml([COLUMNS, typed()], merged=[place])
    with suppress(BadWorkbook):
        assert len(first_sheet(xlsx_bytes(parts={"xl/worksheets/sheet1.xml": sheet}), most_rows=10)) == 2


BOMB = f"<sst><si><t>{'0' * 2_000_000}</t></si></sst>"
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><sst><si><t>&b;</t></si></sst>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><sst><si><t>&a;</t></si></sst>'
DAYS_1904 = '<workbook><workbookPr date1904="1"/><sheets><sheet/></sheets></workbook>'


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"xl/sharedStrings.xml": BOMB}, "too_large"),
        ({"xl/sharedStrings.xml": ENTITIES}, "bad_workbook"),
        ({"xl/sharedStrings.xml": FILE}, "bad_workbook"),
        ({"xl/workbook.xml": DAYS_1904}, "bad_workbook"),
        ({"xl/workbook.xml": ""}, "bad_workbook"),
        ({"xl/worksheets/sheet1.xml": ""}, "bad_workbook"),
        ({"xl/worksheets/sheet1.xml": "<worksheet><row>"}, "bad_workbook"),
        ({"xl/worksheets/sheet1.xml": "<a>" * 100 + "</a>" * 100}, "bad_workbook"),
        ({"xl/worksheets/sheet1.xml": '<w><row r="x"/></w>'}, "bad_workbook"),
        ({"xl/worksheets/sheet1.xml": '<w><row><c r="ZZ1"><v>1</v></c></row></w>'}, "bad_workbook"),
        ({"xl/worksheets/sheet1.xml": "<w>" + "<row><c><v>1</v></c></row>" * 12 + "</w>"}, "too_many_rows"),
    ],
)
def test_a_hostile_workbook_is_refused(monkeypatch: pytest.MonkeyPatch, parts: dict[str, str], code: str) -> None:
    monkeypatch.setattr(workbook, "MAX_UNFOLDED_BYTES", 1_000_000)
    with pytest.raises(BadWorkbook) as refused:
        first_sheet(xlsx_bytes([COLUMNS, typed()], parts=parts), most_rows=10)
    assert refused.value.code == code


@given(st.binary(max_size=300), st.integers(0, 2000), st.booleans())
def test_a_damaged_workbook_is_read_or_refused_and_nothing_else(noise: bytes, place: int, inside: bool) -> None:
    good = xlsx_bytes([COLUMNS, typed()])
    spoilt = good[:place] + noise + good[place + (len(noise) if inside else 0) :]
    with suppress(BadWorkbook):
        assert len(first_sheet(spoilt, most_rows=100)) <= 100
