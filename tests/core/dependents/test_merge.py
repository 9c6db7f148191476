"""1.2.6: a newborn's number comes, and both records are one human being for every limit from then on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from factories import make_account, make_department, make_hospital, make_identity, make_schedule
from fakes import START
from harness import REQUEST, race
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import agree, resident_id
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.book import Wish, book_appointment
from core.booking.endings.cancel import cancel_appointment
from core.booking.strikes.ledger import WORK_OUT
from core.dependents.add import NewDependent, add_dependent
from core.dependents.give_document import GivenDocument, give_document
from core.invariants import check_invariants
from core.locks import root_of
from core.refusals import AlreadyBooked, DependentExists, PersonLimit
from core.transactions import Transactions
from models.account import Account, Purpose
from models.appointment import OPEN, Appointment, PayMode
from models.database import Database
from models.errors import DomainError
from models.job import Job
from models.person import Dependent, IdType, PersonIdentifier, Relationship, Sex
from models.schedule import Schedule
from models.sealing import Vault

BORN = date(2026, 11, 1)
NUMBERS = tuple(resident_id(birth=BORN, order=order) for order in (902, 904))
CERTIFICATES = ("A123456789", "B123456789")
ANYBODY = {"min_identity_level": 0, "max_open_holds_person": 9, "max_open_holds_account": 9}
DOCUMENTS = (
    *((IdType.RESIDENT_ID, number) for number in NUMBERS),
    *((IdType.BIRTH_CERTIFICATE, number) for number in CERTIFICATES),
)
NAMELESS = (IdType.GUARDIAN_BOUND, None)


class Nursery:
    """Two accounts that agreed to everything, and schedules of two departments on one day."""

    def __init__(self, session: Session, vault: Vault) -> None:
        self.session, self.vault = session, vault
        self.accounts = [make_account(session) for _ in range(2)]
        for account in self.accounts:
            make_identity(session, vault, account)
            agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY)
        self.guardians: dict[UUID, UUID] = {}
        departments = [make_department(session, make_hospital(session)) for _ in range(2)]
        self.schedules = [
            make_schedule(session, department, numbers=9, terms=ANYBODY)
            for department in (departments[0], departments[0], departments[1])
        ]

    def add(self, account: Account, document: tuple[IdType, str | None]) -> Dependent:
        dependent = add_dependent(
            self.session, account_id=account.id, wanted=child(*document), vault=self.vault, now=START
        )
        dependent.guardian_dependent_id = self._guardian(account)
        agree(self.session, account.id, Purpose.MINOR, dependent_id=dependent.id)
        return dependent

    def _guardian(self, account: Account) -> UUID:
        if account.id not in self.guardians:
            wanted = NewDependent("测试甲", IdType.RESIDENT_ID, resident_id(order=len(self.guardians) * 2 + 1),
                                  "13800000000", Relationship.SELF)  # fmt: skip
            added = add_dependent(self.session, account_id=account.id, wanted=wanted, vault=self.vault, now=START)
            self.guardians[account.id] = added.id
        return self.guardians[account.id]

    def give(self, dependent: Dependent, document: tuple[IdType, str]) -> Dependent:
        return give_document(
            self.session,
            account_id=dependent.account_id,
            dependent_id=dependent.id,
            given=GivenDocument(*document, name="测试乙"),
            vault=self.vault,
            now=START,
        )

    def book(self, dependent: Dependent, schedule: Schedule, pay: PayMode = PayMode.ON_SITE) -> Appointment:
        return book_appointment(
            self.session,
            account_id=dependent.account_id,
            wish=Wish(schedule.id, dependent.id, pay),
            now=START,
            cause=REQUEST,
            vault=self.vault,
        )


def child(id_type: IdType, id_number: str | None) -> NewDependent:
    name = "测试甲之女" if id_type is IdType.GUARDIAN_BOUND else "测试乙"
    return NewDependent(name, id_type, id_number, "13800000000", Relationship.DAUGHTER, BORN, Sex.FEMALE)


@pytest.fixture
def nursery(database: Database, vault: Vault) -> Iterator[Nursery]:
    with database.read() as session:
        yield Nursery(session, vault)
        assert check_invariants(session, now=START) == []


def test_1_2_6_both_identifiers_stay_and_lead_to_one_person(nursery: Nursery) -> None:
    newborn = nursery.add(nursery.accounts[0], NAMELESS)
    before = newborn.person_id
    nursery.give(newborn, DOCUMENTS[0])
    session = nursery.session
    assert newborn.person_id != before
    assert root_of(session, before) == newborn.person_id
    kinds = session.scalars(
        select(PersonIdentifier.id_type).where(PersonIdentifier.person_id.in_([before, newborn.person_id]))
    )
    assert sorted(kinds) == [IdType.GUARDIAN_BOUND, IdType.RESIDENT_ID]
    reworked = session.scalars(select(Job.payload).where(Job.kind == WORK_OUT)).all()
    assert reworked == [{"person_id": str(newborn.person_id)}]


def test_1_2_6_an_open_appointment_from_before_counts_for_the_number(nursery: Nursery) -> None:
    mother, father = nursery.accounts
    newborn, numbered = nursery.add(mother, NAMELESS), nursery.add(father, DOCUMENTS[0])
    nursery.book(newborn, nursery.schedules[0])
    nursery.give(newborn, DOCUMENTS[0])
    with pytest.raises(PersonLimit):
        nursery.book(numbered, nursery.schedules[0])
    with pytest.raises(PersonLimit):
        nursery.book(numbered, nursery.schedules[1])  # the same department and day
    with pytest.raises(AlreadyBooked):
        nursery.book(newborn, nursery.schedules[0])
    nursery.book(numbered, nursery.schedules[2])


def test_1_2_6_what_was_booked_twice_before_stays_and_counts(nursery: Nursery) -> None:
    mother, father = nursery.accounts
    newborn, numbered = nursery.add(mother, NAMELESS), nursery.add(father, DOCUMENTS[0])
    for dependent in (newborn, numbered):
        nursery.book(dependent, nursery.schedules[0], PayMode.ONLINE)
    nursery.give(newborn, DOCUMENTS[0])
    for dependent in (newborn, numbered):
        with pytest.raises(PersonLimit):  # two on one day already
            nursery.book(dependent, nursery.schedules[2])


def test_1_2_6_a_birth_certificate_gives_way_to_the_number_under_every_account(nursery: Nursery) -> None:
    mother, father = nursery.accounts
    hers, his = (nursery.add(account, DOCUMENTS[2]) for account in (mother, father))
    nursery.book(his, nursery.schedules[0])
    nursery.give(hers, DOCUMENTS[0])
    with pytest.raises(PersonLimit):
        nursery.book(hers, nursery.schedules[0])
    assert (his.id_type, root_of(nursery.session, his.person_id)) == (IdType.BIRTH_CERTIFICATE, hers.person_id)


def test_1_2_6_a_certificate_makes_no_two_numbers_one(nursery: Nursery) -> None:
    mother, father = nursery.accounts
    hers, his = (nursery.add(account, DOCUMENTS[2]) for account in (mother, father))
    nursery.give(hers, DOCUMENTS[0])
    nursery.give(his, DOCUMENTS[1])
    assert root_of(nursery.session, hers.person_id) != root_of(nursery.session, his.person_id)


def test_1_2_6_whom_the_account_has_already_is_not_added_by_a_number(nursery: Nursery) -> None:
    known = nursery.add(nursery.accounts[0], DOCUMENTS[0])
    newborn = nursery.add(nursery.accounts[0], NAMELESS)
    with pytest.raises(DependentExists) as refused:
        nursery.give(newborn, DOCUMENTS[0])
    assert refused.value.facts == {"dependent_id": str(known.id)}


# --- any order of adding, merging, booking and cancelling

FOR_LIFE = {IdType.RESIDENT_ID, IdType.BIRTH_CERTIFICATE}
Key = tuple[IdType, str]


@dataclass
class Model:
    """Who is who, and what stands open: the rules in a few lines."""

    humans: dict[Key, int] = field(default_factory=dict)
    document: dict[UUID, Key] = field(default_factory=dict)
    open: dict[UUID, tuple[Key, int]] = field(default_factory=dict)

    def note(self, dependent: Dependent, document: tuple[IdType, str | None]) -> None:
        key = (document[0], document[1] or str(dependent.id))
        self.humans.setdefault(key, len(self.humans))
        self.document[dependent.id] = key

    def merge(self, dependent: Dependent, document: Key) -> None:
        earlier = self.humans[self.document[dependent.id]]
        self.note(dependent, document)
        later = self.humans[document]
        kinds = [{kind for (kind, _), human in self.humans.items() if human == one} for one in (earlier, later)]
        if not kinds[0] & kinds[1] & FOR_LIFE:
            self.humans = {key: later if human == earlier else human for key, human in self.humans.items()}

    def may_book(self, dependent: Dependent, schedule: int) -> bool:
        """One in a department on a day, two in all; schedules 0 and 1 are of one department."""
        me = self.humans[self.document[dependent.id]]
        mine = [at for key, at in self.open.values() if self.humans[key] == me]
        return len(mine) < 2 and schedule // 2 not in [at // 2 for at in mine]


acts = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 1), st.sampled_from((*DOCUMENTS, NAMELESS, NAMELESS))),
    st.tuples(st.just("give"), st.integers(0, 9), st.sampled_from(DOCUMENTS)),
    st.tuples(st.just("book"), st.integers(0, 9), st.integers(0, 2)),
    st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
)


class Run:
    """The same acts in the house and in the model; both must agree on every booking."""

    def __init__(self, nursery: Nursery) -> None:
        self.nursery, self.model, self.dependents = nursery, Model(), list[Dependent]()
        self.bookings: list[Appointment] = []
        self.seen: set[str] = set()

    def do(self, act: str, which: int, what: Any) -> None:
        if act == "add":
            with suppress(DomainError), self.nursery.session.begin_nested():
                added = self.nursery.add(self.nursery.accounts[which], what)
                self.dependents.append(added)
                self.model.note(added, what)
        elif act == "cancel" and self.bookings:
            self._cancel(self.bookings.pop(which % len(self.bookings)))
        elif self.dependents and act in ("give", "book"):
            getattr(self, f"_{act}")(self.dependents[which % len(self.dependents)], what)

    def _give(self, dependent: Dependent, document: Key) -> None:
        if dependent.id_type is document[0] or dependent.id_type is IdType.RESIDENT_ID:
            return
        with suppress(DomainError), self.nursery.session.begin_nested():
            self.nursery.give(dependent, document)
            self.model.merge(dependent, document)
            self.seen.add("merged")

    def _book(self, dependent: Dependent, schedule: int) -> None:
        allowed = self.model.may_book(dependent, schedule)
        made = self._booked(dependent, schedule)
        assert (made is not None) is allowed
        self.seen.add("booked" if made else "refused")
        if made is not None:
            self.model.open[made.id] = (self.model.document[dependent.id], schedule)
            self.bookings.append(made)

    def _booked(self, dependent: Dependent, schedule: int) -> Appointment | None:
        try:
            with self.nursery.session.begin_nested():
                return self.nursery.book(dependent, self.nursery.schedules[schedule])
        except (AlreadyBooked, PersonLimit):
            return None

    def _cancel(self, appointment: Appointment) -> None:
        cancel_appointment(
            self.nursery.session,
            appointment_id=appointment.id,
            account_id=appointment.account_id,
            now=START,
            cause=REQUEST,
        )
        del self.model.open[appointment.id]


@pytest.mark.parametrize(
    ("database", "examples"), [("sqlite", 80), ("postgres", 25)], indirect=["database"], ids=["sqlite", "postgres"]
)
def test_1_2_6_in_any_order_two_documents_of_one_human_count_as_one(
    database: Database, vault: Vault, examples: int
) -> None:
    seen: set[str] = set()

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(acts, min_size=6, max_size=25))
    def check(said: list[tuple[str, int, Any]]) -> None:
        with database.read() as session:  # so that it is all rolled back
            run = Run(Nursery(session, vault))
            for act in said:
                run.do(*act)
            assert check_invariants(session, now=START) == []
            seen.update(run.seen)

    check()
    assert seen == {"merged", "booked", "refused"}


# --- at once


@pytest.mark.parametrize("nth", range(4))
def test_1_2_6_merging_while_both_are_booked_for(transactions: Transactions, vault: Vault, nth: int) -> None:
    """Whoever comes first: a booking made after the merge has seen the other one's."""

    def make(session: Session, _now: datetime) -> tuple[Nursery, Dependent, Dependent]:
        made = Nursery(session, vault)
        return made, made.add(made.accounts[0], NAMELESS), made.add(made.accounts[1], DOCUMENTS[0])

    nursery, newborn, numbered = transactions.write(make)

    def book(dependent: Dependent, schedule: int) -> Any:
        wish = Wish(nursery.schedules[schedule].id, dependent.id, PayMode.ON_SITE)
        return transactions.write(
            lambda session, now: book_appointment(
                session, account_id=dependent.account_id, wish=wish, now=now, cause=REQUEST, vault=vault
            )
        )

    def give() -> Any:
        given = GivenDocument(*DOCUMENTS[0], name="测试乙")
        return transactions.write(
            lambda session, now: give_document(
                session, account_id=newborn.account_id, dependent_id=newborn.id, given=given, vault=vault, now=now
            )
        )

    calls = [give, lambda: book(newborn, 0), lambda: book(numbered, 0), lambda: book(numbered, 1)]
    results = race(*calls[nth:], *calls[:nth])
    assert all(not isinstance(one, Exception) or isinstance(one, DomainError) for one in results), results
    for dependent, schedule in ((newborn, 0), (numbered, 0), (newborn, 1), (numbered, 1)):
        with pytest.raises((AlreadyBooked, PersonLimit)):
            book(dependent, schedule)
    with transactions.database.read() as session:
        assert check_invariants(session, now=START) == []
        query = select(Appointment.person_id, func.count()).where(Appointment.status.in_(OPEN))
        assert max(count for _, count in session.execute(query.group_by(Appointment.person_id))) == 1
