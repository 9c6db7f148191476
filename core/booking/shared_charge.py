"""Several appointments on one charge: exchanged for one another, or booked together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.appointment import HOLDS_SLOT, OPEN, Appointment
from models.charge import Charge, ChargeLine
from models.payment import RefundLine


@dataclass(frozen=True)
class Shared:
    """What several appointments of one charge are to one another.

    By each that is kept beside its replacement (`replacing`), or has ended for it (`replaced`), the other one; by
    refund (`given_back`), whose lines it returns; by each, the first of its own order (`orders`). Several orders were
    booked together; of them `stands` says what has not ended."""

    replacing: dict[UUID, UUID]
    replaced: dict[UUID, UUID]
    given_back: dict[UUID, set[UUID | None]]
    orders: dict[UUID, UUID]
    stands: set[UUID]

    def replaced_by(self, appointment_id: UUID) -> UUID | None:
        return self.replacing.get(appointment_id) or self.replaced.get(appointment_id)

    def came_from(self, appointment_id: UUID) -> set[UUID | None]:
        """It, and what it was taken in exchange for, one after the other."""
        old = next((old for old, new in (self.replacing | self.replaced).items() if new == appointment_id), None)
        return {appointment_id} | (set() if old is None else self.came_from(old))

    def order_of(self, appointment_id: UUID) -> set[UUID]:
        """It, what it was taken in exchange for, and what was taken in exchange for it."""
        return {one for one, first in self.orders.items() if first == self.orders[appointment_id]}


def shared_of(session: Session, charges: Sequence[Charge]) -> dict[UUID, Shared]:
    """Of the charges of more than one appointment: nothing is read for the others."""
    ids = [one.id for one in charges if len({line.appointment_id for line in one.lines}) > 1]
    if not ids:
        return {}
    found = {one: Shared({}, {}, {}, {}, set()) for one in ids}
    appointments = session.scalars(select(Appointment).where(Appointment.charge_id.in_(ids))).all()
    before = {one.id: one.replaces_id for one in appointments}
    for new in appointments:
        found[new.charge_id].orders[new.id] = _first_of_order(new.id, before)
        if new.status in HOLDS_SLOT:
            found[new.charge_id].stands.add(new.id)
        beside = new.beside_replaced and new.status in OPEN
        by = found[new.charge_id].replacing if beside else found[new.charge_id].replaced
        if new.replaces_id is not None and (beside or not new.beside_replaced):
            by[new.replaces_id] = new.id
    lines = select(ChargeLine.charge_id, RefundLine.refund_id, ChargeLine.appointment_id).join(
        ChargeLine, ChargeLine.id == RefundLine.charge_line_id
    )
    for charge_id, refund_id, appointment_id in session.execute(lines.where(ChargeLine.charge_id.in_(ids))):
        found[charge_id].given_back.setdefault(refund_id, set()).add(appointment_id)
    return found


def _first_of_order(appointment_id: UUID, before: Mapping[UUID, UUID | None]) -> UUID:
    """Of those of one charge, the one that all others were taken in exchange for."""
    earlier = before.get(appointment_id)
    return _first_of_order(earlier, before) if earlier in before and earlier is not None else appointment_id
