"""Refunds go to each merchant account's platform no faster than it takes them, and none is lost on the way (L-12)."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from uuid import UUID

import pytest
from fakes import FakeAdapters, FakeGateway, ManualClock
from harness import Patient, join, make_patient, make_workbench
from racing import all_done, pay, workers
from sqlalchemy import select
from structlog.testing import capture_logs
from wire import eventually

from core.clock import DatabaseClock
from core.payments.refund_desk import Word, say_of_refund
from core.payments.refund_pace import take_turn
from core.ports import ProviderError, ProviderRefused, ProviderUnavailable, RefundAnswer, RefundOrder, RefundState
from core.transactions import Transactions
from core.workbench import Workbench
from models.database import Database
from models.job import Job
from models.payment import RefundStatus
from models.refund_decision import RefundWay
from models.sealing import Vault

SECOND = timedelta(seconds=1)


def most_in_a_second(instants: list[datetime]) -> int:
    ordered = sorted(instants)
    return max(bisect_left(ordered, one + SECOND) - place for place, one in enumerate(ordered))


@pytest.fixture
def ask(transactions: Transactions, clock: ManualClock) -> Callable[..., datetime | None]:
    """For a turn; of another merchant where one is named, which `partner` may sign for."""

    def turn(per_second: int, merchant: str = "demo", partner: str | None = None) -> datetime | None:
        gateway = FakeGateway(clock, merchant=merchant)
        gateway.counted_as = partner or gateway.counted_as
        return transactions.write(lambda session, now: take_turn(session, gateway, per_second=per_second, now=now))

    return turn


def take_all(ask: Callable[..., datetime | None], per_second: int) -> int:
    """So many turns there are at one instant."""
    return next(had for had in range(200) if ask(per_second) is not None)


# --- turns


@pytest.mark.parametrize("per_second", [1, 2, 5, 6, 20, 100])
def test_no_second_has_more_turns_than_it_may(
    ask: Callable[..., datetime | None], clock: ManualClock, per_second: int
) -> None:
    """Whoever asks and when: in a crowd, after a silence, or as often as there are turns."""
    dice, had = random.Random(per_second), list[datetime]()
    for _ in range(400):
        clock.advance(timedelta(seconds=dice.choice([0, 0, 0, 0.001, 0.01, 0.05, 0.3, 1.5]) / per_second * 10))
        if ask(per_second) is None:
            had.append(clock.now())
    assert most_in_a_second(had) <= per_second
    assert len(had) > 20


@pytest.mark.parametrize("per_second", [1, 3, 20, 100])
def test_whoever_has_no_turn_comes_back_and_soon_has_one(
    ask: Callable[..., datetime | None], clock: ManualClock, per_second: int
) -> None:
    """All who are due at once, each coming back when it is told to: two thirds of the most are done in each second, and
    few are told so twice."""
    began, place = clock.now(), count()
    waiting, tries, had = [(began, next(place), one) for one in range(60)], Counter[int](), list[datetime]()
    while waiting:
        at, _, who = heappop(waiting)
        clock.set(max(at, clock.now()))
        tries[who] += 1
        back_at = ask(per_second)
        if back_at is None:
            had.append(clock.now())
        else:
            assert back_at > clock.now()
            heappush(waiting, (back_at, next(place), who))
    assert most_in_a_second(had) <= per_second
    assert (max(had) - began).total_seconds() <= 60 * 1.5 / per_second + 1
    assert max(tries.values()) <= 4


def test_each_merchant_account_has_its_own(ask: Callable[..., datetime | None], clock: ManualClock) -> None:
    assert take_all(ask, 20) > 1
    assert ask(20, "other") is None
    assert ask(20) is not None


def test_merchants_for_whom_one_partner_signs_share_its_turns(ask: Callable[..., datetime | None]) -> None:
    """The platform counts whoever calls."""
    had = [ask(20, merchant, "one partner") for merchant in ("fuyou", "kouqiang") * 20].count(None)
    assert ask(20) is None, "nobody else waits for them"
    assert had == take_all(ask, 20) + 1


def test_a_clock_that_was_put_back_stops_nobody(ask: Callable[..., datetime | None], clock: ManualClock) -> None:
    for _ in range(40):
        ask(20)
    clock.set(clock.now() - timedelta(hours=1))
    assert take_all(ask, 20) > 1
    back_at = ask(20)
    assert back_at is not None
    assert back_at < clock.now() + SECOND


# --- what is sent


@contextmanager
def at_most(patient: Patient, per_second: int) -> Iterator[None]:
    before = patient.workbench
    patient.workbench = replace(before, refunds_per_second=per_second)
    yield
    patient.workbench = before


def sent(patient: Patient) -> list[str]:
    return [number for verb, number in patient.gateway.calls if verb == "open_refund"]


def test_l_12_who_has_no_turn_is_sent_later_under_its_number(patient: Patient) -> None:
    patient.gateway.refund_settles_as = RefundState.SUCCEEDED
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    for one, appointment_id in [(one, one.paid()) for one in (patient, other)]:
        one.cancel(appointment_id)
    numbers = [one.out_refund_no for one in patient.refunds()]
    with at_most(patient, 1):
        patient.work()
        assert len(sent(patient)) == 1
        (waits,) = [one for one in patient.refunds() if one.status is RefundStatus.DUE]
        assert (waits.asked_times, waits.asked_at) == (0, None), "it was not sent, and nobody believes that it was"
        patient.work(after=SECOND)
        assert len(sent(patient)) == 1
        patient.work(after=SECOND)
    assert sorted(sent(patient)) == sorted(numbers)
    assert {one.status for one in patient.refunds()} == {RefundStatus.SUCCEEDED}
    patient.assert_sound()


@pytest.mark.parametrize(
    "said",
    [
        ProviderRefused("FREQUENCY_LIMITED", retryable=True, too_often=True),
        ProviderUnavailable("answered with HTTP 429", too_often=True),
    ],
    ids=["with a code", "without one"],
)
def test_f_40_a_merchant_whose_platform_has_had_too_much_rests_alone(
    patient: Patient, ask: Callable[..., datetime | None], said: ProviderError
) -> None:
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    (number,) = [one.out_refund_no for one in patient.refunds()]
    assert isinstance(said, ProviderRefused | ProviderUnavailable)
    patient.gateway.refuse_refunds = said
    with capture_logs() as logs:
        patient.work()
    assert {"event": "refunds_too_often", "provider": "wechat_pay", "merchant": "demo"}.items() <= {
        name: value for line in logs if line["event"] == "refunds_too_often" for name, value in line.items()
    }.items()
    assert ask(100, "other") is None
    calls = len(patient.gateway.calls)
    patient.work(after=timedelta(seconds=4))
    assert len(patient.gateway.calls) == calls, "it rests"
    patient.gateway.refuse_refunds = None
    patient.gateway.refund_settles_as = RefundState.SUCCEEDED
    for _ in range(6):
        patient.work(after=timedelta(seconds=10))
    (refund,) = patient.refunds()
    assert (refund.out_refund_no, refund.status) == (number, RefundStatus.SUCCEEDED)
    assert set(sent(patient)) == {number}
    patient.assert_sound()


def test_what_two_people_decided_takes_turns_as_well(patient: Patient, ask: Callable[..., datetime | None]) -> None:
    """One for the question and one for the call that follows from it."""
    patient.cancel(patient.paid())
    patient.gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    patient.work()
    patient.gateway.refuse_refunds, before = None, len(patient.gateway.calls)
    refund_id = patient.refunds()[0].id
    for operator in ("clerk-1", "clerk-2"):
        word = Word(RefundWay.AGAIN, "再次退款", operator)
        patient.write(lambda session, now, word=word: say_of_refund(session, refund_id, word, now=now))
    patient.clock.advance(timedelta(seconds=11))
    take_all(ask, 6)
    with at_most(patient, 6):
        patient.work()
        assert patient.gateway.calls[before:] == [], "others have the turns"
    with at_most(patient, 1):
        patient.work(after=timedelta(seconds=11))
        assert [verb for verb, _ in patient.gateway.calls[before:]] == ["find_refund"]
    patient.work(after=timedelta(seconds=11))
    assert [verb for verb, _ in patient.gateway.calls[before:]] == ["find_refund", "find_refund", "open_refund"]
    assert patient.refunds()[0].status is RefundStatus.PROCESSING
    patient.assert_sound()


# --- several workers

MANY, PER_SECOND = 60, 20


class Watched(FakeGateway):
    """Remembers when each refund was sent, and answers after a while as a platform far away does."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.begun: list[tuple[datetime, str]] = []
        self.refund_settles_as = RefundState.SUCCEEDED

    def open_refund(self, order: RefundOrder) -> RefundAnswer:
        self.begun.append((datetime.now(UTC), order.out_refund_no))
        return super().open_refund(order)


