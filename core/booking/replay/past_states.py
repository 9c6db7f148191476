"""In which state each appointment was at an instant that is past, by its events."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.appointment import AppointmentStatus
from models.states import Machine, StateEvent

T = TypeVar("T")
_AT_ONCE = 1000


@dataclass(frozen=True)
class PastStates:
    """Those that each appointment has had, oldest first."""

    by_id: Mapping[UUID, tuple[Sequence[datetime], Sequence[AppointmentStatus]]]

    @classmethod
    def read(cls, session: Session, appointment_ids: Iterable[UUID]) -> PastStates:
        found: dict[UUID, tuple[list[datetime], list[AppointmentStatus]]] = defaultdict(lambda: ([], []))
        for ids in in_parts(appointment_ids):
            events = session.execute(
                select(StateEvent.record_id, StateEvent.at, StateEvent.to_status)
                .where(StateEvent.record_id.in_(ids), StateEvent.machine == Machine.APPOINTMENT)
                .order_by(StateEvent.record_id, StateEvent.seq)
            )
            for record_id, at, status in events:
                found[record_id][0].append(at)
                found[record_id][1].append(AppointmentStatus(status))
        return cls(found)

    def at(self, appointment_id: UUID, instant: datetime) -> AppointmentStatus:
        """Where nothing is known of it, it was not there."""
        instants, states = self.by_id.get(appointment_id, ((), ()))
        place = bisect_right(instants, instant)
        return states[place - 1] if place else AppointmentStatus.CANCELLED


def in_parts(wanted: Iterable[T], *, of: int = _AT_ONCE) -> Iterator[list[T]]:
    """Few enough for one statement."""
    every = list(wanted)
    return (every[at : at + of] for at in range(0, len(every), of))
