"""The right to a follow-up (续诊): the desk gives it to somebody who has come, where results are not there yet.

It stands on the appointment that it is of, as the last day on which it can be used. Nothing uses it up but an
appointment that holds a number: given back in time, or taken back by the hospital, it can be used again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.booking.follow_up.refusals import NoFollowUp
from core.booking.terms import Terms
from core.clock import hospital_day
from core.payments.charge_account import lock_appointment_account
from core.rights.access import AccessAction, AccessPurpose, note_access
from models.appointment import HOLDS_SLOT, Appointment, AppointmentStatus
from models.schedule import Schedule, ScheduleStatus

CAME = frozenset({AppointmentStatus.ARRIVED, AppointmentStatus.FULFILLED})
_LOOKED_AT = timedelta(days=21)
"""How far a day is looked for on which the department is open; more than any holiday."""


@dataclass(frozen=True)
class FollowUp:
    """Until the end of which day it can be used, and which appointment uses it."""

    until: date
    appointment_id: UUID | None


def allow_follow_up(session: Session, *, appointment_id: UUID, operator: str, now: datetime) -> date:
    """The last day on which it can be used. Once is as good as twice.

    Raises: NotFound, NoFollowUp where the terms of the visit know none, nobody has come, it is one itself, or its days
    are over."""
    _, appointment = lock_appointment_account(session, appointment_id)
    if appointment.follow_up_until is not None:
        return appointment.follow_up_until
    days = Terms.from_document(appointment.terms).follow_up_days
    if not days or appointment.follow_up_of_id is not None:
        raise NoFollowUp(reason="not_offered")
    if appointment.status not in CAME:
        raise NoFollowUp(reason="status", status=str(appointment.status))
    until = _open_day(session, appointment, after=appointment.visit_date, number=days - 1)
    if hospital_day(now) > until:
        raise NoFollowUp(reason="over", until=until)
    appointment.follow_up_until = until
    note_access(
        session,
        actor=operator,
        action=AccessAction.FOLLOW_UP_ALLOWED,
        purpose=AccessPurpose.VISIT,
        dependent_id=appointment.dependent_id,
        result="allowed",
        facts={"appointment_id": str(appointment_id), "until": str(until)},
        now=now,
    )
    return until


def renew_after_suspension(session: Session, appointment: Appointment) -> None:
    """A follow-up whose clinic was suspended is not used up: its right holds on the next day that the department is
    open, where it would be over by then. `appointment` has ended, and its charge is locked; of the visit it is of only
    this one column is written, and whoever holds that charge wants none of ours."""
    visit_id = appointment.follow_up_of_id
    if visit_id is None:
        return
    until = _open_day(session, appointment, after=appointment.visit_date, number=1)
    session.execute(
        update(Appointment)
        .where(Appointment.id == visit_id, Appointment.follow_up_until < until)
        .values(follow_up_until=until)
        .execution_options(synchronize_session=False)
    )


def follow_ups_of(session: Session, appointments: Collection[Appointment]) -> Mapping[UUID, FollowUp]:
    """The rights that these have, by their ids."""
    until = {one.id: one.follow_up_until for one in appointments if one.follow_up_until is not None}
    if not until:
        return {}
    live = select(Appointment.follow_up_of_id, Appointment.id).where(
        Appointment.follow_up_of_id.in_(list(until)), Appointment.status.in_(sorted(HOLDS_SLOT))
    )
    used: dict[UUID | None, UUID] = dict(session.execute(live).all())
    return {visit_id: FollowUp(day, used.get(visit_id)) for visit_id, day in until.items()}


def _open_day(session: Session, appointment: Appointment, *, after: date, number: int) -> date:
    """So many days after that one, of those on which the department has a clinic at that campus; closed days do not
    count. Where not so many are known, those of the calendar beside them."""
    schedule = session.get_one(Schedule, appointment.schedule_id)
    days = session.scalars(
        select(Schedule.visit_date)
        .where(
            Schedule.department_id == schedule.department_id,
            Schedule.campus_id == schedule.campus_id,
            Schedule.status != ScheduleStatus.SUSPENDED,
            Schedule.visit_date > after,
            Schedule.visit_date <= after + _LOOKED_AT,
        )
        .distinct()
        .order_by(Schedule.visit_date)
        .limit(number)
    ).all()
    return max([after + timedelta(days=number), *days])
