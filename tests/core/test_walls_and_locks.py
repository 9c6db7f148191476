"""The last walls and the refusals they stand for; locks that look again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_account, make_dependent, make_person
from fakes import ManualClock
from harness import Patient, beside
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.constraints import _WALLS
from core.locks import lock_account, lock_person
from core.refusals import DependentExists, PersonLimit
from core.transactions import Transactions
from models.account import Account
from models.appointment import Appointment, PayMode
from models.base import new_id
from models.errors import DomainError
from models.person import Dependent, Person, Relationship


def two_accounts(transactions: Transactions) -> list[UUID]:
    return transactions.write(lambda session, now: sorted(make_account(session, now=now).id for _ in range(2)))


def close(session: Session, account_id: UUID, now: datetime) -> None:
    session.execute(update(Account).where(Account.id == account_id).values(closed_at=now))


# --- the last walls


def reached_twice(patient: Patient, **second: Any) -> None:
    """The person's second open appointment, written past every rule."""
    first = patient.appointment(patient.book(PayMode.ON_SITE))
    columns = {column.name: getattr(first, column.name) for column in Appointment.__table__.columns}
    columns |= {"id": new_id(), "number": "other", "slot_id": patient.slots()[1].id, **second}
    patient.write(lambda session, _now: session.add(Appointment(**columns)))


def same_schedule(patient: Patient) -> None:
    reached_twice(patient, one_per_department_day=False)


def other_schedule(patient: Patient) -> None:
    reached_twice(patient, schedule_id=beside(patient))


def same_dependent_again(patient: Patient) -> None:
    def step(session: Session, _now: datetime) -> None:
        account = session.get_one(Account, patient.account_id)
        standing = session.get_one(Dependent, patient.dependent_id)
        again = make_dependent(session, patient.workbench.vault, account)
        again.person_id = standing.person_id

    patient.write(step)


def a_second_self(patient: Patient) -> None:
    def step(session: Session, _now: datetime) -> None:
        account = session.get_one(Account, patient.account_id)
        for _ in range(2):
            make_dependent(session, patient.workbench.vault, account, relationship=Relationship.SELF)

    patient.write(step)


WALLS = {
    "uq_appointments_person_schedule": (same_schedule, PersonLimit),
    "uq_appointments_person_department_day": (other_schedule, PersonLimit),
    "uq_dependents_live_person": (same_dependent_again, DependentExists),
    "uq_dependents_live_self": (a_second_self, DependentExists),
}


@pytest.mark.parametrize("wall", list(WALLS))
def test_a_wall_that_was_reached_is_its_own_refusal(patient: Patient, wall: str) -> None:
    reach, refusal = WALLS[wall]
    with pytest.raises(DomainError) as refused:
        reach(patient)
    assert type(refused.value) is refusal
    cause = refused.value.__cause__
    assert isinstance(cause, IntegrityError)


def test_every_wall_is_tried() -> None:
    assert {wall.constraint for wall in _WALLS} == set(WALLS)


def test_another_constraint_is_a_mistake_of_ours(transactions: Transactions) -> None:
    first, _ = two_accounts(transactions)
    with pytest.raises(IntegrityError):
        transactions.write(lambda session, now: session.add(Account(id=first, created_at=now)))


# --- locks


def test_a_lock_looks_again_at_what_was_read_before(transactions: Transactions) -> None:
    """The row is changed by somebody else between the look and the lock."""
    first, _ = two_accounts(transactions)

    def step(session: Session, now: datetime) -> tuple[datetime | None, datetime | None]:
        known = session.get_one(Account, first)  # kept, so that the session remembers it
        seen = known.closed_at
        if not transactions.database.is_sqlite:
            transactions.write(lambda other, at: close(other, first, at))
        else:  # nobody else writes meanwhile: the row is changed past this session's memory
            session.connection().execute(update(Account).where(Account.id == first).values(closed_at=now))
        return seen, lock_account(session, first).closed_at

    seen, locked = transactions.write(step)
    assert (seen, locked) == (None, transactions.clock.now())


def test_a_person_is_one_lock_whatever_document_was_used(patient: Patient) -> None:
    def step(session: Session, _now: datetime) -> None:
        one, two = (make_person(session, patient.workbench.vault).person_id for _ in range(2))
        root = session.get_one(Dependent, patient.dependent_id).person_id
        session.get_one(Person, one).alias_of_id = two
        session.get_one(Person, two).alias_of_id = root
        session.flush()
        assert lock_person(session, one).id == lock_person(session, two).id == lock_person(session, root).id == root

    patient.write(step)


def test_now_is_the_clocks(transactions: Transactions, clock: ManualClock) -> None:
    clock.advance(timedelta(hours=1))
    assert transactions.write(lambda _session, now: now) == transactions.read(lambda _session, now: now) == clock.now()
