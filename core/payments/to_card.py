"""A refund that the payer's bank did not take, for another card of theirs.

Two people type the card, each by themselves. What the first one typed is known by a keyed hash alone, until the second
one has typed it too; nobody keeps it. So the call is made there and then, and never again by a job, which can only ask
what has become of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.payments.carry_out import NOT_TAKEN, follow, note_refusal
from core.payments.charge_account import lock_charge_account
from core.payments.refund_desk import LEFT_TO_PEOPLE, DeskRefusal, Word, say_of_refund, standing_decision
from core.payments.refund_pace import heed
from core.ports import (
    CardRefund,
    PayeeCard,
    PaymentGateway,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundState,
)
from core.workbench import Workbench
from models.errors import NotFound
from models.payment import Payment, Refund, RefundStatus
from models.refund_decision import RefundWay
from models.sealing import Vault
from models.states import Cause

Answer = RefundAnswer | ProviderRefused | ProviderUnavailable
CARD_HASH = "refund_decisions.card"
_LATEST = timedelta(minutes=2)
"""So long after the decision the call is made, and no later: by then others may have been left to decide anew."""


@dataclass(frozen=True)
class _Call:
    gateway: PaymentGateway
    refund: Refund
    payment: Payment


def give_to_card(
    workbench: Workbench, refund_id: UUID, card: PayeeCard, *, why: str, operator: str, cause: Cause
) -> RefundStatus | None:
    """One of the two people that it takes; where the refund stands once the second one has named the same card, and
    None until then.

    Raises: NotFound, NotConfigured, DeskRefusal, ProviderRefused (nothing was done), ProviderUnavailable (it may have
    been done: the platform is asked)."""
    word = Word(RefundWay.TO_CARD, why, operator, known_by(workbench.vault, refund_id, card))
    call = workbench.transactions.write(
        lambda session, now: _say(session, workbench, refund_id, word, card.bank, now=now)
    )
    if call is None:
        return None
    answer = _speak(workbench, call, card)
    status = workbench.transactions.write(
        lambda session, now: _note(session, call.refund, answer, now=now, cause=cause)
    )
    if isinstance(answer, ProviderError):
        raise answer
    return status


def known_by(vault: Vault, refund_id: UUID, card: PayeeCard) -> tuple[bytes, ...]:
    """One card is known otherwise by each refund, so that no two of them tell of the same card."""
    typed = f"{refund_id}/{card.bank}/{card.number}/{card.holder}"
    return tuple(one.digest for one in vault.keyed_hashes(CARD_HASH, typed))


def _say(
    session: Session, workbench: Workbench, refund_id: UUID, word: Word, bank: str, *, now: datetime
) -> _Call | None:
    charge_id = session.scalar(select(Refund.charge_id).where(Refund.id == refund_id))
    if charge_id is None:
        raise NotFound()
    account = lock_charge_account(session, charge_id)
    refund = account.refund(refund_id)
    payment = account.payment(refund.payment_id)
    gateway = workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)
    if not gateway.limits.card_banks:
        raise DeskRefusal("no_such_way")
    if bank not in gateway.limits.card_banks:
        raise DeskRefusal("bank_not_taken")
    if not say_of_refund(session, refund_id, word, now=now):
        return None
    refund.asked_at, refund.asked_times = now, refund.asked_times + 1  # the job does not ask while we call
    return _Call(gateway, refund, payment)


def _speak(workbench: Workbench, call: _Call, card: PayeeCard) -> Answer:
    """Asked first: it may have arrived, or be on its way since somebody saw to it in the platform's console."""
    refund, payment = call.refund, call.payment
    try:
        found = call.gateway.find_refund(refund.out_refund_no, out_trade_no=payment.out_trade_no)
    except ProviderUnavailable as error:
        return ProviderUnavailable(f"not asked to, since {error}", sent=False)
    except ProviderRefused as error:
        return error
    number = found.platform_refund_no or refund.platform_refund_no
    if found.state is not RefundState.ABNORMAL or number is None:
        return found
    return _send(workbench, call, CardRefund(refund.out_refund_no, payment.out_trade_no, number, card))


def _send(workbench: Workbench, call: _Call, order: CardRefund) -> Answer:
    refund = call.refund
    if not workbench.transactions.read(lambda session, now: _still_stands(session, refund.id, now=now)):
        return ProviderUnavailable("held up for too long", sent=False)
    try:
        said = call.gateway.refund_to_card(order)
    except (ProviderRefused, ProviderUnavailable) as error:
        heed(workbench, call.gateway, error)
        return error
    if said.state in NOT_TAKEN:  # accepted, and told as it stood before: what becomes of it is asked
        return ProviderUnavailable(f"still {said.state}", sent=True)
    return said


def _still_stands(session: Session, refund_id: UUID, *, now: datetime) -> bool:
    decision = standing_decision(session, refund_id)
    return decision is not None and decision.decided_at is not None and now - decision.decided_at < _LATEST


def _note(session: Session, of: Refund, said: Answer, *, now: datetime, cause: Cause) -> RefundStatus:
    account = lock_charge_account(session, of.charge_id)
    refund, decision = account.refund(of.id), standing_decision(session, of.id)
    if decision is None or not decision.is_in_course:
        return refund.status
    if refund.status not in LEFT_TO_PEOPLE:
        decision.done_at = now
        return refund.status
    if isinstance(said, ProviderUnavailable) and said.sent:
        note_refusal(refund, said)
        return refund.status
    decision.done_at = now
    if isinstance(said, RefundAnswer) and said.state not in NOT_TAKEN:
        follow(session, account, refund, said, now=now, cause=cause)
    else:
        note_refusal(refund, said)
    return refund.status
