"""Import files for tests: rows that are right until a test says otherwise, saved as CSV or as a small true XLSX."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from core.catalog.sheets import HEADINGS

COLUMNS = [column for column in HEADINGS if column != "campus_code"]
GOOD: Mapping[str, str] = {
    "hospital_code": "H1", "department_code": "H1-D1", "doctor_code": "DOC1", "visit_date": "2026-11-28",
    "period": "morning", "starts": "08:00", "ends": "10:00", "clinic_type": "EXPERT", "fee": "50",
    "segment_minutes": "30", "numbers_per_segment": "2",
}  # fmt: skip
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"

Cell = str | int | float
"""A text that begins with `f:` is a formula, with its last result behind a bar."""


def row(**but: str) -> list[str]:
    return [{**GOOD, **but}[column] for column in COLUMNS]


def csv_bytes(rows: Sequence[Sequence[str]], *, encoding: str = "utf-8", heads: Sequence[str] = COLUMNS) -> bytes:
    return "\r\n".join(",".join(one) for one in [heads, *rows]).encode(encoding)


def sheet_xml(rows: Sequence[Sequence[Cell]], *, merged: Sequence[str] = ()) -> str:
    """`merged` are places such as `D2:D3`."""
    lines = []
    for number, cells in enumerate(rows, start=1):
        inside = "".join(_cell(f"{chr(65 + place)}{number}", cell) for place, cell in enumerate(cells) if cell != "")
        lines.append(f'<row r="{number}">{inside}</row>')
    inside = "".join(f'<mergeCell ref="{one}"/>' for one in merged)
    together = f"<mergeCells>{inside}</mergeCells>" if merged else ""
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData>{together}</worksheet>'


def _cell(place: str, cell: Cell) -> str:
    if not isinstance(cell, str):
        return f'<c r="{place}" s="1"><v>{cell!r}</v></c>'
    if cell.startswith("f:"):
        formula, _, result = cell[2:].partition("|")
        return f'<c r="{place}"><f>{escape(formula)}</f><v>{escape(result)}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'


def xlsx_bytes(rows: Sequence[Sequence[Cell]] = (), *, parts: Mapping[str, str] | None = None) -> bytes:
    """`parts` are laid over the usual ones; an empty one is left out."""
    usual = {
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><workbookPr/>'
        '<sheets><sheet name="排班" sheetId="1" r:id="rId7"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">'
        '<Relationship Id="rId7" Type="worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet_xml(rows),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (usual | dict(parts or {})).items():
            if text:
                archive.writestr(name, text)
    return out.getvalue()
