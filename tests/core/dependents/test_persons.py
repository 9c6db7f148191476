"""One human being is one person, whichever of their documents is typed, and whoever typed it before (rules.md 1.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

import pytest
from factories import make_account
from people import agree, resident_id, rotated
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from core.dependents.add import NewDependent, add_dependent
from core.refusals import DependentExists
from core.transactions import Transactions
from models.account import Purpose
from models.base import new_id
from models.database import Database
from models.person import Dependent, IdType, Person, PersonIdentifier, Relationship, Sex
from models.sealing import Vault

CHILD = resident_id(birth=date(2016, 5, 1), order=902)
WANTED = NewDependent(
    name="测试乙",
    id_type=IdType.HK_MACAO_PERMIT,
    id_number="H12345678",
    phone="13800000000",
    relationship=Relationship.OTHER,
    birth_date=date(2016, 5, 1),
    sex=Sex.FEMALE,
)


def wanted(id_type: IdType, id_number: str | None, country: str | None = None) -> NewDependent:
    return replace(
        WANTED, id_type=id_type, id_number=id_number, country=country, id_expires_on=country and date(2031, 1, 1)
    )


NEWBORN = replace(wanted(IdType.GUARDIAN_BOUND, None), birth_date=date(2026, 5, 1))
HK, TW, PASSPORT = IdType.HK_MACAO_PERMIT, IdType.TAIWAN_PERMIT, IdType.PASSPORT
ONE_PERSON = [
    pytest.param(wanted(HK, "H1234567801"), wanted(HK, "H1234567802"), id="permit issued again"),
    pytest.param(wanted(HK, "H1234567801"), wanted(HK, "H12345678"), id="permit of the form of 1999 and its card"),
    pytest.param(wanted(HK, "ha1234567"), wanted(HK, "HA 1234567"), id="permit typed in two ways"),
    pytest.param(wanted(TW, "1234567801(B)"), wanted(TW, "12345678"), id="paper and card from Taiwan"),
    pytest.param(wanted(TW, "1234567809(B)"), wanted(TW, "1234567810(A)"), id="paper issued again"),
    pytest.param(
        wanted(IdType.HOUSEHOLD_REGISTER, CHILD), wanted(IdType.RESIDENT_ID, CHILD), id="household register and ID"
    ),
    pytest.param(wanted(PASSPORT, "AB1234567", "US"), wanted(PASSPORT, "ab-1234567", "USA"), id="passport"),
]
TWO_PERSONS = [
    pytest.param(wanted(HK, "H12345678"), wanted(HK, "M12345678"), id="Hong Kong and Macao"),
    pytest.param(wanted(HK, "H1234567801"), wanted(HK, "H1234567901"), id="permits of neighbours"),
    pytest.param(wanted(TW, "12345678"), wanted(TW, "12345679"), id="cards of neighbours"),
    pytest.param(wanted(PASSPORT, "AB1234567", "USA"), wanted(PASSPORT, "AB1234567", "FRA"), id="two countries"),
    pytest.param(wanted(PASSPORT, "P330123456", "USA"), wanted(IdType.BIRTH_CERTIFICATE, "P330123456"), id="two kinds"),
    pytest.param(wanted(TW, "12345678"), wanted(PASSPORT, "12345678", "USA"), id="a permit and a passport"),
    pytest.param(NEWBORN, replace(NEWBORN, name="测试丙"), id="twins without numbers"),
]


@pytest.fixture
def accounts(transactions: Transactions) -> list[UUID]:
    def make(session: Session, now: datetime) -> list[UUID]:
        made = [make_account(session, now=now) for _ in range(2)]
        for account in made:
            agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        return [account.id for account in made]

    return transactions.write(make)


def add(transactions: Transactions, vault: Vault, account_id: UUID, new: NewDependent) -> Dependent:
    return transactions.write(
        lambda session, now: add_dependent(session, account_id=account_id, wanted=new, vault=vault, now=now)
    )


def count(transactions: Transactions, table: type[Person] | type[PersonIdentifier]) -> int:
    return transactions.read(lambda session, _: session.scalar(select(func.count()).select_from(table)) or 0)


def number_of(transactions: Transactions, vault: Vault, dependent: Dependent) -> str:
    return transactions.read(
        lambda session, _: dependent.number(vault, session.get_one(PersonIdentifier, dependent.identifier_id))
    )


@pytest.mark.parametrize(("first", "second"), ONE_PERSON)
def test_1_1_8_one_person_over_documents_and_accounts(
    transactions: Transactions, vault: Vault, accounts: list[UUID], first: NewDependent, second: NewDependent
) -> None:
    one, two = (add(transactions, vault, *given) for given in zip(accounts, (first, second), strict=True))
    assert one.person_id == two.person_id
    assert count(transactions, Person) == count(transactions, PersonIdentifier) == 1


@pytest.mark.parametrize(("first", "second"), ONE_PERSON)
def test_1_1_8_the_same_account_is_told_that_it_has_them(
    transactions: Transactions, vault: Vault, accounts: list[UUID], first: NewDependent, second: NewDependent
) -> None:
    known = add(transactions, vault, accounts[0], first)
    with pytest.raises(DependentExists) as refused:
        add(transactions, vault, accounts[0], second)
    assert refused.value.facts == {"dependent_id": str(known.id)}


@pytest.mark.parametrize(("first", "second"), TWO_PERSONS)
def test_1_1_8_two_persons_stay_two(
    transactions: Transactions, vault: Vault, accounts: list[UUID], first: NewDependent, second: NewDependent
) -> None:
    assert (
        add(transactions, vault, accounts[0], first).person_id
        != add(transactions, vault, accounts[0], second).person_id
    )
    assert count(transactions, Person) == count(transactions, PersonIdentifier) == 2


@pytest.mark.parametrize(("first", "second"), [*ONE_PERSON, *TWO_PERSONS])
def test_1_1_8_each_account_keeps_the_number_that_it_typed(
    transactions: Transactions, vault: Vault, accounts: list[UUID], first: NewDependent, second: NewDependent
) -> None:
    """What another account typed shows nowhere, not even in the digits that count the issues."""
    one, two = (add(transactions, vault, *given) for given in zip(accounts, (first, second), strict=True))
    for typed, dependent in ((first, one), (second, two)):
        printed = (typed.id_number or "").upper().replace(" ", "").replace("-", "")
        assert number_of(transactions, vault, dependent) == printed
        assert (dependent.id_type, dependent.country) == (typed.id_type, typed.country and dependent.country)


@pytest.mark.parametrize("pair", [pytest.param(case.values, id=case.id) for case in (*ONE_PERSON, *TWO_PERSONS)])
def test_1_1_8_a_known_person_costs_the_same_work_as_a_new_one(
    database: Database, transactions: Transactions, vault: Vault, accounts: list[UUID], pair: list[NewDependent]
) -> None:
    """N-4: for every kind the same statements run."""
    statements: list[list[str]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *said: statements[-1].append(said[2]))
    for account_id, given in zip(accounts, pair, strict=True):
        statements.append([])
        add(transactions, vault, account_id, given)
    assert statements[0] == statements[1]


@pytest.mark.parametrize(("first", "second"), ONE_PERSON)
def test_1_1_8_a_person_hashed_under_an_older_key_is_found(
    transactions: Transactions, vault: Vault, accounts: list[UUID], first: NewDependent, second: NewDependent
) -> None:
    add(transactions, vault, accounts[0], first)
    add(transactions, rotated(vault), accounts[1], second)
    assert count(transactions, Person) == 1


def test_an_identifier_can_be_hashed_anew_from_what_it_holds(
    transactions: Transactions, vault: Vault, accounts: list[UUID]
) -> None:
    """What is sealed is what was hashed: a change of keys needs nothing else, not even a passport's country."""
    add(transactions, vault, accounts[0], wanted(PASSPORT, "AB1234567", "USA"))
    identifier = transactions.read(lambda session, _: session.scalars(select(PersonIdentifier)).one())
    again = PersonIdentifier(id=new_id(), id_type=identifier.id_type)
    again.seal_number(vault, identifier.number(vault))
    assert again.number_hash == identifier.number_hash
