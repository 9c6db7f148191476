"""What breaks the promises about the books, and what comes close without breaking them."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.base import new_id
from models.ledger import Journal, JournalKind, LedgerAccount, LedgerEntry
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.refund_decision import RefundDecision, RefundWay
from plants import World, change, clone, drop, plant, quiet, table


def _journal(session: Session, world: World, kind: JournalKind, appointment_id: UUID) -> UUID:
    """Of the first payment or refund of the appointment's charge that has one."""
    journals, payment = table(Journal), world.of(session, Payment, appointment_id)
    wanted = (journals.c.kind == kind, journals.c.payment_id == payment)
    return session.execute(select(journals.c.id).where(*wanted).order_by(journals.c.id).limit(1)).scalar_one()


def _entry(session: Session, journal_id: UUID, account: LedgerAccount) -> UUID:
    entries = table(LedgerEntry)
    wanted = (entries.c.journal_id == journal_id, entries.c.account == account)
    return session.execute(select(entries.c.id).where(*wanted)).scalar_one()


def _received(session: Session, world: World) -> UUID:
    return _journal(session, world, JournalKind.PAYMENT_RECEIVED, world.paid)


# --- each comes to zero


@plant("journal_comes_to_zero")
def _a_side_is_missing(session: Session, world: World) -> None:
    drop(session, LedgerEntry, _entry(session, _received(session, world), LedgerAccount.CHARGE))


@plant("journal_comes_to_zero")
def _nothing_in_it(session: Session, world: World) -> None:
    for account in (LedgerAccount.CHARGE, LedgerAccount.GATEWAY):
        drop(session, LedgerEntry, _entry(session, _received(session, world), account))


def _other_amount(session: Session, world: World, *, account: LedgerAccount, amount_fen: int) -> None:
    change(session, LedgerEntry, _entry(session, _received(session, world), account), amount_fen=amount_fen)


plant("journal_comes_to_zero")(partial(_other_amount, account=LedgerAccount.CHARGE, amount_fen=-4999))
plant("received_money_is_in_the_books")(partial(_other_amount, account=LedgerAccount.GATEWAY, amount_fen=4999))


# --- what was received


@plant("received_money_is_in_the_books")
def _paid_and_not_written(session: Session, world: World) -> None:
    drop(session, Journal, _received(session, world))


@plant("received_money_is_in_the_books")
def _written_as_something_else(session: Session, world: World) -> None:
    change(session, Journal, _received(session, world), kind=JournalKind.FEE_GIVEN_BACK)


@plant("received_money_is_in_the_books")
def _at_another_account(session: Session, world: World) -> None:
    gateway = _entry(session, _received(session, world), LedgerAccount.GATEWAY)
    change(session, LedgerEntry, gateway, account=LedgerAccount.FEES)


@plant("received_money_is_in_the_books")
def _paid_twice_written_once(session: Session, world: World) -> None:
    clone(session, Payment, world.of(session, Payment, world.paid))


@quiet("received_money_is_in_the_books")
def _nothing_came(session: Session, world: World) -> None:
    clone(session, Payment, world.of(session, Payment, world.paid), received_fen=0)


@quiet("received_money_is_in_the_books")
def _not_paid_yet(session: Session, world: World) -> None:
    clone(session, Payment, world.of(session, Payment, world.paid), status=PaymentStatus.PENDING)


# --- what went back


def _not_written(session: Session, world: World, *, kind: JournalKind) -> None:
    drop(session, Journal, _journal(session, world, kind, world.cancelled))


for _kind in (JournalKind.REFUND_DUE, JournalKind.REFUND_PAID, JournalKind.REFUND_WITHDRAWN):
    plant("returned_money_is_in_the_books")(partial(_not_written, kind=_kind))


def _fen_less(session: Session, world: World, *, kind: JournalKind, account: LedgerAccount) -> None:
    entry = _entry(session, _journal(session, world, kind, world.cancelled), account)
    change(session, LedgerEntry, entry, amount_fen=-4999)


for _kind, _account in (
    (JournalKind.REFUND_DUE, LedgerAccount.RETURNING),
    (JournalKind.REFUND_PAID, LedgerAccount.GATEWAY),
    (JournalKind.REFUND_WITHDRAWN, LedgerAccount.CHARGE),
):
    plant("returned_money_is_in_the_books")(partial(_fen_less, kind=_kind, account=_account))


@quiet("returned_money_is_in_the_books")
def _on_its_way(session: Session, world: World) -> None:
    change(session, Refund, world.of(session, Refund, world.cancelled), status=RefundStatus.PROCESSING)


# --- what the hospital has given back by itself


def _by_hand(session: Session, world: World, **said: Any) -> None:
    """As if the refund had not gone through the platform; `said` is the decision about it, where there is one."""
    refund = world.of(session, Refund, world.cancelled)
    change(session, Refund, refund, by_hand=True)
    if said:
        told = {"way": RefundWay.BY_HAND, "why": "柜台退款", "first_by": "clerk-1", "proposed_at": world.now}
        session.execute(table(RefundDecision).insert().values({"id": new_id(), "refund_id": refund} | told | said))


