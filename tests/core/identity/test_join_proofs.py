"""Undoing a join leaves nobody with a phone that another has proven, or with a consent that another has given."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import FakeAdapters, ManualClock
from people import CAUSE
from wallets import PHONE, Couple, Side, make_couple, make_side

from core.identity.consent_texts import current_version
from core.identity.consents import granted, record_consent
from core.workbench import Workbench
from models.account import Account, Provider, Purpose
from models.account_join import AccountJoin, JoinStatus

NEW_PHONE = "+8613911112222"


@pytest.fixture
def couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Couple:
    return make_couple(workbench, clock, adapters)


def phones(couple: Couple) -> list[str | None]:
    """Of the older account, which is kept, and of the younger."""
    vault = couple.older.workbench.vault
    return couple.older.read(
        lambda session: [session.get_one(Account, side.own_account_id).phone(vault) for side in couple.sides]
    )


def say(side: Side, purpose: Purpose, *, agreed: bool) -> None:
    side.look_up()
    side.write(
        lambda session, now: record_consent(
            session,
            account_id=side.account_id,
            purpose=purpose,
            version=current_version(purpose),
            granted=agreed,
            dependent_id=None,
            provider=side.payer.provider,
            identity_id=side.payer.identity_id,
            now=now,
            cause=CAUSE,
        )
    )


def stand(couple: Couple, purpose: Purpose) -> list[bool]:
    return couple.older.read(lambda session: [granted(session, side.own_account_id, purpose) for side in couple.sides])


def test_a_phone_proven_since_goes_with_the_login_that_proved_it(couple: Couple, clock: ManualClock) -> None:
    couple.join()
    clock.advance(timedelta(minutes=31))
    couple.younger.prove(NEW_PHONE)
    assert phones(couple)[0] == NEW_PHONE
    couple.older.undo()
    assert phones(couple) == [None, NEW_PHONE]
    assert [side.joins()[1:] for side in couple.sides] == [[], []]  # nobody is offered what the other has proven
    couple.older.assert_sound()


def test_a_phone_proven_at_ones_own_login_stays(couple: Couple, clock: ManualClock) -> None:
    couple.join()
    clock.advance(timedelta(minutes=31))
    couple.older.prove(NEW_PHONE)
    couple.younger.undo()
    assert phones(couple) == [NEW_PHONE, PHONE]
    couple.older.assert_sound()


def test_an_ask_falls_with_the_phone_that_goes(couple: Couple, clock: ManualClock) -> None:
    """The joined account asks a third one in the name of the number that goes away."""
    joined, one = couple.join(), couple.older
    third = make_side(one.workbench, clock, one.adapters, one.schedule_id, Provider.WECHAT_OFFICIAL, app="clinic")
    for side in (couple.younger, third):
        side.prove(NEW_PHONE)
    asked = third.yes()
    one.undo(joined.id)
    assert one.read(lambda session: session.get_one(AccountJoin, asked.id).status) is JoinStatus.EXPIRED
    one.assert_sound()


@pytest.mark.parametrize("agreed", [True, False])
def test_what_was_said_since_goes_with_whoever_said_it(couple: Couple, clock: ManualClock, agreed: bool) -> None:
    purpose = Purpose.SENSITIVE_IDENTITY
    for side in couple.sides:
        say(side, purpose, agreed=not agreed)
    couple.join()
    clock.advance(timedelta(minutes=1))
    say(couple.younger, purpose, agreed=agreed)
    assert stand(couple, purpose)[0] is agreed
    couple.older.undo()
    assert stand(couple, purpose) == [not agreed, agreed]
    couple.older.assert_sound()


def test_what_was_said_at_ones_own_login_stays(couple: Couple, clock: ManualClock) -> None:
    purpose = Purpose.SENSITIVE_IDENTITY
    couple.join()
    clock.advance(timedelta(minutes=1))
    say(couple.older, purpose, agreed=False)
    couple.older.undo()
    assert stand(couple, purpose) == [False, True]
