"""What a hospital is to be called for next, by what we want of it and where its claim stands."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.booking.terms import Terms
from core.payments.charge_account import ChargeAccount
from models.appointment import Appointment, AppointmentStatus
from models.hospital_claim import ClaimStep, HospitalClaimStatus

_KEPT = frozenset({HospitalClaimStatus.HELD, HospitalClaimStatus.CONFIRMED})


def next_step(account: ChargeAccount, appointment: Appointment) -> ClaimStep | None:
    """None where nothing is to be said: all is settled, or the patient has yet to pay. Of a bundle none is confirmed
    before the hospital keeps all of them, and all are paid for."""
    claim = account.claims[appointment.id]
    if appointment.status is AppointmentStatus.CANCELLED:
        # Without asking where it stands: released is right whatever became of it, and holds off what is on its way.
        return None if claim.is_over else ClaimStep.RELEASE
    if claim.status is HospitalClaimStatus.UNKNOWN:
        return ClaimStep.ASK
    if appointment.status is not AppointmentStatus.PENDING:
        return None
    if claim.status is HospitalClaimStatus.NONE:
        return ClaimStep.HOLD
    if claim.status is HospitalClaimStatus.HELD and all(
        account.claims[one.id].status in _KEPT and not one.awaiting_payment for one in account.waits_with(appointment)
    ):
        return ClaimStep.CONFIRM
    return None


def waits_until(appointment: Appointment) -> datetime:
    """When an appointment that its hospital does not answer for is given up. What is unpaid ends before, by its
    hold."""
    cap = timedelta(minutes=Terms.from_document(appointment.terms).hospital_cap_minutes)
    return (appointment.hold_expires_at or appointment.created_at) + cap
