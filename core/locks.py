"""Row locks, one helper per record, always in this order:

idempotency key → account → person (its alias root) → dependent → charge → appointment → hospital claim → waitlist entry
→ slot → payment → refund → grant → the payer's identity → login; several of one kind in id order. Gates of codes
(`core/identity/code_limits.py`) come after the account, the pace of a merchant's refunds
(`core/payments/refund_pace.py`) after everything. A booking under a grant holds it before its slot: those who hold a
grant share it, and whoever ends it waits for nothing else meanwhile.

Each helper looks again while it holds the lock (`populate_existing`): what was read before may be old. On SQLite the
one writer holds everything already, so the same statement only looks again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.orm import Session, selectinload

from core.transactions import Overloaded
from models.account import Account, PlatformIdentity
from models.appointment import Appointment
from models.base import Base, table_of
from models.charge import Charge
from models.errors import NotFound
from models.grant import Grant
from models.hospital import Hospital
from models.hospital_claim import HospitalClaim
from models.identity_check import IdentityCheck
from models.payment import Payment, Refund
from models.person import Dependent, Person
from models.prepared import row_of
from models.schedule import Schedule, Slot
from models.waitlist import WaitlistEntry

R = TypeVar("R", bound=Base)


def _locked(query: Select[R]) -> Select[R]:
    # NO KEY UPDATE: every row that points at this one holds its key shared, and FOR UPDATE would wait for them all. Two
    # commands of one account, each with its idempotency key just inserted, would wait for one another.
    return query.with_for_update(key_share=True).execution_options(populate_existing=True)


def _one(session: Session, record: type[R], record_id: UUID) -> R:
    found = session.scalars(_locked(select(record).where(record.__table__.c.id == record_id))).one_or_none()
    if found is None:
        raise NotFound()
    return found


def _account_then_person() -> Select[UUID, UUID | None]:
    """The inner part is locked whole before its row is joined to the person's, which is locked last."""
    accounts, persons = table_of(Account), table_of(Person)
    account = (
        select(accounts.c.id)
        .where(accounts.c.id == bindparam("account_id"), accounts.c.joined_into_id.is_(None))
        .with_for_update(key_share=True)
        .cte("account")
    )
    return (
        select(persons.c.id, persons.c.alias_of_id)
        .join_from(account, persons, persons.c.id == bindparam("person_id"))
        .with_for_update(of=persons, key_share=True)
    )


def lock_account(session: Session, account_id: UUID) -> Account:
    """Raises: NotFound, Overloaded where it was joined into another meanwhile: whoever asks again is led there."""
    account = _one(session, Account, account_id)
    if account.joined_into_id is not None:
        raise Overloaded()
    return account


def lock_accounts(session: Session, account_ids: Iterable[UUID]) -> dict[UUID, Account]:
    """Also those that were joined into another. Raises: NotFound where one is missing."""
    wanted = set(account_ids)
    query = select(Account).where(Account.id.in_(wanted)).order_by(Account.id)
    found = {account.id: account for account in session.scalars(_locked(query))}
    if found.keys() != wanted:
        raise NotFound()
    return found


def lock_person(session: Session, person_id: UUID) -> Person:
    """Lock the alias root, so that one human being is one lock whatever document was used. Raises: NotFound."""
    person = _one(session, Person, person_id)
    while person.alias_of_id is not None:
        person = _one(session, Person, person.alias_of_id)
    return person


def lock_persons(session: Session, person_ids: Iterable[UUID]) -> dict[UUID, Person]:
    """Several, in id order, and nobody's alias followed: whoever merges has looked up the roots. Raises: NotFound."""
    wanted = set(person_ids)
    query = select(Person).where(Person.id.in_(wanted)).order_by(Person.id)
    found = {person.id: person for person in session.scalars(_locked(query))}
    if found.keys() != wanted:
        raise NotFound()
    return found


_ACCOUNT_AND_PERSON = _account_then_person()


def lock_account_and_person(session: Session, account_id: UUID, person_id: UUID) -> UUID:
    """Both in one round trip, the account first; returns the person's alias root. Raises: NotFound."""
    found = row_of(session, _ACCOUNT_AND_PERSON, {"account_id": account_id, "person_id": person_id})
    if found is None:
        raise NotFound()
    return found.id if found.alias_of_id is None else lock_person(session, found.alias_of_id).id


def root_of(session: Session, person_id: UUID) -> UUID:
    """The alias root without a lock: good for an answer, never for a decision. Raises: NotFound."""
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound()
    return person.id if person.alias_of_id is None else root_of(session, person.alias_of_id)


def lock_dependent(session: Session, dependent_id: UUID) -> Dependent:
    """Taken after the account, with the person: a dependent belongs to one account. Raises: NotFound."""
    return _one(session, Dependent, dependent_id)


def lock_dependents(session: Session, condition: ColumnElement[bool]) -> list[Dependent]:
    return list(session.scalars(_locked(select(Dependent).where(condition).order_by(Dependent.id))))


def lock_dependents_of(session: Session, account_ids: Iterable[UUID]) -> list[Dependent]:
    """All of several accounts, the archived ones too."""
    return lock_dependents(session, Dependent.account_id.in_(list(account_ids)))


