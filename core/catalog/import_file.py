"""Half days from a hospital's file onto the table: all or nothing, and a second time without changing anything.

    new → published · the same → left alone · other numbers → `capacity.py` · other fee, time or place → made anew,
    as long as nobody ever had a number of it; else refused: the hospital moves or suspends it
    what the hospital has moved or given to another doctor since → left as the hospital made it

Whoever is about to book a half day that is made anew finds no number at the old one: it has another id, so that nobody
books it at the old fee. What is compared without a lock is compared again with the half day and its numbers locked, so
that an import and a booking come one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.booking.rules.guards import is_for_nobody
from core.booking.terms import CompiledTerms
from core.catalog.at_one_time import AtOneTime, Sitting, doctors_at_one_time
from core.catalog.calendar import WorkCalendar
from core.catalog.capacity import fit_numbers
from core.catalog.faults import Fault, InvalidDirectory
from core.catalog.halfdays import HalfDay, Made, insert_half_days
from core.catalog.import_places import Places
from core.catalog.import_rows import ImportRow
from core.catalog.standing import Standing, StandingHalfDays, clinic_key, standing_half_days, wanted_segments
from core.catalog.withdraw import take_away
from core.clock import HOSPITAL_ZONE, hospital_day
from core.locks import lock_hospitals, lock_schedules
from core.transactions import Changed
from models.appointment import HOLDS_SLOT, Appointment
from models.schedule import Schedule, ScheduleStatus, Slot
from models.schedule_change import ScheduleChange
from models.states import Cause

_FARTHEST = timedelta(days=400)
"""Nobody plans a clinic so far ahead: a day beyond is a slip in the year."""


@dataclass(frozen=True)
class Beyond:
    """Patients who keep their numbers though the hospital gives fewer; `appointments` are number and id."""

    line: int
    schedule_id: UUID
    appointments: Sequence[tuple[str, UUID]]


@dataclass(frozen=True)
class ChangedSince:
    """A row that names a half day as it was before the hospital acted on it, and how that stands now."""

    line: int
    now: str


@dataclass
class Imported:
    """What the file changed. `beyond` is told again each time, until those numbers are let go; `for_nobody` are lines
    whose policies ask for ages that exclude one another, `at_one_time` such whose doctor has another clinic then.
    `changed_since` are rows of what was moved or given away: no row publishes it a second time."""

    new: Made = field(default_factory=Made)
    replaced: int = 0
    unchanged: int = 0
    refitted: int = 0
    numbers_added: int = 0
    numbers_removed: int = 0
    beyond: list[Beyond] = field(default_factory=list)
    for_nobody: list[int] = field(default_factory=list)
    at_one_time: list[AtOneTime] = field(default_factory=list)
    changed_since: list[ChangedSince] = field(default_factory=list)


@dataclass(frozen=True)
class _Plan:
    """A row as it is wanted, and the half day that it changes. `is_beside`: another row says what that is to be."""

    row: ImportRow
    half_day: HalfDay
    compiled: CompiledTerms
    standing: Standing | None
    is_former: bool = False
    is_beside: bool = False

    @property
    def moves(self) -> bool:
        """Fee, time or place differ."""
        if self.standing is None or self.is_beside:
            return False
        schedule = self.standing.schedule
        fits = self.standing.segments.keys() == wanted_segments(self.half_day).keys()
        same = (schedule.fee_fen, schedule.campus_id) == (self.half_day.fee_fen, self.half_day.campus_id)
        return not (fits and same)

    @property
    def changes(self) -> bool:
        """Or has to be told again: patients keep more numbers than the hospital gives."""
        if self.standing is None or self.is_beside:
            return False
        fits = self.standing.segments == wanted_segments(self.half_day) and not self.standing.has_surplus
        return self.moves or not fits


def import_schedules(
    session: Session, file: str, rows: Sequence[ImportRow], faults: Iterable[Fault], *, now: datetime, cause: Cause
) -> Imported:
    """Bring the half days that `rows` name to what they say; others are left alone. `faults` are those that reading
    found.

    Raises: InvalidDirectory, naming every bad row; nothing is to be kept then."""
    found = list(faults)
    places = Places.read(session, rows)
    lock_hospitals(session, [one.id for one in places.hospitals.values()])
    plans = _plans(session, file, rows, places, found, now=now)
    busy, at_one_time = _at_one_time(session, file, plans, places)
    found += busy
    if found:
        raise InvalidDirectory(found)
    done = Imported(
        unchanged=sum(1 for plan in plans if plan.standing is not None and not plan.changes),
        for_nobody=[plan.row.line for plan in plans if is_for_nobody(plan.compiled.terms)],
        at_one_time=at_one_time,
        changed_since=[
            ChangedSince(plan.row.line, _stands(plan.standing)) for plan in plans if plan.standing and plan.is_former
        ],
    )
    replaced = _change(session, file, [plan for plan in plans if plan.changes], done, now=now, cause=cause)
    fresh = [(plan.half_day, plan.compiled) for plan in plans if plan.standing is None]
    done.new = insert_half_days(session, fresh, now=now, imported_at=now)
    insert_half_days(session, replaced, now=now, imported_at=now)
    _stand_for(session, [plan.standing.schedule.id for plan in plans if plan.standing and not plan.moves], now=now)
    return done


def _plans(
    session: Session, file: str, rows: Sequence[ImportRow], places: Places, faults: list[Fault], *, now: datetime
) -> list[_Plan]:
    half_days = [(row, half_day) for row in rows if (half_day := places.half_day(file, row, faults)) is not None]
    if not half_days:
        return []
    dates = [half_day.visit_date for _, half_day in half_days]
    departments = {half_day.department_id for _, half_day in half_days}
    standing = standing_half_days(session, departments, first=min(dates), last=max(dates))
    named = {(clinic_key(half_day), half_day.starts_at) for _, half_day in half_days}
    calendar, plans = WorkCalendar.read(session), []
    stands = StandingHalfDays(standing, named)
    for row, half_day in half_days:
        compiled = half_day.compiled(places.policies(row, half_day), calendar.working_days_before)
        meant = stands.meant_by(half_day)
        wanted = meant.standing.as_it_is_now(half_day) if meant.standing else half_day
        plan = _Plan(row, wanted, compiled, meant.standing, meant.is_former, meant.is_beside)
        fault = _fault_of(plan, file, now=now)
        if fault is None:
            plans.append(plan)
        else:
            faults.append(fault)
    return plans


def _stands(standing: Standing) -> str:
    """As the clerk is told of it."""
    one = standing.schedule
    starts, ends = (f"{at.astimezone(HOSPITAL_ZONE):%H:%M}" for at in (one.starts_at, one.ends_at))
    return f"half day {one.id}, {one.doctor_code or 'no doctor'} {one.visit_date} {starts}-{ends}"


def _fault_of(plan: _Plan, file: str, *, now: datetime) -> Fault | None:
    if (plan.standing is None or plan.moves) and now >= plan.compiled.closes_at:
        return Fault(file, plan.row.line, "visit_date", "in_the_past", "nobody could book it any more")
    if plan.standing is None and plan.row.visit_date > hospital_day(now) + _FARTHEST:
        return Fault(file, plan.row.line, "visit_date", "too_far", f"more than {_FARTHEST.days} days ahead")
    if plan.changes and plan.standing and plan.standing.schedule.status is not ScheduleStatus.OPEN:
        return Fault(file, plan.row.line, "", "not_open", f"it is {plan.standing.schedule.status}: reopen it first")
    return None


def _at_one_time(
    session: Session, file: str, plans: Sequence[_Plan], places: Places
) -> tuple[list[Fault], list[AtOneTime]]:
    sittings = [
        Sitting(one.half_day, one.row.sitting.department_code, one.row.line, one.standing is None or one.moves)
        for one in plans
        if not one.is_beside and not _is_suspended(one.standing)
    ]
    meant = [one.standing.schedule.id for one in plans if one.standing is not None]
    return doctors_at_one_time(session, file, sittings, meant, places)


def _is_suspended(standing: Standing | None) -> bool:
    """Nobody sits there, though most hospitals go on listing it."""
    return standing is not None and standing.schedule.status is ScheduleStatus.SUSPENDED


def _change(
    session: Session, file: str, plans: Sequence[_Plan], done: Imported, *, now: datetime, cause: Cause
) -> list[tuple[HalfDay, CompiledTerms]]:
    """With the half days and their numbers locked; returns what has to be made anew. Raises: InvalidDirectory."""
    ids = [plan.standing.schedule.id for plan in plans if plan.standing]
    schedules, slots = lock_schedules(session, ids)
    by_id = {schedule.id: schedule for schedule in schedules}
    fixed = _fixed(session, [plan.standing.schedule.id for plan in plans if plan.standing and plan.moves])
    faults, doomed, replaced = [], [], []
    for plan in plans:
        schedule = by_id.get(plan.standing.schedule.id) if plan.standing else None
        if schedule is None or schedule.status is not ScheduleStatus.OPEN:
            faults.append(Fault(file, plan.row.line, "", "not_open", "it was ended just now"))
        elif not plan.moves:
            own = [slot for slot in slots if slot.schedule_id == schedule.id]
            if plan.standing and {(one.starts_at, one.ends_at) for one in own} != plan.standing.segments.keys():
                raise Changed()  # it was moved while this was looked at
            _refit(session, plan, schedule, own, done, now=now, cause=cause)
        elif schedule.id in fixed:
            detail = f"{fixed[schedule.id]}: move or suspend it, fee and time stay"
            faults.append(Fault(file, plan.row.line, _moved_column(plan), "numbers_taken", detail))
        else:
            doomed.append(schedule.id)
            replaced.append((plan.half_day, plan.compiled))
    if faults:
        raise InvalidDirectory(faults)
    take_away(session, doomed)
    done.replaced = len(set(doomed))
    return replaced


def _refit(
    session: Session,
    plan: _Plan,
    schedule: Schedule,
    slots: list[Slot],
    done: Imported,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    fitted = fit_numbers(session, schedule, slots, wanted_segments(plan.half_day), now=now, cause=cause)
    done.numbers_added += fitted.added
    done.numbers_removed += fitted.removed
    if fitted.added or fitted.removed:
        done.refitted += 1
    else:
        done.unchanged += 1
    if fitted.beyond:
        held = select(Appointment.number, Appointment.id).where(
            Appointment.slot_id.in_(fitted.beyond), Appointment.status.in_(HOLDS_SLOT)
        )
        kept = [(number, held_id) for number, held_id in session.execute(held.order_by(Appointment.id))]
        done.beyond.append(Beyond(plan.row.line, schedule.id, kept))


def _moved_column(plan: _Plan) -> str:
    if plan.standing is None:
        return ""
    if plan.standing.schedule.fee_fen != plan.half_day.fee_fen:
        return "fee"
    return "campus_code" if plan.standing.schedule.campus_id != plan.half_day.campus_id else "starts"


def _fixed(session: Session, schedule_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Why some of them keep their fee, time and place: numbers were given out, though it be to somebody who cancelled
    meanwhile, or the hospital has acted on the half day."""
    ids = list(schedule_ids)
    changed = select(ScheduleChange.schedule_id).where(ScheduleChange.schedule_id.in_(ids)).distinct()
    reasons = dict.fromkeys(session.scalars(changed), "it was suspended, moved or closed before")
    given = select(Appointment.schedule_id, func.count()).where(Appointment.schedule_id.in_(ids))
    for schedule_id, count in session.execute(given.group_by(Appointment.schedule_id)):
        reasons[schedule_id] = f"{count} numbers of it were given out"
    return reasons


def _stand_for(session: Session, schedule_ids: Sequence[UUID], *, now: datetime) -> None:
    """From now on no roster changes them."""
    session.execute(
        update(Schedule).where(Schedule.id.in_(schedule_ids), Schedule.imported_at.is_(None)).values(imported_at=now)
    )
