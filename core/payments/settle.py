"""What a platform's word about one payment means for its charge: the one place where money moves an appointment.

Kept money of a charge equals its live lines; any success beyond that becomes a refund. There is no revival: money for
a claim that has ended goes back, and the patient is told.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from core.booking.endings.end_hold import end_hold_now
from core.booking.endings.let_go import make_sure
from core.hospital.soon import settle_soon
from core.ledger.post import post_payment
from core.notices.write import tell
from core.payments.charge_account import ChargeAccount
from core.payments.closing import close_soon
from core.payments.refunds import due_refund
from core.payments.shipping import report_soon
from core.payments.surplus import return_surplus
from core.ports import TradeAnswer, TradeState
from core.registry import Adapters
from models.appointment import Appointment, AppointmentStatus
from models.notice import NoticeKind
from models.payment import Payment, PaymentStatus, RefundReason, RefundStatus
from models.schedule import SlotStatus
from models.states import Cause

log = structlog.get_logger()


def apply_trade_answer(
    session: Session,
    adapters: Adapters,
    account: ChargeAccount,
    payment: Payment,
    answer: TradeAnswer,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    """Follow the platform's word. Hearing the same again changes nothing; a word that comes too late neither."""
    if answer.state is TradeState.PAID:
        _paid(session, account, payment, answer, now=now, cause=cause)
        report_soon(session, adapters, account, payment, now=now)
    elif not payment.is_live:
        _note_too_late(payment, answer)
    elif answer.state is TradeState.UNPAID:
        payment.accepted(session, at=now, cause=cause)
    else:
        _nothing_came(session, payment, answer, now=now, cause=cause)
        _end_holds(session, account, now=now)


def _note_too_late(payment: Payment, answer: TradeAnswer) -> None:
    """The question was on its way when another answer came, or the platform says what it said before."""
    if str(answer.state) != str(payment.status):
        log.info("payment_word_out_of_order", payment=str(payment.id), was=str(payment.status), said=str(answer.state))


def note_denial(payment: Payment, answer: TradeAnswer) -> None:
    """`payment` as it was when the platform was asked: what it had said was paid by then it does not take back."""
    if payment.status is PaymentStatus.SUCCEEDED and answer.state is not TradeState.PAID:
        log.warning("paid_payment_denied", payment=str(payment.id), said=str(answer.state), alarm=True)


def _nothing_came(session: Session, payment: Payment, answer: TradeAnswer, *, now: datetime, cause: Cause) -> None:
    if answer.state is TradeState.CLOSED:
        payment.close(session, at=now, cause=cause)
    elif answer.state is TradeState.NO_SUCH_NUMBER:
        payment.never_arrived(session, at=now, cause=cause)
    elif answer.state is TradeState.FAILED:
        if payment.status is PaymentStatus.PENDING:
            payment.lost_sight(session, at=now, cause=cause, reason="payment_error")
        payment.refuse(session, at=now, cause=cause, reason="payment_error")


def _end_holds(session: Session, account: ChargeAccount, *, now: datetime) -> None:
    """A hold that is over waited for this word alone."""
    if account.live_payments:
        return
    for one in account.waiting:
        if one.hold_expires_at is not None and one.hold_expires_at <= now:
            end_hold_now(session, one.id, now=now)


def _paid(
    session: Session, account: ChargeAccount, payment: Payment, answer: TradeAnswer, *, now: datetime, cause: Cause
) -> None:
    was_open = payment.is_live and not payment.let_go
    news = payment.succeed(
        session,
        received_fen=answer.amount_fen if answer.amount_fen is not None else payment.amount_fen,
        currency=answer.currency or payment.currency,
        platform_trade_no=answer.platform_trade_no,
        paid_at=answer.paid_at or now,
        at=now,
        cause=cause,
    )
    if not news:
        return
    payment.funding = answer.funding
    post_payment(session, payment, now=now)
    if answer.given_back:
        _leave_to_desk(session, account, payment, now=now, cause=cause)
        return
    reason = _why_not_kept(account, payment, was_open=was_open)
    if reason is not None:
        _return(session, account, payment, reason, now=now, cause=cause)
        return
    for appointment in account.waiting:
        _keep(session, account, appointment, now=now, cause=cause)
    return_surplus(session, account, reason=RefundReason.CANCELLED, now=now, cause=cause)
    _let_others_go(session, account, payment, now=now)


def _keep(session: Session, account: ChargeAccount, appointment: Appointment, *, now: datetime, cause: Cause) -> None:
    """Its money is here."""
    appointment.payment_arrived(session, at=now, cause=cause)
    if account.slots[appointment.slot_id].status is SlotStatus.SUSPENDED:
        return  # whoever ends what is suspended finds it paid, and gives it back
    if appointment.status is not AppointmentStatus.BOOKED:
        settle_soon(session, appointment, now=now)  # the hospital has yet to confirm it
        return
    make_sure(session, account, appointment, now=now, cause=cause)


def _leave_to_desk(session: Session, account: ChargeAccount, payment: Payment, *, now: datetime, cause: Cause) -> None:
    """Paid, and given back by somebody else before we knew of it: no refund of ours can exist by then.

    Nothing is booked for money that may be gone. How much of it is left nobody tells us, so that none is sent back
    either: two people decide."""
    log.warning("payment_given_back_by_others", payment=str(payment.id), alarm=True)
    refund = due_refund(session, account, payment, reason=RefundReason.AMOUNT_DIFFERS, now=now, cause=cause)
    if refund is not None:
        refund.become(session, RefundStatus.DESK, at=now, cause=cause, reason="given_back_by_others")


def _why_not_kept(account: ChargeAccount, payment: Payment, *, was_open: bool) -> RefundReason | None:
    """Of one that was open until now, more than is still to be paid is enough, too: the rest goes back."""
    if not payment.paid_as_asked:
        return RefundReason.AMOUNT_DIFFERS
    if account.wants(payment) or (account.waiting and was_open and payment.amount_fen > account.to_pay_fen):
        return None
    kept_elsewhere = any(account.kept_fen(one) for one in account.payments if one is not payment)
    return RefundReason.SURPLUS if kept_elsewhere and not _lapsed_for(account, payment) else RefundReason.LATE_PAYMENT


def _lapsed_for(account: ChargeAccount, payment: Payment) -> list[Appointment]:
    """Those that ended unpaid while this payment could have been for them."""
    unpaid = [one for one in account.appointments if one.ended_at is not None and one.awaiting_payment]
    return [one for one in unpaid if one.created_at <= payment.created_at <= (one.ended_at or payment.created_at)]


def _return(
    session: Session,
    account: ChargeAccount,
    payment: Payment,
    reason: RefundReason,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    log.warning("payment_returned", payment=str(payment.id), reason=str(reason), alarm=reason != "late_payment")
    due_refund(session, account, payment, reason=reason, now=now, cause=cause)
    # One notice about one payment, under the newest of those that it may have been for.
    for appointment in (_lapsed_for(account, payment) or account.appointments)[-1:]:
        tell(session, NoticeKind.PAYMENT_RETURNED, appointment, now=now, reason=reason, subject=str(payment.id))


def _let_others_go(session: Session, account: ChargeAccount, kept: Payment, *, now: datetime) -> None:
    """The charge is paid: a prepay that is still open elsewhere is closed, so that nobody pays twice."""
    if any(one is not kept for one in account.live_payments):
        close_soon(session, account, now=now)
