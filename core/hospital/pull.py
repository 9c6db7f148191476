"""What hospitals with systems of their own are asked for again and again, each by a job of its own: one that is away
holds up none of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob, enqueue
from core.ports import HospitalSystem, ProviderError
from core.workbench import Workbench
from models.hospital import Hospital

log = structlog.get_logger()


@dataclass(frozen=True)
class Connected:
    """A hospital with a system of its own. `visits_cursor`: up to where its visits are known."""

    id: UUID
    code: str
    system: str
    visits_cursor: str | None


Pull = Callable[[Workbench, HospitalSystem, Connected, LeasedJob], None]


def pull_each(workbench: Workbench, job: LeasedJob, pull: Pull) -> None:
    """The periodic job makes one of the same kind for each hospital; that one pulls. What a hospital does not answer is
    asked the next time."""
    hospital_id = job.payload.get("hospital_id")
    if hospital_id is None:
        workbench.transactions.write(partial(_fan_out, kind=job.kind))
        return
    connected = workbench.transactions.read(partial(_connected, hospital_id=UUID(hospital_id)))
    if connected is None:
        return
    try:
        pull(workbench, workbench.adapters.hospital_system(connected.system), connected, job)
    except ProviderError as error:
        log.warning("hospital_not_pulled", kind=job.kind, hospital=connected.code, error=type(error).__name__)


def _fan_out(session: Session, now: datetime, *, kind: str) -> None:
    for hospital_id in session.scalars(select(Hospital.id).where(Hospital.system.is_not(None)).order_by(Hospital.id)):
        of = str(hospital_id)
        enqueue(session, kind, run_at=now, now=now, dedup=f"{kind}:{of}", bring_forward=False, hospital_id=of)


def _connected(session: Session, _now: datetime, *, hospital_id: UUID) -> Connected | None:
    hospital = session.get(Hospital, hospital_id)
    if hospital is None or hospital.system is None:
        return None
    return Connected(hospital.id, hospital.code, hospital.system, hospital.visits_cursor)
