"""Half days that stand already, with their numbers by segment, for comparing them with what somebody wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from core.catalog.halfdays import HalfDay, HalfDayKey, Was, as_they_were
from core.clock import HOSPITAL_ZONE
from models.hospital import Period
from models.schedule import Schedule, Slot, SlotStatus, Surplus, WithheldReason

Segments = Mapping[tuple[datetime, datetime], int]
"""How many numbers each time segment has."""
ClinicKey = tuple[UUID, str, date, Period, str]
_AT_ONCE = 500

OF_CAPACITY = and_(
    or_(Slot.surplus.is_(None), Slot.surplus != Surplus.EXTRA),
    or_(Slot.status != SlotStatus.WITHHELD, Slot.withheld_reason != WithheldReason.WITHDRAWN),
)
"""The numbers that an import may count: none that was taken back, and none that a doctor issued beside them."""


@dataclass(frozen=True)
class Standing:
    """`was` is what it was before the hospital acted on it, the latest first."""

    schedule: Schedule
    segments: Segments
    has_surplus: bool
    was: Sequence[Was] = ()

    @property
    def key(self) -> tuple[ClinicKey, datetime]:
        return clinic_key(self.schedule), self.schedule.starts_at

    def overlaps(self, half_day: HalfDay) -> bool:
        return self.schedule.starts_at < half_day.ends_at and half_day.starts_at < self.schedule.ends_at

    def as_it_is_now(self, half_day: HalfDay) -> HalfDay:
        """`half_day` names this one, perhaps as it was before the hospital acted on it: whatever it says as it was then
        stands for what the hospital made of that, so that only what it says otherwise is another wish."""
        schedule = self.schedule
        now = Was(half_day_key(schedule), schedule.ends_at, schedule.campus_id, schedule.fee_fen)
        meant = [one for one in (now, *self.was) if one.key == half_day.key]
        same = [one for one in meant if (one.campus_id, one.fee_fen) == (half_day.campus_id, half_day.fee_fen)]
        if not meant:
            return half_day
        was = (same or meant)[0]
        by = now.starts_at - was.starts_at
        return replace(
            half_day,
            doctor_id=schedule.doctor_id,
            doctor_code=schedule.doctor_code,
            period=schedule.period,
            starts=_time_of_day(half_day.starts_at + by),
            ends=_time_of_day(half_day.ends_at + by),
            campus_id=now.campus_id if half_day.campus_id == was.campus_id else half_day.campus_id,
            fee_fen=now.fee_fen if half_day.fee_fen == was.fee_fen else half_day.fee_fen,
        )


def _time_of_day(at: datetime) -> time:
    return at.astimezone(HOSPITAL_ZONE).time()


def clinic_key(one: Schedule | HalfDay) -> ClinicKey:
    """What stays the same where only the time of a half day changes."""
    return (one.department_id, one.doctor_code, one.visit_date, one.period, one.clinic_type)


def half_day_key(one: Schedule) -> HalfDayKey:
    return (*clinic_key(one), one.starts_at)


def wanted_segments(half_day: HalfDay) -> Segments:
    count = int((half_day.ends_at - half_day.starts_at) / half_day.segment)
    starts = [half_day.starts_at + half_day.segment * number for number in range(count)]
    return {(start, start + half_day.segment): half_day.numbers_per_segment for start in starts}


def standing_half_days(
    session: Session, department_ids: Iterable[UUID], *, first: date, last: date
) -> Mapping[ClinicKey, Sequence[Standing]]:
    """Of these departments, both days included."""
    found: dict[ClinicKey, list[Standing]] = defaultdict(list)
    departments = sorted(set(department_ids))
    for at in range(0, len(departments), _AT_ONCE):
        here = and_(
            Schedule.department_id.in_(departments[at : at + _AT_ONCE]), Schedule.visit_date.between(first, last)
        )
        segments: dict[UUID, dict[tuple[datetime, datetime], int]] = defaultdict(dict)
        surplus: set[UUID] = set()
        reduced = func.count().filter(Slot.surplus == Surplus.REDUCED)
        for schedule_id, starts_at, ends_at, count, beyond in session.execute(
            select(Slot.schedule_id, Slot.starts_at, Slot.ends_at, func.count().filter(OF_CAPACITY), reduced)
            .join(Schedule, Schedule.id == Slot.schedule_id)
            .where(here)
            .group_by(Slot.schedule_id, Slot.starts_at, Slot.ends_at)
        ):
            segments[schedule_id][starts_at, ends_at] = count
            surplus |= {schedule_id} if beyond else set()
        former = as_they_were(session, departments[at : at + _AT_ONCE], first=first, last=last)
        for schedule in session.scalars(select(Schedule).where(here).order_by(Schedule.starts_at)):
            own = schedule.id
            one = Standing(schedule, segments[own], own in surplus, former.get(own, ()))
            found[clinic_key(schedule)].append(one)
    return found


@dataclass(frozen=True)
class Meant:
    """`is_former`: named as it was before the hospital acted on it. `is_beside`: another row says what it is to be."""

    standing: Standing | None
    is_former: bool = False
    is_beside: bool = False


class StandingHalfDays:
    """Which of those that stand each of the wanted half days means; `named` are the wanted ones, all of them."""

    def __init__(
        self, standing: Mapping[ClinicKey, Sequence[Standing]], named: Set[tuple[ClinicKey, datetime]]
    ) -> None:
        self._standing, self._named = standing, named
        every = [one for here in standing.values() for one in here]
        self._former = {was.key: one for one in every for was in one.was}
        # What was published so comes before what only passed through.
        self._former |= {one.was[-1].key: one for one in every if one.was}
        self._meant: set[UUID] = set()

    def meant_by(self, half_day: HalfDay) -> Meant:
        """The one that begins at that time; or else one that did before the hospital acted on it; or else one of the
        same clinic that overlaps, unless another row means it."""
        here = self._standing.get(clinic_key(half_day), ())
        for one in here:
            if one.schedule.starts_at == half_day.starts_at and self._is_meant_as_it_is(one):
                return Meant(one)
        if (changed := self._former.get(half_day.key)) is not None:
            is_beside = self._is_meant_as_it_is(changed) or changed.schedule.id in self._meant
            self._meant.add(changed.schedule.id)
            return Meant(changed, is_former=True, is_beside=is_beside)
        return Meant(next((one for one in here if one.overlaps(half_day) and one.key not in self._named), None))

    def _is_meant_as_it_is(self, one: Standing) -> bool:
        """Whether a row names it as it is now, and not another one that was so before and is named nowhere else."""
        if one.key not in self._named:
            return False
        other = self._former.get(half_day_key(one.schedule), one)
        was_named = any((was.key[:-1], was.key[-1]) in self._named for was in one.was)
        return other is one or other.key in self._named or not was_named


def imported_half_days(
    session: Session, department_ids: Iterable[UUID], *, first: date, last: date
) -> Mapping[ClinicKey, Sequence[tuple[datetime, datetime]]]:
    """When the clinics of these departments sit that came from a file, both days included; also when they would have,
    had the hospital not moved them since."""
    found: dict[ClinicKey, list[tuple[datetime, datetime]]] = defaultdict(list)
    imported = Schedule.imported_at.is_not(None)
    here = and_(Schedule.department_id.in_(set(department_ids)), Schedule.visit_date.between(first, last))
    former = as_they_were(session, department_ids, first=first, last=last)
    for schedule in session.scalars(select(Schedule).where(here, imported)):
        found[clinic_key(schedule)].append((schedule.starts_at, schedule.ends_at))
        for was in former.get(schedule.id, ()):
            found[was.key[:-1]].append((was.starts_at, was.ends_at))
    return found
