"""An appointment as it is shown, and one's own list of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_doctor
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, join, make_patient, relatives
from sqlalchemy import event
from sqlalchemy.orm import Session

from core.booking.history import show_history
from core.booking.views import AppointmentView, list_appointments, view_appointment
from core.paging import Page
from core.ports import RefundState
from core.workbench import Workbench
from models.appointment import AppointmentStatus, PayMode
from models.base import new_id
from models.database import Database
from models.errors import NotFound, ValidationFailed
from models.hospital import Department, Period
from models.payment import PaymentStatus, RefundStatus
from models.schedule import Schedule


def view(patient: Patient, appointment_id: UUID) -> AppointmentView:
    return patient.read(
        lambda session: view_appointment(session, appointment_id=appointment_id, account_id=patient.account_id)
    )


def page(patient: Patient, **asked: Any) -> Page[AppointmentView]:
    wanted = {"status": None, "dependent_id": None, "cursor": None, "limit": 20} | asked
    return patient.read(lambda session: list_appointments(session, account_id=patient.account_id, **wanted))


def ids(found: Page[AppointmentView]) -> list[UUID]:
    return [one.appointment.id for one in found.items]


def test_an_appointment_with_all_that_surrounds_it(patient: Patient) -> None:
    appointment_id = patient.paid()
    shown = view(patient, appointment_id)
    assert shown.appointment.status is AppointmentStatus.BOOKED
    assert (shown.hospital.name, shown.department.name, shown.doctor) == ("测试医院", "测试科", None)
    assert (shown.schedule.id, shown.slot.sequence, shown.period) == (patient.schedule_id, 1, Period.MORNING)
    assert shown.dependent.id == patient.dependent_id
    assert (shown.money.due_fen, shown.money.paid_fen, len(shown.money.lines)) == (5000, 5000, 1)
    assert shown.payment is not None
    assert (shown.payment.status, shown.refund) == (PaymentStatus.SUCCEEDED, None)


def test_the_doctor_of_the_schedule(patient: Patient) -> None:
    def with_doctor(session: Session, _now: Any) -> UUID:
        schedule = session.get_one(Schedule, patient.schedule_id)
        doctor = make_doctor(session, session.get_one(Department, schedule.department_id))
        schedule.doctor_id = doctor.id
        return doctor.id

    doctor_id = patient.write(with_doctor)
    doctor = view(patient, patient.book()).doctor
    assert doctor is not None
    assert doctor.id == doctor_id


def test_money_on_its_way_back_is_not_kept(patient: Patient) -> None:
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    shown = view(patient, appointment_id)
    assert (shown.money.due_fen, shown.money.paid_fen) == (0, 0)
    assert shown.refund is not None
    assert shown.refund.status is RefundStatus.DUE


def test_the_newest_refund_is_shown(patient: Patient) -> None:
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[0].out_refund_no, RefundState.CLOSED))
    patient.work()
    refund = view(patient, appointment_id).refund
    assert refund is not None
    assert refund.replaces_id == patient.refunds()[0].id


def test_what_is_not_ones_own_is_not_there(patient: Patient) -> None:
    stranger = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    appointment_id = patient.book()
    for who, what in ((stranger, appointment_id), (patient, new_id())):
        with pytest.raises(NotFound):
            view(who, what)
    assert page(stranger).items == []


def test_a_list_newest_first_page_by_page(patient: Patient) -> None:
    mine = [patient.book(PayMode.ON_SITE, dependent_id=one) for one in relatives(patient, 3)]
    first = page(patient, limit=2)
    assert (ids(first), first.next_cursor is None) == ([mine[2], mine[1]], False)
    second = page(patient, limit=2, cursor=first.next_cursor)
    assert (ids(second), second.next_cursor) == ([mine[0]], None)
    assert page(patient, limit=3).next_cursor is None
    with pytest.raises(ValidationFailed):
        page(patient, cursor="nonsense")


def test_a_list_of_one_status_or_one_dependent(patient: Patient) -> None:
    first, second = relatives(patient)
    held = patient.book(dependent_id=first)
    booked = patient.book(PayMode.ON_SITE, dependent_id=second)
    assert ids(page(patient, status=AppointmentStatus.PENDING)) == [held]
    assert ids(page(patient, status=AppointmentStatus.BOOKED)) == [booked]
    assert ids(page(patient, dependent_id=first)) == [held]
    assert ids(page(patient, dependent_id=patient.dependent_id)) == []


def test_a_list_costs_the_same_few_statements_however_long_it_is(patient: Patient, database: Database) -> None:
    statements = list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

    def cost() -> int:
        statements.clear()
        page(patient)
        return sum(one.startswith("SELECT") for one in statements)

    patient.book(PayMode.ON_SITE)
    one = cost()
    for relative in relatives(patient):
        patient.book(PayMode.ON_SITE, dependent_id=relative)
    assert cost() == one <= 4


def history(patient: Patient, named: str) -> list[dict[str, Any]]:
    return patient.write(lambda session, now: show_history(session, named, operator="support", now=now))


def test_the_history_of_an_appointment_and_its_money_in_order(patient: Patient) -> None:
    appointment_id = patient.paid()
    patient.cancel(appointment_id)
    told = history(patient, str(appointment_id))
    assert [(one["machine"], one["to"]) for one in told if one["machine"] == "appointment"] == [
        ("appointment", "pending"),
        ("appointment", "booked"),
        ("appointment", "cancelled"),
    ]
    assert {one["machine"] for one in told} == {"appointment", "slot", "payment", "refund"}
    assert all(one["cause_id"] for one in told)
    number = patient.appointment(appointment_id).number
    assert history(patient, number) == told
    for nobodys in (str(new_id()), "261126000000000", "", "' OR 1=1"):
        assert history(patient, nobodys) == []


def test_a_history_ends_where_the_number_is_the_next_patients(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    first = make_patient(workbench, clock, adapters, numbers=1)
    appointment_id = first.paid()
    first.cancel(appointment_id)
    first.work(after=timedelta(hours=1))
    told = history(first, str(appointment_id))
    slots = [one["to"] for one in told if one["machine"] == "slot"]
    assert (slots[0], slots[-1]) == ("held", "free")
    second = join(workbench, clock, adapters, first.schedule_id)
    next_id = second.paid()
    assert second.appointment(next_id).slot_id == first.appointment(appointment_id).slot_id
    assert history(first, str(appointment_id)) == told
    later = history(first, str(next_id))
    assert [one["to"] for one in later if one["machine"] == "slot"] == ["held", "booked"]


def test_another_schedules_numbers_are_not_mixed_in(patient: Patient) -> None:
    mine = patient.book(PayMode.ON_SITE)
    stranger = join(patient.workbench, patient.clock, patient.adapters, beside(patient))
    stranger.book(PayMode.ON_SITE)
    assert ids(page(patient)) == [mine]
