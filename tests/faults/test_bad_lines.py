"""Lines that lose what was said, and a platform whose name nobody can tell: to the patient, and to the platforms."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from both_wallets import ALIPAY, WALLETS, WECHAT, Wallet, on_one_kind
from cases import Case, make_known
from lines import Fate, bad_line
from stage import SHORT_HOLD, Stage
from urllib3 import HTTPConnectionPool
from urllib3.util import connection
from wire import NoAnswer, Phone, Reply, new_key, over_http

from models.payment import PaymentStatus, RefundStatus

PATIENTS, TRIES = 10, 3
Dial = Callable[..., socket.socket]


@WALLETS
def test_f_30_an_answer_that_is_lost_on_its_way_to_the_patient_is_given_again(stage: Stage, wallet: Wallet) -> None:
    """Booking, paying and cancelling: done, and nobody heard of it. The same key is told the same, byte for byte."""
    schedule_id = stage.town.schedule(numbers=2, now=stage.clock.now(), terms=SHORT_HOLD)
    stranger = stage.town.stranger(wallet.provider)
    make_known(stage, stranger)
    fates: list[Fate] = []

    with bad_line(stage.base_url, lambda: fates.pop() if fates else Fate.ARRIVES) as line:
        phone = Phone(over_http(line.url), stranger.phone.token)

        def act(path: str, body: Any) -> Reply:
            key = new_key()
            fates.append(Fate.ANSWER_LOST)
            with pytest.raises(NoAnswer):
                phone.send("POST", path, body, key=key)
            heard, again = (phone.send("POST", path, body, key=key) for _ in range(2))
            assert (heard.status, heard.body) == (again.status, again.body)
            return heard

        booked = act("/appointments", stranger.wish(schedule_id))
        assert booked.status == 201
        case = Case(stage, stranger, schedule_id, booked.json["id"], wallet.channel)
        opened = act(f"/appointments/{case.appointment_id}/payments", {"channel": wallet.channel})
        assert opened.status == 201
        case.trade_no = opened.json["out_trade_no"]
        stage.deliver(case.pay())
        stage.work()
        assert case.is_booked()
        assert act(f"/appointments/{case.appointment_id}/cancellation", {}).status == 200
    assert line.met.count(Fate.ANSWER_LOST) == 3
    stage.work_until(case.is_refunded, "refunded")
    assert case.moves() == ["pending", "booked", "cancelled"]
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0
    assert stage.town.slot_statuses(schedule_id) == {"free": 2}


def test_f_32_on_a_bad_mobile_net_three_tries_are_enough_and_nothing_is_done_twice(stage: Stage) -> None:
    """One request in ten is lost, on its way or on its way back; 20 ± 10 ms in place of 200 ± 100. Ten patients, of
    both wallets, in place of thousands: whatever they do is done within three tries with one key."""
    dice = random.Random(32)  # in one thread, so that every run meets the same
    net = (Fate.REQUEST_LOST, Fate.ANSWER_LOST)

    def fate() -> Fate:
        return dice.choice(net) if dice.random() < 0.1 else Fate.ARRIVES

    cases: list[Case] = []
    with bad_line(stage.base_url, fate, lambda: dice.uniform(0.01, 0.03)) as line:
        for nth in range(PATIENTS):
            cases.append(_spend_a_day(stage, (WECHAT, ALIPAY)[nth % 2], over_http(line.url)))
    assert {Fate.REQUEST_LOST, Fate.ANSWER_LOST} <= set(line.met)
    stage.settle(*cases)
    for case in cases:
        assert case.moves() == ["pending", "booked", "cancelled"]
        assert case.counts() == (["refund", "trade"], 1, 1)
        assert case.kept_fen() == 0
        assert stage.town.slot_statuses(case.schedule_id) == {"free": 2}


def _spend_a_day(stage: Stage, wallet: Wallet, send: Any) -> Case:
    """Book, pay, cancel."""
    schedule_id = stage.town.schedule(numbers=2, now=stage.clock.now(), terms=SHORT_HOLD)
    stranger = stage.town.stranger(wallet.provider)
    make_known(stage, stranger)
    phone = Phone(send, stranger.phone.token)
    booked = _insist(phone, "/appointments", stranger.wish(schedule_id))
    case = Case(stage, stranger, schedule_id, booked.json["id"], wallet.channel)
    opened = _insist(phone, f"/appointments/{case.appointment_id}/payments", {"channel": wallet.channel})
    case.trade_no = opened.json["out_trade_no"]
    stage.deliver(case.pay())
    stage.work()
    _insist(phone, f"/appointments/{case.appointment_id}/cancellation", {})
    return case


def _insist(phone: Phone, path: str, body: Any) -> Reply:
    """Within three tries."""
    key = new_key()
    for _ in range(TRIES):
        try:
            reply = phone.send("POST", path, body, key=key)
        except NoAnswer:
            continue
        assert reply.status < 300, reply
        return reply
    raise AssertionError(f"{path}: not within {TRIES} tries")


# --- names


@on_one_kind
@WALLETS
def test_f_34_under_a_second_name_everything_is_served(stage: Stage, wallet: Wallet) -> None:
    """What is signed names no host, and nobody asks under which one they came: patients, platforms and probes alike."""
    case = wallet.opened(stage)
    wallet.spoil(stage, "notice.payment", "drop")
    case.pay()
    made = stage.control("POST", "/notices/forge", wallet.forgery(stage, case))
    second = {"base_url": "https://second-name.example"}
    with stage.app.test_client() as client:
        assert client.get("/healthz", **second).status_code == 200
        path = f"/api/v1/appointments/{case.appointment_id}"
        told = client.get(path, headers={"Authorization": f"Bearer {case.stranger.phone.token}"}, **second)
        assert (told.status_code, told.json["status"]) == (200, "pending")
        answer = client.post(f"{wallet.door}/demo", data=made["body"].encode(), headers=made["headers"], **second)
        assert (answer.status_code, answer.text) == wallet.taken
    stage.work()
    assert case.is_booked()


@contextmanager
def nameless(monkeypatch: pytest.MonkeyPatch, until: Event | None = None) -> Iterator[Event]:
    """No name resolves, and no connection was kept; with `until` the resolver hangs before that. Gives what tells that
    somebody asked for a name."""
    asked = Event()

    def dial(*_: Any, **__: Any) -> socket.socket:
        asked.set()
        if until is not None:
            assert until.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "create_connection", dial)
        patch.setattr(HTTPConnectionPool, "_get_conn", lambda pool, *_, **__: pool._new_conn())
        yield asked


@WALLETS
def test_f_33_while_the_platforms_name_does_not_resolve_all_else_goes_on(
    stage: Stage, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, so nothing is unknown: the payment stays as it was made, and goes on when asked for again."""
    case, key = wallet.case(stage), new_key()
    with nameless(monkeypatch):
        reply = case.open_payment_once(key)
        assert isinstance(reply, Reply)
        assert (reply.status, reply.code) == (503, "provider_unavailable")
        assert [one.status for one in case.payments()] == [PaymentStatus.CREATED]
        _books_and_looks(stage, case)
    assert case.open_payment(key).status == 201
    assert case.counts() == (["trade"], 1, 0)
    stage.deliver(case.pay())
    stage.work()
    assert case.is_booked()
    with nameless(monkeypatch):
        assert case.cancel().status == 200
        stage.work()
        assert [one.status for one in case.refunds()] == [RefundStatus.DUE]
    stage.work_until(case.is_refunded, "refunded by itself", step=20)
    assert case.counts() == (["refund", "trade"], 1, 1)


@WALLETS
def test_f_33_while_the_resolver_hangs_nobody_else_waits(
    stage: Stage, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever pays waits for the resolver, and holds nothing of the database meanwhile, not even a file's writer."""
    case, hanging = wallet.case(stage), Event()
    with nameless(monkeypatch, until=hanging) as asked, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(case.open_payment_once, new_key())
        try:
            assert asked.wait(60)
            _books_and_looks(stage, case)
            assert not waiting.done()
        finally:
            hanging.set()
        reply = waiting.result()
        assert isinstance(reply, Reply)
        assert (reply.status, reply.code) == (503, "provider_unavailable")
    assert case.open_payment().status == 201
    assert case.counts() == (["trade"], 1, 0)


def _books_and_looks(stage: Stage, case: Case) -> None:
    """What asks no platform, at the first try."""
    stranger = stage.town.stranger()
    reply = stranger.phone.send("POST", "/appointments", stranger.wish(case.schedule_id, "on_site"), key=new_key())
    assert (reply.status, reply.json["status"]) == (201, "booked")
    assert case.stranger.phone.send("GET", f"/appointments/{case.appointment_id}").status == 200
