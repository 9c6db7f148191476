"""What counted against a limit at an instant that is past, for many people at once: from the rows of appointments, and
from their events, which tell in which state each was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased, load_only

from core.booking.replay.past_states import PastStates, in_parts
from core.booking.standing import LONGEST_PERIOD, LONGEST_REST, Standing
from models.appointment import HOLDS_SLOT, OPEN, Appointment, AppointmentStatus, CancelReason, PayMode
from models.grant import Grant
from models.person import Person
from models.schedule import Schedule, Slot
from models.schedule_change import ScheduleChange

_LONGEST_UNPAID = timedelta(days=14)
"""No number is held unpaid for so long."""


@dataclass(frozen=True)
class Booked:
    """An appointment and for whom it was: `human` is the person that it is known to be today, `holder_id` the account
    under whose grant it was booked, `doctor_code` the doctor of today."""

    appointment: Appointment
    slot: Slot
    human: UUID
    holder_id: UUID | None
    doctor_code: str

    def came_before(self, other: Appointment) -> bool:
        mine = self.appointment
        if (mine.created_at, mine.charge_id) == (other.created_at, other.charge_id):
            return False  # those of a bundle were judged before any of them was written
        return (mine.created_at, mine.id) < (other.created_at, other.id)


@dataclass(frozen=True)
class PastStanding:
    """The appointments of everybody who is looked at, by person, account and holder of a grant; the states that each
    has had, oldest first; and of each half day that was changed, until when it was at which other time, or with which
    other doctor."""

    by_human: Mapping[UUID, Sequence[Booked]]
    by_account: Mapping[UUID, Sequence[Booked]]
    by_holder: Mapping[UUID, Sequence[Booked]]
    states: PastStates
    moves: Mapping[UUID, Sequence[tuple[datetime, timedelta]]]
    doctors: Mapping[UUID, Sequence[tuple[datetime, str]]]

    @classmethod
    def read(cls, session: Session, booked: Sequence[Booked]) -> PastStanding:
        """As far as `booked`, oldest first and not empty, can have met it."""
        found = {one.appointment.id: one for one in _met_by(session, booked)}
        by_human, by_account, by_holder = defaultdict(list), defaultdict(list), defaultdict(list)
        for one in found.values():
            by_human[one.human].append(one)
            by_account[one.appointment.account_id].append(one)
            if one.holder_id is not None:
                by_holder[one.holder_id].append(one)
        moves, doctors = _changes(session, {one.appointment.schedule_id for one in found.values()})
        return cls(by_human, by_account, by_holder, PastStates.read(session, found), moves, doctors)

    def before(self, that: Booked, booker_id: UUID, *, never: Collection[UUID]) -> list[Standing]:
        """What stood when `that` was booked by `booker_id`, in the words of `core/booking/standing.py`, but for those
        that were `never` booked."""
        found = [*self._of_person(that, never), *self._unpaid_of_accounts(that, booker_id, never)]
        for one in self._older(self.by_holder.get(booker_id, ()), that, never):
            if self._status(one, that) is AppointmentStatus.PENDING:
                found.append(self._standing(one, that, never, is_of_person=False, for_another=True))
        return found

    def _of_person(self, that: Booked, never: Collection[UUID]) -> Iterator[Standing]:
        wanted = that.appointment
        for one in self._older(self.by_human.get(that.human, ()), that, never):
            status, row = self._status(one, that), one.appointment
            is_recent_visit = status in HOLDS_SLOT and row.visit_date > wanted.visit_date - LONGEST_PERIOD
            was_let_go = row.schedule_id == wanted.schedule_id and row.cancel_reason is CancelReason.PATIENT
            is_recent = row.ended_at is not None and row.ended_at > wanted.created_at - LONGEST_REST
            if status in OPEN or is_recent_visit or (status not in HOLDS_SLOT and was_let_go and is_recent):
                yield self._standing(one, that, never, is_of_person=True)

    def _unpaid_of_accounts(self, that: Booked, booker_id: UUID, never: Collection[UUID]) -> Iterator[Standing]:
        for account_id in {that.appointment.account_id, booker_id}:
            for one in self._older(self.by_account.get(account_id, ()), that, never):
                if one.human != that.human and self._status(one, that) is AppointmentStatus.PENDING:
                    yield self._standing(one, that, never, is_of_person=False)

    def _older(self, booked: Iterable[Booked], that: Booked, never: Collection[UUID]) -> Iterator[Booked]:
        return (one for one in booked if one.appointment.id not in never and one.came_before(that.appointment))

    def _status(self, one: Booked, that: Booked) -> AppointmentStatus:
        return self.states.at(one.appointment.id, that.appointment.created_at)

    def _standing(
        self, one: Booked, that: Booked, never: Collection[UUID], *, is_of_person: bool, for_another: bool = False
    ) -> Standing:
        row, now, replaced = one.appointment, that.appointment.created_at, one.appointment.replaces_id
        is_beside = replaced is not None and replaced not in never and self.states.at(replaced, now) in HOLDS_SLOT
        by = next((shift for at, shift in self.moves.get(row.schedule_id, ()) if at > now), timedelta(0))
        doctor = next((code for at, code in self.doctors.get(row.schedule_id, ()) if at > now), one.doctor_code)
        was_online = row.pay_mode is PayMode.ONLINE and row.fee_fen > 0
        return Standing(
            account_id=row.account_id,
            is_of_person=is_of_person,
            schedule_id=row.schedule_id,
            department_id=row.department_id,
            visit_date=row.visit_date,
            status=self._status(one, that),
            for_another=for_another,
            stands_for=replaced if is_beside and replaced is not None else row.id,
            hospital_id=row.hospital_id,
            starts_at=one.slot.starts_at + by,
            ends_at=one.slot.ends_at + by,
            ended_at=row.ended_at,
            was_paid=was_online and not row.awaiting_payment,
            charge_id=row.charge_id,
            is_follow_up=row.follow_up_of_id is not None,
            doctor_code=doctor if is_of_person else "",
            appointment_id=row.id,
            hold_expires_at=row.hold_expires_at,
        )


HUMAN = func.coalesce(Person.alias_of_id, Person.id, type_=Person.id.type)


def known_as(humans: Collection[UUID]) -> Select[UUID]:
    """Every record of these human beings."""
    named = aliased(Person)
    return select(named.id).where(or_(named.id.in_(humans), named.alias_of_id.in_(humans)))


def _met_by(session: Session, booked: Sequence[Booked]) -> Iterator[Booked]:
    """Each may be told more than once."""
    rows = [one.appointment for one in booked]
    lately = Appointment.created_at > rows[0].created_at - _LONGEST_UNPAID
    since = min(one.visit_date for one in rows) - LONGEST_PERIOD
    accounts = {one.account_id for one in rows} | {one.holder_id for one in booked if one.holder_id is not None}
    for humans in in_parts({one.human for one in booked}):
        yield from _booked(
            session, Appointment.person_id.in_(known_as(humans)), Appointment.visit_date > since, until=rows[-1]
        )
    for some in in_parts(accounts):
        yield from _booked(session, Appointment.account_id.in_(some), lately, until=rows[-1])
        yield from _booked(session, Grant.account_id.in_(some), lately, until=rows[-1])


# There are many for each that is judged: nothing else of them is read.
_COUNTED = (
    Appointment.account_id,
    Appointment.schedule_id,
    Appointment.department_id,
    Appointment.hospital_id,
    Appointment.charge_id,
    Appointment.visit_date,
    Appointment.created_at,
    Appointment.ended_at,
    Appointment.cancel_reason,
    Appointment.replaces_id,
    Appointment.follow_up_of_id,
    Appointment.pay_mode,
    Appointment.fee_fen,
    Appointment.awaiting_payment,
)


def _booked(session: Session, *conditions: ColumnElement[bool], until: Appointment) -> Iterator[Booked]:
    query = (
        select(Appointment, Slot, HUMAN, Grant.account_id, Schedule.doctor_code)
        .join(Slot, Slot.id == Appointment.slot_id)
        .join(Person, Person.id == Appointment.person_id)
        .join(Schedule, Schedule.id == Appointment.schedule_id)
        .outerjoin(Grant, Grant.id == Appointment.grant_id)
        .where(and_(Appointment.created_at <= until.created_at, *conditions))
        .options(load_only(*_COUNTED), load_only(Slot.starts_at, Slot.ends_at))
    )
    return (Booked(*row) for row in session.execute(query))


def _changes(
    session: Session, schedule_ids: Collection[UUID]
) -> tuple[dict[UUID, list[tuple[datetime, timedelta]]], dict[UUID, list[tuple[datetime, str]]]]:
    """Oldest first: until when each began how much later than it does today, below zero where earlier; and until when
    it was with another doctor."""
    moves: dict[UUID, list[tuple[datetime, timedelta]]] = defaultdict(list)
    doctors: dict[UUID, list[tuple[datetime, str]]] = defaultdict(list)
    for ids in in_parts(schedule_ids):
        query = select(Schedule.id, Schedule.starts_at, ScheduleChange.at, ScheduleChange.was).join(
            ScheduleChange, ScheduleChange.schedule_id == Schedule.id
        )
        for schedule_id, starts_at, at, was in session.execute(
            query.where(Schedule.id.in_(ids)).order_by(ScheduleChange.version)
        ):
            if "starts_at" in was:
                moves[schedule_id].append((at, datetime.fromisoformat(was["starts_at"]) - starts_at))
            if "doctor_code" in was:
                doctors[schedule_id].append((at, was["doctor_code"]))
    return moves, doctors
