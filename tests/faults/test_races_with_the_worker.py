"""Patients and several workers at the same time: the end of a hold against its payment, freed numbers against those who
wait for them, accept, decline and book."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import uniform
from threading import Barrier, Event, Semaphore
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import pytest
from cases import Case, booked_by, make_known, spoil
from crowd import Stranger
from harness import REQUEST, race
from racing import all_done, book, tried, workers
from sqlalchemy import func, select
from stage import HOLD_OVER, SHORT_HOLD, Stage
from wire import Reply, eventually

from core.booking.waitlist.wait import WaitWish, wait_for_number
from core.clock import day_begins, hospital_day
from models.appointment import Appointment, PayMode
from models.payment import RefundReason
from models.schedule import Schedule
from models.waitlist import WaitlistEntry, WaitlistPlace

PRICE = 5000
CAP = timedelta(minutes=1)
TICK = timedelta(seconds=0.1)


# --- the end of a hold against its payment


def opened(stage: Stage, count: int) -> list[Case]:
    """So many patients of one half day, each with its prepay handed out."""
    terms = SHORT_HOLD | {"close_cap_minutes": CAP // timedelta(minutes=1)}
    schedule_id = stage.town.schedule(numbers=count, now=stage.clock.now(), terms=terms)

    def begin(stranger: Stranger) -> Case:
        case = booked_by(stage, stranger, schedule_id)
        assert case.open_payment().status == 201
        return case

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(begin, stage.town.strangers(count)))


@pytest.mark.parametrize("count", [2, 8, 50])
@pytest.mark.parametrize("closing", ["closed in time", "given up at the cap"])
def test_many_holds_end_while_they_are_paid(stage: Stage, closing: str, count: int) -> None:
    """Half of them have paid when the time is over for all, the others come now. Whoever paid has the number or the
    money, and not both."""
    cases = opened(stage, count)
    if closing == "given up at the cap":
        for target in ("pay.close", "pay.query"):
            spoil(stage, target, "drop_before")
    paid, over = Semaphore(0), Event()

    def pay(at: int) -> bool:
        if at < count // 2:  # those with whom the workers begin
            assert over.wait(60)
            sleep(uniform(0, 0.3 + count / 50))
        came = stage.try_to_pay(cases[at])
        paid.release()
        return came

    def end() -> None:
        for _ in range(count - count // 2):
            assert paid.acquire(timeout=60)
        stage.clock.advance(HOLD_OVER if closing == "closed in time" else HOLD_OVER + CAP)
        over.set()

    with workers(stage.workbench, count=3):
        came = race(*(partial(pay, at) for at in range(count)), end)[:-1]
    stage.control("DELETE", "/faults")
    stage.settle(*cases)
    held = [judge(case, one, late=closing == "given up at the cap") for case, one in zip(cases, came, strict=True)]
    stage.work()
    assert sum(held) >= (count // 2 if closing == "closed in time" else 0)
    assert stage.town.slot_statuses(cases[0].schedule_id) == Counter(booked=sum(held), free=count - sum(held))


def judge(case: Case, came: Any, *, late: bool) -> bool:
    """Whether the number is kept: exactly by those whose money is, and only past the cap money comes too late."""
    assert came in {True, False}, came
    status, kept, refunds = case.moves()[-1], case.kept_fen(), case.refunds()
    if came and status == "booked":
        assert (kept, refunds) == (PRICE, [])
    elif came:
        assert late
        assert (status, kept) == ("cancelled", 0)
        assert [(one.reason, one.amount_fen) for one in refunds] == [(RefundReason.LATE_PAYMENT, PRICE)]
    else:
        assert (status, kept, refunds) == ("cancelled", 0, [])
    return status == "booked"


# --- freed numbers against those who wait


@dataclass
class Queue:
    """A full half day: who has its numbers, and who waits for one, in their order."""

    stage: Stage
    schedule_id: UUID
    holders: list[Case]
    waiting: list[Stranger]
    entries: list[UUID]
    found: dict[UUID, str] = field(default_factory=dict)

    def offers(self) -> list[tuple[int, Case]]:
        """Numbers that were found since the last look, each with the place in the queue of whoever it is for."""
        query = select(WaitlistPlace.entry_id, WaitlistPlace.appointment_id).where(
            WaitlistPlace.entry_id.in_(self.entries), WaitlistPlace.appointment_id.is_not(None)
        )
        with self.stage.town.database.read() as session:
            now = {row.entry_id: str(row.appointment_id) for row in session.execute(query)}
        fresh = sorted((self.entries.index(one), found) for one, found in now.items() if one not in self.found)
        assert self.found.items() <= now.items()  # nobody is given another one
        self.found = now
        return [(at, Case(self.stage, self.waiting[at], self.schedule_id, found)) for at, found in fresh]

    def statuses(self) -> list[str]:
        """Of the entries, in their order."""
        with self.stage.town.database.read() as session:
            rows = session.execute(select(WaitlistEntry.id, WaitlistEntry.status))
            by_id = {row.id: str(row.status) for row in rows}
        return [by_id[one] for one in self.entries]

    def numbers_of(self, strangers: list[Stranger]) -> list[int]:
        """How many numbers each was ever given."""
        whose = [one.account_id for one in strangers]
        query = select(Appointment.account_id, func.count()).where(Appointment.account_id.in_(whose))
        with self.stage.town.database.read() as session:
            counts = dict(session.execute(query.group_by(Appointment.account_id)).all())
        return [counts.get(one, 0) for one in whose]


def queue(stage: Stage, *, freed: int, waiting: int, pay: PayMode) -> Queue:
    now = stage.clock.now()
    schedule_id = stage.town.schedule(numbers=freed, now=now, release_at=now - timedelta(days=3))
    holders = []
    for stranger in stage.town.strangers(freed):
        reply = book(stranger, schedule_id, "on_site")
        assert reply.status == 201, reply
        holders.append(Case(stage, stranger, schedule_id, reply.json["id"]))
    strangers = stage.town.strangers(waiting)
    # One may begin to wait by day only: all of them did at noon.
    noon = day_begins(hospital_day(now)) - timedelta(hours=12)
    with stage.town.database.write() as session:
        half_day = session.get_one(Schedule, schedule_id)
        days = {"date_from": half_day.visit_date, "date_to": half_day.visit_date}
        entries = [
            wait_for_number(
                session,
                account_id=one.account_id,
                wish=WaitWish([one.dependent_id], half_day.department_id, **days, pay=pay),
                now=noon + timedelta(milliseconds=at),
                cause=REQUEST,
            ).id
            for at, one in enumerate(strangers)
        ]
    return Queue(stage, schedule_id, holders, strangers, entries)


def accepts(at: int) -> bool:
    """Two of three take what was found for them."""
    return at % 3 != 2


def answer(at: int, case: Case) -> None:
    if accepts(at):
        make_known(case.place, case.stranger)
        assert case.open_payment().status == 201
        case.pay()
    else:
        assert case.cancel().status == 200


def answer_all(waiting: Queue, *, numbers: int) -> None:
    """Everybody answers what they are offered, until so many have accepted. The clock goes on meanwhile."""
    answers: list[Future[None]] = []
    accepted, deadline = 0, monotonic() + 90
    with ThreadPoolExecutor(8) as phones:
        while accepted < numbers:
            assert monotonic() < deadline, waiting.statuses()
            for at, case in waiting.offers():
                accepted += accepts(at)
                answers.append(phones.submit(answer, at, case))
            waiting.stage.clock.advance(TICK)
            sleep(TICK.total_seconds())
    for one in answers:
        one.result()


@pytest.mark.parametrize(("waiting", "freed"), [(2, 2), (20, 6), (200, 20)])
def test_freed_numbers_go_down_the_queue(stage: Stage, waiting: int, freed: int) -> None:
    """All at once: given back, found by three workers, paid for or declined, and asked for by others in vain."""
    line = queue(stage, freed=freed, waiting=waiting, pay=PayMode.ONLINE)
    others = stage.town.strangers(min(2 * freed, 20))
    acts: list[Callable[[], Any]] = [partial(answer_all, line, numbers=freed)]
    acts += [case.cancel for case in line.holders]
    acts += [partial(book, one, line.schedule_id, "on_site") for one in others]
    with workers(stage.workbench, count=3):
        _, *replies = race(*acts)
        eventually(lambda: line.stage.town.slot_statuses(line.schedule_id) == {"booked": freed}, "all are paid")
        stage.clock.advance(timedelta(seconds=61))
        all_done(stage.workbench)
    told = tried(*(one for one in replies if isinstance(one, Reply | Exception)))
    assert [one.status for one in told[:freed]] == [200] * freed
    assert {(one.status, one.code) for one in told[freed:]} <= {(409, "numbers_in_flight"), (409, "sold_out")}
    assert line.offers() == []
    hit = next(end for end in range(waiting + 1) if sum(map(accepts, range(end))) == freed)
    assert line.statuses() == ["booked" if accepts(at) else "passed" for at in range(hit)] + ["waiting"] * (
        waiting - hit
    )
    assert line.numbers_of(line.waiting) == [1] * hit + [0] * (waiting - hit)
    assert in_strict_order(line, hit)
    assert stage.town.sold(line.schedule_id) == list(range(1, freed + 1))


def in_strict_order(line: Queue, hit: int) -> bool:
    """Nobody was given a number before everybody ahead had theirs: ids are in the order in which they were made."""
    found = [line.found[one] for one in line.entries[:hit]]
    return found == sorted(found)


def insist(line: Queue, stranger: Stranger, given_back: Event) -> Reply:
    """Ask again until there is a number, or none can come back any more."""
    deadline = monotonic() + 60
    while True:
        last = given_back.is_set()
        reply = book(stranger, line.schedule_id, "on_site")
        if reply.status == 201 or (reply.code == "sold_out" and last):
            return reply
        assert reply.code in {"sold_out", "numbers_in_flight"}, reply
        assert monotonic() < deadline
        sleep(0.3)


@pytest.mark.parametrize("waiting", [2, 20])
def test_what_nobody_waits_for_goes_to_whoever_comes(stage: Stage, waiting: int) -> None:
    """Twice as many numbers come back as are waited for, and many others want them."""
    line = queue(stage, freed=2 * waiting, waiting=waiting, pay=PayMode.ON_SITE)
    others = stage.town.strangers(2 * waiting)
    given_back = Event()
    gone = Barrier(2 * waiting, action=given_back.set)

    def give_back(case: Case) -> int:
        status = case.cancel().status
        gone.wait(60)
        return status

    with workers(stage.workbench, count=3):
        said = race(
            *(partial(give_back, case) for case in line.holders),
            *(partial(insist, line, one, given_back) for one in others),
        )
        all_done(stage.workbench)
    assert said[: 2 * waiting] == [200] * 2 * waiting
    told = tried(*said[2 * waiting :])
    line.offers()
    assert line.statuses() == ["booked"] * waiting
    assert in_strict_order(line, waiting)
    won = [one.json["id"] for one in told if one.status == 201]
    assert len(won) == waiting
    assert min(won) > max(line.found.values())
    assert line.numbers_of([*line.waiting, *others]) == [1] * waiting + [one.status == 201 for one in told]
    assert stage.town.sold(line.schedule_id) == list(range(1, 2 * waiting + 1))
