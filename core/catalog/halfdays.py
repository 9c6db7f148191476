"""Half days on their way into the tables: one schedule each, with its slots, born free and inserted in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.booking.policy import BookingPolicy
from core.booking.terms import CompiledTerms, DaysBefore, compile_terms, weekdays_before
from core.catalog.channels import keep_for_channels
from core.clock import HOSPITAL_ZONE
from models.base import new_id
from models.hospital import Period
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus
from models.schedule_change import ScheduleChange
from models.states import StateEvent

HalfDayKey = tuple[UUID, str, date, Period, str, datetime]
_AT_ONCE = 500


@dataclass(frozen=True)
class HalfDay:
    """One clinic on one day. `starts` and `ends` are the hospital's time of day; whole segments fill it."""

    hospital_id: UUID
    campus_id: UUID
    department_id: UUID
    doctor_id: UUID | None
    doctor_code: str
    visit_date: date
    period: Period
    starts: time
    ends: time
    clinic_type: str
    fee_fen: int
    segment_minutes: int
    numbers_per_segment: int

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.visit_date, self.starts, tzinfo=HOSPITAL_ZONE).astimezone(UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.visit_date, self.ends, tzinfo=HOSPITAL_ZONE).astimezone(UTC)

    @property
    def segment(self) -> timedelta:
        return timedelta(minutes=self.segment_minutes)

    @property
    def key(self) -> HalfDayKey:
        """As the unique constraint of schedules has it."""
        return (
            self.department_id,
            self.doctor_code,
            self.visit_date,
            self.period,
            self.clinic_type,
            self.starts_at,
        )

    def compiled(
        self, policies: Iterable[BookingPolicy], working_days_before: DaysBefore = weekdays_before
    ) -> CompiledTerms:
        """`policies` from wide to narrow."""
        return compile_terms(
            policies,
            department_id=self.department_id,
            visit_date=self.visit_date,
            starts_at=self.starts_at,
            last_segment_starts_at=self.ends_at - self.segment,
            working_days_before=working_days_before,
        )


@dataclass(frozen=True)
class Made:
    """How much was published."""

    schedules: int = 0
    slots: int = 0

    def __add__(self, other: Made) -> Made:
        return Made(self.schedules + other.schedules, self.slots + other.slots)


def standing_keys(session: Session, department_ids: Iterable[UUID], *, first: date, last: date) -> set[HalfDayKey]:
    """The half days that these departments have already, both days included."""
    rows = session.execute(
        select(
            Schedule.department_id,
            Schedule.doctor_code,
            Schedule.visit_date,
            Schedule.period,
            Schedule.clinic_type,
            Schedule.starts_at,
        ).where(Schedule.department_id.in_(set(department_ids)), Schedule.visit_date.between(first, last))
    )
    former = as_they_were(session, department_ids, first=first, last=last)
    return {(*row,) for row in rows} | {one.key for before in former.values() for one in before}


@dataclass(frozen=True)
class Was:
    """What a half day was before the hospital gave it to another doctor, or moved it."""

    key: HalfDayKey
    ends_at: datetime
    campus_id: UUID
    fee_fen: int

    @property
    def starts_at(self) -> datetime:
        return self.key[-1]


_WAS: Mapping[str, Callable[[Any], Any]] = {
    "doctor_code": str,
    "period": Period,
    "starts_at": datetime.fromisoformat,
    "ends_at": datetime.fromisoformat,
    "campus_id": UUID,
    "fee_fen": int,
}
"""The values that make up a `Was`, and how each is read back from a change."""


def as_they_were(
    session: Session, department_ids: Iterable[UUID], *, first: date, last: date
) -> Mapping[UUID, Sequence[Was]]:
    """What the half days that the hospital has acted on were before, the latest first, both days included: whoever
    published one, a roster, a directory or a file, must not publish it again."""
    rows = session.execute(
        select(Schedule, ScheduleChange.was)
        .join(ScheduleChange, ScheduleChange.schedule_id == Schedule.id)
        .where(Schedule.department_id.in_(set(department_ids)), Schedule.visit_date.between(first, last))
        .order_by(Schedule.id, ScheduleChange.version.desc())
    )
    values: dict[UUID, dict[str, Any]] = {}
    found: dict[UUID, list[Was]] = defaultdict(list)
    for one, before in rows:
        own = values.setdefault(one.id, {name: getattr(one, name) for name in _WAS})
        own |= {name: read(before[name]) for name, read in _WAS.items() if name in before}
        code, period, starts_at = own["doctor_code"], own["period"], own["starts_at"]
        key = (one.department_id, code, one.visit_date, period, one.clinic_type, starts_at)
        found[one.id].append(Was(key, own["ends_at"], own["campus_id"], own["fee_fen"]))
    return found


def insert_half_days(
    session: Session,
    compiled: Sequence[tuple[HalfDay, CompiledTerms]],
    *,
    now: datetime,
    imported_at: datetime | None = None,
) -> Made:
    """Put them on the table. A slot is born free, without an event: a replay of its events starts at free. Those that
    are kept for a channel are withheld at once, with one."""
    schedules, slots, events = [], [], []
    for half_day, terms in compiled:
        row = _schedule_row(half_day, terms, now) | {"imported_at": imported_at}
        schedules.append(row)
        born = _slot_rows(half_day, row["id"])
        events += keep_for_channels(born, terms, now=now)
        slots += born
    for rows, table in ((schedules, Schedule), (slots, Slot), (events, StateEvent)):
        for at in range(0, len(rows), _AT_ONCE):
            session.execute(insert(table), rows[at : at + _AT_ONCE])
    return Made(len(schedules), len(slots))


def _schedule_row(half_day: HalfDay, compiled: CompiledTerms, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "hospital_id": half_day.hospital_id,
        "campus_id": half_day.campus_id,
        "department_id": half_day.department_id,
        "doctor_id": half_day.doctor_id,
        "doctor_code": half_day.doctor_code,
        "visit_date": half_day.visit_date,
        "period": half_day.period,
        "starts_at": half_day.starts_at,
        "ends_at": half_day.ends_at,
        "clinic_type": half_day.clinic_type,
        "fee_fen": half_day.fee_fen,
        "status": ScheduleStatus.OPEN,
        "release_at": compiled.release_at,
        "closes_at": compiled.closes_at,
        "cancel_before": compiled.cancel_before,
        "terms": compiled.terms.to_document(),
        "terms_version": compiled.terms.version,
        "channels_return_at": compiled.channels_return_at,
        "created_at": now,
    }


def _slot_rows(half_day: HalfDay, schedule_id: UUID) -> list[dict[str, Any]]:
    segments = int((half_day.ends_at - half_day.starts_at) / half_day.segment)
    starts = [half_day.starts_at + half_day.segment * segment for segment in range(segments)]
    numbers = [one for one in starts for _ in range(half_day.numbers_per_segment)]
    return [
        {
            "id": new_id(),
            "hospital_id": half_day.hospital_id,
            "schedule_id": schedule_id,
            "sequence": sequence,
            "starts_at": starts_at,
            "ends_at": starts_at + half_day.segment,
            "status": SlotStatus.FREE,
            "withheld_reason": None,
            "moved": 0,
            "channel": None,
        }
        for sequence, starts_at in enumerate(numbers, start=1)
    ]
