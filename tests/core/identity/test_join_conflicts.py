"""What keeps two accounts apart, although both have said yes; and what each of them is told about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fakes import FakeAdapters, ManualClock
from harness import beside
from wallets import ALIPAY, Couple, Side, make_couple, make_side

from core.identity.join import UNDO_WITHIN
from core.refusals import JoinConflict
from core.workbench import Workbench
from models.account import Account
from models.appointment import PayMode
from models.person import Relationship

SELF = Relationship.SELF


@pytest.fixture
def couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Couple:
    return make_couple(workbench, clock, adapters)


def hold(side: Side, count: int, limit: int) -> None:
    """Unpaid numbers, each for a dependent of its own and under terms with that limit."""
    for day in range(count):
        visit_date = (side.clock.now() + timedelta(days=4 + day)).date()
        schedule_id = beside(side, visit_date=visit_date, terms={"max_open_holds_account": limit})
        side.book(PayMode.ONLINE, schedule_id=schedule_id, dependent_id=side.add())


def two_selves(couple: Couple) -> None:
    for side in couple.sides:
        side.add(relationship=SELF)


def six_others(couple: Couple) -> None:
    for side in couple.sides:
        for _ in range(2):
            side.add()


def three_unpaid(couple: Couple) -> None:
    hold(couple.older, 2, limit=2)
    hold(couple.younger, 1, limit=2)


CONFLICTS: dict[str, Callable[[Couple], Any]] = {
    "two_selves": two_selves,
    "dependent_limit": six_others,
    "open_holds": three_unpaid,
}


@pytest.mark.parametrize("reason", CONFLICTS)
def test_what_would_break_a_limit_is_refused_and_both_stay_as_they_are(couple: Couple, reason: str) -> None:
    CONFLICTS[reason](couple)
    couple.prove()
    asked = couple.older.yes()
    with pytest.raises(JoinConflict) as refused:
        couple.younger.yes(asked.id)
    couple.look_up()
    assert [side.account_id for side in couple.sides] == [side.own_account_id for side in couple.sides]
    assert couple.younger.joins()[0].state == "asked"  # once the cause is gone, the same yes joins
    own = len([one for one in couple.younger.dependents() if one.relationship_ is not SELF])
    unpaid = 1 if reason == "open_holds" else 0
    assert refused.value.facts == {"dependents": own, "dependents_limit": 5, "unpaid": unpaid}
    couple.older.assert_sound()


def test_facts_are_the_same_kind_whatever_the_reason() -> None:
    """Nothing about the other account follows from which of them there are: see the test above, for each reason."""
    assert set(CONFLICTS) == {"two_selves", "dependent_limit", "open_holds"}


AT_THE_LIMIT: dict[str, Callable[[Couple], Any]] = {
    "five others and oneself": lambda couple: [
        couple.older.add(relationship=SELF), *(couple.older.add() for _ in range(2)), couple.younger.add(),
    ],
    "the sixth is the same person": lambda couple: [
        *(couple.older.add() for _ in range(3)), couple.younger.add(couple.older.document()),
    ],
    "two unpaid of two": lambda couple: [hold(side, 1, limit=2) for side in couple.sides],
    "unpaid ones of one side only": lambda couple: hold(couple.older, 2, limit=2),
}  # fmt: skip


@pytest.mark.parametrize("case", AT_THE_LIMIT)
def test_what_just_fits_is_joined(couple: Couple, case: str) -> None:
    AT_THE_LIMIT[case](couple)
    assert couple.join().state == "joined"
    couple.older.assert_sound()


def test_the_conflict_is_told_to_the_second_only_and_nothing_of_it_to_the_first(couple: Couple) -> None:
    two_selves(couple)
    couple.prove()
    asked = couple.older.yes()
    assert asked.state == "asked"
    before = couple.older.joins()
    with pytest.raises(JoinConflict):
        couple.younger.yes(asked.id)
    assert couple.older.joins() == before


def test_one_join_at_a_time_may_be_undone(couple: Couple, clock: ManualClock) -> None:
    """Else it would matter which of two is undone first."""
    couple.join()
    one = couple.older
    third = make_side(one.workbench, one.clock, one.adapters, one.schedule_id, "wechat_official", app="clinic")  # type: ignore[arg-type]
    one.prove()
    third.prove()
    asked = third.yes()
    with pytest.raises(JoinConflict):
        one.yes(asked.id)
    clock.advance(UNDO_WITHIN)
    one.prove()
    third.prove()
    third.yes()
    assert one.yes().state == "joined"
    assert {side.viewer.account_id for side in (*couple.sides, third)} == {one.own_account_id}
    one.assert_sound()


def test_an_account_closed_between_the_yeses_is_not_joined(couple: Couple) -> None:
    couple.prove()
    asked = couple.older.yes()
    couple.older.write(
        lambda session, now: setattr(session.get_one(Account, couple.older.account_id), "closed_at", now)
    )
    assert [one for one in couple.younger.joins() if one.id == asked.id] == []


def test_ids_of_one_app_keep_two_accounts_apart_even_after_the_first_yes(couple: Couple) -> None:
    """A second Alipay user of the same mini-program cannot come in through a joined account."""
    couple.join()
    couple.older.clock.advance(UNDO_WITHIN)
    one = couple.older
    rival = make_side(one.workbench, one.clock, one.adapters, one.schedule_id, ALIPAY)
    rival.prove()
    one.prove()
    assert rival.joins() == []
