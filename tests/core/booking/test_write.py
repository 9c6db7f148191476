"""What booking writes in one round trip is what the models would write by themselves, and what it shows is there."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from factories import make_doctor
from harness import REQUEST, Patient
from people import agree
from sqlalchemy import delete, event, select
from sqlalchemy.orm import Session

from core.booking.book import Wish, book_and_view
from core.booking.views import view_appointment
from core.dependents.cards import NewCard, add_card
from core.numbers import appointment_number
from models.account import Purpose
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.base import Base, new_id, table_of
from models.charge import ChargeLine
from models.database import Database
from models.hospital import Department
from models.notice import Notice
from models.schedule import Schedule
from models.states import StateEvent
from schemas.appointment import AppointmentReply

PAY = [PayMode.ONLINE, PayMode.ON_SITE]
OWN = {"id", "number", "record_id"}


def raw(session: Session, record: type[Base], column: str, value: Any) -> dict[str, Any]:
    """The row as it stands, without what makes it another row."""
    table = table_of(record)
    row = session.execute(select(table).where(table.c[column] == value)).mappings().one()
    return {name: found for name, found in row.items() if name not in OWN}


@pytest.mark.parametrize("pay", PAY)
def test_what_is_shown_at_once_is_what_is_read_later(patient: Patient, pay: PayMode) -> None:
    def with_doctor(session: Session, _now: Any) -> None:
        schedule = session.get_one(Schedule, patient.schedule_id)
        schedule.doctor_id = make_doctor(session, session.get_one(Department, schedule.department_id)).id

    def book(session: Session, now: Any) -> dict[str, Any]:
        wish = Wish(patient.schedule_id, patient.dependent_id, pay)
        view = book_and_view(
            session, account_id=patient.account_id, wish=wish, now=now, cause=REQUEST, vault=patient.workbench.vault
        )
        return dict(AppointmentReply().dump(view), id=view.appointment.id)

    patient.write(with_doctor)
    shown = patient.write(book)
    read = patient.read(
        lambda session: AppointmentReply().dump(
            view_appointment(session, appointment_id=shown["id"], account_id=patient.account_id)
        )
    )
    assert {**shown, "id": str(shown["id"])} == read
    assert read["doctor"] is not None


@pytest.mark.parametrize("pay", PAY)
def test_the_rows_are_those_of_the_verb(patient: Patient, pay: PayMode) -> None:
    """The same appointment, added to the session and entered by its verb, leaves the same rows."""
    agreed = {"dependent_id": patient.dependent_id}
    patient.write(lambda session, now: agree(session, patient.account_id, Purpose.HEALTH, **agreed, now=now))
    appointment_id = patient.book(pay, complaint="头疼三天")
    status = AppointmentStatus.PENDING if pay is PayMode.ONLINE else AppointmentStatus.BOOKED

    def by_the_verb(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
        written = session.get_one(Appointment, appointment_id)
        given = {one.key: getattr(written, one.key) for one in Appointment.__mapper__.column_attrs}
        fresh = {"id": new_id(), "number": appointment_number(now=patient.clock.now())}
        for record in (ChargeLine, Notice, Appointment):
            session.execute(delete(record))
        session.expunge(written)
        again = Appointment(**(given | fresh | {"status": None, "moved": None}))
        again.enter(session, status, at=patient.clock.now(), cause=REQUEST)
        session.flush()
        return raw(session, Appointment, "id", again.id), raw(session, StateEvent, "record_id", again.id)

    before = patient.read(
        lambda session: (
            raw(session, Appointment, "id", appointment_id),
            raw(session, StateEvent, "record_id", appointment_id),
        )
    )
    assert before == patient.read(by_the_verb)


def test_the_appointment_belongs_to_the_session_that_booked_it(patient: Patient) -> None:
    """Whoever books may go on with the record, as with one that was read; nothing is read back for it."""

    def book(session: Session, now: Any) -> Any:
        appointment = patient.book_in(session, Wish(patient.schedule_id, patient.dependent_id, PayMode.ON_SITE), now)
        assert appointment in session
        assert session.get(Appointment, appointment.id) is appointment
        assert session.is_modified(appointment) is False
        appointment.beside_replaced = True
        return appointment.id

    assert patient.appointment(patient.write(book)).beside_replaced is True


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_booking_costs_few_statements(patient: Patient, database: Database) -> None:
    statements = list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2].split()[0]))
    patient.book()
    # look, lock, whom, what counts; take; write
    assert statements == ["SELECT", "WITH", "SELECT", "SELECT", "UPDATE", "WITH"]


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_what_is_said_of_a_visit_costs_one_statement_each(patient: Patient, database: Database) -> None:
    agreed = {"dependent_id": patient.dependent_id}
    patient.write(lambda session, now: agree(session, patient.account_id, Purpose.HEALTH, **agreed, now=now))
    card_id = patient.write(lambda session, now: bring_card(session, patient, now))
    statements = list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2].split()[0]))
    patient.book(complaint="头疼三天", visit_card_id=card_id)
    # the card behind the locks, the consent before the number is taken
    assert statements == ["SELECT", "WITH", "SELECT", "SELECT", "SELECT", "SELECT", "UPDATE", "WITH"]


def bring_card(session: Session, patient: Patient, now: datetime) -> UUID:
    wanted = NewCard(session.get_one(Schedule, patient.schedule_id).hospital_id, "0012345678")
    whose = {"account_id": patient.account_id, "dependent_id": patient.dependent_id}
    return add_card(session, **whose, wanted=wanted, vault=patient.workbench.vault, now=now).card.id
