"""The terms of half days under other policies, as the half days were when somebody booked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.half_day_names import names_of_half_days
from core.booking.policy import BookingPolicy
from core.booking.policy_book import PolicyBook
from core.booking.replay.past_booking import PastBooking
from core.booking.terms import Terms, compile_terms
from core.catalog.calendar import WorkCalendar
from models.policy import PolicyLevel
from models.schedule import Schedule, Slot

Changes = Mapping[tuple[PolicyLevel, str], BookingPolicy]
"""What is put over the policies in force, by level and code."""


@dataclass(frozen=True)
class PastTerms:
    """Worked out once for all who booked with the same doctor at the same time."""

    book: PolicyBook
    hospital: str
    calendar: WorkCalendar
    last_segments: Mapping[UUID, datetime]
    names: Mapping[UUID, list[str]]
    known: dict[tuple[UUID, datetime, str], tuple[Schedule, Terms]] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session, past: Sequence[PastBooking], hospital: str, changes: Changes) -> PastTerms:
        codes = {hospital}
        for one in past:
            codes |= {one.department, one.group or "", one.schedule.doctor_code}
        first = min((one.schedule.visit_date for one in past), default=None)
        now = PolicyBook.read(session, codes, half_days_from=first)
        schedules = {one.schedule.id for one in past}
        over = {key: now.documents.get(key, BookingPolicy()).under(policy) for key, policy in changes.items()}
        return cls(
            book=replace(now, documents={**now.documents, **over}),
            hospital=hospital,
            calendar=WorkCalendar.read(session),
            last_segments=_last_segments(session, schedules),
            names=names_of_half_days(session, Schedule.id.in_(schedules)),
        )

    def of(self, one: PastBooking) -> tuple[Schedule, Terms]:
        """The half day, open and closed when these terms would have had it."""
        key = (one.schedule.id, one.schedule.starts_at, one.schedule.doctor_code)
        if key not in self.known:
            self.known[key] = self._work_out(one)
        return self.known[key]

    def _work_out(self, one: PastBooking) -> tuple[Schedule, Terms]:
        schedule, above = one.schedule, [code for code in (one.group, one.department) if code]
        policies = self.book.levels(
            hospital=self.hospital,
            departments=above,
            doctor=schedule.doctor_code,
            half_day=self.names[schedule.id],
        )
        by = one.slot.starts_at - one.booked.slot.starts_at
        compiled = compile_terms(
            policies,
            department_id=schedule.department_id,
            visit_date=schedule.visit_date,
            starts_at=schedule.starts_at,
            last_segment_starts_at=self.last_segments[schedule.id] + by,
            working_days_before=self.calendar.working_days_before,
        )
        schedule.release_at, schedule.closes_at = compiled.release_at, compiled.closes_at
        return schedule, compiled.terms


def _last_segments(session: Session, schedule_ids: Collection[UUID]) -> dict[UUID, datetime]:
    last = func.max(Slot.starts_at, type_=Slot.starts_at.type)
    query = select(Slot.schedule_id, last).where(Slot.schedule_id.in_(schedule_ids)).group_by(Slot.schedule_id)
    return dict((*row,) for row in session.execute(query))
