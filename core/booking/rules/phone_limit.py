"""Numbers of one phone in a calendar month (rules.md 2.4): asked only where a policy limits them.

The phone is the one under which the hospital reaches the patient. While hashing keys are being changed, a phone that is
still hashed by the old one counts apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from core.booking.terms import Terms
from core.clock import day_begins, hospital_day
from models.appointment import HOLDS_SLOT, Appointment
from models.person import Dependent


def hold_phones(session: Session, whom: Iterable[tuple[Terms, UUID]]) -> None:
    """Whoever books for the phones of these dependents elsewhere waits until this transaction ends, so that what is
    counted is exact. Accounts and persons are locked, at a waitlist also the resting number, which no booking wants."""
    limited = [dependent_id for terms, dependent_id in whom if terms.max_per_phone_month]
    if limited:
        phones = select(Dependent.phone_hash).where(Dependent.id.in_(limited))
        same = select(Dependent.id).where(Dependent.phone_hash.in_(phones)).order_by(Dependent.id)
        session.execute(same.with_for_update(key_share=True)).all()


def booked_by_phone(
    session: Session, terms: Terms, dependent: Dependent, *, now: datetime, in_place_of: UUID | None
) -> int:
    """The numbers that were booked for this phone this month, under whatever account, and were not given back; where
    nobody counts them none, and nothing is read. Two of which one takes the other's place count once."""
    if not terms.max_per_phone_month:
        return 0
    first = month_begins(now)
    stands_for = case((Appointment.beside_replaced, Appointment.replaces_id), else_=Appointment.id)
    query = (
        select(func.count(stands_for.distinct()))
        .join(
            Dependent,
            and_(Dependent.id == Appointment.dependent_id, Dependent.account_id == Appointment.account_id),  # by index
        )
        .where(
            _same_phone(dependent),
            Appointment.status.in_(sorted(HOLDS_SLOT)),
            Appointment.follow_up_of_id.is_(None),
            Appointment.created_at >= first,
            Appointment.created_at < month_begins(first + timedelta(days=32)),
        )
    )
    if in_place_of is not None:
        query = query.where(stands_for != in_place_of)
    return session.scalar(query) or 0


def month_begins(at: datetime) -> datetime:
    """The hospital's calendar month."""
    return day_begins(hospital_day(at).replace(day=1))


def _same_phone(dependent: Dependent) -> ColumnElement[bool]:
    return (Dependent.phone_hash == dependent.phone_hash) & (Dependent.phone_hash_key == dependent.phone_hash_key)
