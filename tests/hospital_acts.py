"""What a hospital does to a half day, as the operator commands do it."""

from __future__ import annotations

from uuid import UUID

from harness import Patient

from core.booking.schedule_changes import Order
from core.booking.suspend import Suspended, suspend_schedule
from models.states import Actor, Cause, CauseKind

ORDER = Order("clerk", "医生停诊", Cause(Actor.OPERATOR, CauseKind.COMMAND, "test", actor_id="clerk"))


def suspend(patient: Patient, schedule_id: UUID | None = None) -> Suspended:
    wanted = schedule_id or patient.schedule_id
    return patient.write(lambda session, now: suspend_schedule(session, schedule_id=wanted, order=ORDER, now=now))
