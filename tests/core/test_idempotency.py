"""One effect per key, and the first success again, byte for byte; nothing else is ever replayed."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest
from factories import make_account
from fakes import ManualClock
from harness import race
from keyed import BODY, accounts, new_account, once
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.idempotency import (
    KeyedRequest,
    StoredReply,
)
from core.refusals import IdempotencyKeyReused, RequestInProgress, SoldOut
from core.transactions import Transactions
from models.database import Database, Timeouts
from models.sealing import KeyRing, Vault

pytestmark = pytest.mark.both_suites


@pytest.fixture
def wanted(transactions: Transactions) -> KeyedRequest:
    return KeyedRequest(new_account(transactions), "k" * 16, "POST /appointments\n{}")


# --- one transaction


def test_the_first_success_is_replayed_byte_for_byte(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest
) -> None:
    first = once(transactions, vault, wanted)
    before = accounts(transactions)
    assert once(transactions, vault, wanted) == first == StoredReply(201, BODY)
    assert accounts(transactions) == before


def test_the_same_key_for_another_request_is_refused(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest
) -> None:
    once(transactions, vault, wanted)
    other = KeyedRequest(wanted.account_id, wanted.key, wanted.content + " ")
    with pytest.raises(IdempotencyKeyReused):
        once(transactions, vault, other)


def test_the_same_key_of_another_account_is_another_key(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest
) -> None:
    once(transactions, vault, wanted)
    before = accounts(transactions)
    once(transactions, vault, KeyedRequest(new_account(transactions), wanted.key, "something else"))
    assert accounts(transactions) == before + 2


def test_a_refusal_is_not_kept(transactions: Transactions, vault: Vault, wanted: KeyedRequest) -> None:
    def refuse(_session: Session) -> None:
        raise SoldOut()

    with pytest.raises(SoldOut):
        once(transactions, vault, wanted, refuse)
    assert once(transactions, vault, wanted) == StoredReply(201, BODY)


def test_twins_have_one_effect_and_one_reply(transactions: Transactions, vault: Vault, wanted: KeyedRequest) -> None:
    before = accounts(transactions)
    replies = race(*[lambda: once(transactions, vault, wanted)] * 8)
    assert replies == [StoredReply(201, BODY)] * 8
    assert accounts(transactions) == before + 1


def test_a_twin_waits_for_the_first_and_then_replays(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest
) -> None:
    inside, effects = Event(), list[int]()

    def slow(session: Session) -> None:
        effects.append(1)
        inside.set()
        make_account(session)

    def twin() -> StoredReply:
        assert inside.wait(20)
        return once(transactions, vault, wanted, slow)

    assert race(lambda: once(transactions, vault, wanted, slow), twin) == [StoredReply(201, BODY)] * 2
    assert effects == [1]


def test_a_twin_takes_over_when_the_first_was_refused(
    transactions: Transactions, vault: Vault, wanted: KeyedRequest
) -> None:
    inside = Event()

    def refuse(_session: Session) -> None:
        inside.set()
        raise SoldOut()

    def twin() -> StoredReply:
        assert inside.wait(20)
        return once(transactions, vault, wanted)

    first, second = race(lambda: once(transactions, vault, wanted, refuse), twin)
    assert isinstance(first, SoldOut)
    assert second == StoredReply(201, BODY)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_twin_that_may_not_wait_so_long_is_told_to_ask_again(
    database: Database, clock: ManualClock, vault: Vault, wanted: KeyedRequest, transactions: Transactions
) -> None:
    url = database.url.render_as_string(hide_password=False)
    hasty = Transactions(Database(url, timeouts=Timeouts(lock=50), pool_size=2), clock)

    def meanwhile(_session: Session) -> None:
        with pytest.raises(RequestInProgress) as refused:
            once(hasty, vault, wanted)
        assert refused.value.retry_at == clock.now() + timedelta(seconds=1)

    once(transactions, vault, wanted, meanwhile)
    assert once(hasty, vault, wanted) == StoredReply(201, BODY)
    hasty.database.close()


def test_what_is_stored_is_not_readable(
    transactions: Transactions, database: Database, vault: Vault, wanted: KeyedRequest
) -> None:
    once(transactions, vault, wanted)
    with database.read() as session:
        row = session.execute(text("SELECT * FROM idempotency_keys")).mappings().one()
    raw = b"".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in row.values()
    )
    for readable in (BODY[32:127], "中文".encode(), b"/appointments"):
        assert readable not in raw


def test_a_key_is_known_again_after_the_hashing_key_has_changed(
    transactions: Transactions, wanted: KeyedRequest
) -> None:
    keys = {1: b"a" * 32, 2: b"b" * 32}
    before = Vault(sealing=KeyRing(1, keys), hashing=KeyRing(1, keys))
    after = Vault(sealing=KeyRing(2, keys), hashing=KeyRing(2, keys))
    once(transactions, before, wanted)
    assert once(transactions, after, wanted) == StoredReply(201, BODY)
