"""Money on its way while the claim ends, raced in both orders and at once, against the platform's own books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cases import make_known, spoil
from harness import race
from stage import HOLD_OVER, SHORT_HOLD, Stage
from wire import Reply

from models.payment import RefundReason

ORDERS = ("money first", "money last", "at once")
PRICE = 5000


def in_order(order: str, money: Callable[[], Any], other: Callable[[], Any]) -> list[Any]:
    """What each gave: money's, then the other's."""
    if order == "money first":
        return [money(), other()]
    if order == "money last":
        return [other(), money()][::-1]
    given = race(money, other)
    for one in given:
        if isinstance(one, Exception):
            raise one
    return given


@pytest.mark.parametrize("events", ["with events", "without events"])
@pytest.mark.parametrize("order", ORDERS)
def test_payment_and_the_end_of_the_hold(stage: Stage, order: str, events: str) -> None:
    """F-50."""
    case = stage.opened()
    if events == "without events":
        spoil(stage, "notice.payment", "drop")
    stage.clock.advance(HOLD_OVER)
    came, _ = in_order(order, partial(stage.try_to_pay, case), stage.work)
    stage.settle(case)
    if came:
        assert case.is_booked()
        assert case.kept_fen() == PRICE
        assert stage.town.slot_statuses(case.schedule_id)["booked"] == 1
    else:
        assert case.moves() == ["pending", "cancelled"]
        assert case.kept_fen() == 0
        assert stage.town.slot_statuses(case.schedule_id) == {"free": 2}
    assert came is {"money first": True, "money last": False}.get(order, came)
    assert case.refunds() == []


@pytest.mark.parametrize("order", ORDERS)
def test_payment_and_the_patients_cancelling(stage: Stage, order: str) -> None:
    """The last word is the patient's: whatever came goes back."""
    case = stage.opened()
    came, reply = in_order(order, partial(stage.try_to_pay, case), case.cancel)
    assert reply.status == 200, reply
    stage.settle(case)
    assert case.moves()[-1] == "cancelled"
    assert len(case.refunds()) == came
    assert case.kept_fen() == 0
    stage.work()
    assert stage.town.slot_statuses(case.schedule_id) == {"free": 2}


@pytest.mark.parametrize("order", ORDERS)
def test_two_payers_of_one_number(stage: Stage, order: str) -> None:
    """The account's other phone asks for a prepay while the first one pays: the price is kept once."""
    case = stage.opened()
    other = replace(case, stranger=stage.town.second_login(case.stranger), trade_no="")
    make_known(stage, other.stranger)
    came, reply = in_order(order, partial(stage.try_to_pay, case), other.open_payment)
    assert (reply.status, reply.code) in {(201, None), (409, "already_paid"), (409, "not_payable")}, reply
    if reply.status == 201:
        came_too = stage.try_to_pay(other)
        assert came or came_too
    stage.settle(case)
    assert case.is_booked()
    assert case.kept_fen() == PRICE


def test_no_second_number_before_the_first_is_known_to_be_closed(stage: Stage) -> None:
    """F-49."""
    case = stage.opened()
    other = replace(case, stranger=stage.town.second_login(case.stranger), trade_no="")
    make_known(stage, other.stranger)
    spoil(stage, "pay.close", "drop_before")
    refused = other.open_payment_once()
    assert isinstance(refused, Reply)
    assert (refused.status, refused.code) == (503, "provider_unavailable")
    assert case.counts() == (["trade"], 1, 0)
    stage.control("DELETE", "/faults")
    assert other.open_payment().status == 201
    assert not stage.try_to_pay(case)
    assert stage.try_to_pay(other)
    stage.settle(case)
    assert case.is_booked()
    assert case.kept_fen() == PRICE


def test_money_for_a_number_that_was_let_go_comes_back(stage: Stage) -> None:
    """The platform could not be reached up to the cap; the number was sold on; then the money came."""
    case = stage.opened(terms=SHORT_HOLD | {"close_cap_minutes": 1}, numbers=1)
    for target in ("pay.close", "pay.query"):
        spoil(stage, target, "drop_before")
    stage.work(after=HOLD_OVER)
    assert case.status() == "pending"
    assert stage.town.slot_statuses(case.schedule_id) == {"held": 1}
    stage.work(after=timedelta(seconds=61))
    stage.work(after=timedelta(seconds=1))
    assert case.moves() == ["pending", "cancelled"]
    stranger = stage.town.stranger()
    reply = stranger.phone.post("/appointments", stranger.wish(case.schedule_id, "on_site"))
    assert reply.status == 201, reply
    stage.control("DELETE", "/faults")
    stage.deliver(case.pay())
    stage.settle(case)
    (refund,) = case.refunds()
    assert (refund.reason, refund.amount_fen) == (RefundReason.LATE_PAYMENT, PRICE)
    assert case.kept_fen() == 0
    assert stage.town.slot_statuses(case.schedule_id) == {"booked": 1}
    assert stranger.phone.get(f"/appointments/{reply.json['id']}")["status"] == "booked"


def test_a_cancelled_number_is_not_sold_before_its_prepay_is_closed(stage: Stage) -> None:
    case = stage.opened(numbers=1)
    spoil(stage, "pay.close", "drop_before", times=2)
    assert case.cancel().status == 200
    stage.work()
    assert stage.town.slot_statuses(case.schedule_id) == {"withheld": 1}
    stranger = stage.town.stranger()
    reply = stranger.phone.post("/appointments", stranger.wish(case.schedule_id, "on_site"))
    assert (reply.status, reply.code) == (409, "numbers_in_flight")
    assert case.ledger()[0]["state"] == "NOTPAY"
    stage.work_until(lambda: stage.town.slot_statuses(case.schedule_id) == {"free": 1}, "on sale again")
    assert case.ledger()[0]["state"] == "CLOSED"
