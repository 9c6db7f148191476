"""Adding dependents: limits, doubles, races, and what another account can learn (nothing)."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from threading import Event, current_thread, main_thread
from typing import Any
from uuid import UUID

import pytest
from factories import make_account
from fakes import START, ManualClock
from people import agree, resident_id, rotated
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from core.booking.policy import PLATFORM_DEFAULTS
from core.dependents.add import NewDependent, add_dependent
from core.refusals import ConsentRequired, DependentExists, DependentLimit
from core.transactions import Transactions
from models.account import Purpose
from models.database import Database
from models.errors import ValidationFailed
from models.person import Dependent, IdentityStatus, IdType, Person, PersonIdentifier, Relationship, Sex
from models.sealing import Vault

pytestmark = pytest.mark.both_suites

MOTHER = NewDependent(
    name="测试乙",
    id_type=IdType.RESIDENT_ID,
    id_number="320106198812259988",
    phone="138 0000 0000",
    relationship=Relationship.PARENT,
)

DEPENDENTS_MAX = PLATFORM_DEFAULTS.max_dependents or 0


@pytest.fixture
def account_id(transactions: Transactions) -> UUID:
    return new_account(transactions)


def new_account(transactions: Transactions, *purposes: Purpose) -> UUID:
    def make(session: Session, now: datetime) -> UUID:
        account = make_account(session, now=now)
        agree(session, account.id, *(purposes or (Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY)), now=now)
        return account.id

    return transactions.write(make)


def add(transactions: Transactions, vault: Vault, account_id: UUID, wanted: NewDependent = MOTHER) -> Dependent:
    return transactions.write(
        lambda session, now: add_dependent(session, account_id=account_id, wanted=wanted, vault=vault, now=now)
    )


def nth(order: int, **more: Any) -> NewDependent:
    return replace(MOTHER, id_number=resident_id(order=order), relationship=Relationship.OTHER, **more)


def test_a_dependent_is_stored_unverified_and_masked(
    transactions: Transactions, vault: Vault, account_id: UUID
) -> None:
    wanted = replace(MOTHER, address=" 测试路1号 ", region_code="320106")
    dependent = add(transactions, vault, account_id, wanted)
    assert (dependent.name_masked, dependent.phone_masked) == ("测**", "138****0000")
    assert (dependent.sex, dependent.birth_date) == (Sex.FEMALE, date(1988, 12, 25))
    assert (dependent.identity_status, dependent.identity_level) == (IdentityStatus.UNVERIFIED, 0)
    assert dependent.name(vault) == "测试乙"
    assert dependent.region_code == "320106"
    assert vault.open_text("dependents.address", dependent.id, dependent.address_sealed or b"") == "测试路1号"
    assert (dependent.country, dependent.id_expires_on, dependent.id_number_sealed) == (None, None, None)


def test_the_number_is_found_again_by_its_person(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    dependent = add(transactions, vault, account_id)
    identifier = transactions.read(lambda session, _: session.get_one(PersonIdentifier, dependent.identifier_id))
    assert identifier.person_id == dependent.person_id
    assert identifier.number(vault) == "320106198812259988"


def test_the_first_dependent_becomes_the_default(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    assert add(transactions, vault, account_id).is_default
    assert not add(transactions, vault, account_id, nth(995)).is_default


def test_every_fault_of_the_payload_is_told_at_once(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    wanted = replace(
        MOTHER,
        name="测试1",
        id_number="320106198812259987",
        phone="12345678901",
        region_code="999999",
        address="\u202e",
    )
    with pytest.raises(ValidationFailed) as refused:
        add(transactions, vault, account_id, wanted)
    assert {(error.pointer, error.code) for error in refused.value.errors} == {
        ("#/name", "bad_charset"),
        ("#/id_number", "bad_checksum"),
        ("#/phone", "unassigned"),
        ("#/region_code", "unknown_region"),
        ("#/address", "control_characters"),
    }


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"birth_date": date(1988, 12, 26)}, ("#/birth_date", "contradicts_id_number")),
        ({"sex": Sex.MALE}, ("#/sex", "contradicts_id_number")),
        ({"id_number": None}, ("#/id_number", "missing")),
        ({"id_number": " "}, ("#/id_number", "empty")),
        (
            {"id_type": IdType.GUARDIAN_BOUND, "birth_date": START.date(), "sex": Sex.MALE},
            ("#/id_number", "not_allowed"),
        ),
    ],
)
def test_what_contradicts_the_document_is_refused(
    transactions: Transactions, vault: Vault, account_id: UUID, given: dict[str, Any], fault: tuple[str, str]
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        add(transactions, vault, account_id, replace(MOTHER, **given))
    assert [(error.pointer, error.code) for error in refused.value.errors] == [fault]


def test_what_agrees_with_the_document_may_be_said_too(
    transactions: Transactions, vault: Vault, account_id: UUID
) -> None:
    assert add(transactions, vault, account_id, replace(MOTHER, birth_date=date(1988, 12, 25), sex=Sex.FEMALE))


@pytest.mark.parametrize("missing", [Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY])
def test_both_consents_come_first(transactions: Transactions, vault: Vault, missing: Purpose) -> None:
    (given,) = {Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY} - {missing}
    with pytest.raises(ConsentRequired) as refused:
        add(transactions, vault, new_account(transactions, given))
    assert refused.value.facts["purpose"] == missing


@pytest.mark.parametrize("relationship", list(Relationship))
def test_every_relationship_may_be_added(
    transactions: Transactions, vault: Vault, account_id: UUID, relationship: Relationship
) -> None:
    assert (
        add(transactions, vault, account_id, replace(MOTHER, relationship=relationship)).relationship_ is relationship
    )


def test_a_child_is_stored_too(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    child = add(transactions, vault, account_id, replace(MOTHER, id_number=resident_id(birth=date(2020, 5, 1))))
    assert child.age(on=date(2026, 11, 22)) == 6


def test_one_self_and_five_others(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    for order in range(DEPENDENTS_MAX):
        add(transactions, vault, account_id, nth(901 + order))
    with pytest.raises(DependentLimit):
        add(transactions, vault, account_id, nth(950))
    add(transactions, vault, account_id, replace(MOTHER, relationship=Relationship.SELF))
    with pytest.raises(DependentLimit):
        add(transactions, vault, account_id, nth(950))


def test_the_same_person_twice_is_refused_whatever_is_typed(
    transactions: Transactions, vault: Vault, account_id: UUID
) -> None:
    first = add(transactions, vault, account_id)
    again = replace(MOTHER, name="测试丁", phone="13900000000", relationship=Relationship.OTHER)
    with pytest.raises(DependentExists) as refused:
        add(transactions, vault, account_id, again)
    assert refused.value.facts == {"dependent_id": str(first.id)}


def test_oneself_exists_once(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    add(transactions, vault, account_id, replace(MOTHER, relationship=Relationship.SELF))
    with pytest.raises(DependentExists):
        add(transactions, vault, account_id, replace(nth(995), relationship=Relationship.SELF))


def test_a_refusal_leaves_nothing(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    for order in range(DEPENDENTS_MAX):
        add(transactions, vault, account_id, nth(901 + order))
    with pytest.raises(DependentLimit):
        add(transactions, vault, account_id, nth(950))
    assert count(transactions, Person) == count(transactions, PersonIdentifier) == DEPENDENTS_MAX


def test_two_accounts_share_the_person_and_nothing_else(transactions: Transactions, vault: Vault) -> None:
    first = add(transactions, vault, new_account(transactions))
    second = add(transactions, vault, new_account(transactions), replace(MOTHER, name="测试某人", phone="13900000000"))
    assert first.person_id == second.person_id
    assert (first.name(vault), second.name(vault)) == ("测试乙", "测试某人")
    assert count(transactions, Person) == count(transactions, PersonIdentifier) == 1


def test_a_known_person_costs_the_same_work_as_a_new_one(
    database: Database, transactions: Transactions, vault: Vault
) -> None:
    """A-39, N-4: what another account typed shows neither in the answer nor in the work behind it."""
    one, two = new_account(transactions), new_account(transactions)
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    new = add(transactions, vault, one)
    work_for_new = list(statements)
    statements.clear()
    known = add(transactions, vault, two)
    assert statements == work_for_new
    assert new.person_id == known.person_id
    assert shown(new) == shown(known)


def shown(dependent: Dependent) -> tuple[Any, ...]:
    return (
        dependent.name_masked,
        dependent.is_default,
        dependent.identity_status,
        dependent.identity_level,
        dependent.identity_checked_at,
    )


def count(transactions: Transactions, table: type[Person] | type[PersonIdentifier] | type[Dependent]) -> int:
    return transactions.read(lambda session, _: session.scalar(select(func.count()).select_from(table)) or 0)


def test_two_selfs_at_once_leave_one(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    wanted = [replace(nth(order), relationship=Relationship.SELF) for order in (901, 903, 905, 907)]
    assert outcomes(transactions, vault, [(account_id, one) for one in wanted]) == {"added": 1, "dependent_exists": 3}


def test_the_last_place_is_given_once(transactions: Transactions, vault: Vault, account_id: UUID) -> None:
    for order in range(DEPENDENTS_MAX - 1):
        add(transactions, vault, account_id, nth(901 + order))
    wanted = [(account_id, nth(order)) for order in (951, 953, 955, 957)]
    assert outcomes(transactions, vault, wanted) == {"added": 1, "dependent_limit": 3}


def test_many_accounts_naming_one_person_at_once_make_one_person(transactions: Transactions, vault: Vault) -> None:
    accounts = [new_account(transactions) for _ in range(8)]
    assert outcomes(transactions, vault, [(one, MOTHER) for one in accounts]) == {"added": 8}
    assert count(transactions, Person) == count(transactions, PersonIdentifier) == 1
    assert count(transactions, Dependent) == 8


def test_whoever_comes_second_leaves_no_person_alone(
    database: Database, transactions: Transactions, vault: Vault
) -> None:
    """The second transaction makes its row of a person before it meets the first one's document."""
    one, two = new_account(transactions), new_account(transactions)
    second_is_at_it = Event()

    def note(*said: Any) -> None:
        if said[2].startswith("INSERT INTO person_identifiers") and current_thread() is not main_thread():
            second_is_at_it.set()

    def first(session: Session, now: datetime) -> Future[Dependent]:
        add_dependent(session, account_id=one, wanted=MOTHER, vault=vault, now=now)
        second = pool.submit(add, transactions, vault, two)
        # SQLite lets the second one begin only when the first is done.
        assert database.is_sqlite or second_is_at_it.wait(20)
        return second

    event.listen(database.engine, "before_cursor_execute", note)
    with ThreadPoolExecutor(1) as pool:
        transactions.write(first).result(20)
    assert count(transactions, Dependent) == 2
    assert count(transactions, Person) == count(transactions, PersonIdentifier) == 1


