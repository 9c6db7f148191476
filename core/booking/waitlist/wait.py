"""Waiting for a number (候补): begin, leave. What comes of it is `offers.py` and `follow.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from core.booking.claim import latest_free
from core.booking.rules.evaluation import sold_until
from core.booking.tariff import price_for
from core.booking.terms import Terms
from core.booking.waitlist.queue import closes_at, has_no_number, suits
from core.booking.waitlist.refusals import NumbersFree, WaitlistClosed, WaitlistExists, WaitlistLimit
from core.catalog.who_sits import sits_in
from core.clock import HOSPITAL_ZONE, hospital_day
from core.identity.own import own_dependent
from core.locks import lock_account, lock_persons, lock_waitlist_entries, lock_waitlist_entry, root_of
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.base import new_id
from models.errors import FieldError, NotFound, ValidationFailed
from models.hospital import Department, Doctor, Period
from models.person import Dependent, Person
from models.schedule import Schedule, ScheduleStatus
from models.states import Cause
from models.waitlist import OPEN_ENTRY, WaitlistEntry, WaitlistPlace, WaitlistStatus

LONGEST_RANGE = timedelta(days=90)


@dataclass(frozen=True)
class WaitWish:
    """For whom, where, when, at which price, and until when a number is of use."""

    dependent_ids: Sequence[UUID]
    department_id: UUID
    date_from: date
    date_to: date
    pay: PayMode
    doctor_ids: Sequence[UUID] = ()
    periods: Sequence[Period] = ()
    max_fee_fen: int | None = None
    not_within_minutes: int = 0


def wait_for_number(
    session: Session, *, account_id: UUID, wish: WaitWish, now: datetime, cause: Cause
) -> WaitlistEntry:
    """Begin to wait, where every half day that would do is full.

    Raises: NotFound, ValidationFailed, WaitlistClosed, NumbersFree, WaitlistLimit, WaitlistExists."""
    _refuse_unless_days(wish, now=now)
    department = session.get(Department, wish.department_id)
    if department is None:
        raise NotFound()
    _refuse_unless_doctors(session, wish, now=now)
    lock_account(session, account_id)
    dependents = [own_dependent(session, account_id=account_id, dependent_id=one) for one in wish.dependent_ids]
    roots = [root_of(session, one.person_id) for one in dependents]
    if len(set(roots)) != len(roots):
        raise ValidationFailed(FieldError("#/dependent_ids", "repeated"))
    lock_persons(session, roots)
    terms = _terms_of_full(session, wish, dependents, now=now)
    expires_at = min(closes_at(terms, wish.date_to), _last_of_use(wish))
    _refuse_outside_hours(terms, until=expires_at, now=now)
    for root, dependent in zip(roots, dependents, strict=True):
        _refuse_past_limits(session, wish, terms, person_id=root, dependent=dependent)
    entry = WaitlistEntry(
        id=new_id(),
        hospital_id=department.hospital_id,
        account_id=account_id,
        department_id=department.id,
        doctor_ids=[str(one) for one in wish.doctor_ids],
        date_from=wish.date_from,
        date_to=wish.date_to,
        periods=[str(one) for one in wish.periods],
        max_fee_fen=wish.max_fee_fen,
        not_within_minutes=wish.not_within_minutes,
        pay_mode=wish.pay,
        created_at=now,
        expires_at=expires_at,
    )
    entry.begin(session, at=now, cause=cause)
    session.flush()
    _write_places(session, entry, dependents, roots)
    return entry


def _write_places(
    session: Session, entry: WaitlistEntry, dependents: Sequence[Dependent], roots: Sequence[UUID]
) -> None:
    for position, (dependent, root) in enumerate(zip(dependents, roots, strict=True)):
        session.add(
            WaitlistPlace(
                id=new_id(),
                hospital_id=entry.hospital_id,
                entry_id=entry.id,
                position=position,
                dependent_id=dependent.id,
                person_id=root,
            )
        )
    session.flush()


def _refuse_unless_days(wish: WaitWish, *, now: datetime) -> None:
    if wish.date_to < wish.date_from or wish.date_to - wish.date_from > LONGEST_RANGE:
        raise ValidationFailed(FieldError("#/date_to", "out_of_range"))
    if wish.date_from < hospital_day(now):
        raise ValidationFailed(FieldError("#/date_from", "out_of_range"))


def _refuse_unless_doctors(session: Session, wish: WaitWish, *, now: datetime) -> None:
    """Raises: NotFound where one of them has no clinic there, nor belongs there."""
    here = select(Doctor.id).where(
        Doctor.id.in_(list(wish.doctor_ids)), sits_in(wish.department_id, today=hospital_day(now))
    )
    if set(session.scalars(here)) != set(wish.doctor_ids):
        raise NotFound()


def _terms_of_full(session: Session, wish: WaitWish, dependents: Sequence[Dependent], *, now: datetime) -> Terms:
    """The terms of the last half day that would do for any of them. All of those that are on sale are full.

    Raises: WaitlistClosed where none is on sale or its hospital has no waitlist, NumbersFree."""
    on_sale = select(Schedule).where(
        Schedule.department_id == wish.department_id,
        Schedule.visit_date >= wish.date_from,
        Schedule.visit_date <= wish.date_to,
        Schedule.status == ScheduleStatus.OPEN,
        Schedule.release_at <= now,
        Schedule.closes_at > now,
    )
    doctors, periods = [str(one) for one in wish.doctor_ids], [str(one) for one in wish.periods]
    found = session.scalars(on_sale.order_by(Schedule.starts_at, Schedule.id))
    suited = [one for one in found if suits(one, doctor_ids=doctors, periods=periods)]
    wanted = _affordable(suited, wish.max_fee_fen, dependents)
    free = latest_free(session, [one.id for one in wanted])
    last: Terms | None = None
    for schedule in wanted:
        last = Terms.from_document(schedule.terms)
        if schedule.id in free and free[schedule.id] > sold_until(last, now=now):
            raise NumbersFree(schedule_id=str(schedule.id))
    if last is None or not last.waitlist:
        raise WaitlistClosed()
    return last


def _affordable(
    schedules: Sequence[Schedule], max_fee_fen: int | None, dependents: Sequence[Dependent]
) -> Sequence[Schedule]:
    """For one of them at least, who may pay less than others. Raises: WaitlistClosed where each costs more; a fact says
    what the cheapest does."""
    if max_fee_fen is None or not schedules:
        return schedules
    least = {one.id: _least_fen(one, dependents) for one in schedules}
    if min(least.values()) > max_fee_fen:
        if not any(Terms.from_document(one.terms).waitlist for one in schedules):
            raise WaitlistClosed()
        raise WaitlistClosed(least_fee_fen=min(least.values()))
    return [one for one in schedules if least[one.id] <= max_fee_fen]


def _least_fen(schedule: Schedule, dependents: Sequence[Dependent]) -> int:
    terms = Terms.from_document(schedule.terms)
    return min(price_for(one, schedule, terms).due_fen for one in dependents)


def _last_of_use(wish: WaitWish) -> datetime:
    """When every number of the last day would come too late."""
    over = datetime.combine(wish.date_to + timedelta(days=1), time(), tzinfo=HOSPITAL_ZONE)
    return over - timedelta(minutes=wish.not_within_minutes)


def _refuse_outside_hours(terms: Terms, *, until: datetime, now: datetime) -> None:
    """Half-open. An opening at which there is nothing to wait for any more is not named. Raises: WaitlistClosed."""
    local = now.astimezone(HOSPITAL_ZONE)
    opens, closes = time.fromisoformat(terms.waitlist_opens), time.fromisoformat(terms.waitlist_closes)
    if now < until and opens <= local.time() < closes:
        return
    day = local.date() + timedelta(days=1 if local.time() >= closes else 0)
    again = datetime.combine(day, opens, tzinfo=HOSPITAL_ZONE)
    raise WaitlistClosed(retry_at=again if now < again < until else None)


def _refuse_past_limits(
    session: Session, wish: WaitWish, terms: Terms, *, person_id: UUID, dependent: Dependent
) -> None:
    """Counted over all accounts, with the person locked. Raises: WaitlistLimit, WaitlistExists."""
    standing = _open_of_person(session, person_id)
    if len(standing) >= terms.max_waitlist_person:
        raise WaitlistLimit(dependent_id=str(dependent.id), limit=terms.max_waitlist_person)
    doctors = {str(one) for one in wish.doctor_ids}
    same = [
        one
        for one in standing
        if one.department_id == wish.department_id
        and one.date_from <= wish.date_to
        and one.date_to >= wish.date_from
        and (not doctors or not one.doctor_ids or doctors & set(one.doctor_ids))
    ]
    if len(same) >= terms.max_waitlist_person_doctor_day:
        if any(one.account_id == dependent.account_id for one in same):
            raise WaitlistExists(dependent_id=str(dependent.id))
        raise WaitlistLimit(dependent_id=str(dependent.id), limit=terms.max_waitlist_person_doctor_day)


def _open_of_person(session: Session, person_id: UUID) -> list[WaitlistEntry]:
    """Those in which the person waits, or is offered a number; in others only the rest of the family does."""
    same_human = select(Person.id).where(or_(Person.id == person_id, Person.alias_of_id == person_id))
    is_offered = exists().where(
        Appointment.id == WaitlistPlace.appointment_id, Appointment.status == AppointmentStatus.PENDING
    )
    names = exists().where(
        WaitlistPlace.entry_id == WaitlistEntry.id,
        WaitlistPlace.person_id.in_(same_human),
        or_(has_no_number(), is_offered),
    )
    query = select(WaitlistEntry).where(WaitlistEntry.status.in_(sorted(OPEN_ENTRY)), names)
    return list(session.scalars(query))


def leave_waitlist(session: Session, *, account_id: UUID, entry_id: UUID, now: datetime, cause: Cause) -> None:
    """Wait no more. A number that is on offer stays to be paid for or cancelled; what has ended stays as it ended.

    Raises: NotFound."""
    lock_account(session, account_id)
    entry = lock_waitlist_entry(session, entry_id)
    if entry.account_id != account_id:
        raise NotFound()
    if entry.status in OPEN_ENTRY:
        entry.leave(session, reason="patient", at=now, cause=cause)


def leave_all(session: Session, *, account_id: UUID, now: datetime, cause: Cause) -> None:
    """The account, which is locked, is closed."""
    own = (WaitlistEntry.account_id == account_id) & WaitlistEntry.status.in_(sorted(OPEN_ENTRY))
    for entry in lock_waitlist_entries(session, own):
        entry.leave(session, reason="account_closed", at=now, cause=cause)


def leave_for(session: Session, dependent: Dependent, *, now: datetime, cause: Cause) -> None:
    """The dependent is removed. Where others are waited for in the same entry, who have no number yet, they go on. The
    caller holds the account's lock."""
    whose = func.coalesce(Dependent.merged_into_id, Dependent.id)
    is_removed = whose == dependent.id
    is_there = ~is_removed & or_(Dependent.archived_at.is_(None), Dependent.merged_into_id.is_not(None))
    places = exists().where(WaitlistPlace.entry_id == WaitlistEntry.id, WaitlistPlace.dependent_id == Dependent.id)
    own = (WaitlistEntry.account_id == dependent.account_id) & WaitlistEntry.status.in_(sorted(OPEN_ENTRY))
    waits = or_(WaitlistPlace.appointment_id.is_(None), WaitlistEntry.status != WaitlistStatus.WAITING)
    for entry in lock_waitlist_entries(session, own & places.where(is_removed) & ~places.where(is_there, waits)):
        entry.leave(session, reason="dependent_removed", at=now, cause=cause)


