"""Whether people had been seen before when they booked: read only where terms tell first visits from return visits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from core.booking.replay.past_booking import PastBooking
from core.booking.replay.past_standing import HUMAN, known_as
from core.booking.replay.past_states import in_parts
from core.booking.replay.past_terms import PastTerms
from core.booking.rules.seen_before import SeenBefore, tells_kinds
from core.booking.terms import Terms
from models.appointment import Appointment, AppointmentStatus
from models.person import Person
from models.policy import VisitScope
from models.states import Machine, StateEvent


@dataclass(frozen=True)
class _Visit:
    """One that took place, and since when that is known."""

    id: UUID
    account_id: UUID
    hospital_id: UUID
    department_id: UUID
    visit_date: date
    known_at: datetime


@dataclass(frozen=True)
class PastVisits:
    """Of everybody who booked under terms that want to know."""

    by_human: Mapping[UUID, Sequence[_Visit]]

    @classmethod
    def read(cls, session: Session, past: Sequence[PastBooking], terms: PastTerms) -> PastVisits:
        found = defaultdict(list)
        asked = [(one.booked.human, one.schedule.visit_date, terms.of(one)[1]) for one in past]
        wanted = [(human, day, of.return_visit_days) for human, day, of in asked if tells_kinds(of)]
        since = min((day - timedelta(days=days) for _, day, days in wanted), default=date.max)
        for humans in in_parts({human for human, *_ in wanted}):
            for human, visit in _read(session, humans, since=since, until=past[-1].appointment.created_at):
                found[human].append(visit)
        return cls(found)

    def seen_before(self, one: PastBooking, terms: Terms, *, never: Collection[UUID]) -> SeenBefore | None:
        """In the words of `core/booking/rules/seen_before.py`, but for visits whose numbers were `never` booked."""
        if not tells_kinds(terms):
            return None
        row, day = one.appointment, one.schedule.visit_date
        anywhere = terms.return_visit_scope == VisitScope.HOSPITAL
        through = {
            visit.account_id
            for visit in self.by_human.get(one.booked.human, ())
            if visit.id not in never
            and visit.known_at <= row.created_at
            and day - timedelta(days=terms.return_visit_days) <= visit.visit_date <= day
            and visit.hospital_id == row.hospital_id
            and (anywhere or visit.department_id == row.department_id)
        }
        own = {row.account_id, one.booker_id}
        return SeenBefore(by_own=bool(through & own), by_others=bool(through - own))


def _read(session: Session, humans: Collection[UUID], *, since: date, until: datetime) -> Iterator[tuple[UUID, _Visit]]:
    done = AppointmentStatus.FULFILLED
    told = and_(StateEvent.record_id == Appointment.id, StateEvent.machine == Machine.APPOINTMENT)
    query = (
        select(
            HUMAN,
            Appointment.id,
            Appointment.account_id,
            Appointment.hospital_id,
            Appointment.department_id,
            Appointment.visit_date,
            StateEvent.at,
        )
        .join(Person, Person.id == Appointment.person_id)
        .join(StateEvent, and_(told, StateEvent.to_status == done))
        .where(Appointment.person_id.in_(known_as(humans)), Appointment.visit_date >= since, Appointment.status == done)
        .where(Appointment.created_at <= until)
    )
    return ((row[0], _Visit(*row[1:])) for row in session.execute(query))
