"""The shared platform token: one fetch for any number of callers, also when a holder dies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from fakes import ManualClock
from sqlalchemy import select, update

from core.identity import platform_tokens
from core.identity.platform_tokens import DatabaseTokenStore
from core.ports import ProviderUnavailable
from core.transactions import Transactions
from models.database import Database
from models.platform import PlatformToken
from models.sealing import Vault

NAME = "wechat_access_token:wx-test"


@dataclass
class Platform:
    """Hands out token-1, token-2 … and counts; `entered` and `may_leave` hold a fetch where a test wants it."""

    lasts: timedelta = timedelta(hours=2)
    fetches: int = 0
    failure: BaseException | None = None
    entered: threading.Event = field(default_factory=threading.Event)
    may_leave: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_leave.set()

    def fetch(self) -> tuple[str, timedelta]:
        self.fetches += 1
        mine = self.fetches
        self.entered.set()
        assert self.may_leave.wait(20)
        if self.failure is not None:
            raise self.failure
        return f"token-{mine}", self.lasts


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def store(transactions: Transactions, vault: Vault) -> DatabaseTokenStore:
    return DatabaseTokenStore(transactions, vault)


def row(transactions: Transactions) -> PlatformToken:
    return transactions.read(lambda session, _: session.scalars(select(PlatformToken)).one())


def test_a_token_is_fetched_once_and_kept(store: DatabaseTokenStore, platform: Platform) -> None:
    assert [store.token(NAME, platform.fetch) for _ in range(3)] == ["token-1"] * 3
    assert platform.fetches == 1


def test_each_name_has_a_token_of_its_own(store: DatabaseTokenStore, platform: Platform) -> None:
    assert store.token(NAME, platform.fetch) != store.token("another", platform.fetch)


def test_an_ended_token_is_fetched_anew(store: DatabaseTokenStore, platform: Platform, clock: ManualClock) -> None:
    store.token(NAME, platform.fetch)
    clock.advance(platform.lasts - timedelta(seconds=1))
    assert store.token(NAME, platform.fetch) == "token-1"
    clock.advance(timedelta(seconds=1))
    assert store.token(NAME, platform.fetch) == "token-2"


def test_what_is_stored_is_read_without_a_fetch(
    store: DatabaseTokenStore, platform: Platform, clock: ManualClock, transactions: Transactions
) -> None:
    assert store.stored(NAME) is None
    assert transactions.read(lambda session, _: session.scalars(select(PlatformToken)).all()) == []
    store.token(NAME, platform.fetch)
    clock.advance(platform.lasts)
    assert (store.stored(NAME), store.stored("another"), platform.fetches) == ("token-1", None, 1)
    store.token(NAME, platform.fetch)
    assert (store.stored(NAME), platform.fetches) == ("token-2", 2)


def test_what_is_stored_is_read_while_another_fetches(store: DatabaseTokenStore, platform: Platform) -> None:
    """Also when the new one never comes: whoever reads must not be stopped by whoever renews."""
    old = store.token(NAME, platform.fetch)
    platform.may_leave.clear()
    platform.entered.clear()
    platform.failure = ProviderUnavailable("down")
    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(store.token, NAME, platform.fetch, rejected=old)
        assert platform.entered.wait(20)
        assert store.stored(NAME) == old
        platform.may_leave.set()
        with pytest.raises(ProviderUnavailable):
            renewal.result(20)
    assert store.stored(NAME) == old


def test_the_token_is_sealed(store: DatabaseTokenStore, platform: Platform, transactions: Transactions) -> None:
    store.token(NAME, platform.fetch)
    kept = row(transactions)
    assert b"token-1" not in (kept.token_sealed or b"")
    assert (kept.lease_until, kept.lease_by) == (None, None)


def test_many_callers_at_once_fetch_once(
    database: Database, clock: ManualClock, vault: Vault, platform: Platform
) -> None:
    """Each caller with a store and connections of its own, as processes have them."""
    together = threading.Barrier(16)

    def ask(_: int) -> str:
        together.wait()
        return DatabaseTokenStore(Transactions(database, clock), vault).token(NAME, platform.fetch)

    with ThreadPoolExecutor(16) as pool:
        tokens = list(pool.map(ask, range(16)))
    assert (set(tokens), platform.fetches) == ({"token-1"}, 1)


def test_who_comes_while_another_fetches_waits_for_it(store: DatabaseTokenStore, platform: Platform) -> None:
    platform.may_leave.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.token, NAME, platform.fetch)
        assert platform.entered.wait(20)
        second = pool.submit(store.token, NAME, platform.fetch)
        platform.may_leave.set()
        assert (first.result(20), second.result(20), platform.fetches) == ("token-1", "token-1", 1)


def test_a_wait_has_an_end(store: DatabaseTokenStore, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_tokens, "WAIT_SECONDS", 0.2)
    platform.may_leave.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(store.token, NAME, platform.fetch)
        assert platform.entered.wait(20)
        with pytest.raises(ProviderUnavailable) as refused:
            store.token(NAME, platform.fetch)
        assert not refused.value.sent
        assert "wx-test" not in str(refused.value)
        platform.may_leave.set()
        first.result(20)


def test_a_dead_holders_lease_ends(
    store: DatabaseTokenStore,
    platform: Platform,
    clock: ManualClock,
    transactions: Transactions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a killed process leaves it: the lease taken, nothing brought."""
    store.token(NAME, platform.fetch)
    transactions.write(
        lambda session, now: session.execute(
            update(PlatformToken).values(lease_by="dead", lease_until=now + platform_tokens.LEASE, expires_at=now)
        )
    )
    monkeypatch.setattr(platform_tokens, "WAIT_SECONDS", 0.1)
    with pytest.raises(ProviderUnavailable):
        store.token(NAME, platform.fetch)
    clock.advance(platform_tokens.LEASE)
    assert store.token(NAME, platform.fetch) == "token-2"


