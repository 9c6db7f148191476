"""The lines of what an appointment costs, as they are written wherever a price is made or changed."""

from __future__ import annotations

from collections.abc import Iterable

from core.booking.tariff import Price
from models.appointment import Appointment
from models.base import new_id
from models.charge import ChargeLine, FeeKind, Leg

CHEAPER_DOCTOR = "another doctor takes the clinic"
"""Why a line takes something off that was sold already, and not off what is sold."""


def price_lines(appointment: Appointment, price: Price) -> list[ChargeLine]:
    """A price as it is written on the appointment's own charge."""
    return [charge_line(appointment, one.kind, one.amount_fen, basis=one.basis) for one in price.lines]


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


def sold_for_fen(lines: Iterable[ChargeLine]) -> int:
    """What the lines of one appointment came to when it was sold, whatever became of it."""
    return sum(line.amount_fen for line in lines if line.legal_basis != CHEAPER_DOCTOR)
