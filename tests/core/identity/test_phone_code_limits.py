"""How many codes are sent (A-37): over sliding windows, counted in the database, also where many ask at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from codes_by_sms import DAY, HOUR, LIMITS, MINUTE, NET, PLENTY, WIDE, Prover, make_prover, wrong
from fakes import START, FakeAdapters, ManualClock
from harness import race
from people import rotated
from sqlalchemy import func, select
from structlog.testing import capture_logs

from core.clock import next_day_begins
from core.identity.code_limits import Rate
from core.identity.phone_codes import TRIES
from core.ports import ProviderRefused
from core.refusals import PhoneNotProven, ProviderDown
from core.workbench import Workbench
from models.errors import TooMany
from models.phone_code import CodeGate

MILLISECOND = timedelta(milliseconds=1)
Another = Callable[..., Prover]


@pytest.fixture
def another(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Another:
    """Somebody else, with an account of their own."""

    def make(**changes: Any) -> Prover:
        limits = changes.pop("limits", LIMITS)
        return make_prover(workbench, clock, adapters, limits=limits).but(**changes)

    return make


def refused_until(act: Callable[[], Any]) -> Any:
    with pytest.raises(TooMany) as refused:
        act()
    return refused.value.retry_at


def asked_until(prover: Prover) -> datetime | None:
    """None where it was sent."""
    try:
        prover.ask()
    except TooMany as refused:
        return refused.retry_at
    return None


def test_one_a_minute_to_one_phone_whoever_asks(another: Another, clock: ManualClock) -> None:
    first, second = another(), another()
    first.ask()
    for one in (first, second):
        assert refused_until(one.ask) == START + MINUTE
    clock.advance(MINUTE - MILLISECOND)
    assert refused_until(second.ask) == START + MINUTE
    clock.advance(MILLISECOND)
    second.ask()
    assert len(first.sms.sent) == 2


def test_five_an_hour_and_ten_a_day_to_one_phone(another: Another, clock: ManualClock) -> None:
    prover = another()
    for _ in range(5):
        prover.ask()
        clock.advance(MINUTE)
    assert refused_until(prover.ask) == START + HOUR
    clock.advance(HOUR - 5 * MINUTE)
    for _ in range(5):
        prover.ask()
        clock.advance(timedelta(minutes=13))
    assert refused_until(prover.ask) == START + DAY
    assert len(prover.sms.sent) == 10
    clock.advance(DAY)
    prover.ask()


def test_a_window_slides_and_has_no_edge_to_wait_for(another: Another, clock: ManualClock) -> None:
    """Buckets of a minute would let two through within a second."""
    clock.advance(timedelta(seconds=59.5))
    prover = another()
    prover.ask()
    clock.advance(timedelta(seconds=1))
    assert refused_until(prover.ask) == START + timedelta(seconds=119.5)


def test_an_account_is_limited_whatever_the_phone(another: Another) -> None:
    prover = another(limits=replace(LIMITS, account=(Rate(2, HOUR),)))
    phones = [f"+861380000001{digit}" for digit in range(3)]
    for phone in phones[:2]:
        prover.but(phone=phone).ask()
    assert refused_until(prover.but(phone=phones[2]).ask) == START + HOUR


def test_a_network_is_limited_whatever_the_account(another: Another) -> None:
    limits = replace(WIDE, net=(Rate(2, HOUR),))
    for _ in range(2):
        another(limits=limits).ask()
    assert refused_until(another(limits=limits).ask) == START + HOUR
    another(limits=limits, net="198.51.100.0/24").ask()


def test_a_day_has_a_cap_and_tells_operators_once_near_it_and_once_at_it(another: Another, clock: ManualClock) -> None:
    limits = replace(WIDE, daily_most=5)
    with capture_logs() as lines:
        for _ in range(5):
            another(limits=limits).ask()
        assert refused_until(another(limits=limits).ask) == next_day_begins(now=START)
    spent = [line for line in lines if line["event"] == "sms_of_the_day_spent"]
    assert [(line["sent"], line["alarm"]) for line in spent] == [(4, True), (5, True)]
    clock.advance(next_day_begins(now=START) - START)
    another(limits=limits).ask()


def test_the_latest_of_several_waits_is_told(another: Another) -> None:
    prover = another(limits=replace(LIMITS, account=(Rate(1, DAY),)))
    prover.ask()
    assert refused_until(prover.ask) == START + DAY


def test_what_reached_nobody_counts_in_the_shortest_window_alone(another: Another, clock: ManualClock) -> None:
    prover = another(limits=replace(LIMITS, phone=(Rate(1, MINUTE), Rate(1, HOUR)), account=(Rate(1, DAY),)))
    prover.sms.failures = [ProviderRefused("isv.OUT_OF_SERVICE")]
    with pytest.raises(ProviderDown):
        prover.ask()
    assert refused_until(prover.ask) == START + MINUTE
    clock.advance(MINUTE)
    prover.ask()
    clock.advance(MINUTE)
    assert refused_until(prover.ask) == START + MINUTE + DAY


def test_a_new_key_for_hashes_forgets_nobody(another: Another) -> None:
    prover = another()
    code = prover.code()
    turned = replace(prover, workbench=replace(prover.workbench, vault=rotated(prover.workbench.vault)))
    assert refused_until(turned.ask) == START + MINUTE
    assert turned.guess(code) is not None


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_rhythm_no_window_holds_more_and_every_wait_is_true(
    another: Another, clock: ManualClock, seed: int
) -> None:
    """What is told as `retry_at` is neither too late nor too early by a millisecond."""
    chance = random.Random(seed)
    rates = (Rate(1, timedelta(seconds=chance.randint(1, 60))), Rate(chance.randint(2, 4), MINUTE * 3))
    prover, let = another(limits=replace(WIDE, phone=rates)), list[datetime]()
    for _ in range(25):
        clock.advance(timedelta(milliseconds=chance.choice((0, 1, 900, 15_000, 70_000))))
        wait = asked_until(prover)
        if wait is not None:
            clock.advance(wait - MILLISECOND - clock.now())
            assert asked_until(prover) == wait
            clock.advance(MILLISECOND)
            assert asked_until(prover) is None
        let.append(clock.now())
    for rate in rates:
        assert max(sum(start <= at < start + rate.per for at in let) for start in let) <= rate.most


# --- all at once


def sent_in_parallel(*provers: Prover) -> int:
    """How many got through; the others were told when to come again."""
    found = race(*(prover.ask for prover in provers))
    assert {type(one).__name__ for one in found} <= {"CodeIntent", "TooMany"}, found
    return sum(not isinstance(one, Exception) for one in found)


@pytest.mark.parametrize("turn", range(3))
def test_of_many_accounts_that_ask_for_one_phone_at_once_one_gets_through(
    another: Another, clock: ManualClock, turn: int
) -> None:
    provers = [another(net=f"{NET}{n}") for n in range(8)]
    assert sent_in_parallel(*provers) == 1
    assert len(provers[0].sms.sent) == len(provers[0].rows()) == 1
    clock.advance(DAY)  # the gates stand now, which alone would have kept seven of eight away
    assert sent_in_parallel(*provers) == 1


@pytest.mark.parametrize("turn", range(3))
def test_of_many_phones_that_one_account_asks_for_at_once_as_many_as_the_rate(another: Another, turn: int) -> None:
    prover = another(limits=replace(LIMITS, account=(Rate(3, HOUR),)))
    assert sent_in_parallel(*(prover.but(phone=f"+861380000001{digit}") for digit in range(8))) == 3


@pytest.mark.parametrize("turn", range(3))
def test_of_many_who_ask_from_one_network_at_once_as_many_as_the_rate(
    another: Another, clock: ManualClock, turn: int
) -> None:
    limits = replace(LIMITS, net=(Rate(3, HOUR),))
    provers = [another(limits=limits, phone=f"+861380000001{n}") for n in range(8)]
    assert sent_in_parallel(*provers) == 3
    clock.advance(DAY)
    assert sent_in_parallel(*provers) == 3


@pytest.mark.parametrize("turn", range(3))
def test_the_cap_of_the_day_holds_though_nothing_else_is_shared(another: Another, turn: int) -> None:
    limits = replace(LIMITS, daily_most=3)
    provers = [another(limits=limits, phone=f"+861380000001{n}", net=f"{NET}{n}") for n in range(8)]
    assert sent_in_parallel(*provers) == 3
    assert len(provers[0].sms.sent) == 3


@pytest.mark.parametrize("turn", range(3))
def test_a_gate_that_many_make_at_once_is_made_once(another: Another, turn: int) -> None:
    provers = [another(limits=replace(LIMITS, phone=PLENTY)) for _ in range(6)]
    assert sent_in_parallel(*provers) == 6
    count = select(func.count()).select_from(CodeGate)
    assert provers[0].workbench.transactions.read(lambda session, _: session.scalar(count)) == 3


@pytest.mark.parametrize("turn", range(3))
def test_of_tries_at_once_five_count_and_no_more(another: Another, turn: int) -> None:
    prover = another()
    code = prover.code()
    found = race(*[lambda: prover.guess(wrong(code))] * 12)
    assert sum(one is None for one in found) == TRIES
    assert sum(isinstance(one, TooMany) for one in found) == 12 - TRIES
    assert prover.rows()[0].tries == TRIES


@pytest.mark.parametrize("turn", range(3))
def test_a_right_code_sent_by_many_at_once_is_used_once(another: Another, turn: int) -> None:
    prover = another()
    code_id = prover.guess(prover.code())
    assert code_id is not None
    found = race(*[lambda: prover.use(code_id)] * 6)
    assert sum(isinstance(one, PhoneNotProven) for one in found) == 5
    assert prover.account().has_phone
