"""Login: one account for one person of a platform, however often and at once (A-30, A-33)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from factories import make_account, make_identity
from fakes import START, ManualClock
from people import APP, PROVIDER, FakeLogin, agree, rotated
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.identity.login import LoggedIn, ask_who, log_in, log_out, token_digest
from core.ports import LoginRefused, PlatformUser, ProviderRefused, ProviderUnavailable
from core.refusals import LoginFailed, ProviderDown
from core.registry import NotConfigured
from core.transactions import Transactions
from models.account import Account, IdKind, LoginSession, PlatformIdentity, Purpose
from models.sealing import Vault

LASTS = timedelta(hours=720)
USER = PlatformUser(PROVIDER, APP, open_id="open-id-of-one")


def enter(transactions: Transactions, vault: Vault, user: PlatformUser = USER) -> LoggedIn:
    return transactions.write(lambda session, now: log_in(session, user=user, vault=vault, lasts=LASTS, now=now))


def count(transactions: Transactions, table: type[Account] | type[PlatformIdentity]) -> int:
    return transactions.read(lambda session, _: session.scalar(select(func.count()).select_from(table)) or 0)


def test_the_first_login_makes_the_account_and_the_next_ones_find_it(transactions: Transactions, vault: Vault) -> None:
    first, second = enter(transactions, vault), enter(transactions, vault)
    assert first.account.id == second.account.id
    assert first.token != second.token
    assert count(transactions, Account) == count(transactions, PlatformIdentity) == 1


def test_a_token_is_long_and_stored_as_its_digest(transactions: Transactions, vault: Vault) -> None:
    entered = enter(transactions, vault)
    assert len(entered.token) == 43
    assert entered.login.token_hash == token_digest(entered.token)
    assert entered.token not in repr(entered)
    assert entered.login.expires_at == START + LASTS


def test_a_login_ends_with_its_time(transactions: Transactions, vault: Vault, clock: ManualClock) -> None:
    login = enter(transactions, vault).login
    assert login.is_live(now=clock.advance(LASTS - timedelta(milliseconds=1)))
    assert not login.is_live(now=clock.advance(timedelta(milliseconds=1)))


def test_logging_out_ends_this_login_and_no_other(transactions: Transactions, vault: Vault, clock: ManualClock) -> None:
    one, two = enter(transactions, vault), enter(transactions, vault)
    for _ in range(2):
        clock.advance(timedelta(minutes=1))
        transactions.write(lambda session, now: log_out(session, session_id=one.login.id, now=now))
    logins = transactions.read(lambda session, _: {row.id: row for row in session.scalars(select(LoginSession))})
    assert logins[one.login.id].revoked_at == START + timedelta(minutes=1)
    assert logins[two.login.id].is_live(now=clock.now())


def test_the_id_is_sealed_and_hashed(transactions: Transactions, vault: Vault) -> None:
    enter(transactions, vault)
    (identity,) = transactions.read(lambda session, _: session.scalars(select(PlatformIdentity)).all())
    assert identity.subject(vault) == USER.open_id
    assert b"open-id" not in identity.subject_sealed + identity.subject_hash


@pytest.mark.parametrize(
    "other",
    [
        PlatformUser(PROVIDER, "second", open_id=USER.open_id),
        PlatformUser("alipay_miniapp", APP, open_id=USER.open_id),
        PlatformUser(PROVIDER, APP, user_id=USER.open_id),
        PlatformUser(PROVIDER, APP, open_id="open-id-of-two"),
    ],
)
def test_the_same_id_elsewhere_is_somebody_else(transactions: Transactions, vault: Vault, other: PlatformUser) -> None:
    assert enter(transactions, vault).account.id != enter(transactions, vault, other).account.id


def test_a_union_id_joins_two_apps_in_one_account(transactions: Transactions, vault: Vault) -> None:
    one = enter(transactions, vault, PlatformUser(PROVIDER, APP, open_id="a", union_id="u"))
    two = enter(transactions, vault, PlatformUser(PROVIDER, "second", open_id="b", union_id="u"))
    assert one.account.id == two.account.id
    kinds = transactions.read(
        lambda session, _: sorted((row.kind, row.app) for row in session.scalars(select(PlatformIdentity)))
    )
    assert kinds == [(IdKind.OPEN_ID, APP), (IdKind.OPEN_ID, "second"), (IdKind.UNION_ID, "")]


def test_the_login_stands_on_the_apps_own_id(transactions: Transactions, vault: Vault) -> None:
    entered = enter(transactions, vault, PlatformUser(PROVIDER, APP, open_id="a", union_id="u"))
    used = transactions.read(lambda session, _: session.get_one(PlatformIdentity, entered.login.platform_identity_id))
    assert (used.kind, used.app) == (IdKind.OPEN_ID, APP)


def test_a_union_id_that_comes_later_is_added(transactions: Transactions, vault: Vault) -> None:
    first = enter(transactions, vault, PlatformUser(PROVIDER, APP, open_id="a"))
    second = enter(transactions, vault, PlatformUser(PROVIDER, APP, open_id="a", union_id="u"))
    third = enter(transactions, vault, PlatformUser(PROVIDER, "second", open_id="b", union_id="u"))
    assert first.account.id == second.account.id == third.account.id


MINIAPP = PlatformUser(PROVIDER, APP, open_id="open-of-miniapp", union_id="u")
OFFICIAL = PlatformUser("wechat_official", "clinic", open_id="open-of-official", union_id="u", union_provider=PROVIDER)


def test_mini_program_and_official_account_name_the_same_person(transactions: Transactions, vault: Vault) -> None:
    for first, second in ((MINIAPP, OFFICIAL), (OFFICIAL, MINIAPP)):
        assert enter(transactions, vault, first).account.id == enter(transactions, vault, second).account.id
    kept = transactions.read(
        lambda session, _: {(row.provider, row.kind) for row in session.scalars(select(PlatformIdentity))}
    )
    assert kept == {(PROVIDER, IdKind.OPEN_ID), ("wechat_official", IdKind.OPEN_ID), (PROVIDER, IdKind.UNION_ID)}


def test_a_union_id_is_found_as_it_was_kept_before(transactions: Transactions, vault: Vault) -> None:
    """Rows of the first version stand under the mini-program's own provider."""

    def older(session: Session, now: datetime) -> UUID:
        account = make_account(session, now=now)
        make_identity(session, vault, account, app="", kind=IdKind.UNION_ID, subject="u", now=now)
        return account.id

    standing = transactions.write(older)
    assert enter(transactions, vault, OFFICIAL).account.id == standing


