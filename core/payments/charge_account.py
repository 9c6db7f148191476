"""A charge with everything that hangs on it, locked in the house's order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.dependents.granted import granted_dependent, hold_live
from core.locks import (
    lock_appointments_of,
    lock_charge,
    lock_claims_of,
    lock_payments_of,
    lock_refunds_of,
    lock_slots,
)
from models.appointment import Appointment, AppointmentStatus
from models.charge import Charge
from models.errors import NotFound
from models.grant import Grant, Scope
from models.hospital_claim import HospitalClaim
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.person import Dependent
from models.schedule import Slot


@dataclass
class ChargeAccount:
    """One charge, its appointments with their slots and the claims that their hospitals' own systems have, its payments
    and their refunds; all rows locked. `claims` by appointment: none where the numbers are ours."""

    charge: Charge
    appointments: list[Appointment]
    slots: dict[UUID, Slot]
    payments: list[Payment]
    refunds: list[Refund]
    claims: dict[UUID, HospitalClaim] = field(default_factory=dict)

    def payment(self, payment_id: UUID) -> Payment:
        return next(one for one in self.payments if one.id == payment_id)

    def refund(self, refund_id: UUID) -> Refund:
        return next(one for one in self.refunds if one.id == refund_id)

    @property
    def live_payments(self) -> list[Payment]:
        """Payments that may still bring money the charge waits for."""
        return [one for one in self.payments if one.is_live and not one.let_go]

    @property
    def is_ended(self) -> bool:
        """No claim is left that money could be for."""
        return all(one.status is AppointmentStatus.CANCELLED for one in self.appointments)

    def is_over_there(self, appointment: Appointment) -> bool:
        """The hospital's own system, if it has one, has nothing left of it, or keeps it for good."""
        return appointment.id not in self.claims or self.claims[appointment.id].is_over

    def is_kept_there(self, appointment: Appointment) -> bool:
        """The hospital would not take its number back."""
        return appointment.id in self.claims and self.claims[appointment.id].was_kept

    def kept_fen(self, payment: Payment) -> int:
        """What of a payment is neither given back nor on its way back."""
        if payment.status is not PaymentStatus.SUCCEEDED or payment.received_fen is None:
            return 0
        back = sum(
            one.amount_fen
            for one in self.refunds
            if one.payment_id == payment.id and one.status is not RefundStatus.CLOSED
        )
        return payment.received_fen - back


def lock_charge_account_for(
    session: Session, appointment_id: UUID, account_id: UUID, *, scope: Scope, now: datetime
) -> tuple[ChargeAccount, Grant | None]:
    """That of one's own appointment, and still one's own now that it is locked: accounts may have been joined
    meanwhile. Or of one for whose person the account holds a grant of this scope, which is held from then on.

    Raises: NotFound."""
    named = session.execute(
        select(Appointment.charge_id, Appointment.account_id, func.coalesce(Dependent.merged_into_id, Dependent.id))
        .join(Dependent, Dependent.id == Appointment.dependent_id)
        .where(Appointment.id == appointment_id)
    ).one_or_none()
    # Of what is nobody's the same is asked as of what is another's, so that both take as long.
    charge_id, owner_id, dependent_id = named or (appointment_id, None, appointment_id)
    grant = None
    if owner_id != account_id:
        granted = granted_dependent(session, account_id=account_id, dependent_id=dependent_id, scope=scope, now=now)
        owner_id, grant = granted.dependent.account_id, granted.grant
    account = lock_charge_account(session, charge_id)
    if account.charge.account_id != owner_id:
        raise NotFound()
    if grant is not None:
        hold_live(session, grant, now=now)
    return account, grant


def lock_charge_account(session: Session, charge_id: UUID) -> ChargeAccount:
    """Charge → appointments → hospital claims → slots → payments → refunds. Raises: NotFound."""
    charge = lock_charge(session, charge_id)
    appointments = lock_appointments_of(session, charge_id)
    elsewhere = [one.id for one in appointments if one.hospital_system is not None]
    claims = lock_claims_of(session, elsewhere) if elsewhere else []
    slots = lock_slots(session, [one.slot_id for one in appointments])
    return ChargeAccount(
        charge=charge,
        appointments=appointments,
        slots={one.id: one for one in slots},
        payments=lock_payments_of(session, charge_id),
        refunds=lock_refunds_of(session, charge_id),
        claims={one.appointment_id: one for one in claims},
    )
