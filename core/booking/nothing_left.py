"""Is a half day still full, for somebody who has nothing in it? One statement, without a transaction, for those who ask
for a number in vain: in the minute of a release they are the most. Whose login it is, is asked in it as well.

Being one statement it sees one moment: a number that somebody is just taking is still free in it, and once that is done
the key that took it is there. So whoever repeats a key, or has a number here, is never answered from here. Nothing that
other accounts did for the person is looked at, so that neither the answer nor its time tells of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, Uuid, and_, bindparam, exists, select, true

from core.booking.claim import Left, count_of
from core.identity.caller import LOGIN
from core.transactions import Transactions
from models.appointment import Appointment
from models.base import table_of
from models.idempotency import IdempotencyKey
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus


@dataclass(frozen=True)
class Asking:
    """A request for a number: by whose login (its token's digest), under which key, of which schedule, for whom."""

    login: bytes
    key: str
    schedule_id: UUID
    dependent_id: UUID


@dataclass(frozen=True)
class Full:
    """What is left for whoever asked, and which account that was."""

    account_id: UUID
    left: Left


def still_full(transactions: Transactions, asking: Asking, *, now: datetime) -> Full | None:
    """What may return, where nothing is left and that is the whole truth; None where one look cannot tell for certain.

    It can where the login is good; the schedule is on sale and none of its numbers is free; the dependent is the
    account's own, and the account has and had no number of this schedule; and the key is new. Raises: Overloaded."""
    asked = {"digest": asking.login, "key": asking.key, "dependent": asking.dependent_id}
    numbers = {"of_schedule": asking.schedule_id, "later_than": now}
    row = transactions.find(_still_full(), asked | numbers | {"now": now})
    return None if row is None else Full(row[0], Left(free=row[1], returning=row[2]))


@cache
def _still_full() -> Select[*tuple[Any, ...]]:
    left, login = count_of(in_segment=False, for_taker=False).subquery(), LOGIN.subquery()
    who = login.c.account_id
    asked = select(who, left.c[0], left.c[1]).join_from(login, left, true())
    return asked.where(left.c[0] == 0, _on_sale(), _key_is_new(who), _own_with_nothing_here(who))


_SCHEDULE, _DEPENDENT, _APPOINTMENT, _KEY = (
    table_of(one).c for one in (Schedule, Dependent, Appointment, IdempotencyKey)
)
_OF_SCHEDULE = bindparam("of_schedule", type_=Uuid())
_NOW: BindParameter[datetime] = bindparam("now", type_=_SCHEDULE.release_at.type)


def _on_sale() -> ColumnElement[bool]:
    return exists().where(
        _SCHEDULE.id == _OF_SCHEDULE,
        _SCHEDULE.status == ScheduleStatus.OPEN,
        _SCHEDULE.release_at <= _NOW,
        _SCHEDULE.closes_at > _NOW,
    )


def _key_is_new(who: ColumnElement[UUID]) -> ColumnElement[bool]:
    return ~exists().where(_KEY.account_id == who, _KEY.key == bindparam("key"))


def _own_with_nothing_here(who: ColumnElement[UUID]) -> ColumnElement[bool]:
    return and_(
        ~exists().where(_APPOINTMENT.schedule_id == _OF_SCHEDULE, _APPOINTMENT.account_id == who),
        exists().where(
            _DEPENDENT.id == bindparam("dependent", type_=Uuid()),
            _DEPENDENT.account_id == who,
            _DEPENDENT.archived_at.is_(None),
        ),
    )
