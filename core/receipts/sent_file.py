"""The source that is built in: a file of what the hospital has issued, as its finance system exports it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from core.catalog.faults import Fault
from core.catalog.import_rows import ImportCells
from core.catalog.sheets import read_sheet
from core.ports import Issued, IssuedReceipt, ReceiptName

MOST_ROWS = 5000
"""Whatever hangs on the charges of one file holds still while it is written."""
HEADINGS: Mapping[str, str] = {
    "hospital_code": "医院代码",
    "appointment_number": "预约号",
    "code": "票据代码",
    "number": "票据号码",
    "check_code": "校验码",
    "issued_on": "开票日期",
    "amount": "金额",
    "url": "查看链接",
    "blue_code": "原票据代码",
    "blue_number": "原票据号码",
}
MAY_BE_ABSENT = frozenset({"url", "blue_code", "blue_number"})

_NEVER = date.min
"""Stands where no day could be read; such a row is none."""
_CODE, _NUMBER = re.compile(r"[0-9]{8}", re.ASCII), re.compile(r"[0-9]{10}", re.ASCII)
_CHECK_CODE = re.compile(r"[0-9A-Za-z]{6}", re.ASCII)
_URL = re.compile(r"https://[!#-;=?-\[\]-~]{1,492}", re.ASCII)
"""Without what ends it, or turns it, where it is shown: quotes, angle brackets and backslashes."""
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", re.ASCII)
"""A name that is looked up from everywhere; no figures, and no house of its own."""


class SentFile:
    """A `ReceiptSource`: CSV or XLSX, under English or Chinese headings."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def issued(self) -> Issued:
        """The rows that stand by themselves, and what is wrong with the others."""
        faults: list[Fault] = []
        rows = read_sheet(self.path, faults, headings=HEADINGS, may_be_absent=MAY_BE_ABSENT)
        if len(rows) > MOST_ROWS:
            return Issued(
                (), [Fault(self.path.name, 0, "", "too_many_rows", f"more than {MOST_ROWS}: send it in parts")]
            )
        found = [_receipt(_ReceiptCells(self.path.name, row, faults)) for row in rows]
        return Issued([one for one in found if one is not None], faults)


class _ReceiptCells(ImportCells):
    def figures(self, column: str, pattern: re.Pattern[str], must_be: str, *, needed: bool = True) -> str:
        value = self._given(column, needed=needed)
        if value and not pattern.fullmatch(value):
            self.refuse(column, "bad_number", f"must be {must_be}; a spreadsheet keeps it whole as text")
        return value

    def link(self, column: str) -> str | None:
        """What a patient is led to: over https, to a host by its name alone."""
        value = self._given(column, needed=False)
        if value and not _is_link(value):
            self.refuse(column, "bad_link", "must be https://…, at most 500 characters, without a user name")
        return value or None

    def signed_fen(self, column: str, *, is_red: bool) -> int:
        """As on the face: a red receipt has its sign turned."""
        value = self._given(column, needed=True)
        found_so_far = len(self.faults)
        fen = self.fen_of(column, value.removeprefix("-"))
        is_read = bool(value) and len(self.faults) == found_so_far
        if is_read and (fen == 0 or value.startswith("-") is not is_red):
            self.refuse(column, "bad_amount", "must be above zero, and below it on a red receipt")
        return -fen if is_red else fen


def _is_link(value: str) -> bool:
    try:
        parts = urlsplit(value)
        is_named = _URL.fullmatch(value) and _HOST.fullmatch(parts.hostname or "")
        return bool(is_named and parts.port in (None, 443) and "@" not in parts.netloc)
    except ValueError:
        return False


def _receipt(cells: _ReceiptCells) -> IssuedReceipt | None:
    name = _name(cells, "code", "number")
    blue = _name(cells, "blue_code", "blue_number", needed=False)
    if bool(blue.code) is not bool(blue.number):
        cells.refuse("blue_number", "required", "a red receipt names code and number of the blue one")
    issued_on = cells.day("issued_on")
    receipt = IssuedReceipt(
        source=cells.file,
        line=cells.row.line,
        hospital=cells.code("hospital_code"),
        appointment=cells.code("appointment_number"),
        name=name,
        check_code=cells.figures("check_code", _CHECK_CODE, "6 letters and digits"),
        url=cells.link("url"),
        amount_fen=cells.signed_fen("amount", is_red=bool(blue.code)),
        issued_on=issued_on or _NEVER,
        reddens=blue if blue.code else None,
    )
    return None if cells.bad else receipt


def _name(cells: _ReceiptCells, code: str, number: str, *, needed: bool = True) -> ReceiptName:
    return ReceiptName(
        cells.figures(code, _CODE, "8 digits", needed=needed),
        cells.figures(number, _NUMBER, "10 digits", needed=needed),
    )
