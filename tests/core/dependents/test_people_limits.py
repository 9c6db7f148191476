"""1.1.3 to 1.1.8: how many dependents, how often a phone changes, and what operators alone are told."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from factories import make_account, make_dependent, make_person
from fakes import ManualClock
from people import CAUSE, agree, resident_id
from sqlalchemy.orm import Session

from core.booking.policy import BookingPolicy, InvalidPolicy
from core.dependents.add import NewDependent, add_dependent
from core.dependents.contact import Change, change_contact
from core.dependents.remove import remove_dependent
from core.dependents.signals import Crowded, crowded_persons
from core.refusals import ChangeLimit, DependentLimit
from core.transactions import Transactions
from models.account import Account, Purpose
from models.base import new_id
from models.person import Dependent, IdType, Person, Relationship
from models.policy import BookingPolicyRow, PolicyLevel
from models.sealing import Vault
from models.states import Actor, Cause, CauseKind

HALF_YEAR = timedelta(days=183)


def platform(transactions: Transactions, **document: Any) -> None:
    def write(session: Session, now: datetime) -> None:
        session.add(
            BookingPolicyRow(
                id=new_id(), level=PolicyLevel.PLATFORM, subject="", version=1, document=document, updated_at=now
            )
        )

    transactions.write(write)


def add_others(transactions: Transactions, vault: Vault, count: int) -> None:
    def add(session: Session, now: datetime) -> None:
        account = make_account(session, now=now)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        for order in range(count):
            wanted = NewDependent(
                "测试庚", IdType.RESIDENT_ID, resident_id(order=901 + order), "13800000000", Relationship.OTHER
            )
            add_dependent(session, account_id=account.id, wanted=wanted, vault=vault, now=now)

    transactions.write(add)


@pytest.mark.parametrize("most", [1, 10])
def test_1_1_4_the_platform_sets_how_many_up_to_ten(transactions: Transactions, vault: Vault, most: int) -> None:
    platform(transactions, max_dependents=most)
    add_others(transactions, vault, most)
    with pytest.raises(DependentLimit) as refused:
        add_others(transactions, vault, most + 1)
    assert refused.value.facts == {"limit": most}


def test_1_1_4_more_than_ten_is_no_policy() -> None:
    with pytest.raises(InvalidPolicy):
        BookingPolicy(max_dependents=11)


@pytest.fixture
def dependent(transactions: Transactions, vault: Vault) -> Dependent:
    return transactions.write(lambda session, now: make_dependent(session, vault, make_account(session, now=now)))


def change_phone(transactions: Transactions, vault: Vault, dependent: Dependent, phone: str) -> Dependent:
    return transactions.write(
        lambda session, now: change_contact(
            session,
            account_id=dependent.account_id,
            dependent_id=dependent.id,
            change=Change({"phone": phone}),
            vault=vault,
            now=now,
            cause=CAUSE,
        )
    )


def test_1_1_5_a_phone_changes_once_in_half_a_year(
    transactions: Transactions, vault: Vault, clock: ManualClock, dependent: Dependent
) -> None:
    began = clock.now()
    change_phone(transactions, vault, dependent, "13900000001")
    change_phone(transactions, vault, dependent, "13900000001")  # the same is no change
    clock.advance(HALF_YEAR - timedelta(milliseconds=1))
    with pytest.raises(ChangeLimit) as refused:
        change_phone(transactions, vault, dependent, "13900000002")
    assert refused.value.retry_at == began + HALF_YEAR
    clock.advance(timedelta(milliseconds=1))
    assert change_phone(transactions, vault, dependent, "13900000002").phone_masked == "139****0002"


def test_1_1_5_the_platform_sets_how_often(transactions: Transactions, vault: Vault, dependent: Dependent) -> None:
    platform(transactions, phone_change_days=0)
    for phone in ("13900000001", "13900000002"):
        change_phone(transactions, vault, dependent, phone)


def test_1_1_5_removing_waits_for_no_half_year(transactions: Transactions, vault: Vault, dependent: Dependent) -> None:
    change_phone(transactions, vault, dependent, "13900000001")
    cause = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "test")
    transactions.write(
        lambda session, now: remove_dependent(
            session, account_id=dependent.account_id, dependent_id=dependent.id, now=now, cause=cause
        )
    )
    gone = transactions.read(lambda session, _now: session.get_one(Dependent, dependent.id))
    assert (gone.archived_at is not None, gone.phone_masked) == (True, "")


def as_self(transactions: Transactions, vault: Vault, account: Account, order: int) -> Dependent:
    wanted = NewDependent("测试庚", IdType.RESIDENT_ID, resident_id(order=order), "13800000000", Relationship.SELF)
    return transactions.write(
        lambda session, now: add_dependent(session, account_id=account.id, wanted=wanted, vault=vault, now=now)
    )


def remove(transactions: Transactions, dependent: Dependent) -> None:
    cause = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "test")
    whose = {"account_id": dependent.account_id, "dependent_id": dependent.id}
    transactions.write(lambda session, now: remove_dependent(session, **whose, now=now, cause=cause))


@pytest.fixture
def account(transactions: Transactions) -> Account:
    def make(session: Session, now: datetime) -> Account:
        account = make_account(session, now=now)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        return account

    return transactions.write(make)


def test_1_1_5_a_phones_half_year_outlives_removing(
    transactions: Transactions, vault: Vault, clock: ManualClock, account: Account
) -> None:
    first = as_self(transactions, vault, account, 901)
    change_phone(transactions, vault, first, "13900000001")
    changed = clock.now()
    clock.advance(timedelta(days=1))
    remove(transactions, first)
    again = as_self(transactions, vault, account, 901)
    with pytest.raises(ChangeLimit) as refused:
        change_phone(transactions, vault, again, "13900000002")
    assert refused.value.retry_at == changed + HALF_YEAR


def test_1_1_5_oneself_is_somebody_else_once_in_half_a_year(
    transactions: Transactions, vault: Vault, clock: ManualClock, account: Account
) -> None:
    for order in (901, 903):
        remove(transactions, as_self(transactions, vault, account, order))
        clock.advance(timedelta(days=1))
    with pytest.raises(ChangeLimit) as refused:
        as_self(transactions, vault, account, 905)
    at = refused.value.retry_at
    assert at == clock.now() - timedelta(days=2) + HALF_YEAR
    clock.set(at)
    assert as_self(transactions, vault, account, 905).relationship_ is Relationship.SELF


def test_1_1_8_more_than_three_accounts_in_thirty_days_are_a_sign(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    born = date(1990, 1, 1)

    def add(session: Session, now: datetime, accounts: int) -> None:
        known = session.query(Person).filter(Person.alias_of_id.is_(None)).first()
        identifier = make_person(session, vault, now=now)
        if known is not None:  # another document of the same human being
            session.get_one(Person, identifier.person_id).alias_of_id = known.id
        for _ in range(accounts):
            account: Account = make_account(session, now=now)
            make_dependent(session, vault, account, identifier=identifier, birth_date=born, now=now)

    def crowded() -> list[Crowded]:
        return transactions.read(lambda session, now: crowded_persons(session, now=now))

    transactions.write(lambda session, now: add(session, now, 2))
    clock.advance(timedelta(days=1))
    transactions.write(lambda session, now: add(session, now, 1))
    assert crowded() == []
    transactions.write(lambda session, now: add(session, now, 1))
    (found,) = crowded()
    assert (found.accounts, found.newest_at) == (4, clock.now())
    clock.advance(timedelta(days=29))
    assert crowded() == []


def test_a_41_what_is_added_and_removed_all_day_long_ends_with_twice_a_family(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    platform(transactions, max_dependents=1)
    account = transactions.write(lambda session, now: make_account(session, now=now))
    transactions.write(
        lambda session, now: agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
    )

    def come_and_go(order: int) -> None:
        number = resident_id(order=901 + order)
        wanted = NewDependent("测试庚", IdType.RESIDENT_ID, number, "13800000000", Relationship.OTHER)
        one = transactions.write(
            lambda session, now: add_dependent(session, account_id=account.id, wanted=wanted, vault=vault, now=now)
        )
        remove(transactions, one)

    began = clock.now()
    for order in range(4):
        come_and_go(order)
        clock.advance(timedelta(hours=1))
    with pytest.raises(ChangeLimit) as refused:
        come_and_go(4)
    assert refused.value.retry_at == began + timedelta(days=1)
    clock.advance(timedelta(hours=20))
    come_and_go(5)
    with pytest.raises(ChangeLimit):
        come_and_go(6)
