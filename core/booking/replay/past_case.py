"""Past bookings as cases: each as its rules looked at it at the instant of booking, under terms of another policy.

What people have said and shown since (consents, agreements, proofs, what they filled in) is known as it is today alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.booking.case import Case
from core.booking.claim import Left
from core.booking.half_day_names import names_of_half_days
from core.booking.policy import BookingPolicy
from core.booking.policy_book import PolicyBook
from core.booking.replay.past_standing import Booked, PastStanding, in_parts
from core.booking.rules.answers import Answers
from core.booking.rules.evaluation import sold_until
from core.booking.rules.overlap import elsewhere_during, meets
from core.booking.terms import Terms, compile_terms
from core.catalog.calendar import WorkCalendar
from core.dependents.agreements import stands_for
from models.account import Purpose
from models.appointment import Appointment
from models.base import table_of
from models.grant import Grant
from models.hospital import Department, Hospital
from models.hospital_card import HospitalCard
from models.offer import Offer
from models.person import Dependent, Person
from models.policy import PolicyLevel
from models.schedule import Schedule, ScheduleStatus, Slot, Surplus
from models.schedule_change import ScheduleChange

R = TypeVar("R", Schedule, Slot)
Changes = Mapping[tuple[PolicyLevel, str], BookingPolicy]
"""What is put over the policies in force, by level and code."""


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
    def booker_id(self) -> UUID:
        return self.booked.holder_id or self.dependent.account_id


def read_bookings(session: Session, *conditions: ColumnElement[bool], at_most: int) -> list[PastBooking]:
    """The first that were booked, oldest first; `conditions` are of appointments. A number that
    was offered for a suspended one was no booking, and a follow-up is judged by no limit."""
    in_order = (Appointment.created_at, Appointment.id)
    # Found by their ids alone first: a whole hospital is put in order for each page.
    first = (
        select(Appointment.id)
        .outerjoin(Offer, Offer.accepted_as_id == Appointment.id)
        .where(Offer.id.is_(None), Appointment.follow_up_of_id.is_(None), *conditions)
        .order_by(*in_order)
        .limit(at_most)
    )
    group, human = aliased(Department), func.coalesce(Person.alias_of_id, Person.id, type_=Person.id.type)
    query = (
        select(Appointment, Slot, human, Schedule, Dependent, Grant, Department.code, group.code)
        .join(Slot, Slot.id == Appointment.slot_id)
        .join(Schedule, Schedule.id == Appointment.schedule_id)
        .join(Person, Person.id == Appointment.person_id)
        .join(Dependent, Dependent.id == Appointment.dependent_id)
        .join(Department, Department.id == Appointment.department_id)
        .outerjoin(group, group.id == Department.parent_id)
        .outerjoin(Grant, and_(Grant.id == Appointment.grant_id, Grant.account_id.is_not(None)))
        .where(Appointment.id.in_(session.scalars(first).all()))
        .order_by(*in_order)
    )
    rows = session.execute(query).all()
    changes = _changes(session, {row[0].schedule_id for row in rows})
    return [_past(changes, row) for row in rows]


def _past(changes: Mapping[UUID, Sequence[ScheduleChange]], row: Row[*tuple[Any, ...]]) -> PastBooking:
    appointment, slot, human, schedule, dependent, grant, department, group = row
    was: dict[str, Any] = {}
    for change in changes.get(schedule.id, ()):
        if change.at > appointment.created_at:
            was = dict(change.was) | was
    starts_at = datetime.fromisoformat(was["starts_at"]) if "starts_at" in was else schedule.starts_at
    before = _as_it_was(schedule, slot, by=starts_at - schedule.starts_at, doctor=was.get("doctor_code"))
    booked = Booked(appointment, slot, human, None if grant is None else grant.account_id)
    return PastBooking(booked, *before, dependent, grant, department, group)


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


@dataclass(frozen=True)
class Circumstances:
    """What the cases of some bookings share, read for all of them together."""

    book: PolicyBook
    hospital: str
    calendar: WorkCalendar
    standing: PastStanding
    last_segments: Mapping[UUID, datetime]
    names: Mapping[UUID, list[str]]
    agreed: Collection[UUID]
    cards: Mapping[UUID, HospitalCard]

    @classmethod
    def read(cls, session: Session, past: Sequence[PastBooking], hospital: Hospital, changes: Changes) -> Circumstances:
        codes = {hospital.code}
        for one in past:
            codes |= {one.department, one.group or "", one.schedule.doctor_code}
        first = min((one.schedule.visit_date for one in past), default=None)
        now = PolicyBook.read(session, codes, half_days_from=first)
        schedules = {one.schedule.id for one in past}
        over = {key: now.documents.get(key, BookingPolicy()).under(policy) for key, policy in changes.items()}
        dependents = {one.dependent.id for one in past}
        return cls(
            book=replace(now, documents={**now.documents, **over}),
            hospital=hospital.code,
            calendar=WorkCalendar.read(session),
            standing=PastStanding.read(session, [one.booked for one in past]),
            last_segments=_last_segments(session, schedules),
            names=names_of_half_days(session, Schedule.id.in_(schedules)),
            agreed=_agreed(session, dependents),
            cards=_cards(session, dependents, hospital.id),
        )

    def cases(self, past: Sequence[PastBooking], never: Collection[UUID]) -> Iterator[tuple[PastBooking, Case]]:
        """One after the other: whoever puts one of them into `never` changes those that follow."""
        sold: dict[tuple[UUID, datetime, str], tuple[Schedule, Terms]] = {}
        for one in past:
            key = (one.schedule.id, one.schedule.starts_at, one.schedule.doctor_code)
            if key not in sold:
                sold[key] = self._sold_under(one)
            yield one, self._case(one, *sold[key], never)

    def _sold_under(self, one: PastBooking) -> tuple[Schedule, Terms]:
        schedule, above = one.schedule, [code for code in (one.group, one.department) if code]
        policies = self.book.levels(
            hospital=self.hospital,
            departments=above,
            doctor=schedule.doctor_code,
            half_day=self.names[schedule.id],
        )
        by = one.slot.starts_at - one.booked.slot.starts_at
        compiled = compile_terms(
            policies,
            department_id=schedule.department_id,
            visit_date=schedule.visit_date,
            starts_at=schedule.starts_at,
            last_segment_starts_at=self.last_segments[schedule.id] + by,
            working_days_before=self.calendar.working_days_before,
        )
        schedule.release_at, schedule.closes_at = compiled.release_at, compiled.closes_at
        return schedule, compiled.terms

    def _case(self, one: PastBooking, schedule: Schedule, terms: Terms, never: Collection[UUID]) -> Case:
        appointment = one.appointment
        standing = self.standing.before(one.booked, one.booker_id, never=never)
        standing = [each for each in standing if each.stands_for != appointment.replaces_id]
        anywhere = terms.may_overlap or one.is_extra
        elsewhere = [] if anywhere else elsewhere_during(standing, schedule)
        now, is_sold = appointment.created_at, one.slot.starts_at > sold_until(terms, now=appointment.created_at)
        return Case(
            schedule=schedule,
            terms=terms,
            dependent=one.dependent,
            person_id=one.booked.human,
            standing=standing,
            consents=frozenset(Purpose),
            minor_consent_missing=False,
            has_agreed=one.dependent.id in self.agreed,
            card=self.cards.get(one.dependent.id),
            left=None if one.is_extra else Left(int(is_sold), 0),
            now=now,
            answers=Answers(),
            grant=one.grant,
            elsewhere=elsewhere,
            clear_segment=None if meets(elsewhere, one.slot) else one.slot.starts_at,
        )


def as_sold(case: Case, appointment: Appointment) -> Case:
    """The same under the terms that the appointment was sold under."""
    return replace(case, terms=Terms.from_document(appointment.terms))


def _last_segments(session: Session, schedule_ids: Collection[UUID]) -> dict[UUID, datetime]:
    last = func.max(Slot.starts_at, type_=Slot.starts_at.type)
    query = select(Slot.schedule_id, last).where(Slot.schedule_id.in_(schedule_ids)).group_by(Slot.schedule_id)
    return dict((*row,) for row in session.execute(query))


def _agreed(session: Session, dependent_ids: Collection[UUID]) -> frozenset[UUID]:
    query = select(Dependent.id).where(Dependent.id.in_(dependent_ids), stands_for(Dependent.id))
    return frozenset(session.scalars(query))


def _cards(session: Session, dependent_ids: Collection[UUID], hospital_id: UUID) -> dict[UUID, HospitalCard]:
    query = select(HospitalCard).where(
        HospitalCard.dependent_id.in_(dependent_ids), HospitalCard.hospital_id == hospital_id, HospitalCard.is_current
    )
    return {card.dependent_id: card for card in session.scalars(query)}


def after(appointment: Appointment) -> ColumnElement[bool]:
    """Booked after that one."""
    at = appointment.created_at
    later = and_(Appointment.created_at == at, Appointment.id > appointment.id)
    return or_(Appointment.created_at > at, later)
