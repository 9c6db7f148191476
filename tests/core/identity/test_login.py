"""Login: one account for one person of a platform, however often and at once (A-30, A-33)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from factories import make_account, make_dependent, make_identity
from fakes import START, ManualClock
from people import APP, CAUSE, PROVIDER, FakeLogin, agree, rotated
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core.identity import join
from core.identity.caller import Caller, find_caller
from core.identity.join import undo_join
from core.identity.join_offers import Viewer
from core.identity.login import LoggedIn, ask_who, log_in, log_out, token_digest
from core.ports import LoginRefused, PlatformUser, ProviderRefused, ProviderUnavailable
from core.refusals import LoginFailed, ProviderDown
from core.registry import NotConfigured
from core.transactions import Overloaded, Transactions
from models.account import Account, IdKind, LoginSession, PlatformIdentity, Provider, Purpose
from models.account_join import AccountJoin, JoinReason, JoinStatus
from models.person import Relationship
from models.sealing import Vault

pytestmark = pytest.mark.both_suites

LASTS = timedelta(hours=720)
USER = PlatformUser(PROVIDER, APP, open_id="open-id-of-one")


def enter(transactions: Transactions, vault: Vault, user: PlatformUser = USER) -> LoggedIn:
    return transactions.write(
        lambda session, now: log_in(session, user=user, vault=vault, lasts=LASTS, now=now, cause=CAUSE)
    )


def as_found(entered: LoggedIn) -> Caller:
    login = entered.login
    return Caller(login.account_id, login.id, login.platform_identity_id, Provider(USER.provider), USER.app)


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
    entered = enter(transactions, vault)
    clock.advance(LASTS - timedelta(milliseconds=1))
    assert find_caller(transactions, entered.token) == as_found(entered)
    clock.advance(timedelta(milliseconds=1))
    assert find_caller(transactions, entered.token) is None


def test_logging_out_ends_this_login_and_no_other(transactions: Transactions, vault: Vault, clock: ManualClock) -> None:
    one, two = enter(transactions, vault), enter(transactions, vault)
    for _ in range(2):
        clock.advance(timedelta(minutes=1))
        transactions.write(lambda session, now: log_out(session, session_id=one.login.id, now=now))
    logins = transactions.read(lambda session, _: {row.id: row for row in session.scalars(select(LoginSession))})
    assert logins[one.login.id].revoked_at == START + timedelta(minutes=1)
    assert find_caller(transactions, one.token) is None
    assert find_caller(transactions, two.token) == as_found(two)


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


# --- a union id that shows two accounts to be one person's

HERE = PlatformUser(PROVIDER, APP, open_id="a")
THERE = PlatformUser("wechat_official", "clinic", open_id="b", union_provider=PROVIDER)


def named(user: PlatformUser) -> PlatformUser:
    """The same user, from when the platform tells the union id."""
    return replace(user, union_id="u")


def two_accounts(transactions: Transactions, vault: Vault, clock: ManualClock) -> tuple[LoggedIn, LoggedIn]:
    one = enter(transactions, vault, HERE)
    clock.advance(timedelta(days=1))
    return one, enter(transactions, vault, THERE)


def owner(transactions: Transactions, login: LoginSession) -> UUID:
    return transactions.read(lambda session, _: session.get_one(LoginSession, login.id)).account_id


@pytest.mark.parametrize("shown_by", [HERE, THERE])
def test_two_accounts_of_one_union_id_are_joined_at_the_login_that_shows_it(
    transactions: Transactions, vault: Vault, clock: ManualClock, shown_by: PlatformUser
) -> None:
    older, younger = two_accounts(transactions, vault, clock)
    first = THERE if shown_by is HERE else HERE
    enter(transactions, vault, named(first))
    entered = enter(transactions, vault, named(shown_by))
    assert entered.account.id == older.account.id != younger.account.id
    assert owner(transactions, younger.login) == owner(transactions, older.login) == older.account.id
    (row,) = transactions.read(lambda session, _: session.scalars(select(AccountJoin)).all())
    assert (row.reason, row.status) == (JoinReason.UNION_ID, JoinStatus.JOINED)
    for user in (HERE, THERE, named(HERE), named(THERE)):
        assert enter(transactions, vault, user).account.id == older.account.id


def test_an_app_that_goes_over_to_another_kind_of_id_finds_its_people_again(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    """Known by the one id, then by the other, then told both: the platform says that this is one person."""
    alipay = PlatformUser("alipay_miniapp", APP, user_id="2088")
    older = enter(transactions, vault, alipay)
    clock.advance(timedelta(days=1))
    newer = enter(transactions, vault, replace(alipay, user_id=None, open_id="open"))
    assert newer.account.id != older.account.id
    assert enter(transactions, vault, replace(alipay, open_id="open")).account.id == older.account.id
    assert owner(transactions, newer.login) == older.account.id


def test_where_the_two_cannot_be_one_they_stay_apart_and_operators_hear_of_it(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    one, two = two_accounts(transactions, vault, clock)
    for entered in (one, two):
        with transactions.database.write() as session:
            account = session.get_one(Account, entered.account.id)
            make_dependent(session, vault, account, relationship=Relationship.SELF)
    enter(transactions, vault, named(HERE))
    with capture_logs() as lines:
        again = enter(transactions, vault, named(THERE))
    assert again.account.id == two.account.id
    assert [(line["event"], line["reason"], line["log_level"]) for line in lines] == [
        ("accounts_stay_apart", "two_selves", "warning")
    ]
    assert enter(transactions, vault, named(HERE)).account.id == one.account.id


def test_a_join_that_breaks_down_does_not_break_the_login(
    transactions: Transactions, vault: Vault, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, two = two_accounts(transactions, vault, clock)
    enter(transactions, vault, named(HERE))

    def breaks(session: Session, *_: Any, **__: Any) -> Any:
        session.execute(update(Account).values(created_at=None))

    monkeypatch.setattr(join, "carry", breaks)
    assert enter(transactions, vault, named(THERE)).account.id == two.account.id
    monkeypatch.undo()
    assert enter(transactions, vault, named(THERE)).account.id != two.account.id


class _Deadlock(Exception):
    sqlstate = "40P01"


def test_a_join_that_another_one_was_in_the_way_of_is_made_when_the_login_runs_again(
    transactions: Transactions, vault: Vault, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = two_accounts(transactions, vault, clock)
    enter(transactions, vault, named(HERE))

    def in_the_way(*_: Any, **__: Any) -> Any:
        monkeypatch.undo()
        raise OperationalError("UPDATE", {}, _Deadlock())

    monkeypatch.setattr(join, "carry", in_the_way)
    assert enter(transactions, vault, named(THERE)).account.id == one.account.id


def test_what_its_holder_has_undone_the_platform_does_not_join_again(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    one, two = two_accounts(transactions, vault, clock)
    enter(transactions, vault, named(HERE))
    again = enter(transactions, vault, named(THERE)).login
    viewer = Viewer(one.account.id, again.platform_identity_id, again.id)
    (row,) = transactions.read(lambda session, _: session.scalars(select(AccountJoin)).all())
    transactions.write(
        lambda session, now: undo_join(session, viewer=viewer, join_id=row.id, vault=vault, now=now, cause=CAUSE)
    )
    assert owner(transactions, two.login) == two.account.id
    for user, entered in ((HERE, one), (THERE, two)):
        assert enter(transactions, vault, named(user)).account.id == entered.account.id


def test_both_named_for_the_first_time_at_once_end_in_one_account(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    older, _ = two_accounts(transactions, vault, clock)
    together = Barrier(6)

    def attempt(user: PlatformUser) -> LoggedIn:
        together.wait()
        return insistently(lambda: enter(transactions, vault, user))

    with ThreadPoolExecutor(6) as pool:
        entered = list(pool.map(attempt, [named(HERE), named(THERE)] * 3))
    assert {owner(transactions, one.login) for one in entered} == {older.account.id}
    joins = transactions.read(lambda session, _: session.scalars(select(AccountJoin.status)).all())
    assert list(joins) == [JoinStatus.JOINED]


def insistently(act: Callable[[], LoggedIn]) -> LoggedIn:
    while True:
        try:
            return act()
        except Overloaded:
            continue


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
