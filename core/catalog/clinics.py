"""The part of a directory that says when numbers are sold and how: rosters, single dates, policies."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.half_day_names import HalfDayName
from core.booking.policy_book import PolicyBook
from core.catalog.calendar import WorkCalendar
from core.catalog.folder import Directory, PolicyEntry
from core.catalog.halfdays import HalfDay, insert_half_days, standing_keys
from core.catalog.rows import Sitting
from core.catalog.store import Ids, Tally, rows_where, store
from core.catalog.withdraw import withdraw_unreleased
from models.base import new_id
from models.hospital import Roster
from models.policy import BookingPolicyRow, PolicyLevel

_CODES = ("hospital_code", "department_code", "doctor_code", "campus_code")


def load_rosters(session: Session, directory: Directory, ids: Ids, *, now: datetime) -> tuple[Tally, int]:
    """What is not in the file any more is retired, and lives again once it is. Also tells how many half days were
    withdrawn because their roster changed."""
    standing = list(rows_where(session, Roster, Roster.hospital_id, ids.hospitals.values()))
    wanted = [_places(row.sitting, ids) | {"weekday": row.weekday, "retired_at": None} for row in directory.rosters]
    stored = store(session, Roster, wanted, standing, key=_roster_key)
    kept = {row.id for row in stored.rows}
    gone = [row for row in standing if row.retired_at is None and row.id not in kept]
    for row in gone:
        row.retired_at = now
    session.flush()
    single_days = {one.key for one, _ in _single_days(directory, ids)}
    withdrawn = withdraw_unreleased(session, [*stored.changed, *gone], keep=single_days, now=now)
    return stored.tally + Tally(retired=len(gone)), withdrawn


def _places(sitting: Sitting, ids: Ids) -> dict[str, Any]:
    """The columns that rosters and half days share."""
    plain = {name: value for name, value in asdict(sitting).items() if name not in _CODES}
    return plain | {
        "hospital_id": ids.hospitals[sitting.hospital_code],
        "campus_id": ids.campuses[sitting.campus_code],
        "department_id": ids.departments[sitting.department_code],
        "doctor_id": ids.doctors[sitting.doctor_code] if sitting.doctor_code else None,
        "doctor_code": sitting.doctor_code,
    }


_roster_key = itemgetter("department_id", "doctor_code", "weekday", "period", "clinic_type", "starts")


def load_single_days(session: Session, directory: Directory, ids: Ids, *, now: datetime) -> Tally:
    """Clinics of one date. One that stands is left as it is; one that can no longer be booked is passed over."""
    half_days = list(_single_days(directory, ids))
    dates = [one.visit_date for one, _ in half_days]
    departments = {one.department_id for one, _ in half_days}
    standing = standing_keys(session, departments, first=min(dates), last=max(dates))
    groups = {row.code: row.parent_code for row in directory.departments}
    codes = {code for _, sitting in half_days for code in (sitting.hospital_code, sitting.doctor_code)}
    book = PolicyBook.read(session, codes | set(groups), half_days_from=min(dates))
    calendar, due = WorkCalendar.read(session), []
    for half_day, sitting in half_days:
        above = [code for code in (groups[sitting.department_code], sitting.department_code) if code]
        policies = book.levels(
            hospital=sitting.hospital_code,
            departments=above,
            doctor=sitting.doctor_code,
            half_day=[str(HalfDayName.of(sitting.department_code, half_day))],
        )
        compiled = half_day.compiled(policies, calendar.working_days_before)
        if half_day.key not in standing and now < compiled.closes_at:
            due.append((half_day, compiled))
    insert_half_days(session, due, now=now)
    return Tally(added=len(due), unchanged=len(half_days) - len(due))


def _single_days(directory: Directory, ids: Ids) -> Iterator[tuple[HalfDay, Sitting]]:
    for row in directory.schedules:
        yield HalfDay(visit_date=row.visit_date, **_places(row.sitting, ids)), row.sitting


def load_policies(
    session: Session, directory: Directory, entries: Iterable[PolicyEntry], ids: Ids, *, now: datetime
) -> Tally:
    """The file is the truth for the hospitals in it: one of theirs that it does not name any more becomes empty.

    The platform's own stays where the file does not name it."""
    wanted = {(one.level, one.code): one.policy.to_document() for one in entries}
    owners = _owners(directory, wanted)
    standing = {(row.level, row.subject): row for row in session.scalars(select(BookingPolicyRow))}
    here = set(ids.hospitals.values())
    withdrawn = [
        name
        for name, row in standing.items()
        if name not in wanted and (name in owners or row.hospital_id in here) and row.document
    ]
    added = changed = 0
    for name, document in (wanted | {name: {} for name in withdrawn}).items():
        row = standing.get(name)
        if row is None:
            hospital_id = ids.hospitals[owners[name]] if name in owners else None
            session.add(_policy_row(name, document, hospital_id, now))
            added += 1
        elif row.document != document:
            row.document, row.version, row.updated_at = document, row.version + 1, now
            changed += name in wanted
    session.flush()
    return Tally(added, changed, len(withdrawn), len(wanted) - added - changed)


def _owners(directory: Directory, named: Iterable[tuple[PolicyLevel, str]]) -> Mapping[Hashable, str]:
    """The hospital's code for everything of this directory that may have a policy, and for the half days `named`."""
    departments = {row.code: row.hospital_code for row in directory.departments}
    owners: dict[Hashable, str] = {(PolicyLevel.HOSPITAL, row.code): row.code for row in directory.hospitals}
    owners |= {(PolicyLevel.DEPARTMENT, code): hospital for code, hospital in departments.items()}
    owners |= {(PolicyLevel.DOCTOR, row.code): row.hospital_code for row in directory.doctors}
    half_days = [name for name in named if name[0] is PolicyLevel.SCHEDULE]
    owners |= {(level, code): departments[HalfDayName.parse(code).department] for level, code in half_days}
    return owners


def _policy_row(name: tuple[PolicyLevel, str], document: Any, hospital_id: Any, now: datetime) -> BookingPolicyRow:
    level, subject = name
    return BookingPolicyRow(
        id=new_id(),
        level=level,
        subject=subject,
        hospital_id=hospital_id,
        version=1,
        document=document,
        updated_at=now,
    )
