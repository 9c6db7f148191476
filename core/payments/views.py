"""A payment as its payer is shown it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from models.errors import NotFound
from models.grant import Grant
from models.payment import Channel, Payment, PaymentStatus, Refund, RefundStatus
from models.states import StateEvent


@dataclass(frozen=True)
class PaymentView:
    """`out_trade_no` and `funding` are for the side of a grant that paid, and None for the other one."""

    id: UUID
    channel: Channel
    status: PaymentStatus
    amount_fen: int
    out_trade_no: str | None
    expires_at: datetime
    paid_at: datetime | None
    funding: str | None
    client_params: Mapping[str, Any] | None = None


def view_payment(payment: Payment, *, client_params: Mapping[str, Any] | None = None) -> PaymentView:
    return PaymentView(
        id=payment.id,
        channel=payment.channel,
        status=payment.status,
        amount_fen=payment.amount_fen,
        out_trade_no=payment.out_trade_no,
        expires_at=payment.expires_at,
        paid_at=payment.paid_at,
        funding=payment.funding,
        client_params=client_params,
    )


def hide_means(payment: PaymentView) -> PaymentView:
    """As the other side of a grant sees it: that it is paid, and not by what."""
    return replace(payment, out_trade_no=None, funding=None)


def of_account(account_id: UUID) -> ColumnElement[bool]:
    """Payments for what is the account's, and those it made for others, also once the grant to do so is over."""
    held = select(Grant.id).where(Grant.account_id == account_id)
    return or_(Payment.account_id == account_id, Payment.grant_id.in_(held))


def refunds_to_show(session: Session, charge_ids: Collection[UUID]) -> list[Refund]:
    """Of these charges, and whether each could not arrive where it was paid from."""
    found = session.scalars(select(Refund).where(Refund.charge_id.in_(charge_ids)).order_by(Refund.id)).all()
    if not found:
        return []
    # Asked by itself: beside the refunds the database would look through everybody's events for it.
    moves = select(StateEvent.record_id).where(StateEvent.record_id.in_([refund.id for refund in found]))
    abnormal = set(session.scalars(moves.where(StateEvent.to_status == RefundStatus.ABNORMAL)))
    for refund in found:
        refund.was_abnormal = refund.id in abnormal
    return list(found)


def own_payment(session: Session, *, payment_id: UUID, account_id: UUID) -> PaymentView:
    """To the patient's account without the means of whoever paid under a grant. Raises: NotFound."""
    payment = session.scalars(select(Payment).where(Payment.id == payment_id, of_account(account_id))).one_or_none()
    if payment is None:
        raise NotFound()
    shown = view_payment(payment)
    by_another = payment.grant_id is not None and payment.account_id == account_id
    return hide_means(shown) if by_another else shown
