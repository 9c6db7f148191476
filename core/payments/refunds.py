"""Money back. Money out is last: first the claim ends, then the refund is due, then it is sent under its number."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.jobs.queue import backoff, enqueue
from core.ledger.post import post_refund
from core.notices.write import tell
from core.numbers import refund_number
from core.payments.charge_account import ChargeAccount
from core.ports import RefundAnswer, RefundState
from models.appointment import Appointment
from models.base import new_id
from models.errors import IllegalTransition
from models.notice import NoticeKind
from models.payment import Payment, Refund, RefundLine, RefundReason, RefundStatus
from models.states import Cause

log = structlog.get_logger()

PUSH_REFUND = "push_refund"


def due_refund(
    session: Session,
    account: ChargeAccount,
    payment: Payment,
    *,
    reason: RefundReason,
    now: datetime,
    cause: Cause,
    amount_fen: int | None = None,
    replaces: Refund | None = None,
) -> Refund | None:
    """Make `amount_fen` of `payment` due for return, or everything that is still kept of it. None where that is
    nothing."""
    amount = account.kept_fen(payment) if amount_fen is None else amount_fen
    if replaces is not None:
        amount = replaces.amount_fen
    if amount <= 0:
        return None
    refund = Refund(
        id=new_id(),
        hospital_id=payment.hospital_id,
        payment_id=payment.id,
        charge_id=payment.charge_id,
        amount_fen=amount,
        out_refund_no=refund_number(now=now),
        reason=reason,
        replaces_id=None if replaces is None else replaces.id,
        asked_times=0,
        created_at=now,
    )
    refund.enter(session, RefundStatus.DUE, at=now, cause=cause, reason=reason)
    account.refunds.append(refund)
    session.flush()
    post_refund(session, payment, refund, now=now)
    _allocate(session, account, refund)
    _push_later(session, account, refund, now=now)
    return refund


def _push_later(session: Session, account: ChargeAccount, refund: Refund, *, now: datetime) -> None:
    """At once; but a number in the place of a closed one waits, longer each time, lest they chase each other."""
    of_payment = [one for one in account.refunds if one.payment_id == refund.payment_id]
    closed = sum(one.status is RefundStatus.CLOSED for one in of_payment)
    run_at = now + backoff(closed) if closed else now
    push_at(session, refund, run_at, now=now)


def push_at(session: Session, refund: Refund, run_at: datetime, *, now: datetime) -> None:
    """The job that sends it, or asks about it, then; the one that waits for it already, where there is one."""
    of = str(refund.id)
    enqueue(session, PUSH_REFUND, run_at=run_at, now=now, dedup=f"{PUSH_REFUND}:{of}", refund_id=of)


def push_waiting(session: Session, account: ChargeAccount, *, now: datetime) -> None:
    """A hospital has let a number go, or will not: what waited for its word is sent, or goes to the desk."""
    for refund in account.refunds:
        if refund.status is RefundStatus.DUE:
            push_at(session, refund, now, now=now)


def _allocate(session: Session, account: ChargeAccount, refund: Refund) -> None:
    """Say which void lines the money belongs to, of no appointment more than it cost; a surplus belongs to none."""
    left = refund.amount_fen
    void = [line for line in account.charge.lines if line.voided_at is not None]
    given, owed = _given_back(session, account), Counter[UUID]()
    for line in void:
        owed[line.appointment_id] += line.amount_fen - given.get(line.id, 0)
    owed.subtract(account.carried_over())
    for line in void:
        share = min(left, line.amount_fen - given.get(line.id, 0), owed[line.appointment_id])
        if share > 0:
            session.add(RefundLine(id=new_id(), refund_id=refund.id, charge_line_id=line.id, amount_fen=share))
            owed[line.appointment_id] -= share
            left -= share


def _given_back(session: Session, account: ChargeAccount) -> dict[UUID, int]:
    """By line, what refunds that still stand give back of it already."""
    standing = [one.id for one in account.refunds if one.status is not RefundStatus.CLOSED]
    rows = session.execute(
        select(RefundLine.charge_line_id, func.sum(RefundLine.amount_fen))
        .where(RefundLine.refund_id.in_(standing))
        .group_by(RefundLine.charge_line_id)
    )
    return {line_id: int(total) for line_id, total in rows}


_STATUS_OF = {
    RefundState.PROCESSING: RefundStatus.PROCESSING,
    RefundState.SUCCEEDED: RefundStatus.SUCCEEDED,
    RefundState.ABNORMAL: RefundStatus.ABNORMAL,
    RefundState.CLOSED: RefundStatus.CLOSED,
}


def apply_refund_answer(
    session: Session, account: ChargeAccount, refund: Refund, answer: RefundAnswer, *, now: datetime, cause: Cause
) -> None:
    """Follow the platform's word about one refund. A word that comes too late changes nothing, and a success with
    another amount is not this refund's: it is told to nobody, and asked about again."""
    if refund.by_hand and answer.state in {RefundState.PROCESSING, RefundState.SUCCEEDED}:
        log.warning("refund_given_twice", refund=str(refund.id), said=str(answer.state), alarm=True)
        return
    if answer.state is RefundState.SUCCEEDED and answer.amount_fen not in (None, refund.amount_fen):
        _note_other_amount(session, refund, now=now, cause=cause)
        return
    refund.platform_refund_no = answer.platform_refund_no or refund.platform_refund_no
    refund.received_account = answer.received_account or refund.received_account
    if answer.state is RefundState.NO_SUCH_NUMBER:
        if refund.status is RefundStatus.UNKNOWN:
            refund.become(session, RefundStatus.DUE, at=now, cause=cause, reason="no_such_number")
        return
    try:
        moved = refund.become(session, _STATUS_OF[answer.state], at=now, cause=cause, done_at=answer.succeeded_at)
    except IllegalTransition as late:
        _note_late_word(refund, answer, late)
        return
    if moved:
        after_move(session, account, refund, now=now, cause=cause)


