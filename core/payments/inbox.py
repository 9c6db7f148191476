"""The inbox: a verified message is stored first and applied by a job. The message is a hint; where it and our rows
differ, the platform's own answer moves money."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob, new_job
from core.payments.charge_account import lock_charge_account
from core.payments.refunds import apply_refund_answer, denies
from core.payments.settle import apply_trade_answer, note_denial
from core.ports import MessageKind, PaymentGateway, PlatformMessage, RefundAnswer, TradeAnswer, TradeState
from core.workbench import Workbench
from models.base import canonical_json, new_id
from models.bill_return import BillReturn
from models.payment import Payment, Refund
from models.platform import EventState, PlatformEvent, RefusedEvent
from models.sealing import Vault
from models.states import Actor, Cause, CauseKind

log = structlog.get_logger()

_REFUSED_KEPT = 1000


def receive_event(
    session: Session,
    message: PlatformMessage,
    *,
    provider: str,
    headers: Mapping[str, str],
    body: bytes,
    vault: Vault,
    now: datetime,
) -> None:
    """Store a verified message and the job that will apply it. A twin is counted and changes nothing."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    digest = hashlib.sha256(canonical_json(_content(message))).digest()
    row_id = new_id()
    event_id = session.scalars(
        insert(PlatformEvent)
        .values(
            id=row_id,
            provider=provider,
            merchant=message.merchant,
            event_id=message.event_id,
            kind=message.kind,
            headers=dict(headers),
            body=PlatformEvent.sealed_body(vault, row_id, body),
            digest=digest,
            received_at=now,
            state=EventState.RECEIVED,
            copies=1,
        )
        .on_conflict_do_nothing(index_elements=["provider", "merchant", "event_id"])
        .returning(PlatformEvent.id)
    ).one_or_none()
    if event_id is not None:
        payload = {"platform_event_id": str(event_id)}
        session.add(new_job("apply_event", run_at=now, now=now, dedup=f"apply_event:{event_id}", payload=payload))
        return
    _count_twin(session, message, provider=provider, digest=digest, headers=headers, body=body, vault=vault, now=now)


def _content(message: PlatformMessage) -> dict[str, object]:
    """What a message says, without how it was encrypted this time."""
    said = {"kind": message.kind, "app": message.app, "trade": message.trade, "refund": message.refund}
    return {key: str(asdict(one)) if isinstance(one, TradeAnswer | RefundAnswer) else one for key, one in said.items()}


def _count_twin(
    session: Session,
    message: PlatformMessage,
    *,
    provider: str,
    digest: bytes,
    headers: Mapping[str, str],
    body: bytes,
    vault: Vault,
    now: datetime,
) -> None:
    first = session.scalars(
        select(PlatformEvent)
        .where(
            PlatformEvent.provider == provider,
            PlatformEvent.merchant == message.merchant,
            PlatformEvent.event_id == message.event_id,
        )
        .with_for_update()
    ).one()
    first.copies += 1
    if bytes(first.digest) != digest:
        log.warning("event_id_reused", provider=provider, merchant=message.merchant, alarm=True)
        keep_refused(
            session,
            provider=provider,
            merchant=message.merchant,
            reason="event_id_reused",
            headers=headers,
            body=body,
            vault=vault,
            now=now,
        )


def keep_refused(
    session: Session,
    *,
    provider: str,
    merchant: str,
    reason: str,
    headers: Mapping[str, str],
    body: bytes,
    vault: Vault,
    now: datetime,
) -> None:
    """Keep what nothing proves for inspection; the table is capped, the oldest go first.

    Every platform sends text. What is none, such as a picture, is noted without its bytes (rules.md F-06).
    """
    refused = RefusedEvent(
        id=new_id(), provider=provider, merchant=merchant, reason=reason, headers=dict(headers), received_at=now
    )
    refused.seal_body(vault, body[:8192] if _is_text(body) else b"")
    session.add(refused)
    session.flush()
    newest = select(RefusedEvent.id).order_by(RefusedEvent.id.desc()).limit(_REFUSED_KEPT).scalar_subquery()
    session.execute(
        delete(RefusedEvent).where(RefusedEvent.id.not_in(newest)).execution_options(synchronize_session=False)
    )


def _is_text(body: bytes) -> bool:
    try:
        return "\x00" not in body.decode()
    except UnicodeDecodeError:
        return False


def apply_event(workbench: Workbench, job: LeasedJob) -> None:
    """Apply one stored message, once."""
    stored_id = UUID(job.payload["platform_event_id"])
    stored = workbench.transactions.read(lambda session, _now: session.get(PlatformEvent, stored_id))
    if stored is None or stored.state is not EventState.RECEIVED:
        return
    message = workbench.adapters.reader(stored.provider, stored.merchant).read(stored.opened_body(workbench.vault))
    if message.kind is MessageKind.PAYMENT and message.trade is not None:
        _apply_payment(workbench, stored, message, message.trade)
    elif message.kind is MessageKind.REFUND and message.refund is not None:
        _apply_refund(workbench, stored, message, message.refund)
    else:
        _mark(workbench, stored_id, EventState.IGNORED, "not_about_money")


