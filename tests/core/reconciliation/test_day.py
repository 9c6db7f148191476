"""A day's bill against ours, both ways: each thing that does not agree is told once, and what is safe is put right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest
from bills import (
    FakeBills,
    Spoil,
    another_paid,
    with_a_stranger,
    with_another_movement,
    with_last_twice,
    with_other_amount,
    without_last,
)
from fakes import FakeAdapters, ManualClock
from harness import REQUEST, Patient, join, make_patient, race
from sqlalchemy import event, func, select
from structlog.testing import capture_logs

from core.clock import day_begins, hospital_day
from core.jobs.queue import LeasedJob
from core.payments.refund_desk import Word, say_of_refund
from core.ports import BillKind, BillNotReady, BillUnreadable, ProviderUnavailable, RefundState
from core.reconciliation.day import ASK_FOR_BILLS, MerchantDay, ask_for_bills, reconcile
from core.reconciliation.desk import list_open, say_of
from core.reconciliation.take import BillChanged
from core.registry import NotConfigured
from core.workbench import Workbench
from models.base import Base, new_id
from models.errors import NotFound
from models.ledger import LedgerAccount, LedgerEntry
from models.payment import Payment, PaymentStatus, RefundReason, RefundStatus
from models.reconciliation import BillDay, BillLine, Difference, DifferenceEnd, DifferenceKind
from models.refund_decision import RefundWay

ONE_DAY = timedelta(days=1)


@pytest.fixture
def bills(adapters: FakeAdapters) -> FakeBills:
    made = FakeBills(adapters.the_gateway, fee_per_mille=6)
    adapters.bills[made.provider, made.merchant] = made
    return made


def today(patient: Patient) -> date:
    return hospital_day(patient.clock.now())


def close_day(patient: Patient, day: date | None = None) -> list[Difference]:
    """What is left of the day."""
    wanted = MerchantDay("wechat_pay", "demo", day or today(patient))
    return reconcile(patient.workbench, wanted, cause=REQUEST)


def told(left: list[Difference]) -> list[tuple[DifferenceKind, str]]:
    return [(one.kind, one.entry) for one in left]


def all_of(patient: Patient) -> list[Difference]:
    return patient.read(lambda session: list(session.scalars(select(Difference).order_by(Difference.id))))


def count(patient: Patient, record: type[Base]) -> int:
    return patient.read(lambda session: session.scalar(select(func.count()).select_from(record)) or 0)


def balances(patient: Patient) -> dict[LedgerAccount, int]:
    found: Counter[LedgerAccount] = Counter()
    for entry in patient.read(lambda session: list(session.scalars(select(LedgerEntry)))):
        found[entry.account] += entry.amount_fen
    return {account: fen for account, fen in found.items() if fen}


def settled(patient: Patient) -> None:
    """Every refund has arrived."""
    patient.work()
    for refund in patient.refunds():
        patient.hear(patient.gateway.settle_refund(refund.out_refund_no, RefundState.SUCCEEDED))
    patient.work()


def test_a_day_that_agrees_leaves_nothing_and_its_fees_stand_in_the_books(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    assert close_day(patient) == []
    assert all_of(patient) == []
    assert balances(patient) == {
        LedgerAccount.GATEWAY: 5000 - 30,
        LedgerAccount.CHARGE: -5000,
        LedgerAccount.FEES: 30,
    }
    patient.assert_sound()


def test_what_went_back_agrees_too(patient: Patient, bills: FakeBills) -> None:
    patient.cancel(patient.paid())
    settled(patient)
    assert close_day(patient) == []
    assert balances(patient) == {}
    patient.assert_sound()


def test_a_day_without_anything(patient: Patient, bills: FakeBills) -> None:
    assert close_day(patient) == []
    assert (count(patient, BillDay), count(patient, BillLine)) == (1, 0)


def test_f_56_taken_twice_is_taken_once(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    bills.spoil = with_a_stranger
    first = close_day(patient)
    before = {record: count(patient, record) for record in (BillDay, BillLine, Difference, LedgerEntry)}
    assert [one.id for one in close_day(patient)] == [one.id for one in first]
    assert {record: count(patient, record) for record in before} == before


def test_f_56_two_workers_at_once_take_it_once(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    bills.spoil = with_a_stranger
    race(*(lambda: close_day(patient) for _ in range(6)))
    days = patient.read(lambda session: list(session.scalars(select(BillDay.day))))
    assert days.count(today(patient)) == 1
    assert (count(patient, BillLine), len(told(all_of(patient)))) == (2, 3)
    assert balances(patient)[LedgerAccount.FEES] == 30


def test_f_56_another_bill_for_a_day_that_was_taken_is_not_taken(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    close_day(patient)
    bills.spoil = with_other_amount
    with pytest.raises(BillChanged):
        close_day(patient)
    assert all_of(patient) == []


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (without_last, [(DifferenceKind.OURS_ONLY, "payment"), (DifferenceKind.AMOUNT_DIFFERS, "movements")]),
        (with_a_stranger, [(DifferenceKind.THEIRS_ONLY, "payment"), (DifferenceKind.AMOUNT_DIFFERS, "movements")]),
        (with_other_amount, [(DifferenceKind.AMOUNT_DIFFERS, "payment"), (DifferenceKind.AMOUNT_DIFFERS, "movements")]),
        (with_last_twice, [(DifferenceKind.DUPLICATE, "payment"), (DifferenceKind.AMOUNT_DIFFERS, "movements")]),
    ],
)
def test_f_56_each_difference_opens_one_row(
    patient: Patient, bills: FakeBills, spoil: Spoil, wanted: list[tuple[DifferenceKind, str]]
) -> None:
    another_paid(patient)
    patient.paid()
    bills.spoil, bills.fee_per_mille = spoil, 0
    left = close_day(patient)
    assert told(left) == wanted
    if wanted[0][0] is not DifferenceKind.THEIRS_ONLY:
        place = 0 if spoil is with_other_amount else -1
        assert left[0].number == patient.payments()[place].out_trade_no
    patient.assert_sound()


def test_a_refund_that_the_bill_lacks_and_one_with_another_amount(patient: Patient, bills: FakeBills) -> None:
    bills.fee_per_mille = 0
    patient.cancel(patient.paid())
    settled(patient)
    bills.spoil = without_last
    assert told(close_day(patient))[0] == (DifferenceKind.OURS_ONLY, "refund")


def test_f_45_what_nobody_told_us_of_is_found_by_the_bill_and_followed(patient: Patient, bills: FakeBills) -> None:
    """The event is lost and the platform has not been asked: the bill tells, and the booking is paid."""
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    patient.gateway.pay(patient.payments()[-1].out_trade_no)
    assert close_day(patient) == []
    (one,) = all_of(patient)
    assert (one.kind, one.ended_as) == (DifferenceKind.STATE_DIFFERS, DifferenceEnd.REPAIRED)
    assert patient.payments()[-1].status is PaymentStatus.SUCCEEDED
    assert not patient.appointment(appointment_id).awaiting_payment
    assert balances(patient)[LedgerAccount.FEES] == 30
    patient.assert_sound()


def test_f_44_what_was_paid_after_the_number_was_gone_goes_back(patient: Patient, bills: FakeBills) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    number = patient.payments()[-1].out_trade_no
    patient.gateway.down = "before"
    for _ in range(6):
        patient.work(after=timedelta(minutes=10))
    patient.gateway.down = None
    patient.gateway.pay(number)
    close_day(patient)
    (refund,) = patient.refunds()
    assert (refund.reason, refund.amount_fen) == (RefundReason.LATE_PAYMENT, 5000)
    assert [one.ended_as for one in all_of(patient) if one.kind is DifferenceKind.STATE_DIFFERS] == [
        DifferenceEnd.REPAIRED
    ]


def test_a_refund_of_which_we_heard_nothing_is_followed(patient: Patient, bills: FakeBills) -> None:
    patient.cancel(patient.paid())
    patient.work()
    patient.gateway.settle_refund(patient.refunds()[-1].out_refund_no, RefundState.SUCCEEDED)
    assert close_day(patient) == []
    assert patient.refunds()[-1].status is RefundStatus.SUCCEEDED
    patient.assert_sound()


def test_while_the_platform_does_not_answer_it_stays_open(patient: Patient, bills: FakeBills) -> None:
    patient.open_payment(patient.book())
    patient.gateway.pay(patient.payments()[-1].out_trade_no)
    patient.gateway.down = "before"
    assert told(close_day(patient)) == [(DifferenceKind.STATE_DIFFERS, "payment")]
    patient.gateway.down = None
    assert close_day(patient) == []


def test_of_a_platform_that_answers_too_slowly_the_rest_is_asked_another_time(
    patient: Patient, bills: FakeBills, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.open_payment(patient.book())
    patient.gateway.pay(patient.payments()[-1].out_trade_no)
    before = len(patient.gateway.calls)
    with monkeypatch.context() as patched:
        patched.setattr("core.reconciliation.repair._LONGEST_SECONDS", -1.0)
        assert told(close_day(patient)) == [(DifferenceKind.STATE_DIFFERS, "payment")]
    assert patient.gateway.calls[before:] == []
    assert told(close_day(patient)) == []


def test_money_that_no_appointment_stands_behind_goes_back(patient: Patient, bills: FakeBills) -> None:
    """As after a restore: the appointment ended, and of its refund nothing is known."""
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    patient.write(lambda session, _now: forget_refunds(session))
    assert close_day(patient) == []
    (one,) = [one for one in all_of(patient) if one.kind is DifferenceKind.ORPHAN]
    assert one.ended_as is DifferenceEnd.REPAIRED
    (refund,) = patient.refunds()
    assert (refund.amount_fen, refund.reason) == (5000, RefundReason.SURPLUS)
    patient.assert_sound()


@pytest.mark.parametrize("told_by", ["bill", "platform"])
def test_money_that_may_have_gone_back_already_is_not_sent_again(
    patient: Patient, bills: FakeBills, told_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restore: its refund was made, and of that nothing is known here."""
    patient.cancel(patient.paid())
    settled(patient)
    patient.write(lambda session, _now: forget_refunds(session))
    if told_by == "platform":
        bills.spoil = lambda entries: [one for one in entries if one.kind is BillKind.PAYMENT]
        number = patient.payments()[0].out_trade_no
        gone = replace(patient.gateway.trades[number], given_back=True)
        monkeypatch.setitem(patient.gateway.trades, number, gone)
    left = close_day(patient)
    assert (DifferenceKind.ORPHAN, "payment") in told(left)
    assert patient.refunds() == []
    assert (DifferenceKind.ORPHAN, "payment") in told(close_day(patient))