def denies(refund: Refund, answer: RefundAnswer) -> bool:
    """The platform says of money that we have told the patient to be there that it is not."""
    said_so = refund.status is RefundStatus.SUCCEEDED and not refund.by_hand
    return said_so and answer.state in {RefundState.ABNORMAL, RefundState.CLOSED}


def _note_late_word(refund: Refund, answer: RefundAnswer, late: IllegalTransition) -> None:
    told = {"refund": str(refund.id), "was": late.was, "said": late.wanted}
    if denies(refund, answer):
        log.warning("refund_success_denied", alarm=True, **told)
    else:
        log.info("refund_word_out_of_order", **told)


def _note_other_amount(session: Session, refund: Refund, *, now: datetime, cause: Cause) -> None:
    """The platform knows the number: what was still to be sent is only asked about from here on."""
    log.warning("refund_amount_differs", refund=str(refund.id), alarm=True)
    if refund.status is RefundStatus.DUE:
        refund.become(session, RefundStatus.UNKNOWN, at=now, cause=cause, reason="amount_differs")


def after_move(session: Session, account: ChargeAccount, refund: Refund, *, now: datetime, cause: Cause) -> None:
    """What follows from a refund's new status, in the books and for whom it is."""
    post_refund(session, account.payment(refund.payment_id), refund, now=now)
    if refund.status is RefundStatus.SUCCEEDED:
        whose = returned_for(session, account, refund)[-1]
        tell(session, NoticeKind.REFUND_SUCCEEDED, whose, now=now, subject=str(refund.id))
    elif refund.status is RefundStatus.CLOSED:
        due_refund(
            session,
            account,
            account.payment(refund.payment_id),
            reason=refund.reason,
            now=now,
            cause=cause,
            replaces=refund,
        )
    elif refund.status is RefundStatus.ABNORMAL:
        log.warning("refund_abnormal", refund=str(refund.id), alarm=True)


def returned_for(session: Session, account: ChargeAccount, refund: Refund) -> list[Appointment]:
    """The appointments whose lines it gives back, with those whose place they took; all of the charge, where it names
    none."""
    lines = set(session.scalars(select(RefundLine.charge_line_id).where(RefundLine.refund_id == refund.id)))
    named = {line.appointment_id for line in account.charge.lines if line.id in lines}
    named |= {one.replaces_id for one in account.appointments if one.id in named and one.replaces_id is not None}
    return [one for one in account.appointments if one.id in named] or account.appointments
