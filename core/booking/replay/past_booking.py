"""What was booked, each as it was when somebody booked it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, or_, select
from sqlalchemy.orm import Session, aliased

from core.booking.replay.past_standing import HUMAN, Booked
from core.booking.replay.past_states import in_parts
from models.appointment import Appointment
from models.base import table_of
from models.grant import Grant
from models.hospital import Department
from models.offer import Offer
from models.person import Dependent, Person
from models.schedule import Schedule, ScheduleStatus, Slot, Surplus
from models.schedule_change import ScheduleChange
from models.states import Actor, StateEvent

R = TypeVar("R", Schedule, Slot)


@dataclass(frozen=True)
class PastBooking:
    """What the patient had, where, and for whom. `schedule` and `slot` are as they were when it was booked."""

    booked: Booked
    schedule: Schedule
    slot: Slot
    dependent: Dependent
    grant: Grant | None
    department: str
    group: str | None
    born_by: Actor

    @property
    def appointment(self) -> Appointment:
        return self.booked.appointment

    @property
    def is_extra(self) -> bool:
        """Beside the numbers of the half day; given by a doctor, whenever it was."""
        return self.slot.surplus is Surplus.EXTRA

    @property
    def is_kept(self) -> bool:
        """Kept for a channel and given out by the desk, at whatever hour, until its segment began."""
        until, at_desk = self.schedule.channels_return_at, self.appointment.booked_through is None
        return self.slot.channel is not None and at_desk and until is not None and self.appointment.created_at < until

    @property
    def is_waited_for(self) -> bool:
        """Found for whoever waited for a number, at whatever hour it came back."""
        return self.born_by is Actor.SYSTEM

    @property
    def booker_id(self) -> UUID:
        return self.booked.holder_id or self.dependent.account_id


Place = tuple[datetime, UUID]
"""Of a booking, in the order in which they were made: when, and its id."""


def in_order(session: Session, *conditions: ColumnElement[bool], behind: Place | None, at_most: int) -> list[Place]:
    """The first bookings, or the first `behind` that one; `conditions` are of appointments. A number that was offered
    for a suspended one was no booking, and a follow-up is judged by no limit."""
    query = (
        select(Appointment.created_at, Appointment.id)
        .outerjoin(Offer, Offer.accepted_as_id == Appointment.id)
        .where(Offer.id.is_(None), Appointment.follow_up_of_id.is_(None), *conditions)
        .order_by(Appointment.created_at, Appointment.id)
        .limit(at_most)
    )
    if behind is not None:
        at, last = behind
        later = and_(Appointment.created_at == at, Appointment.id > last)
        query = query.where(or_(Appointment.created_at > at, later))
    return [(at, appointment_id) for at, appointment_id in session.execute(query)]


def read_bookings(session: Session, places: Sequence[Place]) -> list[PastBooking]:
    """Those that are still there, in order."""
    group, born = aliased(Department), aliased(StateEvent)
    query = (
        select(Appointment, Slot, HUMAN, Schedule, Dependent, Grant, Department.code, group.code, born.actor)
        .join(Slot, Slot.id == Appointment.slot_id)
        .join(Schedule, Schedule.id == Appointment.schedule_id)
        .join(Person, Person.id == Appointment.person_id)
        .join(Dependent, Dependent.id == Appointment.dependent_id)
        .join(Department, Department.id == Appointment.department_id)
        .join(born, and_(born.record_id == Appointment.id, born.seq == 1))
        .outerjoin(group, group.id == Department.parent_id)
        .outerjoin(Grant, and_(Grant.id == Appointment.grant_id, Grant.account_id.is_not(None)))
        .where(Appointment.id.in_([appointment_id for _, appointment_id in places]))
        .order_by(Appointment.created_at, Appointment.id)
    )
    rows = session.execute(query).all()
    changes = _changes(session, {row[0].schedule_id for row in rows})
    return [_past(changes, row) for row in rows]


def _past(changes: Mapping[UUID, Sequence[ScheduleChange]], row: Row[*tuple[Any, ...]]) -> PastBooking:
    appointment, slot, human, schedule, dependent, grant, department, group, born_by = row
    was: dict[str, Any] = {}
    for change in changes.get(schedule.id, ()):
        if change.at > appointment.created_at:
            was = dict(change.was) | was
    starts_at = datetime.fromisoformat(was["starts_at"]) if "starts_at" in was else schedule.starts_at
    before = _as_it_was(schedule, slot, by=starts_at - schedule.starts_at, doctor=was.get("doctor_code"))
    booked = Booked(appointment, slot, human, None if grant is None else grant.account_id, schedule.doctor_code)
    return PastBooking(booked, *before, dependent, grant, department, group, born_by)


def _as_it_was(schedule: Schedule, slot: Slot, *, by: timedelta, doctor: str | None) -> tuple[Schedule, Slot]:
    """Copies that no session knows. A half day of which numbers are sold is open."""
    code = schedule.doctor_code if doctor is None else doctor
    then = _copy(schedule, by, status=ScheduleStatus.OPEN, doctor_code=code)
    return then, _copy(slot, by)


def _copy(record: R, by: timedelta, **values: Any) -> R:
    kind = type(record)
    same = {column.key: getattr(record, column.key) for column in table_of(kind).columns}
    times = {"starts_at": record.starts_at + by, "ends_at": record.ends_at + by}
    return kind(**same | times | values)


def _changes(session: Session, schedule_ids: Collection[UUID]) -> dict[UUID, list[ScheduleChange]]:
    found: dict[UUID, list[ScheduleChange]] = {}
    for ids in in_parts(schedule_ids):
        query = select(ScheduleChange).where(ScheduleChange.schedule_id.in_(ids)).order_by(ScheduleChange.version)
        for change in session.scalars(query):
            found.setdefault(change.schedule_id, []).append(change)
    return found
