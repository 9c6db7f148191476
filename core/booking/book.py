"""Booking: one transaction that ends with the number held for the person, or with nothing.

look (no lock) → lock account, then person → look at the dependent again (and hold the grant, where it is another
account's: `core/booking/for_another.py`), then at what counts against a limit →
evaluate the rules → take a slot → charge, appointment, line, event rows and the job that ends the hold, in one round
trip that also looks at the schedule again
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.case import Case, gather, taker_in
from core.booking.claim import Left, Wanted, count_left, take_slot
from core.booking.for_another import lock_for_another
from core.booking.look import Surroundings, look_around, own_dependent
from core.booking.rules.evaluation import refuse_by_rules, sold_until
from core.booking.rules.notice import unread_notice
from core.booking.rules.phone_limit import hold_phones
from core.booking.rules.required import card_to_bring
from core.booking.terms import Terms
from core.booking.views import AppointmentView
from core.booking.wish import Wish
from core.booking.write import Sale, refuse_for_none, write_booking
from core.dependents.granted import Use, note_uses
from core.identity.consents import require_consent
from core.locks import lock_account_and_person, lock_person
from core.rights.access import AccessAction
from models.account import Purpose
from models.appointment import Appointment
from models.errors import FieldError, ValidationFailed
from models.schedule import SlotStatus
from models.sealing import Vault
from models.states import Cause

__all__ = ["Wish", "book_and_view", "book_appointment"]


def book_appointment(
    session: Session, *, account_id: UUID, wish: Wish, now: datetime, cause: Cause, vault: Vault
) -> Appointment:
    """Hold a number for the dependent until the fee is paid, or book it at once where nothing is to be paid online. It
    may be another account's, under a grant: then the appointment is that account's too.

    Raises: NotFound, ValidationFailed, FeeChanged, every refusal of eligibility, ConsentRequired where something is
    told of their health, SoldOut, NumbersInFlight."""
    return book_and_view(session, account_id=account_id, wish=wish, now=now, cause=cause, vault=vault).appointment


def book_and_view(
    session: Session, *, account_id: UUID, wish: Wish, now: datetime, cause: Cause, vault: Vault
) -> AppointmentView:
    """As `book_appointment`, with everything a patient is shown: it was at hand. Raises: the same."""
    around = look_for(session, wish, account_id=account_id, now=now)
    terms = Terms.from_document(around.schedule.terms)
    wish.refuse_unless_offered(terms)
    wanted = Wanted(around.schedule.id, sold_until(terms, now=now), wish.segment_starts_at)
    case = locked_case(session, around, wanted, account_id=account_id, wish=wish, terms=terms, now=now)
    wish.refuse_other_price(case.price)
    refuse_unless_allowed(session, case, wish)
    wanted = replace(wanted, taker=taker_in(case))
    if case.elsewhere:
        wanted = replace(wanted, segment_starts_at=case.clear_segment)
    held = wish.pays_online(case.price)
    to = SlotStatus.HELD if held or around.hospital_system is not None else SlotStatus.BOOKED
    taken = take_slot(session, wanted, to=to, at=now, cause=cause)
    if taken is None:
        refuse_for_none(session, around.schedule, count_left(session, wanted), now=now)
    sale = Sale(wish, around, terms, case.dependent, case.person_id, taken, case.card, case.grant, held)
    made = write_booking(session, sale, now=now, cause=cause, vault=vault)
    if case.grant is not None:
        note_uses(session, [Use(case.grant, AccessAction.APPOINTMENT_BOOKED, made.appointment.id)], now=now)
    return made


def look_for(session: Session, wish: Wish, *, account_id: UUID, now: datetime) -> Surroundings:
    """Where the wish would take place. Raises: NotFound, ValidationFailed."""
    return look_around(
        session,
        schedule_id=wish.schedule_id,
        segment_starts_at=wish.segment_starts_at,
        account_id=account_id,
        dependent_id=wish.dependent_id,
        now=now,
    )


def refuse_unless_allowed(session: Session, case: Case, wish: Wish) -> None:
    """Raises: the most telling refusal of the rules, ConsentRequired where something is told of their health."""
    refuse_by_rules(case)
    if wish.told is not None:
        require_consent(session, case.dependent.account_id, Purpose.HEALTH, wish.dependent_id)


def locked_case(
    session: Session,
    around: Surroundings,
    wanted: Wanted,
    *,
    account_id: UUID,
    wish: Wish,
    terms: Terms,
    now: datetime,
    in_place_of: UUID | None = None,
) -> Case:
    """What the rules look at, with account and person locked; a full schedule costs no lock.

    Raises: NotFound, ValidationFailed."""
    left: Left | None = None if around.may_be_free else count_left(session, wanted)
    hospital_id, dependent_id = around.schedule.hospital_id, wish.dependent_id
    if around.person_id is None:
        whom, person_id = lock_for_another(
            session, account_id=account_id, dependent_id=dependent_id, hospital_id=hospital_id, terms=terms, now=now
        )
    else:
        person_id = around.person_id
        if left is None or left.free:
            person_id = lock_account_and_person(session, account_id, person_id)
        whom = own_dependent(
            session, account_id=account_id, dependent_id=dependent_id, hospital_id=hospital_id, terms=terms, now=now
        )
        if whom.dependent.person_id != around.person_id:  # changed before we had the lock
            person_id = lock_person(session, whom.dependent.person_id).id
    hold_phones(session, [(terms, whom.dependent.id)])
    if whom.grant is not None and wish.visit_card_id is not None:  # one answer, whosever card it is, or nobody's
        raise ValidationFailed(FieldError("#/visit_card_id", "not_allowed"))
    card = card_to_bring(
        session, schedule=around.schedule, terms=terms, dependent=whom.dependent, named=wish.visit_card_id
    )
    return gather(
        session,
        schedule=around.schedule,
        terms=terms,
        whom=whom,
        person_id=person_id,
        card=card,
        now=now,
        left=left,
        in_place_of=in_place_of,
        wanted=wanted,
        unread_notice=None
        if in_place_of is not None
        else unread_notice(terms, around.notice_version, read=wish.notice_version),
    )