def test_what_was_abnormal_in_its_bill_and_has_arrived_since_agrees(patient: Patient, bills: FakeBills) -> None:
    bills.ready = False
    patient.cancel(patient.paid())
    patient.work()
    number, day = patient.refunds()[-1].out_refund_no, today(patient)
    patient.gateway.settle_refund(number, RefundState.ABNORMAL)
    patient.work(after=timedelta(seconds=30))
    abnormal = bills._entries(day)
    patient.clock.advance(ONE_DAY)
    patient.hear(patient.gateway.settle_refund(number, RefundState.SUCCEEDED))
    patient.work()
    assert patient.refunds()[-1].status is RefundStatus.SUCCEEDED
    bills.spoil, bills.ready = lambda _entries: abnormal, True
    assert told(close_day(patient, day)) == []


@pytest.mark.parametrize("first", [0, 1])
def test_a_refund_that_no_bill_names_is_told_whichever_day_is_matched_last(
    patient: Patient, bills: FakeBills, first: int
) -> None:
    """Due on one day and arrived on the next: the platform may have taken it up on either."""
    bills.ready = False
    patient.cancel(patient.paid())
    patient.work()
    days = [today(patient), today(patient) + ONE_DAY]
    patient.clock.advance(ONE_DAY)
    patient.hear(patient.gateway.settle_refund(patient.refunds()[-1].out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    patient.clock.advance(4 * ONE_DAY)
    bills.ready = True
    bills.spoil = lambda entries: [one for one in entries if one.kind is BillKind.PAYMENT]
    assert [one for one in told(close_day(patient, days[first])) if one[1] == "refund"] == []
    assert (DifferenceKind.OURS_ONLY, "refund") in told(close_day(patient, days[1 - first]))


@pytest.mark.parametrize("lacks", ["both", "trades", "funds"])
def test_a_platform_that_is_late_is_not_believed_that_nothing_was(
    patient: Patient, bills: FakeBills, lacks: str
) -> None:
    patient.paid()
    day = today(patient)
    bills.spoil = None if lacks == "funds" else lambda _entries: []
    bills.spoil_funds = None if lacks == "trades" else lambda _funds: []
    patient.clock.advance(ONE_DAY)
    with pytest.raises(BillNotReady):
        close_day(patient, day)
    assert day not in taken(patient)
    if lacks == "both":
        patient.clock.advance(3 * ONE_DAY)
        assert (DifferenceKind.OURS_ONLY, "payment") in told(close_day(patient, day)), "then it is no lateness"
    bills.spoil = bills.spoil_funds = None
    if lacks != "both":
        assert close_day(patient, day) == []


def forget_refunds(session: object) -> None:
    for table in ("refund_lines", "ledger_entries", "journals", "state_events", "refunds"):
        where = {
            "refund_lines": "1 = 1",
            "ledger_entries": "journal_id IN (SELECT id FROM journals WHERE refund_id IS NOT NULL)",
            "journals": "refund_id IS NOT NULL",
            "state_events": "machine = 'refund'",
            "refunds": "1 = 1",
        }[table]
        session.connection().exec_driver_sql(f"DELETE FROM {table} WHERE {where}")  # type: ignore[attr-defined]


def test_the_last_second_of_a_day_belongs_to_that_day_only(patient: Patient, bills: FakeBills) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    end = day_begins(today(patient) + ONE_DAY)
    patient.write(lambda session, _now: move_hold(session, end))
    patient.clock.set(end - timedelta(seconds=1))
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.clock.set(end + timedelta(seconds=1))
    patient.work()
    assert close_day(patient, hospital_day(end)) == []
    assert close_day(patient, hospital_day(end) - ONE_DAY) == []
    assert all_of(patient) == []


def move_hold(session: object, end: object) -> None:
    """The number may be paid until after midnight."""
    for table, column in (
        ("appointments", "hold_expires_at"),
        ("appointments", "close_by"),
        ("payments", "expires_at"),
    ):
        session.connection().exec_driver_sql(  # type: ignore[attr-defined]
            f"UPDATE {table} SET {column} = '{(end + timedelta(minutes=5)):%Y-%m-%d %H:%M:%S.%f}'"  # type: ignore[operator]
        )


def test_what_one_day_lacks_the_next_may_have(patient: Patient, bills: FakeBills) -> None:
    """The platform counts it a second later than it said when it was paid."""
    another_paid(patient)
    patient.paid()
    bills.fee_per_mille = 0
    missing = bills._payments(today(patient))[-1:]
    bills.spoil, bills.spoil_funds = without_last, lambda funds: funds[:-1]
    assert told(close_day(patient)) == [(DifferenceKind.OURS_ONLY, "payment")]
    patient.clock.advance(ONE_DAY)
    bills.spoil, bills.spoil_funds = lambda entries: [*entries, *missing], with_another_movement
    left = close_day(patient)
    assert told(left) == [(DifferenceKind.AMOUNT_DIFFERS, "movements")]
    ended = {one.kind: one.ended_as for one in all_of(patient) if one.entry == "payment"}
    assert ended == {DifferenceKind.OURS_ONLY: DifferenceEnd.FOUND, DifferenceKind.LATE: DifferenceEnd.FOUND}


def test_a_day_of_many_is_read_in_as_many_statements_as_one_of_few(
    bills: FakeBills, workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    patient = make_patient(workbench, clock, adapters, numbers=20)
    patient.paid()
    few = statements(patient)
    patient.clock.advance(ONE_DAY)
    for one in range(6):
        other = join(workbench, patient.clock, adapters, patient.schedule_id)
        appointment_id = other.book()
        if one % 2:
            other.open_payment(appointment_id)
            other.hear(other.gateway.pay(other.payments()[-1].out_trade_no))
            other.work()
    assert statements(patient) <= few + 1


def statements(patient: Patient) -> int:
    """How many a look at today takes, once its bill is there and nothing differs."""
    assert close_day(patient) == []
    sent: list[str] = []
    engine = patient.workbench.transactions.database.engine
    listener = lambda *said: sent.append(said[2])  # noqa: E731 - to be taken away again
    event.listen(engine, "before_cursor_execute", listener)
    assert close_day(patient) == []
    event.remove(engine, "before_cursor_execute", listener)
    return len(sent)


def test_a_merchant_that_nobody_has(patient: Patient) -> None:
    with pytest.raises(NotConfigured):
        close_day(patient)


def test_f_56_a_bill_that_is_not_there_yet_is_asked_for_again(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    ask(patient)
    patient.work()
    patient.clock.advance(ONE_DAY)
    bills.ready = False
    ask(patient)
    patient.work()
    week = {today(patient) - back * ONE_DAY for back in range(1, 8)}
    assert week <= set(bills.asked)
    assert week - taken(patient) == {today(patient) - ONE_DAY}, "the others were taken before that"
    bills.ready = True
    patient.work(after=timedelta(minutes=31))
    assert week <= taken(patient)
    ask(patient)
    bills.asked.clear()
    patient.work()
    assert bills.asked == []
    assert all_of(patient) == []


def test_a_line_that_two_days_tell_is_told_once_and_left_to_people(patient: Patient, bills: FakeBills) -> None:
    """Of a payment and of a refund; what is late, or late too, is told beside it."""
    patient.cancel(patient.paid())
    settled(patient)
    both = [*bills._payments(today(patient)), *bills._refunds(today(patient))]
    assert close_day(patient) == []
    patient.clock.advance(ONE_DAY)
    another_paid(patient)
    bills.spoil = lambda entries: [*entries, *both]
    left = close_day(patient)
    twice = [(one.kind, one.entry, one.facts["times"]) for one in left if one.kind is DifferenceKind.DUPLICATE]
    assert sorted(twice) == [(DifferenceKind.DUPLICATE, "payment", 2), (DifferenceKind.DUPLICATE, "refund", 2)]
    assert told(close_day(patient)) == told(left), "looked at again, nothing is told again"


def test_a_day_that_is_given_up_is_an_alarm(patient: Patient, bills: FakeBills) -> None:
    """A week long no bill came, and from then on nobody would ask by themselves."""
    patient.paid()
    patient.clock.advance(ONE_DAY)
    bills.ready = False
    ask(patient)
    patient.work()
    with capture_logs() as lines:
        for _ in range(8):
            patient.clock.advance(ONE_DAY)
            ask(patient)
            patient.work()
    given_up = [line for line in lines if line["event"] == "bill_given_up"]
    assert given_up
    assert all(line["alarm"] for line in given_up)
    assert (today(patient) - 8 * ONE_DAY).isoformat() in {line["day"] for line in given_up}


def test_a_merchant_that_has_left_the_configuration_is_an_alarm(
    patient: Patient, bills: FakeBills, adapters: FakeAdapters
) -> None:
    patient.paid()
    patient.clock.advance(ONE_DAY)
    ask(patient)
    patient.work()
    adapters.bills.clear()
    with capture_logs() as lines:
        ask(patient)
    gone = [(line["provider"], line["merchant"], line["alarm"]) for line in lines if line["event"] == "merchant_gone"]
    assert gone == [("wechat_pay", "demo", True)]


@pytest.mark.parametrize("failure", [BillUnreadable("line 3"), ProviderUnavailable("silent", sent=False)])
def test_f_56_a_bill_that_cannot_be_read_is_asked_for_again(
    patient: Patient, bills: FakeBills, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_day: date) -> None:
        raise failure

    patient.clock.advance(ONE_DAY)
    with monkeypatch.context() as patched:
        patched.setattr(bills, "fund_flow", fail)
        ask(patient)
        patient.work()
        assert taken(patient) == set()
    patient.work(after=timedelta(hours=1, minutes=1))
    assert taken(patient) >= {today(patient) - back * ONE_DAY for back in range(1, 8)}


def taken(patient: Patient) -> set[date]:
    return set(patient.read(lambda session: list(session.scalars(select(BillDay.day)))))


def ask(patient: Patient) -> None:
    ask_for_bills(patient.workbench, LeasedJob(new_id(), ASK_FOR_BILLS, {}, 1, 1))


@pytest.mark.parametrize("again", ["li wei", "LI WEI", "Li  Wei", "Ｌｉ\u3000Ｗｅｉ", "LiWei"])
def test_a_name_typed_another_way_is_no_second_person(patient: Patient, bills: FakeBills, again: str) -> None:
    patient.paid()
    bills.spoil = with_a_stranger
    of = close_day(patient)[0].id

    def say(operator: str, why: str) -> bool:
        return patient.write(lambda session, now: say_of(session, of, operator=operator, why=why, now=now))

    assert (say("Li Wei", "平台测试单"), say(again, "平台测试单")) == (False, False)
    assert say("Li Wen", "已在商户平台核对")
    ended = patient.read(lambda session: session.get_one(Difference, of))
    assert (ended.first_by, ended.second_by) == ("Li Wei", "Li Wen")
    assert ended.why == "平台测试单 / 已在商户平台核对"


def test_two_people_end_what_is_left(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    bills.fee_per_mille, bills.spoil = 0, with_a_stranger
    one = close_day(patient)[0]

    def say(operator: str) -> bool:
        return patient.write(lambda session, now: say_of(session, one.id, operator=operator, why="平台测试单", now=now))

    assert (say("clerk-1"), say("clerk-1"), say("clerk-2")) == (False, False, True)
    ended = patient.read(lambda session: session.get_one(Difference, one.id))
    assert (ended.ended_as, ended.first_by, ended.second_by) == (DifferenceEnd.DESK, "clerk-1", "clerk-2")
    assert one.id not in {left.id for left in close_day(patient)}, "it is not opened again"
    assert one.id not in {left.id for left in patient.read(lambda session: list_open(session, merchant=None, limit=9))}
    with pytest.raises(NotFound):
        patient.write(
            lambda session, now: say_of(
                session, session.scalars(select(Payment.id)).one(), operator="clerk-1", why="x", now=now
            )
        )


@pytest.mark.parametrize(("state", "twice"), [(RefundState.SUCCEEDED, True), (RefundState.ABNORMAL, False)])
def test_what_was_given_by_hand_is_in_no_bill_as_refunded(
    patient: Patient, bills: FakeBills, state: RefundState, twice: bool
) -> None:
    patient.cancel(patient.paid())
    patient.work()
    number = patient.refunds()[-1].out_refund_no
    patient.hear(patient.gateway.settle_refund(number, RefundState.ABNORMAL))
    patient.work()
    of = patient.refunds()[-1].id
    for operator in ("clerk-1", "clerk-2"):
        word = Word(RefundWay.BY_HAND, "柜台退款", operator)
        patient.write(lambda session, now, word=word: say_of_refund(session, of, word, now=now))
    for _ in range(2):
        patient.work(after=timedelta(seconds=11))
    assert patient.refunds()[-1].by_hand
    patient.gateway.settle_refund(number, state)
    found = [one for one in told(close_day(patient)) if one[1] == "refund"]
    assert found == ([(DifferenceKind.DUPLICATE, "refund")] if twice else [])
    patient.assert_sound()
