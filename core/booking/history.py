"""The moves of an appointment and of all that hangs on it, in order, each with who, why and cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import dropwhile
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core.rights.access import AccessAction, AccessPurpose, note_access
from models.appointment import Appointment
from models.payment import Payment, Refund
from models.schedule import SlotStatus
from models.states import StateEvent


def show_history(session: Session, named: str, *, operator: str, now: datetime) -> list[dict[str, Any]]:
    """Of the appointment with this id, or with the number that its patient reads out, for an operator; the patient can
    read that it was shown. Empty where there is no such appointment."""
    appointment = session.scalars(select(Appointment).where(_is_named(named))).one_or_none()
    if appointment is None:
        return []
    note_access(
        session,
        actor=operator,
        action=AccessAction.HISTORY_READ,
        purpose=AccessPurpose.SUPPORT,
        dependent_id=appointment.dependent_id,
        facts={"appointment_id": str(appointment.id)},
        now=now,
    )
    return history_of(session, appointment)


def history_of(session: Session, appointment: Appointment) -> list[dict[str, Any]]:
    """Ids and words only, the oldest first."""
    payments = list(session.scalars(select(Payment.id).where(Payment.charge_id == appointment.charge_id)))
    refunds = list(session.scalars(select(Refund.id).where(Refund.charge_id == appointment.charge_id)))
    own = _moves(session, [appointment.id, *payments, *refunds], appointment)
    slot = list(_while_claimed(_moves(session, [appointment.slot_id], appointment)))
    return [_told(event) for event in sorted([*own, *slot], key=_place)]


def _is_named(text: str) -> ColumnElement[bool]:
    try:
        return Appointment.id == UUID(text)
    except ValueError:
        return Appointment.number == text


def _moves(session: Session, records: Sequence[UUID], appointment: Appointment) -> Iterable[StateEvent]:
    query = select(StateEvent).where(StateEvent.record_id.in_(records), StateEvent.at >= appointment.created_at)
    return session.scalars(query.order_by(StateEvent.seq))


def _place(event: StateEvent) -> tuple[datetime, UUID]:
    return event.at, event.id


def _while_claimed(moves: Iterable[StateEvent]) -> Iterator[StateEvent]:
    """Of its number, from being taken until it is free again or taken anew: what is around that is other patients'."""
    own = dropwhile(lambda event: event.to_status == SlotStatus.FREE, moves)
    for nth, event in enumerate(own):
        if nth and event.to_status == SlotStatus.HELD:
            return
        yield event
        if event.to_status == SlotStatus.FREE:
            return


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
