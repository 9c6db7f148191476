"""A receipt under a wrong appointment: told by its amount, taken out whole, and brought again under the right one."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from exchanging import later
from harness import Patient
from paperwork import Finance
from sqlalchemy import select

from core.ports import ReceiptName
from core.receipts.take_out import take_receipt_out
from models.audit import AuditEntry
from models.errors import NotFound
from models.payment import RefundStatus


@pytest.fixture
def finance(patient: Patient) -> Finance:
    return Finance(patient)


def take_out(patient: Patient, name: ReceiptName, appointment_id: UUID) -> int:
    number = patient.appointment(appointment_id).number
    return patient.write(
        lambda session, now: take_receipt_out(session, name=name, appointment=number, operator="clerk-1", now=now)
    )


def another(patient: Patient) -> UUID:
    patient.schedule_id = later(patient, fee_fen=8000)
    return patient.paid()


@pytest.mark.parametrize("amount", [4999, 5001])
def test_one_that_says_another_price_than_its_appointments_is_kept_and_told(
    patient: Patient, finance: Finance, amount: int
) -> None:
    visit = patient.paid()
    odd = finance.issue(visit, amount)
    kept = finance.send()
    assert (kept.blue, list(kept.other_price)) == (1, [(odd, 5000)])
    assert list(finance.send().other_price) == [], "told once"


def test_the_price_is_what_it_was_sold_for_whatever_became_of_it(patient: Patient, finance: Finance) -> None:
    visit = patient.paid()
    finance.issue(visit, 5000)
    patient.cancel(visit)
    assert list(finance.send().other_price) == []


def test_it_goes_with_its_red_one_and_may_come_under_the_right_number(patient: Patient, finance: Finance) -> None:
    wrong, right = patient.paid(), another(patient)
    blue = finance.issue(wrong, 8000)
    red = finance.redden(blue)
    finance.send()
    assert take_out(patient, blue.name, wrong) == 2
    assert finance.kept() == []
    moved = [replace(one, appointment=patient.appointment(right).number) for one in (blue, red)]
    assert finance.send(*moved).other_price == []
    assert {one.appointment_id for one in finance.kept()} == {right}
    patient.assert_sound()


def test_who_was_shown_it_can_read_who_took_it_out(patient: Patient, finance: Finance) -> None:
    visit = patient.paid()
    blue = finance.issue(visit)
    finance.send()
    take_out(patient, blue.name, visit)
    (noted,) = patient.read(
        lambda session: session.scalars(select(AuditEntry).where(AuditEntry.action == "receipt.take_out")).all()
    )
    assert (noted.actor, noted.dependent_id) == ("clerk-1", patient.dependent_id)


def test_what_is_not_there_is_left_alone(patient: Patient, finance: Finance) -> None:
    visit, other = patient.paid(), another(patient)
    blue = finance.issue(visit)
    red = finance.redden(blue)
    finance.send()
    for name, under in ((blue.name, other), (red.name, visit), (ReceiptName("00000000", blue.name.number), visit)):
        with pytest.raises(NotFound):
            take_out(patient, name, under)
    assert len(finance.kept()) == 2


def test_money_that_it_held_up_goes_at_once(patient: Patient, finance: Finance) -> None:
    finance.wants_red_first()
    visit = patient.paid()
    blue = finance.issue(visit)
    finance.send()
    patient.cancel(visit)
    patient.work(after=timedelta(seconds=1))
    (refund,) = patient.refunds()
    assert refund.awaits_red_since is not None
    take_out(patient, blue.name, visit)
    patient.work(after=timedelta(seconds=1))
    assert patient.refunds()[0].status is not RefundStatus.DUE
    patient.assert_sound()


def test_its_import_again_and_its_taking_out_at_once_leave_all_of_it_or_nothing(
    patient: Patient, finance: Finance
) -> None:
    visit = patient.paid()
    blue = finance.issue(visit)
    finance.redden(blue)
    finance.send()
    together = threading.Barrier(2)
    counts: list[int] = []

    def out() -> None:
        together.wait()
        counts.append(take_out(patient, blue.name, visit))

    def again() -> None:
        together.wait()
        finance.send()

    threads = [threading.Thread(target=one) for one in (out, again)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert counts == [2]
    assert len(finance.kept()) in {0, 2}
    patient.assert_sound()
