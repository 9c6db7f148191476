"""A bundle: numbers of several of one's own dependents on one half day, all of them or none, on one charge.

look at each (no lock) → lock the account, then the persons in id order → evaluate each by the rules of every booking →
take the numbers, schedule by schedule → charge, appointments and lines. It is one open hold with one deadline, paid at
once; afterwards each appointment lives by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.book import look_for, refuse_unless_allowed
from core.booking.case import Case, gather, taker_in
from core.booking.claim import Taken, Wanted, count_left
from core.booking.look import Surroundings, own_dependent
from core.booking.neighbours import take_neighbours
from core.booking.rules.evaluation import sold_until
from core.booking.rules.notice import unread_notice
from core.booking.rules.phone_limit import hold_phones
from core.booking.rules.required import card_to_bring
from core.booking.terms import Terms
from core.booking.views import AppointmentView, Money
from core.booking.wish import Wish
from core.booking.write import Sale, refuse_for_none, write_bundle
from core.locks import lock_account, lock_persons, root_of
from core.transactions import Changed
from models.errors import DomainError, FieldError, NotFound, ValidationFailed
from models.schedule import SlotStatus
from models.sealing import Vault
from models.states import Cause

LEAST = 2
"""How many numbers make a bundle."""


@dataclass(frozen=True)
class BundleView:
    """The appointments in the order in which they were asked for, and what they come to together."""

    items: list[AppointmentView]

    @property
    def money(self) -> Money:
        return self.items[0].money

    @property
    def hold_expires_at(self) -> datetime | None:
        """Until when all of it must be paid; None where nothing is to be paid online."""
        return next((one.appointment.hold_expires_at for one in self.items if one.appointment.hold_expires_at), None)


@dataclass(frozen=True)
class _Part:
    """One of the wishes, as it was looked at, and then with its case."""

    wish: Wish
    around: Surroundings
    terms: Terms
    case: Case | None = None

    @property
    def judged(self) -> Case:
        if self.case is None:
            raise LookupError("not judged yet")
        return self.case

    @property
    def waits(self) -> bool:
        """For its money, or for the hospital's own system."""
        return self.wish.pays_online(self.judged.price) or self.around.hospital_system is not None

    def wanted(self, *, now: datetime) -> Wanted:
        return Wanted(self.around.schedule.id, sold_until(self.terms, now=now), self.wish.segment_starts_at)


def book_bundle(
    session: Session, *, account_id: UUID, wishes: Sequence[Wish], now: datetime, cause: Cause, vault: Vault
) -> BundleView:
    """Hold a number for each of the account's own dependents until all of it is paid, and the hospital's own system, if
    it has one, has agreed to all of it; or book them where nothing is awaited. Those of one half day with one doctor
    are neighbours as far as free numbers allow.

    Raises: NotFound, ValidationFailed, FeeChanged, every refusal of eligibility with the `dependent_id` that it is
    about, SoldOut, NumbersInFlight."""
    parts = [_looked_at(session, one, at, account_id=account_id, now=now) for at, one in enumerate(wishes)]
    _refuse_unless_together(parts)
    parts = _judged(session, parts, account_id=account_id, now=now)
    taken = _take(session, parts, now=now, cause=cause)
    until = min(now + one.terms.hold_for for one in parts)
    sales = [
        Sale(
            one.wish,
            one.around,
            one.terms,
            one.judged.dependent,
            one.judged.person_id,
            number,
            one.judged.card,
            None,
            one.wish.pays_online(one.judged.price),
            hold_until=until,
        )
        for one, number in zip(parts, taken, strict=True)
    ]
    return BundleView(write_bundle(session, sales, now=now, cause=cause, vault=vault))


def _looked_at(session: Session, wish: Wish, at: int, *, account_id: UUID, now: datetime) -> _Part:
    """Raises: NotFound, ValidationFailed."""
    with _in_item(at, wish):
        around = look_for(session, wish, account_id=account_id, now=now)
        if around.person_id is None:  # a grant is for one person, and a charge belongs to one account
            raise NotFound()
        terms = Terms.from_document(around.schedule.terms)
        wish.refuse_unless_offered(terms)
    return _Part(wish, around, terms)


def _refuse_unless_together(parts: Sequence[_Part]) -> None:
    """Raises: ValidationFailed where a dependent is named twice, or a number is of another half day or hospital."""
    first, seen = parts[0].around.schedule, set[UUID]()
    if len(parts) > min(one.terms.max_in_bundle for one in parts):
        raise ValidationFailed(FieldError("#/items", "too_long"))
    for at, one in enumerate(parts):
        if one.wish.dependent_id in seen:
            raise ValidationFailed(FieldError(f"#/items/{at}/dependent_id", "repeated"))
        seen.add(one.wish.dependent_id)
        other = one.around.schedule
        if (other.hospital_id, other.visit_date, other.period) != (first.hospital_id, first.visit_date, first.period):
            raise ValidationFailed(FieldError(f"#/items/{at}/schedule_id", "other_half_day"))


