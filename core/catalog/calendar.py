"""Which days are worked: the weekday says it, unless the table of public holidays and 调休 says something else.

The table is an operator's: `load_calendar` brings the years of a file to what the file says. The list of a year is
published late in the year before, so the table runs out again and again; `covered_until` tells when.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.catalog.faults import Fault, InvalidDirectory
from core.catalog.references import first_of_each
from core.catalog.store import Tally
from core.catalog.tables import Cells, read_table
from models.calendar import CalendarDay, DayKind
from models.schedule import Schedule, ScheduleStatus

COLUMNS = ("date", "kind", "name")
_KINDS: Mapping[str, DayKind] = {str(kind): kind for kind in DayKind}
_SATURDAY = 6
_FEWEST_HOLIDAYS = 11
"""Of a year: the law gave 11 until 2024, and gives 13 since. A file with fewer tells less than the year."""


@dataclass(frozen=True)
class WorkCalendar:
    """The exceptions by day, read once for many questions."""

    exceptions: Mapping[date, DayKind]

    @classmethod
    def read(cls, session: Session) -> WorkCalendar:
        return cls(dict((*row,) for row in session.execute(select(CalendarDay.day, CalendarDay.kind))))

    def is_holiday(self, day: date) -> bool:
        """A public holiday. An ordinary weekend is none."""
        return self.exceptions.get(day) is DayKind.HOLIDAY

    def is_working_day(self, day: date) -> bool:
        kind = self.exceptions.get(day)
        return day.isoweekday() < _SATURDAY if kind is None else kind is DayKind.WORKDAY

    def working_days_before(self, day: date, count: int) -> date:
        """The working day from which on `count` of them, itself included, lie before `day`; `day` itself for 0."""
        for _ in range(count):
            day -= timedelta(days=1)
            while not self.is_working_day(day):
                day -= timedelta(days=1)
        return day

    def working_days_after(self, day: date, count: int) -> date:
        """The working day by which `count` of them, itself included, lie after `day`; `day` itself for 0."""
        for _ in range(count):
            day += timedelta(days=1)
            while not self.is_working_day(day):
                day += timedelta(days=1)
        return day

    def covered_until(self, today: date) -> date | None:
        """The last day of the years that are told from this one on without a gap; None where not even this one is."""
        year, told = today.year, {day.year for day in self.exceptions}
        while year in told:
            year += 1
        return date(year - 1, 12, 31) if year > today.year else None


def is_working_day(session: Session, day: date) -> bool:
    return WorkCalendar.read(session).is_working_day(day)


def working_days_before(session: Session, day: date, count: int) -> date:
    """As `WorkCalendar.working_days_before`: the day that is `count` working days before `day`."""
    return WorkCalendar.read(session).working_days_before(day, count)


@dataclass(frozen=True)
class CalendarRow:
    line: int
    day: date
    kind: DayKind
    name: str


def read_calendar(path: Path) -> list[CalendarRow]:
    """Read and check a file. Raises: InvalidDirectory, with every fault."""
    faults: list[Fault] = []
    rows = [_row(Cells(path.name, row, faults)) for row in read_table(path, COLUMNS, faults)]
    found = first_of_each(path.name, "date", [row for row in rows if row], lambda row: row.day, faults)
    if not faults:
        _refuse_parts_of_years(path.name, found, faults)
    if faults:
        raise InvalidDirectory(faults)
    return found


def _refuse_parts_of_years(file: str, rows: list[CalendarRow], faults: list[Fault]) -> None:
    """Whoever loads one added day would lose the others of its year, and a year would seem told that is not."""
    holidays = Counter(row.day.year for row in rows if row.kind is DayKind.HOLIDAY)
    for year in sorted({row.day.year for row in rows}):
        if holidays[year] < _FEWEST_HOLIDAYS:
            detail = f"{year} has {holidays[year]} holidays: a file tells whole years"
            faults.append(Fault(file, 0, "date", "incomplete_year", detail))


def _row(cells: Cells) -> CalendarRow | None:
    day, kind, name = cells.day("date"), cells.word("kind", _KINDS), cells.text("name", longest=40)
    return None if cells.bad or day is None or kind is None else CalendarRow(cells.row.line, day, kind, name)


def load_calendar(session: Session, rows: Iterable[CalendarRow]) -> Tally:
    """Bring every year that `rows` name to what they say; `retired` counts days that are ordinary again."""
    wanted = {row.day: row for row in rows}
    years = {day.year for day in wanted}
    standing = {one.day: one for one in session.scalars(select(CalendarDay)) if one.day.year in years}
    added = changed = 0
    for day, row in wanted.items():
        one = standing.get(day)
        if one is None:
            session.add(CalendarDay(day=day, kind=row.kind, name=row.name))
            added += 1
        elif (one.kind, one.name) != (row.kind, row.name):
            one.kind, one.name = row.kind, row.name
            changed += 1
    gone = standing.keys() - wanted.keys()
    for day in gone:
        session.delete(standing[day])
    session.flush()
    return Tally(added=added, changed=changed, retired=len(gone), unchanged=len(wanted) - added - changed)


def open_on_holidays(session: Session, *, today: date) -> int:
    """How many half days to come are open on a public holiday: what stood before the holiday was known stays."""
    holidays = select(CalendarDay.day).where(CalendarDay.kind == DayKind.HOLIDAY, CalendarDay.day >= today)
    count = select(func.count()).where(Schedule.status == ScheduleStatus.OPEN, Schedule.visit_date.in_(holidays))
    return session.scalar(count) or 0
