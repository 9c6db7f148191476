"""The open appointments that count against a limit, in one statement: the person's, and the unpaid ones of whoever
books."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, case, literal, or_, select, union_all
from sqlalchemy.orm import Session

from models.appointment import OPEN, Appointment, AppointmentStatus
from models.base import table_of
from models.grant import Grant
from models.person import Person


@dataclass(frozen=True)
class Standing:
    """An open appointment that counts against a limit. `for_another`: the booker's, under a grant, told once more.
    `stands_for`: the one whose place it takes while both stand, else itself; a limit counts the two once."""

    account_id: UUID
    is_of_person: bool
    schedule_id: UUID
    department_id: UUID
    visit_date: Any
    status: AppointmentStatus
    for_another: bool
    stands_for: UUID


_APPOINTMENT, _PERSON, _GRANT = table_of(Appointment).c, table_of(Person).c, table_of(Grant).c
# The person, and whoever was found to be the same human being (core/dependents/merge.py).
_SAME_HUMAN = select(_PERSON.id).where(
    or_(_PERSON.id == bindparam("person"), _PERSON.alias_of_id == bindparam("person"))
)
_STANDS_FOR = case((_APPOINTMENT.beside_replaced, _APPOINTMENT.replaces_id), else_=_APPOINTMENT.id)
_UNPAID = _APPOINTMENT.status == AppointmentStatus.PENDING


def _seen(*, is_of_person: bool, for_another: bool) -> Select[*tuple[Any, ...]]:
    return select(
        _APPOINTMENT.account_id,
        literal(is_of_person),
        _APPOINTMENT.schedule_id,
        _APPOINTMENT.department_id,
        _APPOINTMENT.visit_date,
        _APPOINTMENT.status,
        literal(for_another),
        _STANDS_FOR,
    )


# Parts, each found by its own index: an OR over them would find none.
_STANDING = union_all(
    _seen(is_of_person=True, for_another=False).where(
        _APPOINTMENT.person_id.in_(_SAME_HUMAN), _APPOINTMENT.status.in_(sorted(OPEN))
    ),
    _seen(is_of_person=False, for_another=False).where(
        or_(_APPOINTMENT.account_id == bindparam("account"), _APPOINTMENT.account_id == bindparam("booker")),
        _UNPAID,
        _APPOINTMENT.person_id.not_in(_SAME_HUMAN),
    ),
    # What the booker holds for dependents of others.
    _seen(is_of_person=False, for_another=True)
    .join_from(table_of(Grant), table_of(Appointment), _APPOINTMENT.grant_id == _GRANT.id)
    .where(_GRANT.account_id == bindparam("booker"), _UNPAID),
)


def booker_of(grant: Grant) -> UUID:
    """The holder of a grant that is in force."""
    if grant.account_id is None:
        raise LookupError("nobody holds the grant")
    return grant.account_id


def count(standing: Iterable[Standing]) -> int:
    """As a limit counts them."""
    return len({one.stands_for for one in standing})


def standing_of(session: Session, person_id: UUID, account_id: UUID, booker_id: UUID) -> list[Standing]:
    """The person's open appointments under any account, and the unpaid ones, for anybody, of the dependent's account
    and of the one that books."""
    given = {"person": person_id, "account": account_id, "booker": booker_id}
    return [Standing(*row) for row in session.execute(_STANDING, given)]