def _apply_payment(workbench: Workbench, event: PlatformEvent, message: PlatformMessage, trade: TradeAnswer) -> None:
    stored_id, provider = event.id, event.provider
    payment = workbench.transactions.read(
        lambda session, _now: session.scalars(
            select(Payment).where(Payment.merchant == message.merchant, Payment.out_trade_no == trade.out_trade_no)
        ).one_or_none()
    )
    if payment is None or not _is_of(workbench, payment, provider):
        _mark_unknown(workbench, stored_id)
        return
    verdict = _verdict_of_trade(payment, message, trade)
    truth = trade
    if verdict is not Verdict.AGREES:
        _note_difference(verdict, payment_id=payment.id)
        truth = _gateway_of(workbench, payment).find_payment(payment.out_trade_no)
        note_denial(payment, truth)

    def step(session: Session, now: datetime) -> None:
        account = lock_charge_account(session, payment.charge_id)
        stored = _take(session, stored_id)
        if stored is None:
            return
        paid, cause = account.payment(payment.id), _event_cause(stored_id)
        apply_trade_answer(session, workbench.adapters, account, paid, truth, now=now, cause=cause)
        _settle(stored, verdict, now=now)

    workbench.transactions.write(step)


class Verdict(Enum):
    """What a message is worth. Wherever it does not agree, the platform is asked and its answer counts."""

    AGREES = "it says what we asked for"
    TELLS_LITTLE = "nothing in it is wrong, but it does not prove what it hints at"
    DIFFERS = "it contradicts our row"


def _verdict_of_trade(payment: Payment, message: PlatformMessage, trade: TradeAnswer) -> Verdict:
    """Number and merchant found the row; amount, currency and app must be what we asked for."""
    if message.app != payment.app:
        return Verdict.DIFFERS
    if trade.state is not TradeState.PAID or trade.given_back:
        return Verdict.TELLS_LITTLE
    as_asked = trade.amount_fen == payment.amount_fen and trade.currency == payment.currency
    return Verdict.AGREES if as_asked else Verdict.DIFFERS


def _verdict_of_refund(refund: Refund, payment: Payment, message: PlatformMessage, said: RefundAnswer) -> Verdict:
    if message.app not in (None, payment.app):
        return Verdict.DIFFERS
    if said.amount_fen is None or denies(refund, said):  # an old word may come late
        return Verdict.TELLS_LITTLE
    return Verdict.AGREES if said.amount_fen == refund.amount_fen else Verdict.DIFFERS


def _is_of(workbench: Workbench, payment: Payment, provider: str) -> bool:
    """One merchant name may stand at two platforms: a message moves only what went through its own."""
    return _gateway_of(workbench, payment).provider == provider


def _gateway_of(workbench: Workbench, payment: Payment) -> PaymentGateway:
    return workbench.adapters.gateway_of(payment.channel, payment.merchant, payment.app)


def _note_difference(verdict: Verdict, **what: UUID) -> None:
    if verdict is Verdict.DIFFERS:
        log.warning("event_differs", alarm=True, **{name: str(value) for name, value in what.items()})


def _apply_refund(workbench: Workbench, event: PlatformEvent, message: PlatformMessage, said: RefundAnswer) -> None:
    stored_id, provider = event.id, event.provider
    found = workbench.transactions.read(
        lambda session, _now: session.execute(
            select(Refund, Payment)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(Payment.merchant == message.merchant, Refund.out_refund_no == said.out_refund_no)
        ).one_or_none()
    )
    if found is None or not _is_of(workbench, found[1], provider):
        _mark_unknown(workbench, stored_id, refund_number=said.out_refund_no)
        return
    refund, payment = found
    verdict = _verdict_of_refund(refund, payment, message, said)
    truth = said
    if verdict is not Verdict.AGREES:
        _note_difference(verdict, refund_id=refund.id)
        truth = _gateway_of(workbench, payment).find_refund(refund.out_refund_no, out_trade_no=payment.out_trade_no)

    def step(session: Session, now: datetime) -> None:
        account = lock_charge_account(session, refund.charge_id)
        stored = _take(session, stored_id)
        if stored is None:
            return
        apply_refund_answer(session, account, account.refund(refund.id), truth, now=now, cause=_event_cause(stored_id))
        _settle(stored, verdict, now=now)

    workbench.transactions.write(step)


def _event_cause(stored_id: UUID) -> Cause:
    return Cause(Actor.PLATFORM, CauseKind.PLATFORM_EVENT, str(stored_id))


def _take(session: Session, stored_id: UUID) -> PlatformEvent | None:
    """The row, locked, while it is still to be applied."""
    stored = session.scalars(
        select(PlatformEvent)
        .where(PlatformEvent.id == stored_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    return stored if stored.state is EventState.RECEIVED else None


def _settle(stored: PlatformEvent, verdict: Verdict, *, now: datetime) -> None:
    """What contradicted our row is kept apart, whatever the platform answered then."""
    stored.state = EventState.QUARANTINED if verdict is Verdict.DIFFERS else EventState.APPLIED
    stored.applied_at = now


def _mark_unknown(workbench: Workbench, stored_id: UUID, *, refund_number: str = "") -> None:
    """A refund of what only a bill knew has no row of ours: the job that sent it asks by itself."""
    sent_back = select(BillReturn.id).where(BillReturn.out_refund_no == refund_number)
    is_known = workbench.transactions.read(lambda session, _now: session.scalar(sent_back)) is not None
    if not is_known:
        log.warning("event_of_unknown_number", platform_event=str(stored_id), alarm=True)
    _mark(workbench, stored_id, EventState.IGNORED, "given_back_unknown" if is_known else "unknown_number")


def _mark(workbench: Workbench, stored_id: UUID, state: EventState, outcome: str) -> None:
    def step(session: Session, now: datetime) -> None:
        stored = _take(session, stored_id)
        if stored is not None:
            stored.state, stored.applied_at, stored.outcome = state, now, outcome

    workbench.transactions.write(step)
