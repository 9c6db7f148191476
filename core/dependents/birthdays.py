"""Birthdays on which the law changes who decides: at 14 the child's own word joins, at 18 guardianship ends.

Told on the day itself, once, to the account that has the child (rules.md 1.2.3, 1.2.8, 1.2.9). A worker that was away
makes up for the days of a week.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.jobs.queue import LeasedJob
from core.notices.write import tell_of_dependent
from core.workbench import Workbench
from models.notice import NoticeKind
from models.person import Dependent, Relationship, age_on

MADE_UP_FOR = timedelta(days=7)
TOLD_AT = {14: NoticeKind.DEPENDENT_TURNED_14, 18: NoticeKind.DEPENDENT_TURNED_18}


def births_that_turn(age: int, on: date) -> list[date]:
    """Who reaches `age` on that day was born on one of these: whoever was on 29 February, where the year has none, on 1
    March."""
    near = (date(on.year - age, on.month, 1) + timedelta(days=days) for days in range(-1, 31))
    before = on - timedelta(days=1)
    return [born for born in near if age_on(born, on) == age and age_on(born, before) < age]


def tell_birthdays(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    """Write the notices that are due."""
    workbench.transactions.write(_tell)
    return None


def _tell(session: Session, now: datetime) -> None:
    today = hospital_day(now)
    for age, kind in TOLD_AT.items():
        births = {born for day in _days(today) for born in births_that_turn(age, day)}
        query = select(Dependent).where(
            Dependent.birth_date.in_(births),
            Dependent.archived_at.is_(None),
            Dependent.relationship_ != Relationship.SELF,
        )
        for dependent in session.scalars(query.order_by(Dependent.id)):
            if age_on(dependent.birth_date, hospital_day(dependent.created_at)) < age:
                tell_of_dependent(session, kind, dependent, now=now)


def _days(today: date) -> Iterator[date]:
    for back in range(MADE_UP_FOR.days):
        yield today - timedelta(days=back)
