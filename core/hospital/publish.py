"""Half days that a hospital's own system offers, put on the table as those of a directory are.

What stands is left as it is, and a half day that names what the directory does not know is passed over and told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.policy_book import PolicyBook
from core.booking.terms import CompiledTerms
from core.catalog.halfdays import HalfDay, Made, insert_half_days, standing_keys
from core.catalog.publish import HORIZON_DAYS
from core.clock import hospital_day
from core.hospital.pull import Connected, pull_each
from core.jobs.queue import LeasedJob
from core.ports import HospitalSystem, PublishedHalfDay
from core.workbench import Workbench
from models.hospital import Campus, Department, Doctor, Hospital, Period

log = structlog.get_logger()


def pull_half_days(workbench: Workbench, job: LeasedJob) -> None:
    """Ask every hospital with a system of its own what it offers on the days to come."""
    pull_each(workbench, job, _pull)


def _pull(workbench: Workbench, system: HospitalSystem, connected: Connected, _job: LeasedJob) -> None:
    """Raises: ProviderError."""
    today = hospital_day(workbench.transactions.clock.now())
    offered = system.half_days(connected.code, first=today, last=today + timedelta(days=HORIZON_DAYS))
    if offered:
        made = workbench.transactions.write(partial(_publish, connected=connected, offered=offered))
        log.info("half_days_pulled", hospital=connected.code, schedules=made.schedules, slots=made.slots)


def _publish(session: Session, now: datetime, *, connected: Connected, offered: list[PublishedHalfDay]) -> Made:
    # Two workers at once put every half day on the table once.
    session.execute(select(Hospital.id).where(Hospital.id == connected.id).with_for_update(key_share=True))
    places = _Places.read(session, connected)
    known = {one.key: (one, published) for one, published in _understood(places, offered)}
    if not known:
        return Made()
    days = [one.visit_date for one, _ in known.values()]
    departments = {one.department_id for one, _ in known.values()}
    standing = standing_keys(session, departments, first=min(days), last=max(days))
    due = [
        (half_day, places.compiled(half_day, published))
        for key, (half_day, published) in known.items()
        if key not in standing
    ]
    return insert_half_days(session, [(one, terms) for one, terms in due if now < terms.closes_at], now=now)


def _understood(places: _Places, offered: list[PublishedHalfDay]) -> list[tuple[HalfDay, PublishedHalfDay]]:
    found = []
    for one in offered:
        half_day = places.half_day(one)
        if half_day is None:
            log.warning(
                "half_day_not_understood", hospital=places.code, department=one.department, day=str(one.visit_date)
            )
        else:
            found.append((half_day, one))
    return found


@dataclass(frozen=True)
class _Places:
    """Of one hospital, by code."""

    code: str
    hospital_id: UUID
    campuses: Mapping[str, UUID]
    departments: Mapping[str, Department]
    doctors: Mapping[str, UUID]
    groups: Mapping[UUID, str]
    book: PolicyBook

    @classmethod
    def read(cls, session: Session, connected: Connected) -> _Places:
        of = connected.id
        campuses = {one.code: one.id for one in session.scalars(select(Campus).where(Campus.hospital_id == of))}
        departments = list(session.scalars(select(Department).where(Department.hospital_id == of)))
        doctors = {one.code: one.id for one in session.scalars(select(Doctor).where(Doctor.hospital_id == of))}
        codes = {connected.code, *(one.code for one in departments), *doctors}
        return cls(
            connected.code,
            of,
            campuses,
            {one.code: one for one in departments},
            doctors,
            {one.id: one.code for one in departments},
            PolicyBook.read(session, codes),
        )

    def half_day(self, one: PublishedHalfDay) -> HalfDay | None:
        department = self.departments.get(one.department)
        campus_id = self.campuses.get(one.campus)
        if department is None or not department.online or campus_id is None:
            return None
        if (one.doctor and one.doctor not in self.doctors) or not _fits(one):
            return None
        return HalfDay(
            hospital_id=self.hospital_id,
            campus_id=campus_id,
            department_id=department.id,
            doctor_id=self.doctors[one.doctor] if one.doctor else None,
            doctor_code=one.doctor,
            visit_date=one.visit_date,
            period=Period(one.period),
            starts=one.starts,
            ends=one.ends,
            clinic_type=one.clinic_type,
            fee_fen=one.fee_fen,
            segment_minutes=one.segment_minutes,
            numbers_per_segment=one.numbers_per_segment,
        )

    def compiled(self, half_day: HalfDay, one: PublishedHalfDay) -> CompiledTerms:
        department = self.departments[one.department]
        group = self.groups.get(department.parent_id) if department.parent_id else None
        above = [code for code in (group, department.code) if code]
        return half_day.compiled(self.book.levels(hospital=self.code, departments=above, doctor=one.doctor))


def _fits(one: PublishedHalfDay) -> bool:
    """Whole segments fill it."""
    minutes = (one.ends.hour - one.starts.hour) * 60 + one.ends.minute - one.starts.minute
    return minutes > 0 and minutes % one.segment_minutes == 0
