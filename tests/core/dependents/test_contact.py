"""What an account may change of a dependent, and what it is shown of one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_account, make_dependent
from fakes import START, ManualClock
from people import CAUSE, FakeVerifier, agree
from sqlalchemy.orm import Session

from core.dependents.agreements import Ages
from core.dependents.contact import Change, change_contact
from core.dependents.minors import GROWN_UP, guarded_by, needs_minor_consent
from core.dependents.views import list_dependents, own_dependent_view
from core.identity.methods import Ways
from core.transactions import Transactions
from models.account import Purpose
from models.errors import NotFound, ValidationFailed
from models.identity_check import IdentityMethod
from models.person import Dependent
from models.sealing import Vault


@pytest.fixture
def dependent(transactions: Transactions, vault: Vault) -> Dependent:
    return new_dependent(transactions, vault)


def new_dependent(transactions: Transactions, vault: Vault, **more: Any) -> Dependent:
    def make(session: Session, now: datetime) -> Dependent:
        account = make_account(session, now=now)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        return make_dependent(session, vault, account, **more)

    return transactions.write(make)


def change(
    transactions: Transactions, vault: Vault, dependent: Dependent, *, account_id: UUID | None = None, **contact: Any
) -> Dependent:
    return transactions.write(
        lambda session, now: change_contact(
            session,
            account_id=account_id or dependent.account_id,
            dependent_id=dependent.id,
            change=Change(contact),
            vault=vault,
            now=now,
            cause=CAUSE,
        )
    )


def test_contact_may_change(transactions: Transactions, vault: Vault, dependent: Dependent) -> None:
    changed = change(transactions, vault, dependent, phone="+852 6123 4567", address="测试路2号", region_code="330102")
    assert (changed.phone_masked, changed.region_code) == ("+852****4567", "330102")
    assert vault.open_text("dependents.phone", changed.id, changed.phone_sealed) == "+85261234567"
    assert changed.phone_hash == vault.keyed_hash("phone", "+85261234567").digest
    assert vault.open_text("dependents.address", changed.id, changed.address_sealed or b"") == "测试路2号"


def test_only_what_is_named_changes(transactions: Transactions, vault: Vault, dependent: Dependent) -> None:
    change(transactions, vault, dependent, address="测试路2号", region_code="330102")
    changed = change(transactions, vault, dependent, phone="13900000000")
    assert changed.region_code == "330102"
    assert changed.address_sealed is not None


def test_address_and_region_may_be_taken_away(transactions: Transactions, vault: Vault, dependent: Dependent) -> None:
    change(transactions, vault, dependent, address="测试路2号", region_code="330102")
    changed = change(transactions, vault, dependent, address=None, region_code=None)
    assert (changed.address_sealed, changed.region_code) == (None, None)


def test_a_bad_contact_changes_nothing(transactions: Transactions, vault: Vault, dependent: Dependent) -> None:
    with pytest.raises(ValidationFailed) as refused:
        change(transactions, vault, dependent, phone="13900000000", region_code="999999")
    assert [error.pointer for error in refused.value.errors] == ["#/region_code"]
    stored = transactions.read(lambda session, _: session.get_one(Dependent, dependent.id))
    assert stored.phone_masked == dependent.phone_masked


def test_another_accounts_dependent_is_not_found(
    transactions: Transactions, vault: Vault, dependent: Dependent
) -> None:
    stranger = transactions.write(lambda session, now: make_account(session, now=now))
    with pytest.raises(NotFound):
        change(transactions, vault, dependent, account_id=stranger.id, phone="13900000000")
    with pytest.raises(NotFound):
        transactions.read(
            lambda session, now: own_dependent_view(
                session, account_id=stranger.id, dependent_id=dependent.id, ways=Ways(), vault=vault, now=now
            )
        )


def test_an_archived_dependent_is_not_found(transactions: Transactions, vault: Vault, dependent: Dependent) -> None:
    def archive(session: Any, now: Any) -> None:
        session.get_one(Dependent, dependent.id).archived_at = now

    transactions.write(archive)
    with pytest.raises(NotFound):
        change(transactions, vault, dependent, phone="13900000000")


@pytest.mark.parametrize(
    ("birth_date", "methods"),
    [
        (date(2012, 11, 22), [IdentityMethod.WECHAT_FACE, IdentityMethod.ON_SITE]),
        (date(2012, 11, 23), [IdentityMethod.ON_SITE]),
    ],
)
def test_no_face_below_fourteen(
    transactions: Transactions, vault: Vault, birth_date: date, methods: list[IdentityMethod]
) -> None:
    young = new_dependent(transactions, vault, birth_date=birth_date)
    view = transactions.read(
        lambda session, now: own_dependent_view(
            session,
            account_id=young.account_id,
            dependent_id=young.id,
            ways=Ways(faces=[FakeVerifier()]),
            vault=vault,
            now=now,
        )
    )
    assert view.identity.methods == methods


def test_the_desk_is_open_where_no_platform_verifies(
    transactions: Transactions, vault: Vault, dependent: Dependent
) -> None:
    view = transactions.read(
        lambda session, now: own_dependent_view(
            session, account_id=dependent.account_id, dependent_id=dependent.id, ways=Ways(), vault=vault, now=now
        )
    )
    assert view.identity.methods == [IdentityMethod.ON_SITE]


def test_ages_turn_on_the_birthday_at_the_hospital(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    """16:00 in UTC is midnight at the hospital."""
    nearly = new_dependent(transactions, vault, birth_date=date(2008, 11, 23))
    ages = []
    for instant in (START.replace(hour=15, minute=59), START.replace(hour=16, minute=0)):
        clock.set(instant)
        view = transactions.read(
            lambda session, now: own_dependent_view(
                session, account_id=nearly.account_id, dependent_id=nearly.id, ways=Ways(), vault=vault, now=now
            )
        )
        ages.append(view.age)
    assert ages == [17, 18]


def test_a_list_holds_ones_own_in_the_order_of_adding(transactions: Transactions, vault: Vault) -> None:
    def fill(session: Any, now: Any) -> tuple[UUID, list[UUID]]:
        account = make_account(session, now=now)
        make_dependent(session, vault, make_account(session, now=now))
        return account.id, [make_dependent(session, vault, account).id for _ in range(3)]

    account_id, ids = transactions.write(fill)

    def page(cursor: str | None) -> Any:
        return transactions.read(
            lambda session, now: list_dependents(
                session, account_id=account_id, ways=Ways(), cursor=cursor, limit=2, now=now
            )
        )

    first = page(None)
    second = page(first.next_cursor)
    assert [view.dependent.id for view in (*first.items, *second.items)] == ids
    assert second.next_cursor is None


@pytest.mark.parametrize(("birth_date", "needs"), [(date(2008, 11, 22), False), (date(2008, 11, 23), True)])
def test_a_minor_is_whoever_is_under_eighteen(
    transactions: Transactions, vault: Vault, birth_date: date, needs: bool
) -> None:
    dependent = new_dependent(transactions, vault, birth_date=birth_date)
    assert needs_minor_consent(dependent, date(2026, 11, 22)) is needs


def test_a_minor_needs_guardian_and_consent(transactions: Transactions, vault: Vault) -> None:
    def play(session: Any, now: Any) -> list[bool]:
        account = make_account(session, now=now)
        parent = make_dependent(session, vault, account, now=now)
        child = make_dependent(session, vault, account, birth_date=date(2018, 1, 1), now=now)
        on = now.date() + timedelta(days=1)
        assert guarded_by(session, parent, Ages(18, 59), on=on) == GROWN_UP
        standing = [guarded_by(session, child, Ages(18, 59), on=on)]
        child.guardian_dependent_id = parent.id
        standing.append(guarded_by(session, child, Ages(18, 59), on=on))
        agree(session, account.id, Purpose.MINOR, dependent_id=child.id, now=now)
        standing.append(guarded_by(session, child, Ages(18, 59), on=on))
        return [(one.guardian is not None, one.is_consented, one.is_agreed) for one in standing]

    assert transactions.write(play) == [(False, False, True), (True, False, True), (True, True, True)]