def _decided(world: World) -> dict[str, Any]:
    return {"second_by": "clerk-2", "decided_at": world.now, "done_at": world.now}


@plant("returned_money_is_in_the_books")
@plant("books_tell_of_what_was")
@plant("by_hand_is_two_peoples_word")
def _by_hand_without_a_word(session: Session, world: World) -> None:
    _by_hand(session, world)


@plant("by_hand_is_two_peoples_word")
def _by_hand_on_one_persons_word(session: Session, world: World) -> None:
    _by_hand(session, world, second_by=None)


@plant("by_hand_is_two_peoples_word")
def _by_hand_although_they_said_otherwise(session: Session, world: World) -> None:
    _by_hand(session, world, **_decided(world), way=RefundWay.AGAIN)


@plant("by_hand_is_two_peoples_word")
def _by_hand_although_they_spoke_of_another(session: Session, world: World) -> None:
    closed = _journal(session, world, JournalKind.REFUND_WITHDRAWN, world.cancelled)
    other = session.execute(select(table(Journal).c.refund_id).where(table(Journal).c.id == closed)).scalar_one()
    _by_hand(session, world, **_decided(world), refund_id=other)


@plant("by_hand_is_two_peoples_word")
def _by_hand_and_not_there(session: Session, world: World) -> None:
    _by_hand(session, world, **_decided(world))
    change(session, Refund, world.of(session, Refund, world.cancelled), status=RefundStatus.DESK)


@quiet("by_hand_is_two_peoples_word")
@quiet("returned_money_is_in_the_books")
@quiet("books_tell_of_what_was")
def _by_hand_as_it_should_be(session: Session, world: World) -> None:
    _by_hand(session, world, **_decided(world))
    paid = _journal(session, world, JournalKind.REFUND_PAID, world.cancelled)
    change(session, Journal, paid, kind=JournalKind.REFUND_BY_HAND)
    change(session, LedgerEntry, _entry(session, paid, LedgerAccount.GATEWAY), account=LedgerAccount.DESK)


# --- nothing else is told


def _told_of(session: Session, world: World, *, kind: JournalKind, **values: Any) -> None:
    change(session, Journal, _journal(session, world, kind, world.cancelled), **values)


@plant("books_tell_of_what_was")
def _told_twice(session: Session, world: World) -> None:
    journal = _received(session, world)
    clone(session, Journal, journal)


@plant("books_tell_of_what_was")
def _told_of_what_did_not_come(session: Session, world: World) -> None:
    change(session, Payment, world.of(session, Payment, world.paid), status=PaymentStatus.CLOSED)


@plant("books_tell_of_what_was")
def _told_of_what_is_still_on_its_way(session: Session, world: World) -> None:
    change(session, Refund, world.of(session, Refund, world.cancelled), status=RefundStatus.PROCESSING)


@plant("books_tell_of_what_was")
def _withdrawn_and_goes_on(session: Session, world: World) -> None:
    closed = _journal(session, world, JournalKind.REFUND_WITHDRAWN, world.cancelled)
    refund = session.execute(select(table(Journal).c.refund_id).where(table(Journal).c.id == closed)).scalar_one()
    change(session, Refund, refund, status=RefundStatus.UNKNOWN)


@plant("books_tell_of_what_was")
def _of_another_hospital(session: Session, world: World) -> None:
    change(session, Journal, _received(session, world), hospital_id=new_id())


@plant("books_tell_of_what_was")
def _by_hand_although_it_was_not(session: Session, world: World) -> None:
    paid = _journal(session, world, JournalKind.REFUND_PAID, world.cancelled)
    clone(session, Journal, paid, kind=JournalKind.REFUND_BY_HAND)


for _kind in (JournalKind.REFUND_DUE, JournalKind.REFUND_PAID, JournalKind.REFUND_WITHDRAWN):
    plant("books_tell_of_what_was")(partial(_told_of, kind=_kind, refund_id=None))
    plant("books_tell_of_what_was")(partial(_told_of, kind=_kind, subject_id=new_id()))
plant("books_tell_of_what_was")(partial(_told_of, kind=JournalKind.PAYMENT_RECEIVED, subject_id=new_id()))
plant("books_tell_of_what_was")(partial(_told_of, kind=JournalKind.PAYMENT_RECEIVED, merchant="another"))


@plant("books_tell_of_what_was")
def _under_another_payment(session: Session, world: World) -> None:
    journal = _journal(session, world, JournalKind.REFUND_DUE, world.cancelled)
    change(session, Journal, journal, payment_id=world.of(session, Payment, world.paid))


@quiet("books_tell_of_what_was")
def _a_fee(session: Session, world: World) -> None:
    clone(session, Journal, _received(session, world), kind=JournalKind.FEE_TAKEN, subject_id=new_id())
