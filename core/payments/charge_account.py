"""A charge with everything that hangs on it, locked in the house's order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from core.dependents.granted import granted_dependent, hold_live
from core.locks import (
    lock_appointments_of,
    lock_charge,
    lock_claims_of,
    lock_payments_of,
    lock_refunds_of,
    lock_slots,
)
from models.appointment import OPEN, Appointment, AppointmentStatus
from models.charge import Charge
from models.errors import NotFound
from models.grant import Grant, Scope
from models.hospital_claim import HospitalClaim
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.person import Dependent
from models.schedule import Slot, SlotStatus


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
    def unwanted_payments(self) -> list[Payment]:
        """Those of them that are no longer for what the charge waits for: whatever they bring goes back."""
        return [one for one in self.live_payments if not self.wants(one)]

    def wants(self, payment: Payment) -> bool:
        """Whether it asks for exactly what is still to be paid."""
        return bool(self.waiting) and payment.amount_fen == self.to_pay_fen

    @property
    def waiting(self) -> list[Appointment]:
        """Those that their money makes the patient's. One in the place of another waits in vain once that one was
        used, for nobody sees a doctor twice for one number, or once its own clinic is suspended. Beside one whose
        clinic takes place, nobody pays for one whose clinic does not."""
        unpaid = [one for one in self.appointments if one.waits_for_payment and self.may_take_its_place(one)]
        return [one for one in unpaid if not self.is_suspended(one)] or unpaid

    @property
    def to_pay_fen(self) -> int:
        """What the waiting ones cost beyond what was paid for those whose place they take."""
        return sum(self.live_fen(one) - self._credit_fen(one) for one in self.waiting)

    @property
    def surplus_fen(self) -> int:
        """What was kept so far and is for no claim that stands. Below zero where money is missing."""
        stands = [one for one in self.appointments if one.is_paid_for]
        return sum(map(self.kept_fen, self.payments)) - sum(map(self._kept_for_fen, stands))

    def _kept_for_fen(self, appointment: Appointment) -> int:
        """Of one that is not sure yet, and beside the one whose place it takes, what it costs more than that one: the
        same money is for whichever of the two it will be."""
        credit = self._credit_fen(appointment) if appointment.beside_replaced else 0
        return max(self.live_fen(appointment) - credit, 0)

    def replaced_by(self, appointment: Appointment) -> Appointment | None:
        """The one in whose place it was taken."""
        return next((one for one in self.appointments if one.id == appointment.replaces_id), None)

    def replacement_of(self, appointment: Appointment) -> Appointment | None:
        """The one that is still to take its place."""
        beside = (one for one in self.appointments if one.status in OPEN and one.beside_replaced)
        return next((one for one in beside if one.replaces_id == appointment.id), None)

    def carried_over(self) -> dict[UUID, int]:
        """By appointment, how much of what was paid for it went to the one that took its place on this charge."""
        fees = {one.id: one.fee_fen for one in self.appointments}
        sure = [one for one in self.appointments if not one.awaiting_payment and not one.beside_replaced]
        return {one.replaces_id: min(one.fee_fen, fees[one.replaces_id]) for one in sure if one.replaces_id in fees}

    def live_fen(self, appointment: Appointment) -> int:
        """What its lines come to."""
        lines = (line for line in self.charge.lines if line.appointment_id == appointment.id)
        return sum(line.amount_fen for line in lines if line.voided_at is None)

    def may_take_its_place(self, appointment: Appointment) -> bool:
        """Nobody sees a doctor twice for one number, and what does not take place is no exchange for what does."""
        old = self.replaced_by(appointment)
        if old is None:
            return True
        stands_or_is_over = old.status in {AppointmentStatus.BOOKED, AppointmentStatus.CANCELLED}
        return stands_or_is_over and not self.is_suspended(appointment)

    @property
    def awaiting_as_one(self) -> list[Appointment]:
        """What a hospital must agree to whole or not at all: a number, or what is left of a bundle. What is to take the
        place of another waits for itself, and what does not take place holds up nothing."""
        waits = [one for one in self.appointments if one.status is AppointmentStatus.PENDING and one.awaiting_hospital]
        return [one for one in waits if not one.beside_replaced and not self.is_suspended(one)]

    def waits_with(self, appointment: Appointment) -> list[Appointment]:
        """It, and what its hospital must agree to with it."""
        as_one = self.awaiting_as_one
        return as_one if appointment in as_one else [appointment]

    def is_suspended(self, appointment: Appointment) -> bool:
        """Its clinic does not take place."""
        return self.slots[appointment.slot_id].status is SlotStatus.SUSPENDED

    def _credit_fen(self, appointment: Appointment) -> int:
        old = self.replaced_by(appointment)
        return 0 if old is None else self.live_fen(old)

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


def look_at_charge(session: Session, charge_id: UUID) -> ChargeAccount:
    """Without a lock, and without refunds: good for asking a platform, never for a decision."""
    charge = session.get_one(Charge, charge_id, options=[selectinload(Charge.lines)])
    appointments = select(Appointment).where(Appointment.charge_id == charge_id).order_by(Appointment.id)
    payments = select(Payment).where(Payment.charge_id == charge_id).order_by(Payment.id)
    slots = select(Slot).join(Appointment, Appointment.slot_id == Slot.id).where(Appointment.charge_id == charge_id)
    return ChargeAccount(
        charge,
        list(session.scalars(appointments)),
        {one.id: one for one in session.scalars(slots)},
        list(session.scalars(payments)),
        [],
    )


def lock_charge_account(session: Session, charge_id: UUID, *, besides: Iterable[UUID] = ()) -> ChargeAccount:
    """Charge → appointments → hospital claims → slots → payments → refunds, with other slots `besides` its own.

    Raises: NotFound."""
    charge = lock_charge(session, charge_id)
    appointments = lock_appointments_of(session, charge_id)
    elsewhere = [one.id for one in appointments if one.hospital_system is not None]
    claims = lock_claims_of(session, elsewhere) if elsewhere else []
    slots = lock_slots(session, [*(one.slot_id for one in appointments), *besides])
    return ChargeAccount(
        charge=charge,
        appointments=appointments,
        slots={one.id: one for one in slots},
        payments=lock_payments_of(session, charge_id),
        refunds=lock_refunds_of(session, charge_id),
        claims={one.appointment_id: one for one in claims},
    )


def lock_appointment_account(session: Session, appointment_id: UUID) -> tuple[ChargeAccount, Appointment]:
    """That of an appointment, whosever it is, and the appointment in it. Raises: NotFound."""
    charge_id = session.scalar(select(Appointment.charge_id).where(Appointment.id == appointment_id))
    if charge_id is None:
        raise NotFound()
    account = lock_charge_account(session, charge_id)
    return account, next(one for one in account.appointments if one.id == appointment_id)