def test_the_same_union_id_of_another_platform_is_somebody_else(transactions: Transactions, vault: Vault) -> None:
    other = PlatformUser("alipay_miniapp", APP, open_id="open-of-alipay", union_id="u")
    assert enter(transactions, vault, MINIAPP).account.id != enter(transactions, vault, other).account.id


def test_two_accounts_with_one_union_id_stay_apart(transactions: Transactions, vault: Vault) -> None:
    """Only their holder may join them: a platform's word is no proof that both are still one's own."""
    one = enter(transactions, vault, PlatformUser(PROVIDER, APP, open_id="a"))
    two = enter(transactions, vault, PlatformUser(PROVIDER, "second", open_id="b", union_id="u"))
    again = enter(transactions, vault, PlatformUser(PROVIDER, APP, open_id="a", union_id="u"))
    assert again.account.id == one.account.id != two.account.id


@pytest.mark.parametrize("union_id", [None, "u"])
def test_first_logins_at_once_end_in_one_account(
    transactions: Transactions, vault: Vault, union_id: str | None
) -> None:
    together = Barrier(6)

    def attempt(number: int) -> LoggedIn:
        together.wait()
        app, open_id = (APP, "a") if union_id is None else (f"app-{number}", f"open-{number}")
        return enter(transactions, vault, PlatformUser(PROVIDER, app, open_id=open_id, union_id=union_id))

    with ThreadPoolExecutor(6) as pool:
        entered = list(pool.map(attempt, range(6)))
    assert len({one.account.id for one in entered}) == 1
    assert count(transactions, Account) == 1


def test_first_logins_over_both_providers_at_once_end_in_one_account(transactions: Transactions, vault: Vault) -> None:
    together = Barrier(6)

    def attempt(user: PlatformUser) -> LoggedIn:
        together.wait()
        return enter(transactions, vault, user)

    with ThreadPoolExecutor(6) as pool:
        entered = list(pool.map(attempt, [MINIAPP, OFFICIAL] * 3))
    assert len({one.account.id for one in entered}) == 1
    assert (count(transactions, Account), count(transactions, PlatformIdentity)) == (1, 3)


def test_the_service_consent_is_due_until_it_is_given(transactions: Transactions, vault: Vault) -> None:
    first = enter(transactions, vault)
    assert first.consents_due == [Purpose.SERVICE]
    transactions.write(lambda session, now: agree(session, first.account.id, Purpose.SERVICE, now=now))
    assert enter(transactions, vault).consents_due == []


@pytest.mark.parametrize(
    ("failure", "refusal"),
    [
        (LoginRefused("40029"), LoginFailed),
        (ProviderUnavailable("slow"), ProviderDown),
        (ProviderRefused("40013"), ProviderDown),
        (NotConfigured("wechat_miniapp"), ProviderDown),
    ],
)
def test_what_the_platform_says_of_a_code(failure: Exception, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        ask_who(FakeLogin(failure=failure), "code")


def test_a_known_id_is_found_during_key_rotation(transactions: Transactions, vault: Vault) -> None:
    first = enter(transactions, vault)
    assert enter(transactions, rotated(vault)).account.id == first.account.id
