"""Each movement of money stands once in the books, and each journal comes to zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from harness import Patient
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.clock import day_begins, hospital_day
from core.ledger.post import Fee, post_fees, post_payment
from core.ports import RefundState
from models.base import new_id
from models.ledger import Journal, JournalKind, LedgerAccount, LedgerEntry, LedgerIsWritten
from models.payment import Payment


def balances(patient: Patient) -> dict[LedgerAccount, int]:
    """What stands at each account, but for those where nothing does."""
    found: Counter[LedgerAccount] = Counter()
    for entry in patient.read(lambda session: list(session.scalars(select(LedgerEntry)))):
        found[entry.account] += entry.amount_fen
    return {account: fen for account, fen in found.items() if fen}


def kinds(patient: Patient) -> list[JournalKind]:
    return patient.read(lambda session: list(session.scalars(select(Journal.kind).order_by(Journal.id))))


def payment(patient: Patient) -> Payment:
    return patient.read(lambda session: session.scalars(select(Payment)).one())


def test_what_was_received_stands_with_the_platform_and_for_the_charge(patient: Patient) -> None:
    patient.paid()
    assert balances(patient) == {LedgerAccount.GATEWAY: 5000, LedgerAccount.CHARGE: -5000}
    (journal,) = patient.read(lambda session: list(session.scalars(select(Journal))))
    paid = payment(patient)
    assert (journal.payment_id, journal.refund_id, journal.subject_id) == (paid.id, None, paid.id)
    assert (journal.merchant, journal.channel, journal.at) == (paid.merchant, paid.channel, paid.paid_at)
    patient.assert_sound()


def test_hearing_of_it_twice_writes_it_once(patient: Patient) -> None:
    appointment_id = patient.book()
    patient.open_payment(appointment_id)
    said = patient.gateway.pay(patient.payments()[-1].out_trade_no)
    for _ in range(3):
        patient.hear(said)
        patient.work()
    assert kinds(patient) == [JournalKind.PAYMENT_RECEIVED]


def test_what_is_due_back_is_owed_until_it_has_arrived(patient: Patient) -> None:
    patient.cancel(patient.paid())
    assert balances(patient) == {LedgerAccount.GATEWAY: 5000, LedgerAccount.RETURNING: -5000}
    patient.gateway.refund_settles_as = RefundState.SUCCEEDED
    patient.work()
    assert balances(patient) == {}
    assert kinds(patient) == [JournalKind.PAYMENT_RECEIVED, JournalKind.REFUND_DUE, JournalKind.REFUND_PAID]
    patient.assert_sound()


def test_it_went_back_on_the_day_when_the_platform_paid_it(patient: Patient) -> None:
    """Done before midnight and heard after it: it stands in the books of the day before."""
    patient.cancel(patient.paid())
    patient.work()
    midnight = day_begins(hospital_day(patient.clock.now()) + timedelta(days=1))
    done_at = midnight - timedelta(minutes=1)
    patient.clock.set(midnight + timedelta(minutes=1))
    assert went_back(patient, done_at) == (done_at, done_at, patient.clock.now())
    patient.assert_sound()


@pytest.mark.parametrize("off", [timedelta(days=-3), timedelta(seconds=1)])
def test_it_went_back_neither_before_it_was_due_nor_after_it_was_heard(patient: Patient, off: timedelta) -> None:
    patient.cancel(patient.paid())
    patient.work()
    due = patient.refunds()[-1].created_at
    patient.clock.advance(timedelta(minutes=1))
    now = patient.clock.now()
    wanted = due if off < timedelta(0) else now
    assert went_back(patient, now + off) == (wanted, wanted, now)


def went_back(patient: Patient, done_at: datetime) -> tuple[datetime | None, datetime, datetime]:
    """The platform says now when it was done. When it was by our record and our books, and when we wrote that."""
    number = patient.refunds()[-1].out_refund_no
    patient.hear(patient.gateway.settle_refund(number, RefundState.SUCCEEDED, succeeded_at=done_at))
    patient.work()
    paid = select(Journal).where(Journal.kind == JournalKind.REFUND_PAID)
    journal = patient.read(lambda session: session.scalars(paid).one())
    return patient.refunds()[-1].succeeded_at, journal.at, journal.posted_at


def test_a_closed_number_is_taken_back_and_another_is_owed(patient: Patient) -> None:
    patient.cancel(patient.paid())
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[-1].out_refund_no, RefundState.CLOSED))
    patient.work()
    assert balances(patient) == {LedgerAccount.GATEWAY: 5000, LedgerAccount.RETURNING: -5000}
    assert kinds(patient)[1:] == [JournalKind.REFUND_DUE, JournalKind.REFUND_WITHDRAWN, JournalKind.REFUND_DUE]
    patient.work(after=timedelta(seconds=2))
    patient.hear(patient.gateway.settle_refund(patient.refunds()[-1].out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    assert balances(patient) == {}
    patient.assert_sound()


def test_another_amount_than_was_asked_stands_as_it_came_and_is_owed_back(patient: Patient) -> None:
    patient.open_payment(patient.book())
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no, amount_fen=4000))
    patient.work()
    assert balances(patient) == {LedgerAccount.GATEWAY: 4000, LedgerAccount.RETURNING: -4000}
    patient.assert_sound()


def test_a_platforms_fee_is_taken_and_given_back(patient: Patient) -> None:
    patient.paid()
    paid = payment(patient)
    for fee in (30, -30):
        patient.write(
            lambda session, now, fee=fee: post_fees(session, [Fee(paid, fee, new_id(), now)], now=now)  # type: ignore[misc]
        )
        stands = 30 if fee > 0 else 0
        wanted = {LedgerAccount.GATEWAY: 5000 - stands, LedgerAccount.CHARGE: -5000, LedgerAccount.FEES: stands}
        assert balances(patient) == {account: fen for account, fen in wanted.items() if fen}
    patient.assert_sound()


def test_the_same_cannot_be_written_twice(patient: Patient) -> None:
    patient.paid()
    paid = payment(patient)
    with pytest.raises(IntegrityError):
        patient.write(lambda session, now: post_payment(session, paid, now=now))


def ids(patient: Patient, record: type[Journal | LedgerEntry]) -> Iterable[UUID]:
    return patient.read(lambda session: list(session.scalars(select(record.id))))


@pytest.mark.parametrize("record", [Journal, LedgerEntry])
def test_nothing_in_the_books_is_changed_or_taken_out(patient: Patient, record: type[Journal | LedgerEntry]) -> None:
    patient.paid()
    (first, *_) = ids(patient, record)

    def change(session: object, _now: object) -> None:
        one = session.get_one(record, first)  # type: ignore[attr-defined]
        setattr(one, "amount_fen" if record is LedgerEntry else "currency", 1 if record is LedgerEntry else "USD")

    with pytest.raises(LedgerIsWritten):
        patient.write(change)
    with pytest.raises(LedgerIsWritten):
        patient.write(lambda session, _now: session.delete(session.get_one(record, first)))
    assert first in set(ids(patient, record))
