"""A record of an import file as a half day, with days, times and fees as clerks and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

from core.catalog.faults import Fault
from core.catalog.references import first_of_each
from core.catalog.rows import MAX_FEE_FEN, Sitting, check_times
from core.catalog.sheets import read_sheet
from core.catalog.tables import Cells
from models.hospital import Period

_DAY = re.compile(r"([0-9]{4})([-/.年])([0-9]{1,2})[-/.月]([0-9]{1,2})日?([ T]0?0:00(:00(\.0+)?)?)?", re.ASCII)
_DAY_TOGETHER = re.compile(r"(20[0-9]{2})([0-9]{2})([0-9]{2})", re.ASCII)
_SERIAL = re.compile(r"[0-9]{5}", re.ASCII)
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(:00)?", re.ASCII)
_PART_OF_DAY = re.compile(r"0?\.[0-9]{1,20}", re.ASCII)
_YUAN = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,2}))?", re.ASCII)
_SERIAL_ZERO = date(1899, 12, 30)
_DAY_SECONDS = 24 * 60 * 60
_PERIODS: Mapping[str, Period] = {str(period): period for period in Period} | {
    "上午": Period.MORNING,
    "下午": Period.AFTERNOON,
    "晚上": Period.EVENING,
    "夜间": Period.EVENING,
    "全天": Period.ALL_DAY,
}
_STARTS: Mapping[Period, tuple[time, time]] = {
    Period.MORNING: (time(0), time(13)),
    Period.AFTERNOON: (time(11), time(19)),
    Period.EVENING: (time(16), time.max),
    Period.ALL_DAY: (time(0), time.max),
}
"""From when to before when a half day of the name may begin; hospitals differ, but none has a morning at six p.m."""


@dataclass(frozen=True)
class ImportRow:
    """One half day. `sitting.campus_code` is empty where the hospital's only campus is meant."""

    line: int
    visit_date: date
    sitting: Sitting


class ImportCells(Cells):
    """As `Cells`, but more generous about how a day, a time and a fee may be written."""

    def day(self, column: str) -> date | None:
        value = self._given(column, needed=True)
        if not value:
            return None
        try:
            if _SERIAL.fullmatch(value):
                return _SERIAL_ZERO + timedelta(days=int(value))
            if together := _DAY_TOGETHER.fullmatch(value):
                return date(*(int(part) for part in together.groups()))
            if parts := _DAY.fullmatch(value):
                return date(int(parts[1]), int(parts[3]), int(parts[4]))
        except ValueError:
            pass
        self.refuse(column, "bad_date", "must be a day such as 2026-11-28 or 2026/11/28")
        return None

    def time(self, column: str) -> time | None:
        value = self._given(column, needed=True)
        if not value:
            return None
        if parts := _TIME.fullmatch(value):
            return time(int(parts[1]), int(parts[2]))
        if _PART_OF_DAY.fullmatch(value):
            seconds = round(Decimal(value) * _DAY_SECONDS)
            if seconds % 60 == 0 and seconds < _DAY_SECONDS:
                return time(seconds // 3600, seconds // 60 % 60)
        self.refuse(column, "bad_time", "must be a time of day such as 08:00")
        return None

    def fen(self, column: str) -> int:
        """An amount in yuan, in fen."""
        return self.fen_of(column, self._given(column, needed=True))

    def fen_of(self, column: str, value: str) -> int:
        """Of what stands in that column; nothing there is no amount."""
        parts = _YUAN.fullmatch(value)
        fen = int(parts[1]) * 100 + int((parts[2] or "").ljust(2, "0")) if parts else -1
        if value and not 0 <= fen <= MAX_FEE_FEN:
            self.refuse(column, "bad_amount", f"must be yuan from 0 to {MAX_FEE_FEN // 100}, with at most two decimals")
        return max(fen, 0)


def read_import(path: Path, faults: list[Fault]) -> list[ImportRow]:
    """The rows that stand by themselves; what is wrong goes to `faults`."""
    rows = [_import_row(ImportCells(path.name, row, faults)) for row in read_sheet(path, faults)]
    if not rows and not faults:
        faults.append(Fault(path.name, 1, "", "empty_file", "no row below the headings"))
    return first_of_each(path.name, "", [row for row in rows if row], _key, faults)


def _key(row: ImportRow) -> tuple[object, ...]:
    one = row.sitting
    return (
        one.hospital_code,
        one.department_code,
        one.doctor_code,
        row.visit_date,
        one.period,
        one.clinic_type,
        one.starts,
    )


def _import_row(cells: ImportCells) -> ImportRow | None:
    day, period = cells.day("visit_date"), cells.word("period", _PERIODS)
    starts, ends = cells.time("starts"), cells.time("ends")
    segment_minutes = cells.whole("segment_minutes", 5, 720)
    numbers = cells.whole("numbers_per_segment", 1, 200)
    check_times(cells, starts, ends, segment_minutes, numbers)
    if period is not None and starts is not None and not _STARTS[period][0] <= starts < _STARTS[period][1]:
        cells.refuse("period", "bad_range", f"no {period} clinic begins at {starts:%H:%M}")
    sitting = Sitting(
        hospital_code=cells.code("hospital_code"),
        department_code=cells.code("department_code"),
        doctor_code=cells.code("doctor_code", needed=False),
        campus_code=cells.code("campus_code", needed=False),
        period=period or Period.MORNING,
        starts=starts or time(),
        ends=ends or time(),
        clinic_type=cells.code("clinic_type"),
        fee_fen=cells.fen("fee"),
        segment_minutes=segment_minutes,
        numbers_per_segment=numbers,
    )
    return None if cells.bad or day is None else ImportRow(cells.row.line, day, sitting)
