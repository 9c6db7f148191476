"""Taking a number past its verbs writes exactly what the verbs would write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from harness import REQUEST, Patient, beside
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.booking.claim import ClaimedSlot, Wanted, claim_slot, count_left
from core.locks import lock_slot
from models.base import Base
from models.schedule import Slot, SlotStatus, WithheldReason
from models.states import StateEvent


@pytest.fixture
def wanted(patient: Patient) -> Wanted:
    return Wanted(patient.schedule_id, later_than=patient.clock.now())


def claim(patient: Patient, wanted: Wanted, to: SlotStatus = SlotStatus.HELD) -> ClaimedSlot | None:
    return patient.write(lambda session, now: claim_slot(session, wanted, to=to, at=now, cause=REQUEST))


def raw(patient: Patient, record: type[Base], column: str, row_id: UUID) -> dict[str, Any]:
    """The row as it stands, without what makes it another row."""
    table = record.__table__
    row = patient.read(lambda session: session.execute(select(table).where(table.c[column] == row_id)).mappings().one())
    return {name: value for name, value in row.items() if name not in {"id", "record_id", "sequence"}}


@pytest.mark.parametrize("to", [SlotStatus.HELD, SlotStatus.BOOKED])
def test_a_claim_equals_the_verb(patient: Patient, wanted: Wanted, to: SlotStatus) -> None:
    claimed = claim(patient, wanted, to)
    assert claimed is not None
    by_verb = patient.slots()[1].id

    def move(session: Session, now: Any) -> None:
        slot = lock_slot(session, by_verb)
        verb = slot.hold if to is SlotStatus.HELD else slot.book
        verb(session, at=now, cause=REQUEST)

    patient.write(move)
    assert raw(patient, Slot, "id", claimed.id) == raw(patient, Slot, "id", by_verb)
    assert raw(patient, StateEvent, "record_id", claimed.id) == raw(patient, StateEvent, "record_id", by_verb)


def test_only_moves_of_the_table_are_made(patient: Patient) -> None:
    assert {SlotStatus.HELD, SlotStatus.BOOKED} <= Slot.moves[SlotStatus.FREE]


def test_the_lowest_number_comes_first_and_each_once(patient: Patient, wanted: Wanted) -> None:
    claimed = [claim(patient, wanted) for _ in range(4)]
    assert [one.sequence for one in claimed if one] == [1, 2, 3]
    assert claimed[3] is None


def test_a_number_taken_for_the_second_time_goes_on_counting(patient: Patient, wanted: Wanted) -> None:
    first = patient.slots()[0].id

    def go_round(session: Session, now: Any) -> None:
        slot = lock_slot(session, first)
        slot.withhold(session, why=WithheldReason.COOLING, at=now, cause=REQUEST)
        slot.free(session, at=now, cause=REQUEST)

    claim(patient, wanted)
    patient.write(go_round)
    claim(patient, wanted)
    assert [(move.seq, move.to_status) for move in patient.moves(first)] == [
        (1, "held"),
        (2, "withheld"),
        (3, "free"),
        (4, "held"),
    ]


def test_a_segment_that_is_closed_is_passed_over(patient: Patient) -> None:
    schedule_id = beside(patient, numbers=12)
    patient.schedule_id = schedule_id
    first = patient.slots()[0].starts_at
    assert claim(patient, Wanted(schedule_id, later_than=first)).sequence == 11  # type: ignore[union-attr]
    before = Wanted(schedule_id, later_than=first - timedelta(milliseconds=1))
    assert claim(patient, before).sequence == 1  # type: ignore[union-attr]


def test_only_the_segment_asked_for_is_counted_and_taken(patient: Patient) -> None:
    patient.schedule_id = beside(patient, numbers=12)
    now, second = patient.clock.now(), patient.slots()[10].starts_at
    wanted = Wanted(patient.schedule_id, later_than=now, segment_starts_at=second)
    assert [claim(patient, wanted) is not None for _ in range(3)] == [True, True, False]
    left = patient.read(lambda session: count_left(session, wanted))
    assert (left.free, left.returning) == (0, 2)


@pytest.mark.parametrize(
    ("status", "free", "returning"),
    [("free", 3, 0), ("held", 0, 3), ("withheld", 0, 3), ("booked", 0, 0), ("suspended", 0, 0)],
)
def test_what_is_left(patient: Patient, wanted: Wanted, status: str, free: int, returning: int) -> None:
    reason = "cooling" if status == "withheld" else None
    patient.write(lambda session, _now: session.execute(update(Slot).values(status=status, withheld_reason=reason)))
    left = patient.read(lambda session: count_left(session, wanted))
    assert (left.free, left.returning) == (free, returning)
    assert (claim(patient, wanted) is not None) is bool(free)