def test_who_lost_the_lease_writes_nothing(
    store: DatabaseTokenStore, platform: Platform, clock: ManualClock, transactions: Transactions
) -> None:
    platform.may_leave.clear()
    slow = Platform()
    slow.may_leave.clear()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(store.token, NAME, lambda: ("late-token", slow.fetch()[1]))
        assert slow.entered.wait(20)
        clock.advance(platform_tokens.LEASE)
        platform.may_leave.set()
        assert store.token(NAME, platform.fetch) == "token-1"
        slow.may_leave.set()
        assert late.result(20) == "late-token"
    assert store.token(NAME, platform.fetch) == "token-1"


def test_a_rejected_token_is_replaced(store: DatabaseTokenStore, platform: Platform) -> None:
    old = store.token(NAME, platform.fetch)
    assert store.token(NAME, platform.fetch, rejected=old) == "token-2"
    assert store.token(NAME, platform.fetch) == "token-2"


def test_a_token_rejected_by_many_is_replaced_once(store: DatabaseTokenStore, platform: Platform) -> None:
    old = store.token(NAME, platform.fetch)
    with ThreadPoolExecutor(8) as pool:
        renewed = list(pool.map(lambda _: store.token(NAME, platform.fetch, rejected=old), range(8)))
    assert (set(renewed), platform.fetches) == ({"token-2"}, 2)


def test_a_stale_rejection_drops_nothing(store: DatabaseTokenStore, platform: Platform) -> None:
    store.token(NAME, platform.fetch)
    assert store.token(NAME, platform.fetch, rejected="an-older-one") == "token-1"


@pytest.mark.parametrize("failure", [ProviderUnavailable("down"), KeyboardInterrupt()])
def test_a_failed_fetch_frees_the_lease(store: DatabaseTokenStore, platform: Platform, failure: BaseException) -> None:
    platform.failure = failure
    with pytest.raises(type(failure)):
        store.token(NAME, platform.fetch)
    platform.failure = None
    assert store.token(NAME, platform.fetch) == "token-2"


def test_no_transaction_is_open_while_the_platform_is_asked(
    store: DatabaseTokenStore, transactions: Transactions
) -> None:
    def fetch() -> tuple[str, timedelta]:
        transactions.write(lambda session, _: session.execute(select(1)))
        return "token", timedelta(hours=1)

    assert store.token(NAME, fetch) == "token"