def lock_charge(session: Session, charge_id: UUID) -> Charge:
    """With its lines. Raises: NotFound."""
    query = select(Charge).where(Charge.id == charge_id).options(selectinload(Charge.lines))
    found = session.scalars(_locked(query)).one_or_none()
    if found is None:
        raise NotFound()
    return found


def lock_charges(session: Session, condition: ColumnElement[bool]) -> list[UUID]:
    """Whatever hangs on them holds still from then on; their ids."""
    query = select(Charge).where(condition).order_by(Charge.id)
    return [charge.id for charge in session.scalars(_locked(query))]


def lock_appointment(session: Session, appointment_id: UUID) -> Appointment:
    """Raises: NotFound."""
    return _one(session, Appointment, appointment_id)


def lock_appointments(session: Session, appointment_ids: Iterable[UUID]) -> list[Appointment]:
    query = select(Appointment).where(Appointment.id.in_(list(appointment_ids))).order_by(Appointment.id)
    return list(session.scalars(_locked(query)))


def lock_appointments_of(session: Session, charge_id: UUID) -> list[Appointment]:
    query = select(Appointment).where(Appointment.charge_id == charge_id).order_by(Appointment.id)
    return list(session.scalars(_locked(query)))


def lock_claims_of(session: Session, appointment_ids: Iterable[UUID]) -> list[HospitalClaim]:
    """The hospital's side of appointments. Taken after them."""
    of_them = HospitalClaim.appointment_id.in_(list(appointment_ids))
    return list(session.scalars(_locked(select(HospitalClaim).where(of_them).order_by(HospitalClaim.id))))


def lock_waitlist_entry(session: Session, entry_id: UUID) -> WaitlistEntry:
    """Raises: NotFound."""
    return _one(session, WaitlistEntry, entry_id)


def lock_waitlist_entries(session: Session, *conditions: ColumnElement[bool]) -> list[WaitlistEntry]:
    return list(session.scalars(_locked(select(WaitlistEntry).where(*conditions).order_by(WaitlistEntry.id))))


def lock_slot(session: Session, slot_id: UUID) -> Slot:
    """Raises: NotFound."""
    return _one(session, Slot, slot_id)


def lock_slots(session: Session, slot_ids: Iterable[UUID]) -> list[Slot]:
    query = select(Slot).where(Slot.id.in_(list(slot_ids))).order_by(Slot.id)
    return list(session.scalars(_locked(query)))


def lock_schedules(session: Session, schedule_ids: Iterable[UUID]) -> tuple[list[Schedule], list[Slot]]:
    """With all their slots, taken after them: no number of theirs is given out meanwhile."""
    ids = list(schedule_ids)
    schedules = list(session.scalars(_locked(select(Schedule).where(Schedule.id.in_(ids)).order_by(Schedule.id))))
    return schedules, list(session.scalars(_locked(select(Slot).where(Slot.schedule_id.in_(ids)).order_by(Slot.id))))


def lock_hospitals(session: Session, hospital_ids: Iterable[UUID]) -> None:
    """Two files for one hospital come one after the other. Taken before everything else."""
    query = select(Hospital).where(Hospital.id.in_(list(hospital_ids))).order_by(Hospital.id)
    session.scalars(_locked(query)).all()


def lock_payment(session: Session, payment_id: UUID) -> Payment:
    """Raises: NotFound."""
    return _one(session, Payment, payment_id)


def lock_payments_of(session: Session, charge_id: UUID) -> list[Payment]:
    query = select(Payment).where(Payment.charge_id == charge_id).order_by(Payment.id)
    return list(session.scalars(_locked(query)))


def lock_refund(session: Session, refund_id: UUID) -> Refund:
    """Raises: NotFound."""
    return _one(session, Refund, refund_id)


def lock_refunds_of(session: Session, charge_id: UUID) -> list[Refund]:
    query = select(Refund).where(Refund.charge_id == charge_id).order_by(Refund.id)
    return list(session.scalars(_locked(query)))


def hold_identity(session: Session, identity_id: UUID) -> PlatformIdentity:
    """As it is now; until the end it is not carried to another account. Taken after the charge. Raises: NotFound."""
    query = select(PlatformIdentity).where(PlatformIdentity.id == identity_id)
    shared = query.with_for_update(read=True).execution_options(populate_existing=True)
    found = session.scalars(shared).one_or_none()
    if found is None:
        raise NotFound()
    return found


def hold_grant(session: Session, *conditions: ColumnElement[bool]) -> Grant:
    """The one that meets the conditions, as it is now; until the end of this transaction nobody ends it.

    Raises: NotFound."""
    shared = select(Grant).where(*conditions).with_for_update(read=True).execution_options(populate_existing=True)
    found = session.scalars(shared).one_or_none()
    if found is None:
        raise NotFound()
    return found


def lock_grants(session: Session, *conditions: ColumnElement[bool]) -> list[Grant]:
    """Whoever is about to use one of them has done so, or will see what becomes of it."""
    return list(session.scalars(_locked(select(Grant).where(*conditions).order_by(Grant.id))))


def lock_identity_check(session: Session, check_id: UUID) -> IdentityCheck:
    """Taken after its dependent. Raises: NotFound."""
    return _one(session, IdentityCheck, check_id)
