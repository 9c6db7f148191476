"""Is a half day still full, for somebody who has nothing in it? One statement, without a transaction, for those who ask
for a number in vain: in the minute of a release they are the most, and on PostgreSQL it answers all who ask at that
moment (`core/gathered.py`). Whose logins they are, is asked in it as well.

Being one statement it sees one moment: a number that somebody is just taking is still free in it, and once that is done
the key that took it is there. So whoever repeats a key, or has a number here, is never answered from here. Nothing that
other accounts did for the person is looked at, so that neither the answer nor its time tells of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    FromClause,
    LargeBinary,
    Select,
    String,
    Uuid,
    and_,
    bindparam,
    column,
    exists,
    func,
    select,
    true,
)
from sqlalchemy.types import TypeEngine

from core.booking.claim import Left, count_of
from core.identity.caller import good_logins
from core.transactions import Transactions
from models.account import LoginSession
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


def still_full(transactions: Transactions, asked: Sequence[Asking]) -> list[Full | None]:
    """For each in their order what may return, where nothing is left and that is the whole truth; None where one look
    cannot tell for certain.

    It can where the login is good; the schedule is on sale and has numbers to come, none of them free; the dependent
    is the account's own, and the account has and had no number of this schedule; and the key is new.

    Raises: Overloaded."""
    now = transactions.clock.now()
    if transactions.database.is_sqlite:
        return [_first(transactions, one, now=now) for one in asked]
    given = {name: [getattr(one, name) for one in asked] for name in _KINDS}
    told: list[Full | None] = [None] * len(asked)
    for *found, place in transactions.find_all(_many(), given | {"now": now}):
        told[place - 1] = _full(*found)
    return told


def _first(transactions: Transactions, asking: Asking, *, now: datetime) -> Full | None:
    given = {name: getattr(asking, name) for name in _KINDS}
    found = transactions.find(_one(), given | {"now": now})
    return None if found is None else _full(*found)


def _full(account_id: UUID, free: int, returning: int) -> Full:
    return Full(account_id, Left(free=free, returning=returning))


_KINDS: dict[str, TypeEngine[Any]] = {
    "login": LargeBinary(),
    "key": String(),
    "schedule_id": Uuid(),
    "dependent_id": Uuid(),
}
"""What is asked, and what kind of value each is."""


@cache
def _many() -> Select[*tuple[Any, ...]]:
    """On PostgreSQL: arrays side by side, and each schedule counted once."""
    arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in _KINDS.items()]
    columns = [column(name, kind) for name, kind in _KINDS.items()]
    asked = func.unnest(*arrays).table_valued(*columns, with_ordinality="place", name="asked").render_derived()
    half_days = select(asked.c.schedule_id).distinct().subquery()
    left = count_of(half_days.c.schedule_id, later_than=_NOW).lateral()
    counted = select(half_days.c.schedule_id, left.c[0], left.c[1]).join_from(half_days, left, true()).subquery()
    return _still_full(asked, counted, counted.c.schedule_id == asked.c.schedule_id).add_columns(asked.c.place)


@cache
def _one() -> Select[*tuple[Any, ...]]:
    given = {name: bindparam(name, type_=kind) for name, kind in _KINDS.items()}
    asked = select(*[one.label(name) for name, one in given.items()]).subquery()
    left = count_of(given["schedule_id"], later_than=_NOW).subquery()
    return _still_full(asked, left, true())


def _still_full(asked: FromClause, left: FromClause, of_the_asked: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Whose account it is and what is left, of those whom one look can tell for certain."""
    login = good_logins(_LOGIN.token_hash, _LOGIN.account_id).subquery()
    who, (*_, free, returning) = login.c.account_id, left.c
    return (
        select(who, free, returning)
        .join_from(asked, login, login.c.token_hash == asked.c.login)
        .join(left, of_the_asked)
        .where(free == 0, _is_on_sale(asked), _key_is_new(asked, who), _own_with_nothing_here(asked, who))
    )


_SCHEDULE, _DEPENDENT, _APPOINTMENT, _KEY, _LOGIN = (
    table_of(one).c for one in (Schedule, Dependent, Appointment, IdempotencyKey, LoginSession)
)
_NOW: BindParameter[datetime] = bindparam("now", type_=_SCHEDULE.release_at.type)


def _is_on_sale(asked: FromClause) -> ColumnElement[bool]:
    return exists().where(
        _SCHEDULE.id == asked.c.schedule_id,
        _SCHEDULE.status == ScheduleStatus.OPEN,
        _SCHEDULE.release_at <= _NOW,
        _SCHEDULE.closes_at > _NOW,
    )


def _key_is_new(asked: FromClause, who: ColumnElement[UUID]) -> ColumnElement[bool]:
    return ~exists().where(_KEY.account_id == who, _KEY.key == asked.c.key)


def _own_with_nothing_here(asked: FromClause, who: ColumnElement[UUID]) -> ColumnElement[bool]:
    return and_(
        ~exists().where(_APPOINTMENT.schedule_id == asked.c.schedule_id, _APPOINTMENT.account_id == who),
        exists().where(
            _DEPENDENT.id == asked.c.dependent_id,
            _DEPENDENT.account_id == who,
            _DEPENDENT.archived_at.is_(None),
        ),
    )
