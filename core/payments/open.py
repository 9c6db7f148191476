"""Handing out a prepay: intent and number first, then the call, then its answer.

Asking again for the same channel, app and payer of an unpaid charge returns the same payment by an identical request,
with fresh client parameters, never a second number. Any other channel, app or payer first closes the one that stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core.dependents.granted import Use, note_uses
from core.jobs.queue import enqueue
from core.locks import hold_identity
from core.numbers import trade_number
from core.payments.ask import FIRST_ASK
from core.payments.charge_account import ChargeAccount, lock_charge_account, lock_charge_account_for
from core.payments.close import close_at_platform, may_be_opened, why_not_closed, write_answer
from core.ports import (
    PaymentGateway,
    PaymentOrder,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    TradeAnswer,
    TradeState,
)
from core.refusals import AlreadyPaid, HoldEnding, NotPayable, ProviderDown
from core.registry import NotConfigured
from core.rights.access import AccessAction
from core.transactions import OutcomeUnknown
from core.workbench import Workbench
from models.account import PlatformIdentity
from models.appointment import Appointment
from models.base import new_id
from models.errors import FieldError, NotFound, ValidationFailed
from models.grant import Grant, Scope
from models.hospital import Hospital
from models.payment import Channel, Payment, PaymentStatus
from models.schedule import SlotStatus
from models.sealing import Vault
from models.states import Cause

# Less than this before the hold ends no prepay is made: the platform's own shortest life of one is a minute.
LAST_CALL = timedelta(seconds=90)
LINK_LASTS = timedelta(minutes=5)
"""A link that nobody opens cannot be closed: whoever would rather pay another way waits no longer than this."""


@dataclass(frozen=True)
class Payer:
    """Who pays: a platform identity of the account, as it logged in."""

    account_id: UUID
    identity_id: UUID
    provider: str
    app: str


@dataclass(frozen=True)
class PaymentIntent:
    """What the first transaction decided. Without a payment, another one must be closed before."""

    appointment_id: UUID
    charge_id: UUID
    channel: Channel
    payer: Payer
    payment: Payment | None

    @property
    def step(self) -> str:
        return f"pay:{self.appointment_id}"


@dataclass(frozen=True)
class Opened:
    """The payment with what shows its pay sheet; or why there is none yet. One that is `stuck` stands unpaid, and its
    number is not opened again."""

    payment_id: UUID
    charge_id: UUID
    client_params: Mapping[str, Any] | None = None
    error: Exception | None = None
    stuck: bool = False


def intend_payment(
    session: Session,
    workbench: Workbench,
    *,
    appointment_id: UUID,
    channel: Channel,
    payer: Payer,
    now: datetime,
    cause: Cause,
) -> PaymentIntent:
    """Find the payment that stands for this payer, or make its row and number. The payer may hold a grant to pay for
    another account's appointment.

    Raises: NotFound, AlreadyPaid, NotPayable, HoldEnding, ValidationFailed."""
    account, grant = lock_charge_account_for(session, appointment_id, payer.account_id, scope=Scope.PAY, now=now)
    if hold_identity(session, payer.identity_id).account_id != payer.account_id:  # parted from it meanwhile
        raise NotFound()
    appointment = next(one for one in account.appointments if one.id == appointment_id)
    _refuse_unless_payable(account, appointment, now=now)
    if grant is not None and {one.person_id for one in account.waiting} != {appointment.person_id}:
        raise NotPayable()  # a bundle is paid whole, and the grant is for one of them
    gateway = _gateway(session, workbench, account, channel, payer)
    standing = next(iter(account.live_payments), None)
    payment = standing
    if standing is None:
        payment = _make(session, account, appointment, gateway, payer, grant=grant, now=now, cause=cause)
    elif now >= _good_until(standing, gateway) or not _is_as_asked(account, standing, channel, gateway, payer):
        payment = None
    if payment is not None:
        payment.opening_at = now
    if grant is not None:
        note_uses(session, [Use(grant, AccessAction.PAYMENT_OPENED, appointment_id)], now=now)
    return PaymentIntent(appointment_id, account.charge.id, channel, payer, payment)


def _good_until(payment: Payment, gateway: PaymentGateway) -> datetime:
    """What a link opens is begun no less than this before its end."""
    return payment.expires_at - (gateway.limits.shortest_lead if gateway.limits.by_link else timedelta())


def _is_as_asked(
    account: ChargeAccount, standing: Payment, channel: Channel, gateway: PaymentGateway, payer: Payer
) -> bool:
    """By the same way, of the same payer, and still for what is to be paid."""
    same = (standing.channel, standing.app, standing.payer_identity_id) == (channel, gateway.app, payer.identity_id)
    return same and account.wants(standing)


def _refuse_unless_payable(account: ChargeAccount, appointment: Appointment, *, now: datetime) -> None:
    if appointment not in account.waiting:
        paid = appointment.is_paid_for and any(account.kept_fen(one) for one in account.payments)
        raise AlreadyPaid() if paid else NotPayable()
    if account.slots[appointment.slot_id].status is SlotStatus.SUSPENDED:
        raise NotPayable()
    if appointment.hold_expires_at is None or appointment.hold_expires_at - now < LAST_CALL:
        raise HoldEnding()


def _gateway(
    session: Session, workbench: Workbench, account: ChargeAccount, channel: Channel, payer: Payer
) -> PaymentGateway:
    """Raises: ValidationFailed."""
    hospital = session.get_one(Hospital, account.charge.hospital_id)
    try:
        return workbench.adapters.gateway(channel, hospital.merchant, provider=payer.provider, app=payer.app)
    except NotConfigured:
        raise ValidationFailed(FieldError("#/channel", "not_configured")) from None


def _make(
    session: Session,
    account: ChargeAccount,
    appointment: Appointment,
    gateway: PaymentGateway,
    payer: Payer,
    *,
    grant: Grant | None,
    now: datetime,
    cause: Cause,
) -> Payment:
    payment = Payment(
        id=new_id(),
        hospital_id=appointment.hospital_id,
        account_id=account.charge.account_id,
        charge_id=account.charge.id,
        channel=Channel(gateway.channel),
        app=gateway.app,
        merchant=gateway.merchant,
        payer_identity_id=payer.identity_id,
        amount_fen=account.to_pay_fen,
        currency=account.charge.currency,
        description=f"预约挂号费 {appointment.number}",
        out_trade_no=trade_number(now=now),
        expires_at=_expires_at(gateway, appointment, now=now),
        let_go=False,
        asked_times=0,
        created_at=now,
        grant_id=None if grant is None else grant.id,
    )
    payment.enter(session, PaymentStatus.CREATED, at=now, cause=cause)
    ask_at = now + FIRST_ASK
    enqueue(session, "ask_payment", run_at=ask_at, now=now, dedup=f"ask:{payment.id}", payment_id=str(payment.id))
    account.payments.append(payment)
    return payment


def _expires_at(gateway: PaymentGateway, appointment: Appointment, *, now: datetime) -> datetime:
    """With the hold, at the latest."""
    hold = appointment.hold_expires_at
    assert hold is not None  # noqa: S101 - what has no end is not payable
    return min(hold, now + LINK_LASTS) if gateway.limits.by_link else hold


def open_at_platform(
    workbench: Workbench, intent: PaymentIntent, *, cause: Cause, client_ip: str | None = None
) -> Opened:
    """Call the platform, closing an older prepay of another payer first. `client_ip` is told to a platform that wants
    it, and kept nowhere: one that was told another address may not open its number again, and is given a new one.

    Raises: AlreadyPaid, NotPayable, HoldEnding, LinkOpen, ProviderDown."""
    payment = intent.payment or _make_room(workbench, intent, cause=cause)
    opened = _open(workbench, payment, client_ip=client_ip, cause=cause)
    if not opened.stuck:
        return opened
    return _open(workbench, _make_room(workbench, intent, cause=cause), client_ip=client_ip, cause=cause)


def _open(workbench: Workbench, payment: Payment, *, client_ip: str | None, cause: Cause) -> Opened:
    gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
    order = workbench.transactions.read(lambda session, _now: _order(session, payment, workbench.vault))
    order = replace(order, client_ip=client_ip)
    try:
        return Opened(payment.id, payment.charge_id, client_params=gateway.open_payment(order))
    except ProviderUnavailable as error:
        return Opened(payment.id, payment.charge_id, error=error)
    except ProviderRefused as error:
        # Refused, perhaps because the number is paid or closed already: only the platform's own state decides.
        return _after_refusal(workbench, gateway, payment, error, cause=cause)


def _make_room(workbench: Workbench, intent: PaymentIntent, *, cause: Cause) -> Payment:
    close_at_platform(workbench, intent.charge_id, cause=cause)

    def step(session: Session, now: datetime) -> Payment | None:
        return intend_payment(
            session,
            workbench,
            appointment_id=intent.appointment_id,
            channel=intent.channel,
            payer=intent.payer,
            now=now,
            cause=cause,
        ).payment

    payment = workbench.transactions.write(step)
    if payment is None:
        raise why_not_closed(workbench, intent.charge_id)
    return payment


def _order(session: Session, payment: Payment, vault: Vault) -> PaymentOrder:
    identity = session.get_one(PlatformIdentity, payment.payer_identity_id)
    return PaymentOrder(
        out_trade_no=payment.out_trade_no,
        amount_fen=payment.amount_fen,
        currency=payment.currency,
        description=payment.description,
        payer=identity.subject(vault),
        payer_kind=identity.kind,
        expires_at=payment.expires_at,
    )


def _after_refusal(
    workbench: Workbench, gateway: PaymentGateway, payment: Payment, error: ProviderRefused, *, cause: Cause
) -> Opened:
    try:
        answer = gateway.find_payment(payment.out_trade_no)
    except ProviderError as unanswered:
        return Opened(payment.id, payment.charge_id, error=unanswered)
    if answer.state is TradeState.NO_SUCH_NUMBER and may_be_opened(
        gateway, payment, now=workbench.transactions.clock.now()
    ):
        return Opened(payment.id, payment.charge_id, error=error)  # by a link that was handed out before
    if answer.state is TradeState.NO_SUCH_NUMBER and not error.retryable:
        answer = TradeAnswer(payment.out_trade_no, TradeState.FAILED)
    write_answer(workbench, payment, answer, cause=cause)
    paid, stuck = answer.state is TradeState.PAID, answer.state is TradeState.UNPAID and not error.retryable
    return Opened(payment.id, payment.charge_id, error=AlreadyPaid() if paid else error, stuck=stuck)


def note_opened(session: Session, opened: Opened, *, now: datetime, cause: Cause) -> tuple[Payment, Exception | None]:
    """Write the platform's answer down. With it comes the refusal to tell, where the pay sheet cannot be shown."""
    account = lock_charge_account(session, opened.charge_id)
    payment = account.payment(opened.payment_id)
    if opened.error is None:
        if payment.status in {PaymentStatus.CREATED, PaymentStatus.UNKNOWN}:
            payment.accepted(session, at=now, cause=cause)
        # Cancelled while we were asking: what is not closed by now a job closes, and nobody is shown its sheet.
        closed = payment.status in {PaymentStatus.CLOSED, PaymentStatus.FAILED}
        stands = account.wants(payment) or account.kept_fen(payment) > 0
        return payment, NotPayable() if closed or not stands else None
    if isinstance(opened.error, ProviderUnavailable):
        if opened.error.sent and payment.status is PaymentStatus.CREATED:
            payment.lost_sight(session, at=now, cause=cause, reason="no_answer")
        return payment, OutcomeUnknown() if opened.error.sent else ProviderDown()
    if isinstance(opened.error, ProviderError):
        return payment, ProviderDown()
    return payment, opened.error