def outcomes(transactions: Transactions, vault: Vault, wanted: list[tuple[UUID, NewDependent]]) -> dict[str, int]:
    def attempt(one: tuple[UUID, NewDependent]) -> str:
        try:
            add(transactions, vault, *one)
        except (DependentExists, DependentLimit) as refused:
            return refused.code
        return "added"

    with ThreadPoolExecutor(len(wanted)) as pool:
        ended = list(pool.map(attempt, wanted))
    return {word: ended.count(word) for word in set(ended)}


def test_a_person_hashed_under_an_older_key_is_found_and_not_made_again(
    transactions: Transactions, vault: Vault, account_id: UUID
) -> None:
    add(transactions, vault, account_id)
    add(transactions, rotated(vault), new_account(transactions))
    assert count(transactions, Person) == 1


def test_the_day_of_birth_is_judged_by_the_hospitals_day(vault: Vault, database: Database) -> None:
    """Born today at the hospital while UTC still has yesterday."""
    clock = ManualClock(datetime(2026, 11, 21, 17, 0, tzinfo=UTC))
    transactions = Transactions(database, clock)
    account_id = new_account(transactions)
    newborn = replace(MOTHER, id_number=resident_id(birth=START.date()))
    assert add(transactions, vault, account_id, newborn).birth_date == date(2026, 11, 22)