def _judged(session: Session, parts: Sequence[_Part], *, account_id: UUID, now: datetime) -> list[_Part]:
    """Each with its case, nothing of which can change any more.

    Raises: NotFound, Changed, ValidationFailed, FeeChanged, every refusal of eligibility."""
    lock_account(session, account_id)
    roots = [root_of(session, one.around.person_id) for one in parts if one.around.person_id is not None]
    locked = lock_persons(session, roots)
    if any(one.alias_of_id is not None for one in locked.values()):  # merged before we had the lock
        raise Changed()
    if len(locked) < len(parts):
        raise ValidationFailed(FieldError("#/items", "repeated"))
    hold_phones(session, [(one.terms, one.wish.dependent_id) for one in parts])
    judged, phones = [], Counter[bytes]()
    for at, (part, root) in enumerate(zip(parts, roots, strict=True)):
        with _in_item(at, part.wish):
            case = _case(session, part, root, phones, account_id=account_id, now=now)
            judged.append(replace(part, case=case))
            phones[case.dependent.phone_hash] += 1
    return judged


def _case(
    session: Session, part: _Part, person_id: UUID, phones: Counter[bytes], *, account_id: UUID, now: datetime
) -> Case:
    """`phones` are those of the parts before it, whose numbers stand nowhere yet.

    Raises: NotFound, Changed, ValidationFailed, FeeChanged, every refusal of eligibility."""
    schedule, wish = part.around.schedule, part.wish
    whom = own_dependent(
        session,
        account_id=account_id,
        dependent_id=wish.dependent_id,
        hospital_id=schedule.hospital_id,
        terms=part.terms,
        now=now,
    )
    if whom.dependent.person_id != part.around.person_id:
        raise Changed()
    card = card_to_bring(
        session, schedule=schedule, terms=part.terms, dependent=whom.dependent, named=wish.visit_card_id
    )
    wanted = part.wanted(now=now)
    case = gather(
        session,
        schedule=schedule,
        terms=part.terms,
        whom=whom,
        person_id=person_id,
        card=card,
        now=now,
        left=None if part.around.may_be_free else count_left(session, wanted),
        wanted=wanted,
        unread_notice=unread_notice(part.terms, part.around.notice_version, read=wish.notice_version),
    )
    case = replace(case, booked_by_phone=case.booked_by_phone + phones[case.dependent.phone_hash])
    wish.refuse_other_price(case.price)
    refuse_unless_allowed(session, case, wish)
    return case


def _take(session: Session, parts: Sequence[_Part], *, now: datetime, cause: Cause) -> list[Taken]:
    """A number for each, schedule by schedule in id order, so that two bundles do not wait for one another.

    Raises: SoldOut, NumbersInFlight."""
    groups: dict[tuple[UUID, datetime | None], list[_Part]] = {}
    for one in parts:
        segment = one.judged.clear_segment if one.judged.elsewhere else one.wish.segment_starts_at
        groups.setdefault((one.around.schedule.id, segment), []).append(one)
    taken: dict[UUID, Taken] = {}
    for (_, segment), of_group in sorted(groups.items(), key=lambda group: (group[0][0], str(group[0][1]))):
        wanted = [
            replace(one.wanted(now=now), segment_starts_at=segment, taker=taker_in(one.judged)) for one in of_group
        ]
        to = [SlotStatus.HELD if one.waits else SlotStatus.BOOKED for one in of_group]
        found = take_neighbours(session, wanted, to=to, at=now, cause=cause)
        if found is None:
            left = count_left(session, wanted[0])
            left = left if left.free >= len(wanted) else replace(left, free=0)
            refuse_for_none(session, of_group[0].around.schedule, left, now=now)
        taken |= {one.wish.dependent_id: number for one, number in zip(of_group, found, strict=True)}
    return [taken[one.wish.dependent_id] for one in parts]


@contextmanager
def _in_item(at: int, wish: Wish) -> Iterator[None]:
    """A refusal says whom it is about, and a fault in which item it is."""
    try:
        yield
    except ValidationFailed as error:
        raise ValidationFailed(*_inside(at, error.errors)) from None
    except NotFound:
        raise
    except DomainError as refusal:
        refusal.facts = {**refusal.facts, "dependent_id": str(wish.dependent_id)}
        raise


def _inside(at: int, errors: Iterable[FieldError]) -> Iterator[FieldError]:
    for one in errors:
        of_all = one.pointer in {"#/pay", "#/payer_kind"}
        yield one if of_all else replace(one, pointer=one.pointer.replace("#/", f"#/items/{at}/", 1))
