"""The moves of an appointment and of all that hangs on it, in order, each with who, why and cause."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.appointment import Appointment
from models.payment import Payment, Refund
from models.states import StateEvent


def history_of(session: Session, appointment_id: UUID) -> list[dict[str, Any]]:
    """Ids and words only, for operators; empty where there is no such appointment."""
    appointment = session.get(Appointment, appointment_id)
    if appointment is None:
        return []
    payments = list(session.scalars(select(Payment.id).where(Payment.charge_id == appointment.charge_id)))
    refunds = list(session.scalars(select(Refund.id).where(Refund.charge_id == appointment.charge_id)))
    records = [appointment.id, appointment.slot_id, *payments, *refunds]
    events = session.scalars(
        select(StateEvent)
        .where(StateEvent.record_id.in_(records), StateEvent.at >= appointment.created_at)
        .order_by(StateEvent.at, StateEvent.id)
    )
    return [_told(event) for event in events]


def _told(event: StateEvent) -> dict[str, Any]:
    return {
        "at": event.at,
        "machine": event.machine,
        "record_id": event.record_id,
        "from": event.from_status,
        "to": event.to_status,
        "reason": event.reason,
        "actor": event.actor,
        "cause": event.cause_kind,
        "cause_id": event.cause_id,
    }
