"""A join or its undoing that has done its part and not yet committed, and a request that comes in between; and the
other way round. Nothing may be left where nobody looks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fakes import FakeAdapters, ManualClock
from people import resident_id
from sqlalchemy.orm import Session
from wallets import Couple, Side, make_couple

from core.booking.endings.cancel import cancel_appointment
from core.dependents.add import NewDependent, add_dependent
from core.identity.join import undo_join
from core.identity.login import LoggedIn, log_in
from core.ports import PlatformUser
from core.transactions import Overloaded
from core.workbench import Workbench
from models.account import LoginSession, PlatformIdentity
from models.errors import NotFound
from models.person import IdType, Relationship

Step = Callable[[Session, datetime], Any]
A_MOMENT = 0.3
"""Long enough for the second one to come to a lock, or to the end if there is none."""


@pytest.fixture
def couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Couple:
    return make_couple(workbench, clock, adapters)


def between(side: Side, first: Step, second: Callable[[], Any]) -> Any:
    """What `second` comes to, begun when `first` has done everything but commit."""

    def outcome() -> Any:
        try:
            return second()
        except (NotFound, Overloaded) as refused:
            return refused

    with ThreadPoolExecutor(1) as pool:
        with side.workbench.transactions.database.write() as session:
            first(session, side.clock.now())
            session.flush()
            later = pool.submit(outcome)
            time.sleep(A_MOMENT)
        return later.result(timeout=60)


def second_yes(couple: Couple) -> Step:
    couple.prove()
    asked, viewer = couple.older.yes(), couple.younger.viewer
    return lambda session, now: couple.younger.yes_in(session, asked.id, now, viewer)


def the_undoing(couple: Couple) -> Step:
    joined, viewer = couple.join(), couple.older.viewer
    cause, vault = couple.older.cause, couple.older.workbench.vault
    return lambda session, now: undo_join(session, viewer=viewer, join_id=joined.id, vault=vault, now=now, cause=cause)


def entering(side: Side) -> Step:
    vault, cause = side.workbench.vault, side.cause
    identity = side.read(lambda session: session.get_one(PlatformIdentity, side.payer.identity_id))
    user = PlatformUser(identity.provider, identity.app, open_id=identity.subject(vault))

    def step(session: Session, now: datetime) -> LoggedIn:
        return log_in(session, user=user, vault=vault, lasts=timedelta(days=30), now=now, cause=cause)

    return step


def lead_to(side: Side) -> set[UUID]:
    """The accounts that the logins of this wallet lead to."""
    query = LoginSession.__table__.select().where(LoginSession.platform_identity_id == side.payer.identity_id)
    return side.read(lambda session: {row.account_id for row in session.execute(query)})


CHANGES = {"join": second_yes, "undoing": the_undoing}
both = pytest.mark.parametrize("change", CHANGES)


@both
def test_a_login_between_a_change_and_its_commit(couple: Couple, change: str) -> None:
    step = CHANGES[change](couple)
    enter = entering(couple.younger)
    between(couple.younger, step, lambda: couple.younger.write(enter))
    assert lead_to(couple.younger) == {couple.younger.viewer.account_id}
    couple.older.assert_sound()


@both
def test_a_change_between_a_login_and_its_commit(couple: Couple, change: str) -> None:
    step = CHANGES[change](couple)
    between(couple.younger, entering(couple.younger), lambda: couple.younger.write(step))
    assert lead_to(couple.younger) == {couple.younger.viewer.account_id}
    couple.older.assert_sound()


def paying(side: Side, appointment_id: UUID) -> Step:
    payer = side.payer
    return lambda session, now: side.intend_in(session, appointment_id, now, payer=payer)


def test_a_payment_between_a_join_and_its_commit(couple: Couple) -> None:
    """It found its appointment under the account that is just being emptied."""
    held = couple.younger.book()
    pay = paying(couple.younger, held)
    told = between(couple.younger, second_yes(couple), lambda: couple.younger.write(pay))
    assert isinstance(told, NotFound)  # asked again, it finds the account that was kept
    couple.look_up()
    assert couple.younger.open_payment(held) is None
    couple.older.assert_sound()


def test_a_join_between_a_payment_and_its_commit(couple: Couple) -> None:
    held = couple.younger.book()
    step = second_yes(couple)
    between(couple.younger, paying(couple.younger, held), lambda: couple.younger.write(step))
    (payment,) = couple.younger.payments()
    assert payment.account_id == couple.older.own_account_id
    couple.older.assert_sound()


def test_a_payment_from_the_other_wallet_between_the_undoing_and_its_commit(couple: Couple) -> None:
    """Its payer is parted from the charge in that moment."""
    step = the_undoing(couple)
    held = couple.older.book()
    pay = paying(couple.younger, held)
    told = between(couple.younger, step, lambda: couple.younger.write(pay))
    assert isinstance(told, NotFound)
    assert couple.older.payments() == []


def test_a_payment_from_the_other_wallet_just_before_the_undoing(couple: Couple) -> None:
    step = the_undoing(couple)
    held = couple.older.book()
    between(couple.younger, paying(couple.younger, held), lambda: couple.older.write(step))
    (payment,) = couple.older.payments()
    assert payment.account_id == couple.older.own_account_id
    couple.older.assert_sound()


def cancelling(side: Side, appointment_id: UUID) -> Step:
    account_id, cause = side.account_id, side.cause
    return lambda session, now: cancel_appointment(
        session, appointment_id=appointment_id, account_id=account_id, now=now, cause=cause
    )


def test_a_cancelling_between_a_join_and_its_commit(couple: Couple) -> None:
    held = couple.younger.book()
    cancel = cancelling(couple.younger, held)
    assert isinstance(between(couple.younger, second_yes(couple), lambda: couple.younger.write(cancel)), NotFound)
    couple.look_up()
    couple.younger.cancel(held)
    couple.older.assert_sound()


def test_a_new_dependent_between_a_join_and_its_commit(couple: Couple) -> None:
    """Nothing may be added to an account that is just being emptied."""
    wanted = NewDependent("测试丁", IdType.RESIDENT_ID, resident_id(order=981), "13800000009", Relationship.OTHER)

    def add() -> UUID:
        account_id, vault = couple.younger.own_account_id, couple.younger.workbench.vault
        return couple.younger.write(
            lambda session, now: add_dependent(session, account_id=account_id, wanted=wanted, vault=vault, now=now).id
        )

    assert isinstance(between(couple.younger, second_yes(couple), add), Overloaded)
    couple.older.assert_sound()


def test_a_booking_between_a_join_and_its_commit(couple: Couple) -> None:
    step = second_yes(couple)
    told = between(couple.younger, step, couple.younger.book)
    assert isinstance(told, NotFound)
    couple.look_up()
    assert couple.younger.appointment(couple.younger.book()).account_id == couple.older.own_account_id
    couple.older.assert_sound()


def test_two_second_yeses_at_one_moment_are_one(couple: Couple) -> None:
    step = second_yes(couple)
    told = between(couple.younger, step, lambda: couple.younger.write(step))
    assert isinstance(told, (NotFound, Overloaded))
    couple.older.assert_sound()


def test_a_yes_between_its_withdrawal_and_the_commit_of_that(couple: Couple) -> None:
    couple.prove()
    asked, viewer, cause = couple.older.yes(), couple.older.viewer, couple.older.cause
    vault = couple.older.workbench.vault

    def withdraw(session: Session, now: datetime) -> None:
        undo_join(session, viewer=viewer, join_id=asked.id, vault=vault, now=now, cause=cause)

    assert isinstance(between(couple.older, withdraw, lambda: couple.younger.yes(asked.id)), NotFound)
    couple.look_up()
    assert couple.younger.account_id == couple.younger.own_account_id


def test_a_phone_given_up_between_an_ask_and_the_second_yes(couple: Couple) -> None:
    """The one who asked proves another number; the yes that comes before that is committed finds nothing."""
    couple.prove()
    asked = couple.older.yes()

    def change(session: Session, now: datetime) -> None:
        couple.older.prove_in(session, "+8613900000001", now)

    assert isinstance(between(couple.older, change, lambda: couple.younger.yes(asked.id)), NotFound)
    couple.look_up()
    assert couple.younger.account_id == couple.younger.own_account_id
