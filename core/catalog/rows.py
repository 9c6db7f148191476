"""The records of a directory as typed rows, each remembering its line. A row with a bad cell becomes none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time

from core.catalog.tables import Cells
from models.hospital import Period
from models.person import Sex

_SEXES: Mapping[str, Sex] = {"M": Sex.MALE, "F": Sex.FEMALE}
_PERIODS: Mapping[str, Period] = {str(period): period for period in Period}
MAX_FEE_FEN = 10_000_000
MAX_NUMBERS = 1_000
MAX_SEGMENT_MINUTES = 30
"""Patients are told when to come, no half day to wait through."""


@dataclass(frozen=True)
class HospitalRow:
    line: int
    code: str
    name: str
    alias: str
    grade: str
    kind: str
    adcode: str
    address: str
    lat: float | None
    lng: float | None
    merchant: str | None
    booking_notice: str
    synthetic: bool


@dataclass(frozen=True)
class CampusRow:
    line: int
    hospital_code: str
    code: str
    name: str
    address: str
    lat: float | None
    lng: float | None


@dataclass(frozen=True)
class DepartmentRow:
    """`parent_code` is empty on the first level."""

    line: int
    hospital_code: str
    code: str
    parent_code: str
    name: str
    alias: str
    subject_code: str | None
    sex: Sex | None
    min_age: int | None
    max_age: int | None
    online: bool
    synthetic: bool


@dataclass(frozen=True)
class DoctorRow:
    line: int
    hospital_code: str
    code: str
    department_code: str
    name: str
    title: str
    sex: Sex | None
    introduction: str
    synthetic: bool


@dataclass(frozen=True)
class Sitting:
    """A half day's clinic: who, where, when in the hospital's time of day, for how much, in how many numbers."""

    hospital_code: str
    department_code: str
    doctor_code: str
    campus_code: str
    period: Period
    starts: time
    ends: time
    clinic_type: str
    fee_fen: int
    segment_minutes: int
    numbers_per_segment: int


@dataclass(frozen=True)
class RosterRow:
    """`weekday` counts from 1, Monday, to 7, Sunday."""

    line: int
    weekday: int
    sitting: Sitting


@dataclass(frozen=True)
class ScheduleRow:
    """A clinic on one date only."""

    line: int
    visit_date: date
    sitting: Sitting


def hospital_row(cells: Cells) -> HospitalRow | None:
    lat, lng = _point(cells)
    adcode = cells.text("adcode", longest=6)
    if adcode and not (len(adcode) == 6 and adcode.isascii() and adcode.isdigit()):
        cells.refuse("adcode", "bad_number", "must be the six digits of a district")
    row = HospitalRow(
        line=cells.row.line,
        code=cells.code("code"),
        name=cells.text("name", longest=100),
        alias=cells.text("alias", longest=300, needed=False),
        grade=cells.text("grade", longest=40, needed=False),
        kind=cells.text("kind", longest=40, needed=False),
        adcode=adcode,
        address=cells.text("address", longest=200),
        lat=lat,
        lng=lng,
        merchant=cells.code("merchant", needed=False) or None,
        booking_notice=cells.text("booking_notice", longest=4000, needed=False),
        synthetic=cells.flag("synthetic"),
    )
    return None if cells.bad else row


def campus_row(cells: Cells) -> CampusRow | None:
    lat, lng = _point(cells)
    row = CampusRow(
        line=cells.row.line,
        hospital_code=cells.code("hospital_code"),
        code=cells.code("code"),
        name=cells.text("name", longest=100),
        address=cells.text("address", longest=200),
        lat=lat,
        lng=lng,
    )
    return None if cells.bad else row


def department_row(cells: Cells) -> DepartmentRow | None:
    row = DepartmentRow(
        line=cells.row.line,
        hospital_code=cells.code("hospital_code"),
        code=cells.code("code"),
        parent_code=cells.code("parent_code", needed=False),
        name=cells.text("name", longest=100),
        alias=cells.text("alias", longest=300, needed=False),
        subject_code=cells.code("subject_code", needed=False) or None,
        sex=cells.word("sex", _SEXES, needed=False),
        min_age=cells.years("min_age"),
        max_age=cells.years("max_age"),
        online=cells.flag("online"),
        synthetic=cells.flag("synthetic"),
    )
    if row.min_age is not None and row.max_age is not None and row.max_age < row.min_age:
        cells.refuse("max_age", "bad_range", "must not be below min_age")
    return None if cells.bad else row


def doctor_row(cells: Cells) -> DoctorRow | None:
    row = DoctorRow(
        line=cells.row.line,
        hospital_code=cells.code("hospital_code"),
        code=cells.code("code"),
        department_code=cells.code("department_code"),
        name=cells.text("name", longest=100),
        title=cells.text("title", longest=40, needed=False),
        sex=cells.word("sex", _SEXES, needed=False),
        introduction=cells.text("introduction", longest=4000, needed=False),
        synthetic=cells.flag("synthetic"),
    )
    return None if cells.bad else row


def roster_row(cells: Cells) -> RosterRow | None:
    weekday, sitting = cells.whole("weekday", 1, 7), _sitting(cells)
    cells.flag("synthetic")
    return None if cells.bad or sitting is None else RosterRow(cells.row.line, weekday, sitting)


def schedule_row(cells: Cells) -> ScheduleRow | None:
    day, sitting = cells.day("visit_date"), _sitting(cells)
    return None if cells.bad or sitting is None or day is None else ScheduleRow(cells.row.line, day, sitting)


def _sitting(cells: Cells) -> Sitting | None:
    period = cells.word("period", _PERIODS)
    starts, ends = cells.time("starts"), cells.time("ends")
    segment_minutes = cells.whole("segment_minutes", 5, 720)
    numbers = cells.whole("numbers_per_segment", 1, 200)
    check_times(cells, starts, ends, segment_minutes, numbers)
    sitting = Sitting(
        hospital_code=cells.code("hospital_code"),
        department_code=cells.code("department_code"),
        doctor_code=cells.code("doctor_code", needed=False),
        campus_code=cells.code("campus_code"),
        period=period or Period.MORNING,
        starts=starts or time(),
        ends=ends or time(),
        clinic_type=cells.code("clinic_type"),
        fee_fen=cells.whole("fee_fen", 0, MAX_FEE_FEN),
        segment_minutes=segment_minutes,
        numbers_per_segment=numbers,
    )
    return None if cells.bad else sitting


def check_times(cells: Cells, starts: time | None, ends: time | None, segment_minutes: int, numbers: int) -> None:
    if cells.bad or starts is None or ends is None:
        return
    minutes = (ends.hour - starts.hour) * 60 + ends.minute - starts.minute
    if minutes <= 0:
        cells.refuse("ends", "bad_range", "must be after starts")
    elif segment_minutes > MAX_SEGMENT_MINUTES:
        cells.refuse("segment_minutes", "bad_range", f"must be {MAX_SEGMENT_MINUTES} or finer")
    elif minutes % segment_minutes:
        cells.refuse("segment_minutes", "bad_range", f"must divide the {minutes} minutes from starts to ends")
    elif minutes // segment_minutes * numbers > MAX_NUMBERS:
        cells.refuse("numbers_per_segment", "bad_range", f"makes more than {MAX_NUMBERS} numbers")


def _point(cells: Cells) -> tuple[float | None, float | None]:
    lat, lng = cells.number("lat", -90, 90), cells.number("lng", -180, 180)
    if (lat is None) != (lng is None) and not cells.bad:
        cells.refuse("lng" if lng is None else "lat", "required", "lat and lng stand together")
    return lat, lng
