"""Two who make the same new row of money at once: the second one finds what the first one made; nobody is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Barrier
from uuid import UUID

import pytest
from harness import Patient, race
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from models.appointment import Appointment
from models.base import Base, new_id
from models.ledger import Journal, JournalKind
from models.receipt import Receipt
from models.reconciliation import BillDay, Difference, DifferenceKind
from models.refund_decision import RefundDecision, RefundWay
from models.refund_pace import RefundPace
from models.shipping import ShippingReport

pytestmark = pytest.mark.parametrize("database", ["postgres"], indirect=True)
SUBJECT = new_id()


def bill_day(_patient: Patient, now: datetime) -> BillDay:
    moved = dict.fromkeys(("moved_payments_fen", "moved_refunds_fen", "moved_fees_fen", "moved_other_fen"), 0)
    day = hospital_day(now)
    return BillDay(id=new_id(), provider="alipay", merchant="demo", day=day, digest=b"x", taken_at=now, **moved)


def difference(_patient: Patient, now: datetime) -> Difference:
    whose = {"provider": "alipay", "merchant": "demo", "day": hospital_day(now)}
    what = {"kind": DifferenceKind.THEIRS_ONLY, "entry": "payment", "number": "T0", "facts": {}}
    return Difference(id=new_id(), **whose, **what, opened_at=now)


def journal(patient: Patient, now: datetime) -> Journal:
    paid = patient.payments()[-1]
    same = {name: getattr(paid, name) for name in ("hospital_id", "channel", "merchant", "currency")}
    what = {"kind": JournalKind.FEE_TAKEN, "subject_id": SUBJECT, "payment_id": paid.id}
    return Journal(id=new_id(), **same, **what, at=now, posted_at=now)


def decision(patient: Patient, now: datetime) -> RefundDecision:
    said = {"way": RefundWay.BY_HAND, "why": "柜台现金退款", "first_by": "clerk-1", "proposed_at": now}
    return RefundDecision(id=new_id(), refund_id=patient.refunds()[-1].id, **said)


def pace(_patient: Patient, now: datetime) -> RefundPace:
    return RefundPace(id=new_id(), provider="alipay", merchant="demo", next_at=now, line_at=now)


def report(patient: Patient, now: datetime) -> ShippingReport:
    return ShippingReport(id=new_id(), payment_id=patient.payments()[-1].id, created_at=now, told_times=0)


def receipt(patient: Patient, now: datetime) -> Receipt:
    paid, booked = patient.payments()[-1], patient.read(lambda session: session.scalar(select(Appointment.id)))
    named = {"code": "11060126", "number": "0000012345", "check_code_sealed": b"x", "amount_fen": 5000}
    of = {"hospital_id": paid.hospital_id, "charge_id": paid.charge_id, "appointment_id": booked}
    return Receipt(id=new_id(), **named, **of, issued_on=hospital_day(now), kept_at=now)


@pytest.mark.parametrize(
    ("record", "make"),
    [
        (BillDay, bill_day),
        (Difference, difference),
        (Journal, journal),
        (RefundDecision, decision),
        (RefundPace, pace),
        (ShippingReport, report),
        (Receipt, receipt),
    ],
)
def test_the_second_one_finds_what_the_first_one_made(
    patient: Patient, record: type[Base], make: Callable[[Patient, datetime], Base]
) -> None:
    patient.cancel(patient.paid())
    both_looked = Barrier(2)
    before = set(patient.read(lambda session: session.scalars(select(record.id)).all()))

    def one() -> UUID:
        looks: list[bool] = []

        def step(session: Session, now: datetime) -> UUID:
            made = [of for of in session.scalars(select(record.id)) if of not in before]
            looks.append(True)
            if len(looks) == 1:
                both_looked.wait(timeout=60)
            if made:
                return made[0]
            new = make(patient, now)
            session.add(new)
            session.flush()
            return new.id

        return patient.write(step)

    first, second = race(one, one)
    assert isinstance(first, UUID), first
    assert first == second
