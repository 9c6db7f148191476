"""SIGKILL to the real processes of `make run`: what the platform took is never lost, and never done twice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import pytest
from cases import Case, booked_by, paid, spoil
from catalog_folder import Folder
from crowd import Stranger
from running import House, blank_postgres, house
from sqlalchemy import select
from wire import NoAnswer, Reply, eventually, new_key

from models.payment import Payment, PaymentStatus, Refund
from models.platform import EventState, PlatformEvent

A_MINUTE = 60.0


def hold_back(running: House, target: str, **match: str) -> None:
    """The platform does what it is asked and keeps silent about it."""
    spoil(running, target, "delay", when="after", seconds=60, match=match)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp(f"kill-{request.param}")
    directory = folder / "directory"
    directory.mkdir()
    Folder(directory).write()
    if request.param == "sqlite":
        with house(folder / "data", None, directory) as started:
            yield started
    else:
        server = request.getfixturevalue("postgres_server")
        with blank_postgres(server) as url, house(folder / "data", url, directory) as started:
            yield started


def prepared(running: House, count: int) -> list[Case]:
    schedule_id = running.town.schedule(numbers=count)
    return [booked_by(running, one, schedule_id) for one in running.town.strangers(count)]


def is_asked(running: House, operation: str, number: str) -> bool:
    """The platform has taken a call about this number and has not answered yet."""
    items = running.control("GET", f"/calls?operation={operation}&number={number}")["items"]
    return any(one["status"] is None for one in items)


def is_any_unread(running: House) -> bool:
    query = select(PlatformEvent.id).where(PlatformEvent.state == EventState.RECEIVED)
    with running.town.database.read() as session:
        return session.scalars(query).first() is not None


def sound(running: House) -> None:
    said = running.operator("invariants")
    assert said.returncode == 0, said.stdout + said.stderr


# --- right after the platform took the call --------------------------------------------------------------------------


def test_the_api_killed_while_paying_and_the_worker_while_applying_and_refunding(running: House) -> None:
    """One after the other in one house, so that their leases run out together."""
    paying, unread, in_hand, refunding, in_silence = prepared(running, 5)
    with ThreadPoolExecutor(1) as pool:
        answer = _kill_the_api_while(paying, pool)
        back_at = _kill_the_worker_while(unread, in_hand, refunding, in_silence)
        _payment_is_known(paying)
        for case, holds in (
            (unread, unread.is_booked), (in_hand, in_hand.is_booked),
            (refunding, refunding.is_refunded), (in_silence, in_silence.is_refunded),
        ):  # fmt: skip
            left = back_at + A_MINUTE - time.monotonic()
            eventually(holds, f"{case.trade_no} is repaired", within=max(left, 0.1))
        reply = answer.result(timeout=90)
    assert reply.status == 201
    assert reply.json["out_trade_no"] == paying.trade_no
    paying.pay()
    eventually(paying.is_booked, "booked after all")
    for case in (paying, unread, in_hand):
        assert case.counts() == (["trade"], 1, 0)
    for case in (refunding, in_silence):
        assert case.counts() == (["refund", "trade"], 1, 1)
    eventually(lambda: not is_any_unread(running), "every event is applied")
    sound(running)


def _kill_the_api_while(case: Case, pool: ThreadPoolExecutor) -> Future[Reply]:
    """The pay call is at the platform; then nobody is there to hear the answer. The phone goes on with the same key."""
    running, key = _house(case), new_key()
    hold_back(running, "pay.create")
    first = pool.submit(case.open_payment_once, key)
    (payment,) = eventually(case.payments, "the intent is stored")
    case.trade_no = payment.out_trade_no
    eventually(lambda: is_asked(running, "pay.create", case.trade_no), "the call has arrived")
    assert case.kinds() == ["trade"]
    api = running.pids()["api"]
    running.kill("api")
    assert isinstance(first.result(timeout=10), NoAnswer)
    running.control("DELETE", "/faults")
    running.await_back("api", api)
    running.await_ready()
    (payment,) = case.payments()
    # As the intent left it, unless the job that asks was quicker than the restart.
    assert payment.status in {PaymentStatus.CREATED, PaymentStatus.PENDING}
    return pool.submit(case.open_payment, key)


def _kill_the_worker_while(unread: Case, in_hand: Case, refunding: Case, in_silence: Case) -> float:
    """When the worker was back. Before, it is made to take everything up at once, so that all of it is cut off."""
    running = _house(unread)
    for case in (refunding, in_silence):
        paid(case)
    for case in (unread, in_hand):
        assert case.open_payment().status == 201
    run, worker = running.pids()["run"], running.pids()["worker"]
    os.kill(run, signal.SIGSTOP)
    running.kill("worker")
    _give_work(in_hand, refunding, in_silence)
    os.kill(run, signal.SIGCONT)
    running.await_back("worker", worker)
    for operation, case in (("pay.query", in_hand), ("refund.create", refunding), ("refund.create", in_silence)):
        number = case.trade_no if operation == "pay.query" else case.refunds()[0].out_refund_no
        eventually(partial(is_asked, running, operation, number), f"{operation} has arrived", within=90)
    unread.pay()  # stored by the API; the worker has its hands full
    eventually(lambda: is_any_unread(running), "the event is stored")
    assert unread.status() == "pending"
    assert refunding.kinds() == in_silence.kinds() == ["refund", "trade"]
    worker = running.pids()["worker"]
    running.kill("worker")
    running.control("DELETE", "/faults")
    spoil(running, "notice.refund", "drop", match={"out_trade_no": in_silence.trade_no})
    running.await_back("worker", worker)
    return time.monotonic()


def _give_work(in_hand: Case, refunding: Case, in_silence: Case) -> None:
    running = _house(in_hand)
    hold_back(running, "refund.create")
    hold_back(running, "pay.query", out_trade_no=in_hand.trade_no)
    # A signed event with a wrong sum is not believed: the platform is asked, and that is where it is cut off.
    spoil(running, "notice.payment", "wrong_amount", amount_fen=1, match={"out_trade_no": in_hand.trade_no})
    spoil(running, "notice.refund", "drop", match={"out_trade_no": in_silence.trade_no})
    in_hand.pay()
    for case in (refunding, in_silence):
        assert case.cancel().status == 200


def _house(case: Case) -> House:
    assert isinstance(case.place, House)
    return case.place


def _payment_is_known(case: Case) -> None:
    """The query job finds out that the pay call had arrived."""

    def is_pending() -> bool:
        return [one.status for one in case.payments()] == [PaymentStatus.PENDING]

    eventually(is_pending, "the payment is known to be open", within=A_MINUTE)


# --- at any moment ---------------------------------------------------------------------------------------------------


@dataclass
class Load:
    """Patients who book, pay and cancel while processes die around them, each with a journal of what was promised."""

    running: House
    schedule_id: UUID
    over: threading.Event = field(default_factory=threading.Event)
    promised: list[Case] = field(default_factory=list)
    cancelled: list[Case] = field(default_factory=list)

    def go_on(self, strangers: list[Stranger]) -> None:
        for at, stranger in enumerate(strangers):
            if self.over.is_set():
                return
            case = booked_by(self.running, stranger, self.schedule_id)
            self.promised.append(case)
            answer = case.open_payment_once()
            if isinstance(answer, Reply) and answer.status == 201 and at % 4:
                case.trade_no = answer.json["out_trade_no"]
                case.pay()
            if at % 2:
                assert case.cancel().status == 200
                self.cancelled.append(case)


def test_ten_kills_at_random_moments(running: House) -> None:
    load = Load(running, running.town.schedule(numbers=400))
    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(load.go_on, running.town.strangers(60)) for _ in range(4)]
        for kill in random.sample([*_kills(running)], 10):
            time.sleep(random.uniform(0.1, 0.6))
            kill()
        running.await_ready()
        load.over.set()
        for one in busy:
            one.result(timeout=90)
    assert load.cancelled
    for case in load.promised:
        case.status()  # it is there
    eventually(partial(_is_settled, load), "every payment and refund is settled", within=90, every=0.5)
    assert len(running.town.sold(load.schedule_id)) == len(set(running.town.sold(load.schedule_id)))
    _books_agree(running)
    sound(running)


def _kills(running: House) -> Iterator[Callable[[], None]]:
    def the(name: str) -> None:
        eventually(lambda: name in running.pids(), f"{name} is there")
        running.kill(name)

    yield from [running.kill_request_process] * 5
    yield from [partial(the, "worker")] * 4
    yield partial(the, "api")


def _is_settled(load: Load) -> bool:
    """What was paid is booked or back; what was cancelled has nothing left to close."""
    return all(
        one.status in {PaymentStatus.SUCCEEDED, PaymentStatus.CLOSED}
        for case in load.cancelled
        for one in case.payments()
    ) and all(case.is_refunded() for case in load.cancelled if _has_paid(case))


def _has_paid(case: Case) -> bool:
    return any(one.status is PaymentStatus.SUCCEEDED for one in case.payments())


def _books_agree(running: House) -> None:
    """Their trades and refunds are ours, one for one."""
    items = running.control("GET", "/ledger")["items"]
    with running.town.database.read() as session:
        ours = {(one.out_trade_no, one.received_fen) for one in session.scalars(select(Payment)) if one.received_fen}
        back = {(one.out_refund_no, one.amount_fen) for one in session.scalars(select(Refund))}
    theirs = {
        (one["out_trade_no"], one["amount_fen"])
        for one in items
        if one["kind"] == "trade" and one["state"] in {"SUCCESS", "REFUND"}
    }
    assert ours == theirs
    assert back == {(one["out_refund_no"], one["amount_fen"]) for one in items if one["kind"] == "refund"}
