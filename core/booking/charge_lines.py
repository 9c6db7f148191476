"""One line of what an appointment costs, as it is written wherever a price is made or changed."""

from __future__ import annotations

from models.appointment import Appointment
from models.base import new_id
from models.charge import ChargeLine, FeeKind, Leg

PRICE_LIST = "hospital price list"
"""The legal basis of what a registration costs."""
FOLLOW_UP = "follow-up of an earlier visit (续诊)"


def charge_line(appointment: Appointment, kind: FeeKind, amount_fen: int, *, basis: str) -> ChargeLine:
    """On the appointment's own charge. Every column is given, so that none needs to be read back."""
    return ChargeLine(
        id=new_id(),
        hospital_id=appointment.hospital_id,
        charge_id=appointment.charge_id,
        appointment_id=appointment.id,
        kind=kind,
        leg=Leg.SELF_PAY,
        amount_fen=amount_fen,
        legal_basis=basis,
        voided_at=None,
    )
