"""Joining by phone: what is told before, whose yes it takes, and how long each waits (A-30, A-39)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import FakeAdapters, ManualClock
from people import rotated
from sqlalchemy import func, select
from wallets import ALIPAY, WECHAT, Couple, Side, make_couple, make_side

from core.identity.join import ASK_AGAIN_AFTER, FIRST_YES_WAITS, UNDO_WITHIN
from core.identity.join_offers import PROOF_GOOD_FOR, JoinState, JoinView, list_joins
from core.refusals import JoinConflict, PhoneNotProven, UndoTooLate
from core.workbench import Workbench
from models.account import Account
from models.account_join import AccountJoin
from models.base import new_id
from models.errors import NotFound
from models.states import Machine, StateEvent

MILLISECOND = timedelta(milliseconds=1)
OTHER_PHONE = "+8613900000001"


@pytest.fixture
def couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Couple:
    return make_couple(workbench, clock, adapters)


def third(couple: Couple, provider: str = "wechat_official", **how: object) -> Side:
    one = couple.older
    return make_side(one.workbench, one.clock, one.adapters, one.schedule_id, provider, **how)  # type: ignore[arg-type]


def states(side: Side) -> list[str]:
    return [str(one.state) for one in side.joins()]


def joins(couple: Couple) -> int:
    return couple.older.read(lambda session: session.scalar(select(func.count()).select_from(AccountJoin)) or 0)


def assert_apart(couple: Couple) -> None:
    couple.look_up()
    assert [side.account_id for side in couple.sides] == [side.own_account_id for side in couple.sides]


# --- what is told


def test_an_offer_tells_wallet_day_and_masked_phone_and_nothing_else(couple: Couple) -> None:
    couple.prove()
    (offer,) = couple.older.joins()
    assert offer == JoinView(
        id=offer.id,
        state=JoinState.OFFERED,
        reason="phone",  # type: ignore[arg-type]
        wallet=ALIPAY,
        since=couple.younger.clock.now().date(),
        phone_masked="138****0000",
        waits_for="you",  # type: ignore[arg-type]
    )
    (seen_by_the_other,) = couple.younger.joins()
    assert (seen_by_the_other.wallet, seen_by_the_other.since.day) == (WECHAT, offer.since.day - 1)
    assert not {offer.id, seen_by_the_other.id} & {couple.older.account_id, couple.younger.account_id}


def test_whoever_has_not_proven_the_phone_learns_nothing(couple: Couple) -> None:
    couple.older.prove()
    couple.younger.prove(OTHER_PHONE)
    assert states(couple.older) == states(couple.younger) == []


def test_whoever_proved_it_too_long_ago_learns_nothing(couple: Couple, clock: ManualClock) -> None:
    couple.prove()
    (offer,) = couple.younger.joins()
    clock.advance(PROOF_GOOD_FOR - MILLISECOND)
    assert states(couple.younger) == ["offered"]
    clock.advance(MILLISECOND)
    assert states(couple.younger) == states(couple.older) == []
    with pytest.raises(PhoneNotProven):
        couple.younger.yes(offer.id)
    assert joins(couple) == 0


def test_an_old_proof_of_the_other_is_enough_for_an_offer(couple: Couple, clock: ManualClock) -> None:
    couple.older.prove()
    clock.advance(timedelta(days=900))
    couple.younger.prove()
    assert states(couple.younger) == ["offered"]
    assert states(couple.older) == []


def test_an_ask_is_not_told_to_an_account_without_a_fresh_proof(couple: Couple, clock: ManualClock) -> None:
    """The number was handed out again: whoever had it before learns nothing of the new holder."""
    couple.older.prove()
    clock.advance(timedelta(days=900))
    couple.younger.prove()
    asked = couple.younger.yes()
    assert (asked.state, asked.waits_for) == ("asked", "other")
    assert states(couple.older) == []
    with pytest.raises(PhoneNotProven):
        couple.older.yes(asked.id)
    couple.older.prove()
    (told,) = couple.older.joins()
    assert (told.id, told.state, told.waits_for, told.wallet) == (asked.id, "asked", "you", ALIPAY)


def test_two_accounts_of_one_app_are_two_people(couple: Couple) -> None:
    """A WeChat user is never offered another WeChat user of the same mini-program."""
    same_app = third(couple, WECHAT)
    couple.older.prove()
    same_app.prove()
    assert states(couple.older) == states(same_app) == []


def test_closed_accounts_are_not_offered(couple: Couple) -> None:
    couple.prove()
    couple.older.write(
        lambda session, now: setattr(session.get_one(Account, couple.younger.account_id), "closed_at", now)
    )
    assert states(couple.older) == []


def test_offers_are_found_while_hashing_keys_change(couple: Couple) -> None:
    couple.older.prove()
    vault = rotated(couple.older.workbench.vault)
    workbench = Workbench(
        couple.older.workbench.transactions, vault, couple.older.workbench.tickets, couple.older.adapters
    )
    couple.younger.workbench = workbench
    couple.younger.prove()
    viewer = couple.younger.viewer
    found = workbench.transactions.read(lambda session, now: list_joins(session, viewer=viewer, vault=vault, now=now))
    assert [one.state for one in found] == ["offered"]


# --- whose yes


def test_one_yes_only_asks(couple: Couple) -> None:
    couple.prove()
    asked = couple.older.yes()
    assert (asked.state, asked.waits_for) == ("asked", "other")
    assert_apart(couple)
    assert couple.younger.dependents()[0].account_id == couple.younger.own_account_id


def test_the_same_yes_twice_is_one_yes(couple: Couple) -> None:
    couple.prove()
    (offer,) = couple.older.joins()
    asked = couple.older.yes(offer.id)
    assert couple.older.yes(asked.id) == couple.older.yes(offer.id) == asked
    assert_apart(couple)
    assert joins(couple) == 1


@pytest.mark.parametrize("by_offer", [True, False])
def test_the_yes_of_the_other_joins_whichever_way_it_is_named(couple: Couple, by_offer: bool) -> None:
    couple.prove()
    (offer,) = couple.younger.joins()
    asked = couple.older.yes()
    joined = couple.younger.yes(offer.id if by_offer else asked.id)
    assert (joined.id, joined.state, joined.waits_for) == (asked.id, "joined", None)
    couple.look_up()
    assert couple.older.account_id == couple.younger.account_id == couple.older.own_account_id


@pytest.mark.parametrize("first", ["older", "younger"])
def test_the_older_account_is_kept_whoever_asked(couple: Couple, first: str) -> None:
    couple.prove()
    one, other = couple.sides if first == "older" else couple.sides[::-1]
    one.yes()
    other.yes()
    couple.look_up()
    assert couple.younger.account_id == couple.older.own_account_id


def test_after_joining_each_side_is_told_of_the_other_wallet(couple: Couple) -> None:
    couple.join()
    for side, wallet in ((couple.older, ALIPAY), (couple.younger, WECHAT)):
        (told,) = side.joins()
        assert (told.state, told.wallet, told.undo_before) == ("joined", wallet, side.clock.now() + UNDO_WITHIN)


def test_the_second_yes_needs_a_fresh_proof_of_its_own(couple: Couple, clock: ManualClock) -> None:
    couple.prove()
    asked = couple.older.yes()
    clock.advance(PROOF_GOOD_FOR)
    with pytest.raises(PhoneNotProven):
        couple.younger.yes(asked.id)
    couple.younger.prove()
    assert couple.younger.yes(asked.id).state == "joined"


def test_the_first_yes_waits_a_day_and_no_longer(couple: Couple, clock: ManualClock) -> None:
    couple.prove()
    asked = couple.older.yes()
    clock.advance(FIRST_YES_WAITS - MILLISECOND)
    couple.younger.prove()
    assert states(couple.younger) == ["asked"]
    clock.advance(MILLISECOND)
    assert states(couple.younger) == ["offered"]
    assert states(couple.older) == ["expired"]
    with pytest.raises(NotFound):
        couple.younger.yes(asked.id)
    assert couple.younger.yes().state == "asked"  # a new first yes
    assert couple.older.moves(asked.id)[-1].reason == "no_second_yes"
    assert_apart(couple)


def test_an_ask_falls_with_the_phone_that_it_stood_on(couple: Couple) -> None:
    couple.prove()
    asked = couple.older.yes()
    couple.older.prove(OTHER_PHONE)
    couple.older.prove()
    assert states(couple.younger) == ["offered"]
    with pytest.raises(NotFound):
        couple.younger.yes(asked.id)
    assert_apart(couple)


def test_proving_the_same_phone_again_leaves_the_ask(couple: Couple) -> None:
    couple.prove()
    couple.older.yes()
    couple.older.prove()
    assert couple.younger.yes().state == "joined"


def test_a_yes_to_nothing_is_not_found(couple: Couple) -> None:
    couple.prove()
    stranger = third(couple)
    stranger.prove(OTHER_PHONE)
    (offer,) = couple.older.joins()
    asked = couple.older.yes()
    for side, named in (
        (couple.older, new_id()),
        (stranger, offer.id),
        (stranger, asked.id),
        (couple.younger, offer.id),
    ):
        with pytest.raises(NotFound):
            side.yes(named)
    assert_apart(couple)


# --- taking it back


@pytest.mark.parametrize(("who", "why"), [("older", "withdrawn"), ("younger", "declined")])
def test_an_ask_can_be_withdrawn_and_declined(couple: Couple, who: str, why: str) -> None:
    couple.prove()
    asked = couple.older.yes()
    assert getattr(couple, who).undo(asked.id).state == "expired"
    assert couple.older.moves(asked.id)[-1].reason == why
    with pytest.raises(NotFound):
        couple.younger.yes(asked.id)


def test_undone_each_login_leads_to_its_own_account_again(couple: Couple) -> None:
    couple.join()
    undone = couple.younger.undo()
    assert undone.state == "undone"
    assert_apart(couple)
    couple.older.assert_sound()
    assert couple.older.undo(undone.id) == couple.older.joins()[-1]  # once more is the same as once


def test_undoing_is_open_for_a_day_and_no_longer(couple: Couple, clock: ManualClock) -> None:
    joined = couple.join()
    clock.advance(UNDO_WITHIN)
    with pytest.raises(UndoTooLate):
        couple.older.undo(joined.id)
    clock.advance(-MILLISECOND)
    assert couple.older.undo(joined.id).state == "undone"


def test_a_stranger_can_undo_nothing(couple: Couple) -> None:
    joined, stranger = couple.join(), third(couple, ALIPAY, app="elsewhere")
    stranger.prove()
    with pytest.raises(NotFound):
        stranger.undo(joined.id)
    couple.look_up()
    assert couple.younger.account_id == couple.older.own_account_id


def figures(side: Side) -> tuple[str, dict[str, object]]:
    """With which a first yes is refused."""
    with pytest.raises(JoinConflict) as refused:
        side.yes()
    return refused.value.code, dict(refused.value.facts)


def test_whoever_was_declined_may_not_ask_again_for_a_week(couple: Couple, clock: ManualClock) -> None:
    couple.prove()
    couple.older.yes()
    couple.younger.undo()
    assert figures(couple.older) == ("join_conflict", {"dependents": 1, "dependents_limit": 5, "unpaid": 0})
    clock.advance(ASK_AGAIN_AFTER - MILLISECOND)
    couple.prove()
    figures(couple.older)
    clock.advance(MILLISECOND)
    assert couple.older.yes().state == "asked"


def test_whoever_declined_may_ask(couple: Couple) -> None:
    couple.prove()
    couple.older.yes()
    couple.younger.undo()
    assert couple.younger.yes().state == "asked"
    assert couple.older.yes().state == "joined"


def test_whoever_withdrew_may_ask_again(couple: Couple) -> None:
    couple.prove()
    couple.older.yes()
    couple.older.undo()
    assert couple.older.yes().state == "asked"


def test_a_week_after_undoing_they_may_be_joined_again(couple: Couple, clock: ManualClock) -> None:
    couple.join()
    couple.older.undo()
    couple.look_up()
    for side in couple.sides:
        figures(side)
    clock.advance(ASK_AGAIN_AFTER)
    couple.join()
    assert states(couple.older) == ["joined", "undone"]
    couple.older.assert_sound()


def test_every_move_is_written_down_with_who_made_it(couple: Couple) -> None:
    joined = couple.join()
    couple.older.undo()
    query = select(StateEvent).where(StateEvent.machine == Machine.ACCOUNT_JOIN).order_by(StateEvent.seq)
    events = couple.older.read(lambda session: list(session.scalars(query)))
    assert [(one.record_id, one.to_status) for one in events] == [
        (joined.id, "asked"), (joined.id, "joined"), (joined.id, "undone"),
    ]  # fmt: skip
    assert {one.cause_id for one in events} == {"test-request"}


def test_asks_of_an_account_that_was_emptied_are_over(couple: Couple) -> None:
    couple.prove()
    visitor = third(couple)
    visitor.prove()
    pending = visitor.yes(next(one.id for one in visitor.joins() if one.wallet == ALIPAY))
    couple.older.yes(next(one.id for one in couple.older.joins() if one.wallet == ALIPAY))
    asked_by_older = next(one.id for one in couple.younger.joins() if one.wallet == WECHAT)
    couple.younger.yes(asked_by_older)
    assert couple.older.moves(pending.id)[-1].reason == "joined_elsewhere"
    couple.older.assert_sound()
