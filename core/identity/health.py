"""What was told of somebody's health, and its end: nothing of it is kept once the consent is gone (L-03, L-06)."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.identity.twins import rows_of, with_twins
from core.locks import lock_charges
from models.appointment import Appointment
from models.charge import Charge
from models.person import Dependent


def forget_health(session: Session, dependent: Dependent) -> None:
    """Allergies and history are erased, and what was said for every visit, also of whoever was archived in favour of
    them. No law wants any of it: what a doctor writes down is the hospital's. The caller holds the account's lock."""
    session.execute(update(Dependent).where(with_twins([dependent.id])).values(allergies_and_history_sealed=None))
    told = (
        (Appointment.account_id == dependent.account_id)
        & Appointment.dependent_id.in_(rows_of(dependent))
        & Appointment.complaint_sealed.is_not(None)
    )
    lock_charges(session, Charge.id.in_(select(Appointment.charge_id).where(told)))
    session.execute(update(Appointment).where(told).values(complaint_sealed=None))