def people_ahead(session: Session, entry: WaitlistEntry) -> int:
    """Those who wait for some of the same half days and began earlier, each once for each number that they need. Whom a
    rule or a price will pass over is known only when a number comes: they count."""
    earlier = or_(
        WaitlistEntry.created_at < entry.created_at,
        (WaitlistEntry.created_at == entry.created_at) & (WaitlistEntry.id < entry.id),
    )
    rows = session.execute(
        select(WaitlistEntry.doctor_ids, WaitlistEntry.periods, func.count())
        .join(WaitlistPlace, WaitlistPlace.entry_id == WaitlistEntry.id)
        .join(Dependent, Dependent.id == WaitlistPlace.dependent_id)
        .where(
            WaitlistEntry.department_id == entry.department_id,
            WaitlistEntry.status.in_(sorted(OPEN_ENTRY)),
            WaitlistEntry.date_from <= entry.date_to,
            WaitlistEntry.date_to >= entry.date_from,
            or_(Dependent.archived_at.is_(None), Dependent.merged_into_id.is_not(None)),
            has_no_number(),
            earlier,
        )
        .group_by(WaitlistEntry.id, WaitlistEntry.doctor_ids, WaitlistEntry.periods)
    )
    return sum(
        count
        for doctors, periods, count in rows
        if _share(entry.doctor_ids, doctors) and _share(entry.periods, periods)
    )


def _share(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """None named, any will do."""
    return not mine or not theirs or not set(mine).isdisjoint(theirs)
