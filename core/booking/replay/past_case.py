"""Past bookings as cases: each as its rules looked at it at the instant of booking, under terms of another policy.

What people have said and shown since (consents, agreements, proofs, what they filled in) is known as it is today alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.case import Case
from core.booking.claim import Left
from core.booking.replay.past_booking import PastBooking
from core.booking.replay.past_phones import PastPhones
from core.booking.replay.past_standing import PastStanding
from core.booking.replay.past_terms import Changes, PastTerms
from core.booking.replay.past_visits import PastVisits
from core.booking.rules.answers import Answers
from core.booking.rules.evaluation import sold_until
from core.booking.rules.overlap import elsewhere_during, meets
from core.booking.terms import Terms
from core.dependents.agreements import agreed_at, is_own_word
from models.account import Purpose
from models.appointment import Appointment
from models.hospital import Hospital
from models.hospital_card import HospitalCard
from models.person import Dependent
from models.schedule import Schedule


@dataclass(frozen=True)
class Circumstances:
    """What the cases of some bookings share, read for all of them together."""

    terms: PastTerms
    standing: PastStanding
    visits: PastVisits
    phones: PastPhones
    agreed: Collection[UUID]
    cards: Mapping[UUID, HospitalCard]

    @classmethod
    def read(cls, session: Session, past: Sequence[PastBooking], hospital: Hospital, changes: Changes) -> Circumstances:
        dependents = {one.dependent.id for one in past}
        terms = PastTerms.read(session, past, hospital.code, changes)
        return cls(
            terms=terms,
            standing=PastStanding.read(session, [one.booked for one in past]),
            visits=PastVisits.read(session, past, terms),
            phones=PastPhones.read(session, past, terms),
            agreed=_agreed(session, past),
            cards=_cards(session, dependents, hospital.id),
        )

    def cases(self, past: Sequence[PastBooking], never: Collection[UUID]) -> Iterator[tuple[PastBooking, Case]]:
        """One after the other: whoever puts one of them into `never` changes those that follow."""
        return ((one, self._case(one, *self.terms.of(one), never)) for one in past)

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
            has_agreed=one.dependent.id in self.agreed,
            card=self.cards.get(one.dependent.id),
            left=None if one.is_extra or one.is_waited_for else Left(int(is_sold), 0),
            now=now,
            answers=Answers(),
            grant=one.grant,
            elsewhere=elsewhere,
            clear_segment=None if meets(elsewhere, one.slot) else one.slot.starts_at,
            seen_before=self.visits.seen_before(one, terms, never=never),
            booked_by_phone=self.phones.booked_by_phone(one, terms, never=never),
        )


def as_sold(case: Case, appointment: Appointment) -> Case:
    """The same under the terms that the appointment was sold under."""
    return replace(case, terms=Terms.from_document(appointment.terms))


def _agreed(session: Session, past: Sequence[PastBooking]) -> frozenset[UUID]:
    dependents = {one.dependent.id: one.dependent for one in past}
    query = select(Dependent.id, agreed_at(Dependent.id)).where(Dependent.id.in_(dependents))
    return frozenset(one for one, at in session.execute(query) if is_own_word(dependents[one], at))


def _cards(session: Session, dependent_ids: Collection[UUID], hospital_id: UUID) -> dict[UUID, HospitalCard]:
    query = select(HospitalCard).where(
        HospitalCard.dependent_id.in_(dependent_ids), HospitalCard.hospital_id == hospital_id, HospitalCard.is_current
    )
    return {card.dependent_id: card for card in session.scalars(query)}
