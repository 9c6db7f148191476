"""The appointments that count against a limit, in one statement: the person's, with the visits of three months and the
numbers of this half day that were let go lately, and the unpaid ones of whoever books."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, case, false, literal_column, or_, select, true, union_all
from sqlalchemy.orm import Session

from models.appointment import HOLDS_SLOT, OPEN, Appointment, AppointmentStatus, CancelReason, PayMode
from models.base import spelled, table_of
from models.grant import Grant
from models.person import Person
from models.prepared import rows_of
from models.schedule import Schedule, Slot

LONGEST_PERIOD = timedelta(days=91)
"""Three months, as visits are counted over time."""
LONGEST_REST = timedelta(days=1)
"""Longer than after letting a number go nobody is kept from the same half day."""


@dataclass(frozen=True)
class Standing:
    """An appointment that counts against a limit. `for_another`: the booker's, under a grant, told once more.
    `stands_for`: the one whose place it takes while both stand, else itself; a limit counts the two once.
    `ended_at` is when it was let go, `was_paid` whether the fee had been paid online by then. What is on one charge was
    booked together. `is_follow_up`: on the registration of an earlier visit, which counts and it does not.
    `doctor_code` is empty where the clinic has no doctor, and of what is not the person's. Until `hold_expires_at` an
    unpaid one is kept."""

    account_id: UUID
    is_of_person: bool
    schedule_id: UUID
    department_id: UUID
    visit_date: date
    status: AppointmentStatus
    for_another: bool
    stands_for: UUID
    hospital_id: UUID
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    was_paid: bool
    charge_id: UUID
    is_follow_up: bool = False
    doctor_code: str = ""
    appointment_id: UUID | None = None
    hold_expires_at: datetime | None = None


_APPOINTMENT, _PERSON, _GRANT, _SLOT, _SCHEDULE = (
    table_of(one).c for one in (Appointment, Person, Grant, Slot, Schedule)
)
# The person, and whoever was found to be the same human being (core/dependents/merge.py).
_SAME_HUMAN = select(_PERSON.id).where(
    or_(_PERSON.id == bindparam("person"), _PERSON.alias_of_id == bindparam("person"))
)
_STANDS_FOR = case((_APPOINTMENT.beside_replaced, _APPOINTMENT.replaces_id), else_=_APPOINTMENT.id)
_UNPAID = _APPOINTMENT.status == spelled(AppointmentStatus.PENDING)
_PAID_ONLINE = and_(
    _APPOINTMENT.pay_mode == spelled(PayMode.ONLINE),
    ~_APPOINTMENT.awaiting_payment,
    _APPOINTMENT.fee_fen > literal_column("0"),
)
_SPELLED_OPEN, _SPELLED_PAST = ([spelled(one) for one in sorted(some)] for some in (OPEN, HOLDS_SLOT - OPEN))
_COUNTS = or_(
    _APPOINTMENT.status.in_(_SPELLED_OPEN),
    and_(_APPOINTMENT.status.in_(_SPELLED_PAST), _APPOINTMENT.visit_date > bindparam("visits_since")),
    and_(
        _APPOINTMENT.schedule_id == bindparam("schedule"),
        _APPOINTMENT.cancel_reason == spelled(CancelReason.PATIENT),
        _APPOINTMENT.ended_at > bindparam("let_go_since"),
    ),
)


def _seen(*, is_of_person: bool, for_another: bool) -> Select[*tuple[Any, ...]]:
    return select(
        _APPOINTMENT.account_id,
        true() if is_of_person else false(),
        _APPOINTMENT.schedule_id,
        _APPOINTMENT.department_id,
        _APPOINTMENT.visit_date,
        _APPOINTMENT.status,
        true() if for_another else false(),
        _STANDS_FOR,
        _APPOINTMENT.hospital_id,
        _SLOT.starts_at,
        _SLOT.ends_at,
        _APPOINTMENT.ended_at,
        _PAID_ONLINE,
        _APPOINTMENT.charge_id,
        _APPOINTMENT.follow_up_of_id.is_not(None),
        _SCHEDULE.doctor_code if is_of_person else literal_column("''"),  # nobody asks with whom the others are
        _APPOINTMENT.id,
        _APPOINTMENT.hold_expires_at,
    )


# Parts, each found by its own index: an OR over them would find none.
_STANDING = union_all(
    _seen(is_of_person=True, for_another=False)
    .join_from(table_of(Appointment), table_of(Slot), _SLOT.id == _APPOINTMENT.slot_id)
    .join(table_of(Schedule), _SCHEDULE.id == _APPOINTMENT.schedule_id)
    .where(_APPOINTMENT.person_id.in_(_SAME_HUMAN), _COUNTS),
    _seen(is_of_person=False, for_another=False)
    .join_from(table_of(Appointment), table_of(Slot), _SLOT.id == _APPOINTMENT.slot_id)
    .where(
        or_(_APPOINTMENT.account_id == bindparam("account"), _APPOINTMENT.account_id == bindparam("booker")),
        _UNPAID,
        _APPOINTMENT.person_id.not_in(_SAME_HUMAN),
    ),
    # What the booker holds for dependents of others.
    _seen(is_of_person=False, for_another=True)
    .join_from(table_of(Grant), table_of(Appointment), _APPOINTMENT.grant_id == _GRANT.id)
    .join(table_of(Slot), _SLOT.id == _APPOINTMENT.slot_id)
    .where(_GRANT.account_id == bindparam("booker"), _UNPAID),
)


def booker_of(grant: Grant) -> UUID:
    """The holder of a grant that is in force."""
    if grant.account_id is None:
        raise LookupError("nobody holds the grant")
    return grant.account_id


def count(standing: Iterable[Standing]) -> int:
    """As a limit counts them."""
    return len({one.stands_for for one in standing if not one.is_follow_up})


def standing_of(
    session: Session, person_id: UUID, account_id: UUID, booker_id: UUID, *, schedule: Schedule, now: datetime
) -> list[Standing]:
    """The person's under any account: the open ones, the visits of the time before `schedule`, and what they let go of
    it lately. And the unpaid ones, for anybody, of the dependent's account and of the one that books."""
    given = {
        "person": person_id,
        "account": account_id,
        "booker": booker_id,
        "schedule": schedule.id,
        "visits_since": schedule.visit_date - LONGEST_PERIOD,
        "let_go_since": now - LONGEST_REST,
    }
    return [Standing(*row) for row in rows_of(session, _STANDING, given)]


def visits_of_person(session: Session, person_id: UUID, account_id: UUID, *, around: date) -> list[Standing]:
    """The person's under any account: the open ones, and what has been in three months before that day."""
    nothing_else = {"schedule": UUID(int=0), "let_go_since": datetime.max.replace(tzinfo=UTC)}
    since = {"visits_since": around - LONGEST_PERIOD}
    given = {"person": person_id, "account": account_id, "booker": account_id} | since | nothing_else
    seen = [Standing(*row) for row in rows_of(session, _STANDING, given)]
    return [one for one in seen if one.is_of_person]
