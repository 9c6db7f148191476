"""A join or its undoing, and everything else that two wallets can do at the same moment: afterwards the books agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from fakes import FakeAdapters, ManualClock
from harness import beside, race
from people import resident_id
from sqlalchemy import select
from wallets import PHONE, Couple, Side, make_couple

from core.dependents.add import NewDependent, add_dependent
from core.identity.login import log_in
from core.ports import PlatformUser
from core.refusals import JoinConflict, NotCancellable
from core.transactions import Overloaded
from core.workbench import Workbench
from models.account import LoginSession, PlatformIdentity
from models.account_join import AccountJoin, JoinStatus
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.errors import NotFound
from models.person import IdType, Relationship

R = TypeVar("R")
ROOMY = {"max_open_holds_account": 9, "max_open_holds_person": 9}
rounds = pytest.mark.parametrize("turn", range(3))


@pytest.fixture
def couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Couple:
    return make_couple(workbench, clock, adapters, numbers=20)


def insistently(side: Side, act: Callable[[Side], R], *accepted: type[Exception]) -> Callable[[], R | Exception]:
    """As a client does: asked again, a request finds whichever account its login leads to by then."""

    def call() -> R | Exception:
        mine = replace(side)
        for _ in range(100):
            try:
                mine.look_up()
                return act(mine)
            except (Overloaded, NotFound):
                continue
            except accepted as refused:
                return refused
        raise AssertionError("overloaded for ever")

    return call


def run(*calls: Callable[[], Any]) -> list[Any]:
    found = race(*calls)
    for one in found:
        if isinstance(one, Exception) and not isinstance(one, (JoinConflict, NotCancellable)):
            raise one
    return found


def day(side: Side, number: int) -> UUID:
    """A schedule on a day of its own."""
    return beside(side, visit_date=(side.clock.now() + timedelta(days=4 + number)).date(), terms=ROOMY, numbers=9)


def the_join(couple: Couple) -> AccountJoin:
    (row,) = couple.older.read(lambda session: session.scalars(select(AccountJoin)).all())
    return row


def assert_in_place(couple: Couple) -> None:
    """Each login leads to one account, that of its wallet or the joined one, and all of it is sound."""
    couple.look_up()
    couple.older.work(after=timedelta(seconds=1))
    couple.older.assert_sound()
    joined = the_join(couple).status is JoinStatus.JOINED
    expected = couple.older.own_account_id if joined else couple.younger.own_account_id
    assert couple.younger.account_id == expected
    assert couple.older.account_id == couple.older.own_account_id


@rounds
def test_both_say_yes_at_once(couple: Couple, turn: int) -> None:
    """Each by the offer it was shown: one of the two is the second yes."""
    couple.prove()
    named = {side.own_account_id: side.joins()[0].id for side in couple.sides}
    run(*(insistently(side, lambda one: one.yes(named[one.own_account_id])) for side in couple.sides))
    assert the_join(couple).status is JoinStatus.JOINED
    assert_in_place(couple)


@rounds
def test_the_second_yes_twice_at_once(couple: Couple, turn: int) -> None:
    couple.prove()
    asked = couple.older.yes()

    def yes(one: Side) -> Any:
        if the_join(couple).status is JoinStatus.JOINED:
            return None
        return one.yes(asked.id)

    run(*(insistently(couple.younger, yes) for _ in range(4)))
    assert the_join(couple).status is JoinStatus.JOINED
    assert len(couple.older.moves(asked.id)) == 2
    assert_in_place(couple)


@rounds
def test_undone_from_both_wallets_at_once(couple: Couple, turn: int) -> None:
    joined = couple.join()
    run(*(insistently(side, lambda one: one.undo(joined.id)) for side in couple.sides * 2))
    assert the_join(couple).status is JoinStatus.UNDONE
    assert len(couple.older.moves(joined.id)) == 3
    assert_in_place(couple)


@rounds
def test_a_yes_and_the_taking_back_of_the_other(couple: Couple, turn: int) -> None:
    """Withdrawn or joined and then undone, but never half."""
    couple.prove()
    asked = couple.older.yes()

    def yes(one: Side) -> Any:
        return one.yes(asked.id) if the_join(couple).status is JoinStatus.ASKED else None

    run(
        insistently(couple.younger, yes),
        insistently(couple.older, lambda one: one.undo(asked.id)),
    )
    assert the_join(couple).status in {JoinStatus.EXPIRED, JoinStatus.UNDONE}
    assert_in_place(couple)


# --- everything else at the same moment ------------------------------------------------------------------------------


def log_in_again(side: Side) -> UUID:
    def step(session: Any, now: Any) -> UUID:
        vault = side.workbench.vault
        identity = session.get_one(PlatformIdentity, side.payer.identity_id)
        user = PlatformUser(identity.provider, identity.app, open_id=identity.subject(vault))
        lasts = timedelta(days=30)
        return log_in(session, user=user, vault=vault, lasts=lasts, now=now, cause=side.cause).login.id

    return side.write(step)


def add_another(side: Side, order: int) -> UUID:
    wanted = NewDependent("测试丁", IdType.RESIDENT_ID, resident_id(order=order), "13800000009", Relationship.OTHER)
    return side.write(
        lambda session, now: (
            add_dependent(session, account_id=side.account_id, wanted=wanted, vault=side.workbench.vault, now=now).id
        )
    )


def everything_at_once(couple: Couple, act: Callable[[], Any]) -> list[Any]:
    """`act`, while each wallet books, pays, cancels, adds a dependent, logs in and proves its phone."""
    prepared = []
    for number, side in enumerate(couple.sides):
        paid = side.paid()
        held = side.book(PayMode.ONLINE, schedule_id=day(side, 2 * number))
        fresh = day(side, 2 * number + 1)
        prepared.append((side, held, paid, fresh))
    calls: list[Callable[[], Any]] = [act]
    for number, (side, held, paid, fresh) in enumerate(prepared):
        calls += [
            insistently(side, lambda one, at=fresh: one.book(PayMode.ON_SITE, schedule_id=at)),
            insistently(side, lambda one, which=held: one.open_payment(which)),
            insistently(side, lambda one, which=paid: one.cancel(which), NotCancellable),
            insistently(side, lambda one, order=981 + 2 * number: add_another(one, order)),
            insistently(side, log_in_again),
            insistently(side, lambda one: one.prove(PHONE)),
        ]
    return run(*calls)


def assert_logins_live(couple: Couple) -> None:
    """Nobody was handed a token that leads nowhere."""
    query = select(LoginSession, PlatformIdentity).join(
        PlatformIdentity, PlatformIdentity.id == LoginSession.platform_identity_id
    )
    for login, identity in couple.older.read(lambda session: session.execute(query).all()):
        assert login.account_id == identity.account_id


@rounds
def test_the_second_yes_while_both_wallets_are_busy(couple: Couple, turn: int) -> None:
    couple.prove()
    asked = couple.older.yes()
    everything_at_once(couple, insistently(couple.younger, lambda one: one.yes(asked.id), JoinConflict))
    assert the_join(couple).status is JoinStatus.JOINED
    assert_logins_live(couple)
    assert_in_place(couple)
    assert len(couple.older.dependents()) == 4
    of_account = select(Appointment.status).where(Appointment.account_id == couple.older.account_id)
    found = couple.older.read(lambda session: sorted(session.scalars(of_account)))
    assert found.count(AppointmentStatus.CANCELLED) == 2
    assert len(found) == 6


@rounds
def test_undoing_while_both_wallets_are_busy(couple: Couple, turn: int) -> None:
    joined = couple.join()
    everything_at_once(couple, insistently(couple.older, lambda one: one.undo(joined.id)))
    assert the_join(couple).status is JoinStatus.UNDONE
    assert_logins_live(couple)
    assert_in_place(couple)
    for side in couple.sides:
        of_account = select(Appointment.dependent_id).where(Appointment.account_id == side.account_id)
        assert set(side.read(lambda session, query=of_account: session.scalars(query).all())) == {side.dependent_id}  # type: ignore[misc]
