"""Taking out a receipt that was kept under a wrong appointment: whom it was issued to is nothing to whoever reads it
there, and it holds up money that it says nothing of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.locks import lock_charges
from core.ports import ReceiptName
from core.receipts.keep import look_at_what_waited
from core.rights.access import AccessAction, AccessPurpose, note_access
from models.appointment import Appointment
from models.charge import Charge
from models.errors import NotFound
from models.receipt import Receipt


def take_receipt_out(session: Session, *, name: ReceiptName, appointment: str, operator: str, now: datetime) -> int:
    """A blue one, with the red one that has ended it, out of the appointment of that number; how many rows went. What
    waited for its end is looked at anew. A later file may bring it under the right number.

    Raises: NotFound."""
    of = session.scalars(select(Appointment).where(Appointment.number == appointment)).one_or_none()
    if of is None:
        raise NotFound()
    lock_charges(session, Charge.id == of.charge_id)
    named = (Receipt.code == name.code, Receipt.number == name.number, Receipt.reddens_id.is_(None))
    blue = session.scalars(select(Receipt).where(Receipt.appointment_id == of.id, *named)).one_or_none()
    if blue is None:
        raise NotFound()
    rows = session.scalars(select(Receipt).where(or_(Receipt.id == blue.id, Receipt.reddens_id == blue.id))).all()
    for row in sorted(rows, key=lambda row: row is blue):  # a red one points to its blue one
        session.delete(row)
        session.flush()
    look_at_what_waited(session, [of.charge_id], now=now)
    note_access(
        session,
        actor=operator,
        action=AccessAction.RECEIPT_TAKEN_OUT,
        purpose=AccessPurpose.SUPPORT,
        now=now,
        dependent_id=of.dependent_id,
        result="taken_out",
        facts={"code": name.code, "number": name.number, "appointment_id": str(of.id)},
    )
    return len(rows)
