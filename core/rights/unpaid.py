"""What is left of bookings for which no money ever came: no voucher, so it goes long before those that are one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session, aliased

from core.rights.holdings import AccountId, Holding
from models.account import Account
from models.appointment import Appointment
from models.charge import Charge, ChargeLine
from models.offer import Offer
from models.payment import Payment
from models.receipt import Receipt


def _unpaid(account_id: AccountId) -> Select[UUID]:
    """Charges without any money, and without a number that took another charge's place or was replaced by one: those
    tell a story together, of which nothing goes before all of it may."""
    bill, paid, one, other = aliased(Charge), aliased(Payment), aliased(Appointment), aliased(Appointment)
    taken, receipt = aliased(Offer), aliased(Receipt)
    mine = one.charge_id == bill.id
    return (
        select(bill.id)
        .where(
            bill.account_id == account_id,
            ~exists().where(paid.charge_id == bill.id, paid.received_fen.is_not(None)),
            ~exists().where(receipt.charge_id == bill.id),  # paid at the hospital
            ~exists().where(mine, other.id == one.replaces_id, other.charge_id != bill.id),
            ~exists().where(mine, other.replaces_id == one.id, other.charge_id != bill.id),
            ~exists().where(mine, taken.accepted_as_id == one.id),
        )
        .correlate(Account)
    )


def _numbers(account_id: AccountId) -> Select[UUID]:
    booked = aliased(Appointment)
    return select(booked.id).where(booked.charge_id.in_(_unpaid(account_id))).correlate(Account)


def has_unpaid(session: Session, account_id: UUID) -> bool:
    """Most accounts have none, and then nothing more is asked."""
    return session.scalar(_unpaid(account_id).limit(1)) is not None


UNPAID = (
    Holding("payments", Payment, lambda one: Payment.charge_id.in_(_unpaid(one))),
    Holding("charge_lines", ChargeLine, lambda one: ChargeLine.charge_id.in_(_unpaid(one))),
    Holding("offers", Offer, lambda one: Offer.appointment_id.in_(_numbers(one))),
    Holding("appointments", Appointment, lambda one: Appointment.charge_id.in_(_unpaid(one))),
    Holding("charges", Charge, lambda one: Charge.id.in_(_unpaid(one))),
)
"""Parts of the kinds of the same name, what refers to the others first."""
