"""Keeping what hospitals have issued: all or nothing, and a second time without changing anything.

    new → kept · the same again → left alone · another content under the same number → refused
    red → ends the blue one, whole; refunds that waited for it are sent

The charges that are named are locked first, so that it and the job that sends their refunds come one after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from core.booking.charge_lines import sold_for_fen
from core.catalog.faults import Fault, InvalidDirectory
from core.locks import lock_charges
from core.payments.refunds import push_at
from core.ports import Issued, IssuedReceipt, ReceiptName, ReceiptSource
from core.receipts.red_first import read_account, standing_against
from core.workbench import Workbench
from models.appointment import Appointment
from models.base import new_id
from models.charge import Charge, ChargeLine
from models.hospital import Hospital
from models.payment import Refund, RefundStatus
from models.person import Dependent
from models.receipt import Receipt
from models.sealing import ERASED, Vault

_WENT = frozenset({RefundStatus.PROCESSING, RefundStatus.UNKNOWN, RefundStatus.ABNORMAL, RefundStatus.SUCCEEDED})


@dataclass(frozen=True)
class Kept:
    """What was new, and how much was known. `too_late`: new ones whose money has been sent back already, or may be on
    its way, so that the hospital has to redden them at once. `other_price`: new ones that say something else than their
    appointment was sold for, which is told in fen; an insurer's part does, and a wrong number."""

    blue: int
    red: int
    unchanged: int
    too_late: Sequence[IssuedReceipt]
    other_price: Sequence[tuple[IssuedReceipt, int]]


@dataclass(frozen=True)
class _Subject:
    """What a receipt is of. `is_gone`: whoever it was for was removed, and nothing that names them is to be kept."""

    appointment_id: UUID
    charge_id: UUID
    hospital_id: UUID
    hospital_code: str
    is_gone: bool


def take_receipts(workbench: Workbench, source: ReceiptSource) -> Kept:
    """Keep all that a source tells of, or nothing. Raises: InvalidDirectory, naming every receipt that cannot be; what
    the source raises."""
    issued = source.issued()
    return workbench.transactions.write(
        lambda session, now: keep_receipts(session, issued, vault=workbench.vault, now=now)
    )


def keep_receipts(session: Session, issued: Issued, *, vault: Vault, now: datetime) -> Kept:
    """Raises: InvalidDirectory, naming every receipt that cannot be kept; nothing is to be kept then."""
    subjects = _lock_subjects(session, {one.appointment for one in issued.receipts})
    shelf = _Shelf.read(session, issued.receipts, subjects, vault=vault, now=now)
    for one in sorted(issued.receipts, key=lambda one: one.reddens is not None):  # a red one may stand above its own
        shelf.put(one, subjects.get(one.appointment))
    shelf.refuse_what_stands_twice()
    faults = [*issued.unread, *shelf.faults]
    if faults:
        raise InvalidDirectory(faults)
    session.add_all(receipt for _, receipt in shelf.new)
    session.flush()
    blue = [(one, receipt) for one, receipt in shelf.new if not receipt.is_red]
    red = [receipt for _, receipt in shelf.new if receipt.is_red]
    look_at_what_waited(session, {one.charge_id for one in red}, now=now)
    late = _of_money_that_went(session, [receipt for _, receipt in blue])
    too_late = [one for one, receipt in blue if receipt.id in late]
    sold = _sold_for(session, {receipt.appointment_id for _, receipt in blue})
    prices = [(one, sold[receipt.appointment_id]) for one, receipt in blue]
    other_price = [(one, fen) for one, fen in prices if fen != one.amount_fen]
    return Kept(len(blue), len(red), shelf.unchanged, too_late, other_price)


def _sold_for(session: Session, appointments: set[UUID]) -> dict[UUID, int]:
    lines: dict[UUID, list[ChargeLine]] = {one: [] for one in appointments}
    for line in session.scalars(select(ChargeLine).where(ChargeLine.appointment_id.in_(appointments))):
        lines[line.appointment_id].append(line)
    return {one: sold_for_fen(of) for one, of in lines.items()}


def _lock_subjects(session: Session, numbers: Iterable[str]) -> dict[str, _Subject]:
    """By number. They are looked at once nobody can remove their patients any more."""
    named = Appointment.number.in_(list(numbers))
    lock_charges(session, Charge.id.in_(list(session.scalars(select(Appointment.charge_id).where(named)))))
    root = aliased(Dependent)  # whoever was archived in favour of another is there with that one
    query = (
        select(Appointment.number, Appointment, Hospital.code, Dependent, root.archived_at)
        .join(Hospital, Hospital.id == Appointment.hospital_id)
        .join(Dependent, Dependent.id == Appointment.dependent_id)
        .outerjoin(root, root.id == Dependent.merged_into_id)
        .where(named)
        .execution_options(populate_existing=True)
    )
    return {
        number: _Subject(
            appointment_id=of.id,
            charge_id=of.charge_id,
            hospital_id=of.hospital_id,
            hospital_code=code,
            is_gone=(whom.archived_at if whom.merged_into_id is None else root_archived_at) is not None,
        )
        for number, of, code, whom, root_archived_at in session.execute(query)
    }


