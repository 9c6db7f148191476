"""Using the right to a follow-up (续诊): an ordinary appointment that costs nothing, beside the half day's numbers.

look (no lock) → lock account, then person → is there a right to it? → evaluate the rules, those aside that count
visits → lock the half day → add a number → charge of nothing, appointment, event rows

It is one visit with the one it is of, so that no limit counts it, and what stands against a person keeps nobody from it
(rules.md 2.6). Everything else is a booking: consents, release, hours, sex and age, two places at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.beside import add_number, follow_ups_in
from core.booking.book import look_for
from core.booking.case import Case, own_case
from core.booking.follow_up.refusals import NoFollowUp
from core.booking.follow_up.right import CAME, follow_ups_of
from core.booking.look import DoctorSeen, Surroundings
from core.booking.rules.evaluation import refusals, sold_until
from core.booking.rules.overlap import elsewhere_during, last_clear
from core.booking.rules.refusals import Overlaps
from core.booking.strikes.restricted import UNRESTRICTED
from core.booking.terms import Terms
from core.booking.views import AppointmentView
from core.booking.wish import Wish
from core.booking.write import Sale, write_booking
from core.locks import lock_account_and_person, lock_schedules, root_of
from core.refusals import ScheduleClosed
from models.account import Provider
from models.appointment import Appointment, PayMode
from models.errors import NotFound
from models.hospital import Doctor
from models.person import Dependent
from models.schedule import Schedule, Slot, SlotStatus
from models.sealing import Vault
from models.states import Cause

_RANKS = {"住院医师": 1, "医师": 1, "主治医师": 2, "副主任医师": 3, "主任医师": 4}
"""Titles from low to high."""
_NO_LIMIT = 1_000_000


@dataclass(frozen=True)
class Again:
    """Where the patient comes again. The card that they bring is that of the visit."""

    schedule_id: UUID
    segment_starts_at: datetime | None = None
    booked_through: Provider | None = None


def book_follow_up(
    session: Session, *, account_id: UUID, visit_id: UUID, again: Again, now: datetime, cause: Cause, vault: Vault
) -> AppointmentView:
    """Use the right that the account's appointment `visit_id` has, for the same person.

    Raises: NotFound, ValidationFailed, NoFollowUp, the refusals of eligibility but those that count visits."""
    wish = _wish(session, visit_id, again)
    around = look_for(session, wish, account_id=account_id, now=now)
    if around.person_id is None:  # a right is its own account's, and goes under no grant
        raise NotFound()
    person_id = lock_account_and_person(session, account_id, around.person_id)
    _refuse_unless_right(session, around, visit_id, account_id=account_id, person_id=person_id)
    terms = Terms.from_document(around.schedule.terms)
    case = own_case(
        session,
        around,
        _without_limits(terms),
        dependent_id=wish.dependent_id,
        account_id=account_id,
        person_id=person_id,
        now=now,
        visit_card_id=wish.visit_card_id,
    )
    for refusal in refusals(replace(case, restriction=UNRESTRICTED)):
        raise refusal
    _, slots = lock_schedules(session, [around.schedule.id])
    if follow_ups_in(session, around.schedule) >= terms.max_follow_ups:
        raise NoFollowUp(reason="full", max_follow_ups=terms.max_follow_ups)
    beside = _segment(case, terms, wish, slots)
    waits = around.hospital_system is not None
    to = SlotStatus.HELD if waits else SlotStatus.BOOKED
    taken = add_number(session, slots, beside, to, why="follow_up", now=now, cause=cause)
    sale = Sale(
        wish, around, terms, case.dependent, person_id, taken, case.card, None, is_held=False, follow_up_of_id=visit_id
    )
    return write_booking(session, sale, now=now, cause=cause, vault=vault)


def _wish(session: Session, visit_id: UUID, again: Again) -> Wish:
    """For whom the visit was, whosever it is: looked at without a lock. Nothing is to be paid, so nothing at the
    desk."""
    whom = func.coalesce(Dependent.merged_into_id, Dependent.id, type_=Dependent.id.type)
    query = select(whom, Appointment.visit_card_id).join(Dependent, Dependent.id == Appointment.dependent_id)
    row = session.execute(query.where(Appointment.id == visit_id)).one_or_none()
    dependent_id, card_id = (visit_id, None) if row is None else row
    return Wish(
        again.schedule_id,
        dependent_id,
        PayMode.ONLINE,
        again.segment_starts_at,
        visit_card_id=card_id,
        booked_through=again.booked_through,
    )


def _refuse_unless_right(
    session: Session, around: Surroundings, visit_id: UUID, *, account_id: UUID, person_id: UUID
) -> None:
    """Exact while the account is locked: nobody else uses it. Raises: NotFound, NoFollowUp."""
    row = session.execute(
        select(Appointment, Schedule, Doctor)
        .join(Schedule, Schedule.id == Appointment.schedule_id)
        .outerjoin(Doctor, Doctor.id == Schedule.doctor_id)
        .where(Appointment.id == visit_id, Appointment.account_id == account_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None or root_of(session, row.Appointment.person_id) != person_id:
        raise NotFound()
    visit, seen_at, wanted = row.Appointment, row.Schedule, around.schedule
    until = visit.follow_up_until
    if until is None or visit.status not in CAME:
        raise NoFollowUp(reason="none")
    if not visit.visit_date <= wanted.visit_date <= until:
        raise NoFollowUp(reason="day", until=until)
    if (wanted.campus_id, wanted.department_id) != (seen_at.campus_id, seen_at.department_id):
        raise NoFollowUp(reason="department")
    if not _is_within_rank(around.doctor, row.Doctor):
        raise NoFollowUp(reason="rank")
    if follow_ups_of(session, [visit])[visit_id].appointment_id is not None:
        raise NoFollowUp(reason="used")


def _is_within_rank(wanted: DoctorSeen | None, seen: Doctor | None) -> bool:
    """Of the same or a lower one; a clinic without a doctor is below all. What a title that we do not know is above is
    not known."""
    if wanted is None or seen is None:
        return wanted is None
    known = _RANKS.get(wanted.title, _NO_LIMIT), _RANKS.get(seen.title, 0)
    return wanted.title == seen.title or known[0] <= known[1]


def _without_limits(terms: Terms) -> Terms:
    """It is no visit more, and a return visit by what it is."""
    return replace(
        terms,
        max_open_per_person_department_day=_NO_LIMIT,
        max_open_per_person_doctor_day=_NO_LIMIT,
        max_per_person_day=_NO_LIMIT,
        max_per_person_hospital_day=_NO_LIMIT,
        max_departments_per_person_day=_NO_LIMIT,
        max_per_person_7_days=_NO_LIMIT,
        max_per_person_3_months=_NO_LIMIT,
        max_per_phone_month=0,
        max_open_holds_person=_NO_LIMIT,
        max_open_holds_account=_NO_LIMIT,
        rebook_after_cancel_minutes=0,
        rebook_after_refund_minutes=0,
        visit_kinds=(),
    )


def _segment(case: Case, terms: Terms, wish: Wish, slots: Sequence[Slot]) -> Slot:
    """The wanted one, else the last at which the person is nowhere else. Raises: ScheduleClosed, Overlaps."""
    sold = [one for one in slots if one.starts_at > sold_until(terms, now=case.now)]
    if wish.segment_starts_at is not None:
        sold = [one for one in sold if one.starts_at == wish.segment_starts_at]
    if not sold:
        raise ScheduleClosed()
    elsewhere = [] if terms.may_overlap else elsewhere_during(case.standing, case.schedule)
    last = last_clear(sold, elsewhere)
    if last is None:
        raise Overlaps()
    return last
