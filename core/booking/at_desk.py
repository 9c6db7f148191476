"""A number that the desk gives to a dependent of somebody's account: an ordinary appointment, charged as usual, and
judged by the same rules but those that the desk passes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.case import Case, own_case
from core.booking.claim import Taken
from core.booking.look import look_around
from core.booking.rules.answers import Answers
from core.booking.rules.evaluation import refusals
from core.booking.rules.overlap import elsewhere_during
from core.booking.strikes.restricted import UNRESTRICTED
from core.booking.terms import Terms
from core.booking.views import AppointmentView
from core.booking.wish import Wish
from core.booking.write import Sale, write_booking
from core.locks import lock_account_and_person
from core.rights.access import AccessAction, AccessPurpose, note_access
from core.transactions import Changed
from models.errors import DomainError, NotFound
from models.person import Dependent
from models.schedule import Schedule, SlotStatus
from models.sealing import Vault
from models.states import Cause

Take = Callable[[Case, SlotStatus], Taken]
"""Finds a number that meets nothing of the case's `elsewhere`, and moves it; account and person are locked."""

Passes = Callable[[DomainError, Schedule], bool]
"""Whether the desk passes over a refusal of that half day."""


def book_at_desk(
    session: Session,
    wish: Wish,
    *,
    passes: Passes,
    take: Take,
    now: datetime,
    cause: Cause,
    vault: Vault,
) -> AppointmentView:
    """Book what `take` finds.

    Raises: NotFound, ValidationFailed, what `take` raises, and every refusal of eligibility that `passes` does not pass
    over; whether numbers are free, and what restricts somebody, is not asked."""
    account_id = session.scalar(
        select(Dependent.account_id).where(Dependent.id == wish.dependent_id, Dependent.archived_at.is_(None))
    )
    if account_id is None:
        raise NotFound()
    around = look_around(
        session,
        schedule_id=wish.schedule_id,
        segment_starts_at=None,
        account_id=account_id,
        dependent_id=wish.dependent_id,
        now=now,
    )
    terms = Terms.from_document(around.schedule.terms)
    wish.refuse_unless_offered(terms)
    if around.person_id is None:
        raise Changed()
    ids = {"account_id": account_id, "dependent_id": wish.dependent_id}
    person_id = lock_account_and_person(session, account_id, around.person_id)
    case = _unrestricted(own_case(session, around, terms, **ids, person_id=person_id, now=now))
    for refusal in refusals(case):
        if not passes(refusal, around.schedule):
            raise refusal
    if not terms.may_overlap:
        case = replace(case, elsewhere=elsewhere_during(case.standing, case.schedule))
    held = wish.pays_online(case.price)
    waits = held or around.hospital_system is not None
    taken = take(case, SlotStatus.HELD if waits else SlotStatus.BOOKED)
    sale = Sale(wish, around, terms, case.dependent, case.person_id, taken, case.card, None, held)
    return write_booking(session, sale, now=now, cause=cause, vault=vault)


def _unrestricted(case: Case) -> Case:
    """Strikes, and what an account is answered for signs of resale, end at the desk: somebody of the hospital sees who
    is there. The level that the half day itself asks for is asked for here, too."""
    return replace(case, answers=Answers(), restriction=UNRESTRICTED)


def note_issued(
    session: Session,
    made: AppointmentView,
    action: AccessAction,
    *,
    operator: str,
    now: datetime,
    facts: Mapping[str, str],
) -> None:
    """Who gave the number, for whoever may read of it."""
    note_access(
        session,
        actor=operator,
        action=action,
        purpose=AccessPurpose.VISIT,
        now=now,
        dependent_id=made.appointment.dependent_id,
        result="issued",
        facts={"appointment_id": str(made.appointment.id), **facts},
    )
