"""A key whose command calls a platform: leased, resumed, fenced, and forgotten in the end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from fakes import ManualClock
from keyed import BODY, MILLISECOND, accounts, begin, finish, new_account, once
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.idempotency import (
    ABANDONED,
    KEPT,
    LEASE,
    KeyedRequest,
    StoredReply,
    forget_old_keys,
    regain_key,
    release_key,
)
from core.refusals import IdempotencyKeyReused, RequestInProgress
from core.transactions import Transactions
from models.idempotency import IdempotencyKey, KeyState
from models.sealing import Vault


@pytest.fixture
def wanted(transactions: Transactions) -> KeyedRequest:
    return KeyedRequest(new_account(transactions), "k" * 16, "POST /appointments\n{}")


# --- two transactions with a call between them


def test_while_the_first_is_calling_a_twin_is_told_until_when(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest, clock: ManualClock
) -> None:
    _, _, until = begin(transactions, vault, wanted)
    assert until == clock.now() + LEASE
    clock.advance(LEASE - MILLISECOND)
    with pytest.raises(RequestInProgress) as refused:
        begin(transactions, vault, wanted)
    assert refused.value.retry_at == until


def test_after_the_lease_a_repeat_goes_on_from_the_step(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest, clock: ManualClock
) -> None:
    key_id, found, _ = begin(transactions, vault, wanted)
    assert found is None
    clock.advance(LEASE)
    again, found, until = begin(transactions, vault, wanted)
    assert (again, found) == (key_id, "pay:1")
    assert finish(transactions, vault, again, until) == StoredReply(201, BODY)
    assert once(transactions, vault, wanted) == StoredReply(201, BODY)


def test_one_that_comes_back_too_late_has_lost_the_word(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest, clock: ManualClock
) -> None:
    key_id, _, lost = begin(transactions, vault, wanted)
    clock.advance(LEASE)
    _, _, until = begin(transactions, vault, wanted)
    with pytest.raises(RequestInProgress):
        finish(transactions, vault, key_id, lost, b"mine")
    finish(transactions, vault, key_id, until, b"theirs")
    assert finish(transactions, vault, key_id, lost, b"mine") == StoredReply(201, b"theirs")


def test_an_unknown_outcome_may_be_asked_about_at_once(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest
) -> None:
    key_id, _, until = begin(transactions, vault, wanted)

    def release(session: Session, now: datetime) -> None:
        row = regain_key(session, vault, key_id, leased_until=until)
        assert isinstance(row, IdempotencyKey)
        release_key(row, now=now)

    transactions.write(release)
    assert begin(transactions, vault, wanted)[:2] == (key_id, "pay:1")


def test_a_running_key_is_not_another_requests(transactions: Transactions, vault: Vault, wanted: KeyedRequest) -> None:
    begin(transactions, vault, wanted)
    with pytest.raises(IdempotencyKeyReused):
        begin(transactions, vault, KeyedRequest(wanted.account_id, wanted.key, "other"))


# --- for how long


def test_a_reply_is_kept_for_seven_days_and_then_the_key_is_new(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest, clock: ManualClock
) -> None:
    once(transactions, vault, wanted)
    before = accounts(transactions)
    clock.advance(KEPT - MILLISECOND)
    once(transactions, vault, wanted)
    assert (KEPT, accounts(transactions)) == (timedelta(days=7), before)
    clock.advance(MILLISECOND)
    other = KeyedRequest(wanted.account_id, wanted.key, "another request")
    once(transactions, vault, other)
    assert accounts(transactions) == before + 1
    with pytest.raises(IdempotencyKeyReused):
        once(transactions, vault, wanted)


def test_old_and_abandoned_keys_are_forgotten_and_no_others(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest, clock: ManualClock
) -> None:
    def key(name: str) -> KeyedRequest:
        return KeyedRequest(wanted.account_id, name * 16, name)

    def kept() -> set[str]:
        transactions.write(lambda session, now: forget_old_keys(session, now=now))
        rows = transactions.read(lambda session, _now: list(session.scalars(select(IdempotencyKey))))
        assert all(row.state is KeyState.RUNNING or row.reply_sealed for row in rows)
        return {row.key[0] for row in rows}

    once(transactions, vault, key("d"))
    begin(transactions, vault, key("r"))
    clock.advance(LEASE + ABANDONED)
    assert kept() == {"d", "r"}
    clock.advance(MILLISECOND)
    assert kept() == {"d"}
    clock.advance(KEPT - LEASE - ABANDONED - MILLISECOND)
    assert kept() == {"d"}
    clock.advance(MILLISECOND)
    assert kept() == set()