@pytest.fixture
def office(database: Database, vault: Vault) -> Workbench:
    """By the real clock, as workers are."""
    adapters = FakeAdapters(ManualClock(datetime.now(UTC)))
    adapters.the_gateway = Watched(adapters.the_gateway.clock)
    bench = make_workbench(Transactions(database, DatabaseClock(database)), vault, adapters)
    return replace(bench, refunds_per_second=PER_SECOND)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_l_12_three_workers_together_keep_the_pace_and_lose_none(office: Workbench) -> None:
    adapters = office.adapters
    assert isinstance(adapters, FakeAdapters)
    gateway = adapters.the_gateway
    assert isinstance(gateway, Watched)
    first = make_patient(office, gateway.clock, adapters, numbers=MANY)
    everybody = [first, *(join(office, gateway.clock, adapters, first.schedule_id) for _ in range(MANY - 1))]
    for one in everybody:
        appointment_id = one.book()
        pay(one, appointment_id)
        one.cancel(appointment_id)
    with workers(office, count=3):
        eventually(lambda: len(gateway.begun) >= MANY, "all are sent", within=60)
        all_done(office)
    assert most_in_a_second([at for at, _ in gateway.begun]) <= PER_SECOND
    assert Counter(number for _, number in gateway.begun) == Counter(one.out_refund_no for one in first.refunds())
    assert {one.status for one in first.refunds()} == {RefundStatus.SUCCEEDED}
    assert dead(office) == []
    first.assert_sound()


def dead(office: Workbench) -> list[UUID]:
    return office.transactions.read(
        lambda session, _now: list(session.scalars(select(Job.id).where(Job.dead_at.is_not(None))))
    )