@dataclass
class _Shelf:
    """What is there of the numbers and appointments that are told of, and what is put beside it. `reds` by the id of
    the blue one."""

    vault: Vault
    now: datetime
    by_name: dict[ReceiptName, Receipt]
    reds: dict[UUID, Receipt]
    new: list[tuple[IssuedReceipt, Receipt]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unchanged: int = 0

    @classmethod
    def read(
        cls,
        session: Session,
        receipts: Iterable[IssuedReceipt],
        subjects: dict[str, _Subject],
        *,
        vault: Vault,
        now: datetime,
    ) -> _Shelf:
        names = {one.name for one in receipts} | {one.reddens for one in receipts if one.reddens is not None}
        codes, numbers = ({name.code for name in names}, {name.number for name in names})
        same_numbers = select(Receipt).where(Receipt.code.in_(codes), Receipt.number.in_(numbers))
        of_them = select(Receipt).where(Receipt.appointment_id.in_([one.appointment_id for one in subjects.values()]))
        found = {one.id: one for query in (same_numbers, of_them) for one in session.scalars(query)}
        return cls(
            vault,
            now,
            by_name={ReceiptName(one.code, one.number): one for one in found.values()},
            reds={one.reddens_id: one for one in found.values() if one.reddens_id is not None},
        )

    def put(self, one: IssuedReceipt, subject: _Subject | None) -> None:
        """One more, or what stands in its way."""
        if subject is None:
            self._refuse(one, "appointment_number", "no_such_appointment", "nothing was booked under that number")
        elif subject.hospital_code != one.hospital:
            self._refuse(one, "hospital_code", "other_hospital", f"it was booked at {subject.hospital_code}")
        elif one.name in self.by_name:
            self._compare(one, subject)
        elif one.reddens is None or self._may_redden(one, subject, self.by_name.get(one.reddens)):
            self._add(one, subject)

    def refuse_what_stands_twice(self) -> None:
        """A patient has one receipt of an appointment: the earlier one is reddened before there is another."""
        standing: dict[UUID, Receipt] = {}
        lines = {receipt.id: one for one, receipt in self.new}
        for receipt in sorted(self.by_name.values(), key=lambda receipt: receipt.id in lines):
            if receipt.is_red or receipt.id in self.reds:
                continue
            other = standing.setdefault(receipt.appointment_id, receipt)
            if other is not receipt and receipt.id in lines:
                detail = f"{other.code} {other.number} stands: its red one comes first"
                self._refuse(lines[receipt.id], "number", "stands_already", detail)

    def _compare(self, one: IssuedReceipt, subject: _Subject) -> None:
        known = self.by_name[one.name]
        blue = None if one.reddens is None else self.by_name.get(one.reddens)
        said: list[Any] = [subject.appointment_id, one.amount_fen, one.issued_on, blue and blue.id]
        kept: list[Any] = [known.appointment_id, known.amount_fen, known.issued_on, known.reddens_id]
        if not known.is_erased:
            said += [one.check_code, one.url]
            kept += [known.check_code(self.vault), known.url(self.vault)]
        if said == kept and (one.reddens is None) is not known.is_red:
            self.unchanged += 1
        else:
            self._refuse(one, "number", "other_content", "another content is kept under that number")

    def _may_redden(self, one: IssuedReceipt, subject: _Subject, blue: Receipt | None) -> bool:
        if blue is None or blue.is_red or blue.appointment_id != subject.appointment_id:
            self._refuse(one, "blue_number", "no_such_receipt", "no such blue receipt is kept of the appointment")
        elif blue.id in self.reds:
            red = self.reds[blue.id]
            self._refuse(one, "blue_number", "red_already", f"{red.code} {red.number} has ended it")
        elif blue.amount_fen != -one.amount_fen:
            self._refuse(one, "amount", "other_amount", "a red receipt ends the whole of its blue one")
        else:
            return True
        return False

    def _add(self, one: IssuedReceipt, subject: _Subject) -> None:
        blue = None if one.reddens is None else self.by_name[one.reddens]
        receipt = Receipt(
            id=new_id(),
            hospital_id=subject.hospital_id,
            charge_id=subject.charge_id,
            appointment_id=subject.appointment_id,
            code=one.name.code,
            number=one.name.number,
            check_code_sealed=ERASED,
            url_sealed=None,
            amount_fen=one.amount_fen,
            issued_on=one.issued_on,
            reddens_id=None if blue is None else blue.id,
            kept_at=self.now,
        )
        if not subject.is_gone:
            receipt.seal_what_opens_it(self.vault, check_code=one.check_code, url=one.url)
        self.by_name[one.name] = receipt
        if blue is not None:
            self.reds[blue.id] = receipt
        self.new.append((one, receipt))

    def _refuse(self, one: IssuedReceipt, column: str, code: str, detail: str) -> None:
        self.faults.append(Fault(one.source, one.line, column, code, detail))


def look_at_what_waited(session: Session, charges: Collection[UUID], *, now: datetime) -> None:
    """At once: refunds of these charges that waited for the end of a receipt. The charges are locked."""
    waits = Refund.charge_id.in_(charges) & Refund.awaits_red_since.is_not(None)
    for refund in session.scalars(select(Refund).where(waits)):
        push_at(session, refund, now, now=now)


def _of_money_that_went(session: Session, blue: Iterable[Receipt]) -> set[UUID]:
    """Those that would have held what was sent back, or may have been: what is due and not held up may just be said to
    the platform. Their charges are locked."""
    is_being_sent = and_(
        Refund.status == RefundStatus.DUE, Refund.asked_at.is_not(None), Refund.awaits_red_since.is_(None)
    )
    of_charges = Refund.charge_id.in_({one.charge_id for one in blue})
    late: set[UUID] = set()
    for refund in session.scalars(select(Refund).where(of_charges, or_(Refund.status.in_(_WENT), is_being_sent))).all():
        account = read_account(session, refund.charge_id)
        late |= {one.id for one in standing_against(session, account, refund)}
    return late
