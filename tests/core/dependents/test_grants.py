"""Letting another account act for oneself: who may, by which code, for how long, and how it ends."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from delegation import ALL, Kin, make_kin, one_more
from fakes import FakeAdapters, ManualClock
from harness import race, relatives
from people import agree
from sqlalchemy import select

from core.dependents.grants import GIVEN_MOST, HELD_MOST, LONGEST, OFFER_LIVES
from core.dependents.remove import remove_dependent
from core.identity.consent_texts import current_version
from core.identity.consents import record_consent
from core.refusals import ConsentRequired, GrantLimit, GrantRefused, IdentityRequired
from core.workbench import Workbench
from models.account import Purpose
from models.errors import NotFound, ValidationFailed
from models.grant import EndedBy, Grant, GrantState, Scope
from models.person import Dependent, IdentityLevel
from models.states import Actor, Cause, CauseKind

CAUSE = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "test")


@pytest.fixture
def kin(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Kin:
    return make_kin(workbench, clock, adapters)


def fault_of(refused: pytest.ExceptionInfo[ValidationFailed]) -> list[tuple[str, str]]:
    return [(one.pointer, one.code) for one in refused.value.errors]


def change(kin: Kin, **values: Any) -> None:
    def step(session: Any, _now: Any) -> None:
        dependent = session.get_one(Dependent, kin.granter.dependent_id)
        for name, value in values.items():
            setattr(dependent, name, value)

    kin.write(step)


# --- the way to a grant ----------------------------------------------------------------------------------------------


def test_a_code_typed_in_another_account_makes_the_grant(kin: Kin) -> None:
    offer = kin.offer(Scope.BOOK)
    assert offer.expires_at == kin.now + OFFER_LIVES
    view = kin.accept(f" {offer.code.lower().replace('-', ' ')} ")
    assert (view.grant.id, view.given, view.state) == (offer.id, False, GrantState.LIVE)
    assert view.grant.scopes == [Scope.SEE, Scope.BOOK]
    assert view.other is not None
    assert view.other.name_masked == "测**"
    assert view.dependent is not None
    assert view.dependent.id == kin.granter.dependent_id
    (seen,) = kin.told(kin.granter)
    assert seen.given
    assert seen.other is not None
    assert seen.other.name_masked == "试**"
    assert [(actor, action) for actor, action, _ in kin.log()] == [
        ("self", "grant.offer"), ("grant_holder", "grant.accept"),
    ]  # fmt: skip
    kin.granter.assert_sound()


def test_nothing_of_the_code_is_kept_in_clear(kin: Kin) -> None:
    offer = kin.offer()
    kept = kin.row(offer.id).code_hash
    assert kept is not None
    assert len(kept) == 16
    assert offer.code.replace("-", "").encode() not in kept
    kin.accept(offer.code)
    assert kin.row(offer.id).code_hash is None


def test_a_code_is_used_once_by_one_account(kin: Kin) -> None:
    """Typed in two accounts at the same moment, it makes one of them the holder."""
    code, others = kin.offer().code, [one_more(kin.granter) for _ in range(4)]
    found = race(*(lambda one=one: kin.accept(code, one) for one in others))  # type: ignore[misc]
    assert len([one for one in found if not isinstance(one, Exception)]) == 1
    assert {type(one) for one in found if isinstance(one, Exception)} == {GrantRefused}


def test_a_code_that_is_wrong_used_replaced_or_too_old_is_one_refusal(kin: Kin) -> None:
    replaced = kin.offer().code
    used = kin.offer().code
    kin.accept(used)
    old = kin.offer().code
    kin.granter.clock.advance(OFFER_LIVES)
    for code in ("AAAA-AAAA-AAAA", "-", "测", replaced, used, old):
        with pytest.raises(GrantRefused):
            kin.accept(code)


def test_nobody_grants_themselves_anything(kin: Kin) -> None:
    with pytest.raises(GrantRefused):
        kin.accept(kin.offer().code, kin.granter)


def test_a_code_of_somebody_who_was_removed_since_is_unknown(kin: Kin) -> None:
    code = kin.offer().code
    remove(kin)
    with pytest.raises(GrantRefused):
        kin.accept(code)


# --- who may grant, and for how long ---------------------------------------------------------------------------------


def test_only_for_oneself_and_of_full_age(kin: Kin) -> None:
    (relative,) = relatives(kin.granter, 1)
    with pytest.raises(ValidationFailed) as refused:
        kin.offer(dependent_id=relative)
    assert fault_of(refused) == [("#/dependent_id", "not_self")]
    day = kin.now.date()
    change(kin, birth_date=date(day.year - 18, day.month, day.day) + timedelta(days=2))
    with pytest.raises(ValidationFailed) as refused:
        kin.offer()
    assert fault_of(refused) == [("#/dependent_id", "not_adult")]


def test_another_accounts_dependent_is_not_found(kin: Kin) -> None:
    with pytest.raises(NotFound):
        kin.offer(dependent_id=kin.holder.dependent_id)


def test_whoever_only_typed_who_they_are_grants_nothing(kin: Kin) -> None:
    change(kin, identity_level=IdentityLevel.TYPED)
    with pytest.raises(IdentityRequired):
        kin.offer()


@pytest.mark.parametrize(
    ("lasts", "code"), [(timedelta(0), "too_soon"), (LONGEST + timedelta(milliseconds=1), "too_late")]
)
def test_the_end_lies_ahead_and_within_a_year(kin: Kin, lasts: timedelta, code: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        kin.offer(lasts=lasts)
    assert fault_of(refused) == [("#/to_at", code)]
    assert kin.offer(lasts=LONGEST).id


def test_an_offer_lives_no_longer_than_what_it_offers(kin: Kin) -> None:
    assert kin.offer(lasts=timedelta(minutes=1)).expires_at == kin.now + timedelta(minutes=1)


def test_both_sides_have_agreed_to_the_service(kin: Kin) -> None:
    code = kin.offer().code
    for side in (kin.holder, kin.granter):
        kin.write(
            lambda session, now, side=side: record_consent(  # type: ignore[misc]
                session,
                account_id=side.account_id,
                purpose=Purpose.SERVICE,
                version=current_version(Purpose.SERVICE),
                granted=False,
                dependent_id=None,
                provider="wechat_miniapp",
                identity_id=side.payer.identity_id,
                now=now,
                cause=CAUSE,
            )
        )
    with pytest.raises(ConsentRequired):
        kin.accept(code)
    with pytest.raises(ConsentRequired):
        kin.offer()
    kin.granter.clock.advance(timedelta(seconds=1))
    kin.write(lambda session, now: agree(session, kin.holder.account_id, Purpose.SERVICE, now=now))
    assert kin.accept(code).state is GrantState.LIVE


# --- how many --------------------------------------------------------------------------------------------------------


def test_the_newer_one_takes_the_place_of_the_older(kin: Kin) -> None:
    first = kin.grant(Scope.BOOK)
    second = kin.grant(Scope.PAY)
    assert kin.row(first).ended_by is EndedBy.REPLACED
    assert kin.row(second).scopes == [Scope.PAY]


def test_one_person_gives_so_many_and_no_more(kin: Kin) -> None:
    for _ in range(GIVEN_MOST):
        kin.grant(by=one_more(kin.granter))
    with pytest.raises(GrantLimit):
        kin.offer()
    kin.end(kin.told(kin.granter)[0].grant.id)
    assert kin.offer().id


def test_one_account_holds_so_many_and_no_more_even_at_once(kin: Kin, adapters: FakeAdapters) -> None:
    """The holder's row is locked before they are counted."""
    granter = kin.granter
    others = [
        Kin(make_kin(granter.workbench, granter.clock, adapters).granter, kin.holder) for _ in range(HELD_MOST + 2)
    ]
    codes = [other.offer().code for other in others]
    found = race(*(lambda code=code: kin.accept(code) for code in codes))  # type: ignore[misc]
    assert len([one for one in found if not isinstance(one, Exception)]) == HELD_MOST
    assert {type(one) for one in found if isinstance(one, Exception)} == {GrantLimit}


