"""What the rules of a booking look at, collected at one instant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.claim import Left, Taker, Wanted
from core.booking.look import Surroundings, Whom, own_dependent
from core.booking.rules.answers import Answers
from core.booking.rules.overlap import elsewhere_during, first_clear_segment
from core.booking.rules.phone_limit import booked_by_phone, hold_phones
from core.booking.rules.required import card_to_bring
from core.booking.rules.seen_before import SeenBefore, seen_before
from core.booking.standing import Standing, booker_of, standing_of
from core.booking.strikes.restricted import UNRESTRICTED, Restriction
from core.booking.tariff import Price, price_for
from core.booking.terms import Terms
from core.dependents.minors import GROWN_UP, Guarded, guarded_by
from core.transactions import Changed
from models.account import Purpose
from models.appointment import HOLDS_SLOT, OPEN, AppointmentStatus
from models.grant import Grant
from models.hospital_card import HospitalCard
from models.person import Dependent, IdentityLevel
from models.schedule import Schedule


@dataclass(frozen=True)
class Case:
    """Everything the rules look at, at one instant. `elsewhere`: what the person has at the time of the half day, and
    `clear_segment` the first one with a number that leaves that alone. `seen_before` is None where no rule asks.
    `unread_notice` is the version of the booking notice that had to be read and was not."""

    schedule: Schedule
    terms: Terms
    dependent: Dependent
    person_id: UUID
    standing: list[Standing]
    consents: frozenset[Purpose]
    has_agreed: bool
    card: HospitalCard | None
    left: Left | None
    now: datetime
    answers: Answers
    guarded: Guarded = GROWN_UP
    grant: Grant | None = None
    restriction: Restriction = UNRESTRICTED
    elsewhere: list[Standing] = field(default_factory=list)
    clear_segment: datetime | None = None
    seen_before: SeenBefore | None = None
    booked_by_phone: int = 0
    unread_notice: str | None = None

    @property
    def of_person(self) -> list[Standing]:
        """The open ones."""
        return [one for one in self.standing if one.is_of_person and one.status in OPEN]

    @property
    def visits(self) -> list[Standing]:
        """The person's of three months, those to come and those that have been."""
        return [one for one in self.standing if one.is_of_person and one.status in HOLDS_SLOT]

    @property
    def let_go(self) -> list[Standing]:
        """The numbers of this half day that the person gave back lately."""
        return [one for one in self.standing if one.is_of_person and one.status is AppointmentStatus.CANCELLED]

    @property
    def price(self) -> Price:
        return price_for(self.dependent, self.schedule, self.terms)

    @property
    def wanted_level(self) -> int:
        """The schedule's, or that somebody was present where the account has given cause to ask for it."""
        return max(self.terms.min_identity_level, IdentityLevel.PRESENT if self.answers.step_up else 0)

    @property
    def own_accounts(self) -> set[UUID]:
        """The dependent's, and that which books: what they did may be told."""
        return {self.dependent.account_id, self.booker_id}

    def seen_by_its_accounts(self) -> Case:
        """Without anything that other accounts did for the person."""
        own = self.own_accounts
        elsewhere = [one for one in self.elsewhere if one.account_id in own]
        return replace(
            self,
            standing=[one for one in self.standing if one.account_id in own],
            # Which segment leaves them alone was looked for with the others in mind.
            elsewhere=elsewhere if len(elsewhere) == len(self.elsewhere) else [],
            restriction=replace(self.restriction, others_until=None),
            seen_before=None if self.seen_before is None else replace(self.seen_before, by_others=False),
            booked_by_phone=0,
        )

    @property
    def booker_id(self) -> UUID:
        """The account that books: the dependent's own, or the holder of the grant."""
        return self.dependent.account_id if self.grant is None else booker_of(self.grant)


def gather(
    session: Session,
    *,
    schedule: Schedule,
    terms: Terms,
    whom: Whom,
    person_id: UUID,
    card: HospitalCard | None,
    now: datetime,
    left: Left | None,
    in_place_of: UUID | None = None,
    wanted: Wanted | None = None,
    unread_notice: str | None = None,
) -> Case:
    """Collect the case. Limits are exact only while accounts and person are locked. An appointment in whose place the
    number is wanted counts against none. Without `wanted` nobody looks for a segment beside what the person has."""
    account_id = whom.dependent.account_id
    booker_id = account_id if whom.grant is None else booker_of(whom.grant)
    found = standing_of(session, person_id, account_id, booker_id, schedule=schedule, now=now)
    standing = [one for one in found if one.stands_for != in_place_of]
    elsewhere = [] if wanted is None or terms.may_overlap else elsewhere_during(standing, schedule)
    return Case(
        schedule=schedule,
        terms=terms,
        dependent=whom.dependent,
        person_id=person_id,
        standing=standing,
        consents=whom.consents,
        guarded=guarded_by(session, whom.dependent, terms.agreement_ages, on=schedule.visit_date),
        has_agreed=whom.has_agreed,
        card=card,
        left=left,
        now=now,
        answers=whom.answers,
        grant=whom.grant,
        restriction=whom.restriction,
        elsewhere=elsewhere,
        clear_segment=None if wanted is None or not elsewhere else first_clear_segment(session, wanted, elsewhere),
        seen_before=seen_before(session, schedule, terms, person_id=person_id, accounts={account_id, booker_id}),
        booked_by_phone=booked_by_phone(session, terms, whom.dependent, now=now, in_place_of=in_place_of),
        unread_notice=unread_notice,
    )


def own_case(
    session: Session,
    around: Surroundings,
    terms: Terms,
    *,
    dependent_id: UUID,
    account_id: UUID,
    person_id: UUID,
    now: datetime,
    visit_card_id: UUID | None = None,
) -> Case:
    """Of the account's own dependent, for one number that is at hand: nobody looks for it, or for another segment. The
    account and `person_id`, the person's root, are locked.

    Raises: NotFound, Changed where the dependent was another person when `around` was looked at."""
    schedule = around.schedule
    whom = own_dependent(
        session,
        account_id=account_id,
        dependent_id=dependent_id,
        hospital_id=schedule.hospital_id,
        terms=terms,
        now=now,
    )
    if whom.dependent.person_id != around.person_id:
        raise Changed()
    hold_phones(session, [(terms, dependent_id)])
    card = card_to_bring(session, schedule=schedule, terms=terms, dependent=whom.dependent, named=visit_card_id)
    return gather(
        session, schedule=schedule, terms=terms, whom=whom, person_id=person_id, card=card, now=now, left=None
    )


def taker_in(case: Case) -> Taker:
    """For whom a number is claimed, and since when what they let go is kept from them."""
    return Taker(case.person_id, case.dependent.account_id, case.booker_id, case.now - case.terms.let_go_rest)
