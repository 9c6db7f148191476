"""What may go wrong with one payment or refund, on both wallets, against the platform's own books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from both_wallets import ALIPAY, WALLETS, WAYS, WECHAT, Wallet, on_one_kind
from cases import Case, make_known
from factories import make_doctor
from harness import race
from hospital_acts import ORDER
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from stage import HOLD_OVER, SHORT_HOLD, Stage
from wire import Reply, eventually

from core.booking.clinic.change_clinic import substitute_doctor
from core.booking.clinic.suspend import suspend_schedule
from core.numbers import refund_number
from core.ports import RefundOrder
from core.transactions import Overloaded
from miniapp_api.callbacks import events
from models.appointment import Appointment
from models.hospital import Department
from models.job import Job
from models.ledger import Journal, JournalKind
from models.notice import Notice, NoticeKind
from models.payment import PaymentStatus, RefundReason, RefundStatus
from models.schedule import Schedule
from models.states import StateEvent

PRICE = 5000
PAUSES = {
    WECHAT: (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600),
    ALIPAY: (240, 600, 600, 3600, 7200, 21600, 54000),
}
"""Seconds between one sending of an event and the next, as each platform publishes them."""


def journals(stage: Stage, kind: JournalKind) -> int:
    with stage.town.database.read() as session:
        return len(session.scalars(select(Journal.id).where(Journal.kind == kind)).all())


def told(stage: Stage, kind: NoticeKind) -> int:
    with stage.town.database.read() as session:
        return len(session.scalars(select(Notice.id).where(Notice.kind == kind)).all())


def as_of(wallet: Wallet, stage: Stage, case: Case) -> dict[str, Any]:
    """What makes a crafted event the same one each time, stamped with the present where the platform has stamps."""
    if wallet is ALIPAY:
        return {"fields": {"notify_id": "2026112200222100000000000000000042"}}
    return {"id": "EV-THE-SAME-ONE-EACH-TIME", "timestamp": str(int(stage.clock.now().timestamp()))}


# --- events


@on_one_kind
@WALLETS
def test_f_42_an_event_that_is_sent_again_on_the_platforms_schedule_has_one_effect(
    stage: Stage, wallet: Wallet
) -> None:
    """As if none of our answers ever arrived: every sending is taken, with the platform's own word for it."""
    case = wallet.opened(stage)
    wallet.spoil(stage, "notice.payment", "drop")
    case.pay()
    assert wallet.forge(stage, case, **as_of(wallet, stage, case)) == [wallet.taken]
    stage.work()
    assert case.is_booked()
    for pause in PAUSES[wallet]:
        stage.clock.advance(timedelta(seconds=pause))
        assert wallet.forge(stage, case, **as_of(wallet, stage, case)) == [wallet.taken]
        stage.work()
    assert stage.inbox() == [("applied", None, len(PAUSES[wallet]) + 1)]
    assert case.moves() == ["pending", "booked"]
    assert case.counts() == (["trade"], 1, 0)
    assert (journals(stage, JournalKind.PAYMENT_RECEIVED), told(stage, NoticeKind.APPOINTMENT_BOOKED)) == (1, 1)