# --- how it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["granter", "holder"])
def test_either_side_ends_it_at_once_and_once(kin: Kin, side: str) -> None:
    grant_id, who = kin.grant(), getattr(kin, side)
    ended = kin.end(grant_id, who)
    assert (ended.state, ended.grant.ended_by, ended.grant.ended_at) == (GrantState.ENDED, EndedBy(side), kin.now)
    kin.granter.clock.advance(timedelta(minutes=1))
    other = kin.holder if side == "granter" else kin.granter
    assert kin.end(grant_id, other).grant.ended_by == EndedBy(side)
    actor = {"granter": "self", "holder": "grant_holder"}[side]
    assert kin.log()[2:] == [(actor, "grant.end", str(grant_id))]


def test_nobody_else_ends_it_or_sees_it(kin: Kin) -> None:
    grant_id, stranger = kin.grant(), one_more(kin.granter)
    with pytest.raises(NotFound):
        kin.end(grant_id, stranger)
    assert kin.told(stranger) == []


@pytest.mark.parametrize("how", ["end", "time"])
def test_the_holder_learns_nothing_more_of_the_granter_once_it_is_over(kin: Kin, how: str) -> None:
    grant_id = kin.grant(lasts=timedelta(days=1))
    if how == "end":
        kin.end(grant_id)
    else:
        kin.granter.clock.advance(timedelta(days=1))
    (held,) = kin.told(kin.holder)
    assert (held.dependent, held.other) == (None, None)
    (given,) = kin.told(kin.granter)
    assert given.dependent is not None
    assert given.other is not None
    assert given.state == held.state == (GrantState.ENDED if how == "end" else GrantState.EXPIRED)


def test_removing_oneself_ends_what_one_gave(kin: Kin) -> None:
    grant_id = kin.grant()
    remove(kin)
    assert kin.row(grant_id).ended_by is EndedBy.REMOVED
    kin.granter.assert_sound()


def remove(kin: Kin) -> None:
    kin.write(
        lambda session, now: remove_dependent(
            session,
            account_id=kin.granter.account_id,
            dependent_id=kin.granter.dependent_id,
            now=now,
            cause=CAUSE,
        )
    )


def test_every_scope_is_kept_as_it_was_given(kin: Kin) -> None:
    for scopes, kept in (
        ([Scope.SEE], [Scope.SEE]),
        ([Scope.PAY], [Scope.PAY]),
        ([Scope.BOOK], [Scope.SEE, Scope.BOOK]),
        ([Scope.PAY, Scope.PAY, Scope.SEE], [Scope.SEE, Scope.PAY]),
        (ALL, list(ALL)),
    ):
        offered = kin.offer(*scopes).id
        assert (
            kin.granter.read(
                lambda session, one=offered: session.scalars(  # type: ignore[misc]
                    select(Grant).where(Grant.id == one)
                ).one()
            ).scopes
            == kept
        )
