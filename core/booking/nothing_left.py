"""Is a half day still full, for somebody who has nothing in it? One statement, without a transaction, for those who ask
for a number in vain: in the minute of a release they are the most.

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

from sqlalchemy import BindParameter, ColumnElement, Select, Uuid, and_, bindparam, exists, select

from core.booking.claim import Left, count_of
from core.transactions import Transactions
from models.appointment import Appointment
from models.base import table_of
from models.idempotency import IdempotencyKey
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus


@dataclass(frozen=True)
class Asking:
    """A request for a number: by which account, under which key, of which schedule, for whom."""

    account_id: UUID
    key: str
    schedule_id: UUID
    dependent_id: UUID


def still_full(transactions: Transactions, asking: Asking, *, now: datetime) -> Left | None:
    """What may return, where nothing is left and that is the whole truth; None where one look cannot tell for certain.

    It can where the schedule is on sale and none of its numbers is free; the dependent is the account's own, and the
    account has and had no number of this schedule; and the key is new. Raises: Overloaded."""
    asked = {"asker": asking.account_id, "key": asking.key, "dependent": asking.dependent_id}
    numbers = {"of_schedule": asking.schedule_id, "later_than": now}
    row = transactions.find(_still_full(), asked | numbers | {"now": now})
    return None if row is None else Left(free=row[0], returning=row[1])


@cache
def _still_full() -> Select[*tuple[Any, ...]]:
    left = count_of(in_segment=False, for_taker=False).subquery()
    return select(left.c[0], left.c[1]).where(left.c[0] == 0, _on_sale(), _key_is_new(), _own_with_nothing_here())


_SCHEDULE, _DEPENDENT, _APPOINTMENT, _KEY = (
    table_of(one).c for one in (Schedule, Dependent, Appointment, IdempotencyKey)
)
_OF_SCHEDULE = bindparam("of_schedule", type_=Uuid())
_ACCOUNT = bindparam("asker", type_=Uuid())
_NOW: BindParameter[datetime] = bindparam("now", type_=_SCHEDULE.release_at.type)


def _on_sale() -> ColumnElement[bool]:
    return exists().where(
        _SCHEDULE.id == _OF_SCHEDULE,
        _SCHEDULE.status == ScheduleStatus.OPEN,
        _SCHEDULE.release_at <= _NOW,
        _SCHEDULE.closes_at > _NOW,
    )


def _key_is_new() -> ColumnElement[bool]:
    return ~exists().where(_KEY.account_id == _ACCOUNT, _KEY.key == bindparam("key"))


def _own_with_nothing_here() -> ColumnElement[bool]:
    return and_(
        ~exists().where(_APPOINTMENT.schedule_id == _OF_SCHEDULE, _APPOINTMENT.account_id == _ACCOUNT),
        exists().where(
            _DEPENDENT.id == bindparam("dependent", type_=Uuid()),
            _DEPENDENT.account_id == _ACCOUNT,
            _DEPENDENT.archived_at.is_(None),
        ),
    )