@WALLETS
def test_f_42_what_we_could_not_store_is_sent_again_until_we_can(
    stage: Stage, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We are down for several sendings. What we did not take, we did not acknowledge."""
    case = wallet.opened(stage)

    def away(*_: Any, **__: Any) -> None:
        raise Overloaded()

    with monkeypatch.context() as down:
        down.setattr(events, "receive_event", away)
        event_id = case.pay()

        def tried() -> list[dict[str, Any]]:
            (notice,) = stage.control("GET", f"/notices?id={event_id}")["items"]
            return list(notice["attempts"]) if len(notice["attempts"]) >= 3 else []

        attempts = eventually(tried, "it is sent again and again", every=0.02)
        assert {one["status"] for one in attempts} == {503}
        assert stage.inbox() == []
    stage.deliver(event_id)
    stage.work()
    assert case.is_booked()
    assert stage.inbox() == [("applied", None, 1)]
    assert case.counts() == (["trade"], 1, 0)


@on_one_kind
@WALLETS
def test_f_46_a_signed_event_of_no_money_at_all_confirms_nothing(stage: Stage, wallet: Wallet) -> None:
    """WeChat Pay never writes a total of nothing: there it is no event, and kept apart."""
    case = wallet.opened(stage)
    assert wallet.forge(stage, case, amount_fen=0) == [wallet.refused if wallet is WECHAT else wallet.taken]
    stage.work()
    assert case.moves() == ["pending"]
    assert [one.status for one in case.payments()] == [PaymentStatus.PENDING]
    assert case.refunds() == []


# --- money for a number that is gone, and money twice


@WAYS
def test_f_44_money_for_a_number_that_was_let_go_comes_back_and_the_patient_is_told(
    stage: Stage, wallet: Wallet
) -> None:
    """The platform could not be reached up to the cap; then somebody paid."""
    case = wallet.opened(stage, terms=SHORT_HOLD | {"close_cap_minutes": 1}, numbers=1)
    for target in ("pay.close", "pay.query"):
        wallet.spoil(stage, target, "drop_before")
    stage.work(after=HOLD_OVER)
    stage.work(after=timedelta(seconds=61))
    stage.work(after=timedelta(seconds=1))
    assert case.moves() == ["pending", "cancelled"]
    stage.control("DELETE", "/faults")
    stage.deliver(case.pay())
    stage.settle(case)
    (refund,) = case.refunds()
    assert (refund.reason, refund.amount_fen) == (RefundReason.LATE_PAYMENT, PRICE)
    assert case.kept_fen() == 0
    assert case.moves() == ["pending", "cancelled"]
    assert stage.town.slot_statuses(case.schedule_id) == {"free": 1}
    assert told(stage, NoticeKind.PAYMENT_RETURNED) == 1
    assert case.shown()["refund"]["reason"] == "late_payment"


@on_one_kind
@pytest.mark.parametrize("second", [WECHAT, ALIPAY], ids=lambda one: f"then {one.name}")
@pytest.mark.parametrize("first", [WECHAT, ALIPAY], ids=lambda one: one.name)
def test_f_49_the_older_prepay_is_closed_before_another_payer_gets_one(
    stage: Stage, first: Wallet, second: Wallet
) -> None:
    """Two phones of one account, of the same wallet or of both: while the first cannot be closed the second one waits,
    and afterwards nobody can pay it any more."""
    case = first.opened(stage)
    other = replace(
        case, stranger=stage.town.second_login(case.stranger, second.provider), trade_no="", channel=second.channel
    )
    make_known(stage, other.stranger)
    first.spoil(stage, "pay.close", "drop_before")
    waits = other.open_payment_once()
    assert isinstance(waits, Reply)
    assert (waits.status, waits.code) == (503, "provider_unavailable")
    assert case.counts() == (["trade"], 1, 0)
    stage.control("DELETE", "/faults")
    assert other.open_payment().status == 201
    assert other.trade_no != case.trade_no
    assert not stage.try_to_pay(case)
    assert stage.try_to_pay(other)
    stage.settle(case)
    assert case.is_booked()
    assert case.kept_fen() == PRICE


@on_one_kind
def test_f_49_an_order_is_closed_before_another_payer_gets_one_though_a_try_to_pay_it_failed(stage: Stage) -> None:
    """WeChat Pay says PAYERROR of it, and takes the next try."""
    case = WECHAT.opened(stage)
    stage.control("POST", f"/payments/{case.trade_no}/fail", {"trade_state": "PAYERROR"})
    stage.clock.advance(timedelta(seconds=6))
    stage.work()
    assert WECHAT.asked(stage, "pay.query", case.trade_no) == 1
    login = stage.town.second_login(case.stranger, ALIPAY.provider)
    other = replace(case, stranger=login, trade_no="", channel=ALIPAY.channel)
    make_known(stage, other.stranger)
    assert other.open_payment().status == 201
    assert not stage.try_to_pay(case)
    assert stage.try_to_pay(other)
    stage.settle(case)
    assert case.is_booked()
    assert case.kept_fen() == PRICE


@pytest.mark.parametrize("order", ["money first", "money last", "at once"])
@WAYS
def test_f_50_paid_while_we_close_the_payment_wins(stage: Stage, wallet: Wallet, order: str) -> None:
    """No event tells of it. Either the close is told that it was paid and the number is the patient's, or nobody could
    pay; and the number is free only once one of the two is known."""
    case = wallet.opened(stage)
    wallet.spoil(stage, "notice.payment", "drop")
    stage.workbench.transactions.write(_ask_later)
    stage.clock.advance(HOLD_OVER)
    pay, end = partial(stage.try_to_pay, case), stage.work
    if order == "at once":
        came = _first(race(pay, end))
    else:
        came = _first([pay(), end()] if order == "money first" else [end(), pay()][::-1])
    stage.settle(case)
    assert wallet.asked(stage, "pay.close", case.trade_no) >= 1
    assert came is {"money first": True, "money last": False}.get(order, came)
    assert case.refunds() == []
    if came:
        assert case.is_booked()
        assert case.kept_fen() == PRICE
        assert "free" not in slot_moves(stage, case)[1:]
    else:
        assert case.moves() == ["pending", "cancelled"]
        assert case.ledger()[0]["state"] in {"CLOSED", "TRADE_CLOSED"}
        assert stage.town.slot_statuses(case.schedule_id) == {"free": 2}


def _first(given: list[Any]) -> Any:
    for one in given:
        if isinstance(one, Exception):
            raise one
    return given[0]


def _ask_later(session: Session, now: datetime) -> None:
    """Nobody asks about a payment before its hold ends: it is the close that is told."""
    asking = update(Job).where(Job.kind == "ask_payment", Job.done_at.is_(None))
    session.execute(asking.values(run_at=now + timedelta(minutes=10)))


def slot_moves(stage: Stage, case: Case) -> list[str]:
    """The statuses that the number has had."""
    with stage.town.database.read() as session:
        slot_id = session.get_one(Appointment, UUID(case.appointment_id)).slot_id
        moves = select(StateEvent.to_status).where(StateEvent.record_id == slot_id).order_by(StateEvent.seq)
        return list(session.scalars(moves))


# --- refunds


@pytest.mark.parametrize("order", ["event first", "asking first", "at once"])
@WAYS
def test_f_55_the_event_of_a_refund_and_our_own_asking_are_one_journal(
    stage: Stage, wallet: Wallet, order: str
) -> None:
    """The answer to our call is lost; then the platform tells of it while we ask."""
    case = wallet.paid(stage)
    wallet.spoil(stage, "notice.refund", "drop")
    wallet.spoil(stage, "refund.create", "drop_after", times=1)
    assert case.cancel().status == 200
    stage.work()
    (refund,) = case.refunds()
    assert refund.status is RefundStatus.UNKNOWN
    query = f"/notices?kind=refund&out_trade_no={case.trade_no}"
    (notice,) = eventually(lambda: stage.control("GET", query)["items"], "the platform has done it")

    def event() -> None:
        stage.control("POST", f"/notices/{notice['id']}/resend", {})
        stage.work()

    def ask() -> None:
        stage.work(after=timedelta(seconds=30))

    acts: list[Callable[[], None]] = [event, ask]
    if order == "at once":
        _first(race(*acts))
    else:
        for act in acts if order == "event first" else acts[::-1]:
            act()
    stage.settle(case)
    assert case.is_refunded()
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0
    assert journals(stage, JournalKind.REFUND_DUE) == journals(stage, JournalKind.REFUND_PAID) == 1
    assert told(stage, NoticeKind.REFUND_SUCCEEDED) == 1


@on_one_kind
@WALLETS
def test_f_28_what_went_back_in_an_hour_that_was_lost_does_not_go_back_again(stage: Stage, wallet: Wallet) -> None:
    """After a restore the number is the patient's again, and of its refund nothing is known here. The platform gives no
    more than was paid: whoever cancels once more is for people to look at."""
    case = wallet.paid(stage)
    gateway = stage.workbench.adapters.gateway_at(wallet.events, "demo")
    gateway.open_refund(RefundOrder(refund_number(now=stage.clock.now()), case.trade_no, PRICE, PRICE, "CNY", "退号"))
    eventually(lambda: case.kept_fen() == 0, "the platform has given it back")
    assert case.cancel().status == 200
    stage.work_until(lambda: case.refunds()[0].status is RefundStatus.DESK, "people are to look at it")
    assert case.kept_fen() == 0
    assert case.kinds() == ["refund", "trade"]


@WAYS
def test_a_28_fifty_cancellings_at_once_are_one_refund(stage: Stage, wallet: Wallet) -> None:
    """Each tap with a key of its own: nothing but the states stands between them."""
    case = wallet.paid(stage)
    replies = race(*[case.cancel] * 50)
    assert {reply.status for reply in replies if isinstance(reply, Reply)} <= {200, 409}
    assert all(isinstance(reply, Reply) for reply in replies)
    assert any(reply.status == 200 for reply in replies if isinstance(reply, Reply))
    stage.work_until(case.is_refunded, "refunded")
    assert case.moves() == ["pending", "booked", "cancelled"]
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0
    assert told(stage, NoticeKind.REFUND_SUCCEEDED) == 1


@pytest.mark.parametrize("order", ["patient first", "hospital first", "at once"])
@WALLETS
def test_a_28_the_patient_and_the_hospital_cancel_and_one_refund_goes_out(
    stage: Stage, wallet: Wallet, order: str
) -> None:
    case = wallet.paid(stage)

    def suspend() -> None:
        stage.workbench.transactions.write(
            lambda session, now: suspend_schedule(session, schedule_id=case.schedule_id, order=ORDER, now=now)
        )
        stage.work()

    acts: list[Callable[[], Any]] = [case.cancel, suspend]
    if order == "at once":
        _first(race(*acts))
    else:
        for act in acts if order == "patient first" else acts[::-1]:
            act()
    stage.work_until(case.is_refunded, "refunded")
    assert case.moves() == ["pending", "booked", "cancelled"]
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


# --- what the client says


LIES: dict[str, dict[str, Any]] = {
    "an amount": {"amount_fen": 1},
    "nothing": {"amount_fen": 0},
    "less than nothing": {"amount_fen": -5000},
    "more than fits": {"amount_fen": 2**63},
    "a fee": {"fee_fen": 1},
    "a total": {"total": 1},
    "a price in yuan": {"total_amount": "0.01"},
    "a quantity": {"quantity": 0},
    "a discount": {"discount_fen": 4999},
    "a currency": {"currency": "JPY"},
    "lines": {"lines": [{"kind": "registration", "amount_fen": 1}]},
    "another half day": {"schedule_id": "00000000-0000-7000-8000-000000000000"},
    "a number": {"out_trade_no": "P20261122MINE"},
    "that it is paid": {"status": "succeeded"},
}


@on_one_kind
@WALLETS
def test_a_25_the_price_is_the_servers_whatever_the_client_sends(stage: Stage, wallet: Wallet) -> None:
    """Booking and paying both refuse by name what no client has a say in; what is paid is the half day's fee."""
    cheap = stage.town.schedule(numbers=1, fee_fen=100, now=stage.clock.now())
    case = wallet.case(stage)
    phone, payments = case.stranger.phone, f"/appointments/{case.appointment_id}/payments"
    for lie in LIES.values():
        (field,) = lie
        for path, body in (
            (payments, {"channel": wallet.channel}),
            ("/appointments", case.stranger.wish(cheap)),
        ):
            if field in body:
                continue
            reply = phone.post(path, body | lie)
            told = (reply.status, reply.code, [one["pointer"] for one in reply.json["errors"]])
            assert told == (422, "validation_failed", [f"#/{field}"]), (path, lie)
    assert case.counts() == ([], 0, 0)
    assert phone.post("/appointments", case.stranger.wish(cheap, "free")).status == 422
    assert case.open_payment().status == 201
    assert [one["amount_fen"] for one in case.ledger()] == [PRICE]
    assert case.payments()[0].amount_fen == PRICE == stage.town.price_of(case.schedule_id)


@on_one_kind
@WALLETS
def test_a_25_another_patients_number_is_not_paid_for_instead(stage: Stage, wallet: Wallet) -> None:
    """Not a cheaper one of somebody else, and not one's own that has ended."""
    case, cheaper = wallet.case(stage), wallet.case(stage, fee_fen=100)
    reply = case.stranger.phone.post(f"/appointments/{cheaper.appointment_id}/payments", {"channel": wallet.channel})
    assert (reply.status, reply.code) == (404, "not_found")
    assert case.cancel().status == 200
    assert (case.open_payment().code, case.counts()) == ("not_payable", ([], 0, 0))


@on_one_kind
@WALLETS
def test_a_26_the_clients_word_that_it_has_paid_is_worth_nothing(stage: Stage, wallet: Wallet) -> None:
    """The pay sheet said yes, or a page came back from somewhere: the platform is asked, and says no."""
    case = wallet.opened(stage)
    (payment,) = case.payments()
    phone, paid = case.stranger.phone, {"status": "succeeded", "trade_state": "SUCCESS", "resultStatus": "9000"}
    for method, path in (
        *(("POST", f"/appointments/{case.appointment_id}{end}") for end in ("/payments", "")),
        *((verb, f"/payments/{payment.id}") for verb in ("POST", "PUT", "PATCH")),
    ):
        assert 400 <= phone.insist(method, path, paid, key="says-that-it-is-paid").status < 500
    with stage.app.test_client() as client:
        claimed = {"out_trade_no": case.trade_no, "trade_status": "TRADE_SUCCESS", "total_amount": "50.00"}
        said = client.post(f"{wallet.door}/demo", data=claimed)
        assert (said.status_code, said.text) == wallet.refused
    stage.clock.advance(timedelta(seconds=5))
    assert phone.get(f"/payments/{payment.id}")["status"] == "pending"
    assert wallet.asked(stage, "pay.query", case.trade_no) == 1
    assert (case.moves(), [one.status for one in case.payments()]) == (["pending"], [PaymentStatus.PENDING])
    wallet.spoil(stage, "notice.payment", "drop")
    case.pay()
    stage.clock.advance(timedelta(seconds=5))
    assert phone.get(f"/payments/{payment.id}")["status"] == "succeeded"
    assert wallet.asked(stage, "pay.query", case.trade_no) == 2
    assert case.is_booked()


@pytest.mark.parametrize(
    ("when", "fee_fen"), [("before the prepay", 9000), ("after the prepay", 3000), ("at once", 3000)], ids=str
)
@WALLETS
def test_a_27_what_was_booked_is_paid_at_its_price(stage: Stage, wallet: Wallet, when: str, fee_fen: int) -> None:
    """The hospital changes the fee while somebody is on the way to pay. Who has a number pays its price under one
    number, and gets the difference back where it costs less now."""
    case = wallet.case(stage)
    change = partial(_another_fee, stage, case, fee_fen)
    if when == "at once":
        _first(race(case.open_payment, change))
    else:
        for act in (change, case.open_payment) if when == "before the prepay" else (case.open_payment, change):
            act()
    stage.work()
    assert stage.town.price_of(case.schedule_id) == fee_fen
    assert case.open_payment().status == 201
    assert case.counts()[1] == 1
    assert case.ledger()[0]["amount_fen"] == PRICE
    stage.deliver(case.pay())
    least = min(PRICE, fee_fen)
    stage.work_until(
        lambda: case.kept_fen() == least == case.shown()["fee_fen"], "the least is kept", step=60, most=3600
    )
    stage.settle(case)
    assert case.is_booked()
    assert case.kept_fen() == least


def _another_fee(stage: Stage, case: Case, fee_fen: int) -> None:
    """A colleague with another fee takes the half day."""

    def step(session: Session, now: datetime) -> None:
        department = session.get_one(Department, session.get_one(Schedule, case.schedule_id).department_id)
        doctor_id = make_doctor(session, department).id
        substitute_doctor(
            session, schedule_id=case.schedule_id, doctor_id=doctor_id, fee_fen=fee_fen, order=ORDER, now=now
        )

    stage.workbench.transactions.write(step)


@on_one_kind
@WALLETS
def test_by_what_it_was_paid_is_told_to_the_patient(stage: Stage, wallet: Wallet) -> None:
    """Bank cards come through both wallets: the patient reads the platform's own word for it."""
    case = wallet.case(stage)
    assert case.open_payment().status == 201
    stage.deliver(case.pay(bank="ICBC_DEBIT"))
    stage.work()
    assert case.is_booked()
    payment = case.shown()["payment"]
    told = {"wechat_jsapi": "ICBC_DEBIT", "alipay_miniapp": "BANKCARD DEBIT_CARD"}
    assert payment["funding"] == told[payment["channel"]]
