"""The open appointments that count against a limit, in one statement: the person's, and the unpaid ones of whoever
books."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, false, or_, select, true, union_all
from sqlalchemy.orm import Session

from models.appointment import OPEN, Appointment, AppointmentStatus
from models.base import table_of
from models.grant import Grant


@dataclass(frozen=True)
class Standing:
    """An open appointment that counts against a limit. `for_another`: the booker's, under a grant, told once more."""

    account_id: UUID
    person_id: UUID
    schedule_id: UUID
    department_id: UUID
    visit_date: Any
    status: AppointmentStatus
    for_another: bool = False


_APPOINTMENT = table_of(Appointment).c
_GRANT = table_of(Grant).c
_SEEN = (
    _APPOINTMENT.account_id,
    _APPOINTMENT.person_id,
    _APPOINTMENT.schedule_id,
    _APPOINTMENT.department_id,
    _APPOINTMENT.visit_date,
    _APPOINTMENT.status,
)
_STANDING = union_all(
    select(*_SEEN, false()).where(
        or_(
            and_(_APPOINTMENT.person_id == bindparam("person"), _APPOINTMENT.status.in_(sorted(OPEN))),
            and_(
                or_(_APPOINTMENT.account_id == bindparam("account"), _APPOINTMENT.account_id == bindparam("booker")),
                _APPOINTMENT.status == AppointmentStatus.PENDING,
            ),
        )
    ),
    # What the booker holds for dependents of others: a second branch, since an OR over two tables would find no index.
    select(*_SEEN, true())
    .join_from(table_of(Grant), table_of(Appointment), _APPOINTMENT.grant_id == _GRANT.id)
    .where(_GRANT.account_id == bindparam("booker"), _APPOINTMENT.status == AppointmentStatus.PENDING),
)


def booker_of(grant: Grant) -> UUID:
    """The holder of a grant that is in force."""
    if grant.account_id is None:
        raise LookupError("nobody holds the grant")
    return grant.account_id


def standing_of(session: Session, person_id: UUID, account_id: UUID, booker_id: UUID) -> list[Standing]:
    """The person's open appointments under any account, and the unpaid ones, for anybody, of the dependent's account
    and of the one that books."""
    given = {"person": person_id, "account": account_id, "booker": booker_id}
    return [Standing(*row) for row in session.execute(_STANDING, given)]
