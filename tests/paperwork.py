"""Electronic receipts for tests, right until a test says otherwise, of a hospital that may want the red one first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import count
from typing import Any
from uuid import UUID

from harness import Patient
from sqlalchemy import select

from core.catalog.faults import InvalidDirectory
from core.ports import Issued, IssuedReceipt, ReceiptName
from core.receipts.keep import Kept, take_receipts
from models.base import new_id
from models.hospital import Hospital
from models.policy import BookingPolicyRow, PolicyLevel
from models.receipt import Receipt

CODE, CHECK_CODE, URL = "11060126", "3f9a1c", "https://einvoice.example.cn/r/3f9a1c"
_NUMBERS = count(1)


@dataclass
class Finance:
    """The hospital's finance system, and what of it has been sent."""

    patient: Patient
    said: list[IssuedReceipt] = field(default_factory=list)

    def issue(self, appointment_id: UUID, amount_fen: int = 5000, **but: Any) -> IssuedReceipt:
        """A blue one."""
        number, hospital = self.patient.read(
            lambda session: (
                self.patient.appointment(appointment_id).number,
                session.get_one(Hospital, self.patient.appointment(appointment_id).hospital_id).code,
            )
        )
        name = ReceiptName(CODE, f"{next(_NUMBERS):010}")
        one = IssuedReceipt(
            source="receipts.csv", line=len(self.said) + 2, hospital=hospital, appointment=number, name=name,
            check_code=CHECK_CODE, url=URL, amount_fen=amount_fen, issued_on=date(2026, 11, 21), reddens=None,
        )  # fmt: skip
        return self._say(replace(one, **but))

    def redden(self, blue: IssuedReceipt, **but: Any) -> IssuedReceipt:
        name, line = ReceiptName(CODE, f"{next(_NUMBERS):010}"), len(self.said) + 2
        red = replace(blue, line=line, name=name, amount_fen=-blue.amount_fen, reddens=blue.name)
        return self._say(replace(red, **but))

    def _say(self, one: IssuedReceipt) -> IssuedReceipt:
        self.said.append(one)
        return one

    def issued(self) -> Issued:
        """As a source of receipts."""
        return Issued(self.said)

    def send(self, *receipts: IssuedReceipt) -> Kept:
        """These, or all that was ever issued. Raises: InvalidDirectory."""
        source = replace(self, said=list(receipts)) if receipts else self
        return take_receipts(self.patient.workbench, source)

    def refused(self, *receipts: IssuedReceipt) -> list[tuple[str, str]]:
        """Column and code of each fault; nothing was kept."""
        before = self.kept()
        try:
            self.send(*receipts)
        except InvalidDirectory as error:
            assert [one.id for one in self.kept()] == [one.id for one in before]
            return [(one.column, one.code) for one in error.faults]
        return []

    def kept(self) -> Sequence[Receipt]:
        return self.patient.read(lambda session: session.scalars(select(Receipt).order_by(Receipt.id)).all())

    def wants_red_first(self, *, wants: bool = True, level: PolicyLevel = PolicyLevel.HOSPITAL) -> None:
        """From now on."""

        def step(session: Any, now: Any) -> None:
            code = session.scalars(select(Hospital.code)).one() if level is PolicyLevel.HOSPITAL else ""
            session.query(BookingPolicyRow).filter_by(level=level, subject=code).delete()
            document = {"red_receipt_before_refund": wants}
            row = {"level": level, "subject": code, "version": 1, "document": document, "updated_at": now}
            session.add(BookingPolicyRow(id=new_id(), **row))

        self.patient.write(step)
