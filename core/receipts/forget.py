"""What opens a patient's receipts, and its end."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from core.locks import lock_charges
from models.appointment import Appointment
from models.charge import Charge
from models.receipt import Receipt
from models.sealing import ERASED


def forget_receipts(session: Session, theirs: ColumnElement[bool]) -> None:
    """Of these appointments: check code and link are erased, and none that comes later is kept with them. Number and
    amount are a voucher, and name nobody."""
    lock_charges(session, Charge.id.in_(select(Appointment.charge_id).where(theirs)))
    of_them = Receipt.appointment_id.in_(select(Appointment.id).where(theirs))
    session.execute(update(Receipt).where(of_them).values(check_code_sealed=ERASED, url_sealed=None))
