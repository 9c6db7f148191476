"""A receipt as a patient is shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.appointment import Appointment
from models.receipt import Receipt
from models.sealing import Vault


@dataclass(frozen=True)
class ReceiptView:
    """`check_code` and `url` open it: they are the patient's alone, and None for whoever looks under a grant. `red` is
    the one that has ended it."""

    code: str
    number: str
    check_code: str | None = field(repr=False)
    url: str | None = field(repr=False)
    amount_fen: int
    issued_on: date
    red: ReceiptView | None = None


def receipt_of(session: Session, appointment: Appointment, *, vault: Vault | None) -> ReceiptView | None:
    """The one that stands, else the newest; of what an appointment replaced, one after the other, where it has none of
    its own. Without a vault nothing of it that opens it. Raises: SealBroken."""
    of = [appointment.id]
    while appointment.replaces_id is not None:
        appointment = session.get_one(Appointment, appointment.replaces_id)
        of.append(appointment.id)
    found = session.scalars(select(Receipt).where(Receipt.appointment_id.in_(of)).order_by(Receipt.id)).all()
    reds = {one.reddens_id: one for one in found if one.is_red}
    shown = next(filter(None, (_newest(found, reds, one) for one in of)), None)
    if shown is None:
        return None
    red = reds.get(shown.id)
    return _view(shown, vault, red=None if red is None else _view(red, vault))


def _newest(receipts: Sequence[Receipt], reds: dict[UUID | None, Receipt], appointment_id: UUID) -> Receipt | None:
    blue = [one for one in receipts if one.appointment_id == appointment_id and not one.is_red]
    return max(blue, key=lambda one: (one.id not in reds, one.id), default=None)


def _view(receipt: Receipt, vault: Vault | None, *, red: ReceiptView | None = None) -> ReceiptView:
    return ReceiptView(
        code=receipt.code,
        number=receipt.number,
        check_code=None if vault is None else receipt.check_code(vault),
        url=None if vault is None else receipt.url(vault),
        amount_fen=receipt.amount_fen,
        issued_on=receipt.issued_on,
        red=red,
    )
