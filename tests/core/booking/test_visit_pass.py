"""The visit pass: good for minutes, for one appointment, and of no use to anybody else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from fakes import START
from harness import Patient, join

from core.booking.day.visit_pass import GOOD_FOR, PURPOSE, VisitPass, issue_visit_pass, read_visit_pass
from core.refusals import NotPayable
from core.tickets import BadTicket, Tickets
from models.appointment import PayMode
from models.base import new_id
from models.errors import NotFound
from models.sealing import KeyRing

URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def issue(patient: Patient, appointment_id: UUID) -> VisitPass:
    return patient.workbench.transactions.read(
        lambda session, now: issue_visit_pass(
            session, patient.workbench.tickets, appointment_id=appointment_id, account_id=patient.account_id, now=now
        )
    )


def shown(patient: Patient, code: str) -> UUID:
    """What the desk finds behind a code."""
    return patient.workbench.transactions.read(
        lambda session, now: read_visit_pass(session, patient.workbench.tickets, code, now=now).id
    )


@pytest.fixture
def booked(patient: Patient) -> UUID:
    return patient.book(PayMode.ON_SITE)


def test_the_desk_reads_the_appointment_behind_it(patient: Patient, booked: UUID) -> None:
    issued = issue(patient, booked)
    assert shown(patient, issued.code) == booked
    assert issued.expires_at == patient.clock.now() + GOOD_FOR
    assert issued.qr_svg.startswith("<?xml")
    assert set(issued.code) <= set(URL_SAFE)


def test_it_ends_at_the_very_instant_it_says(patient: Patient, booked: UUID) -> None:
    issued = issue(patient, booked)
    patient.clock.advance(GOOD_FOR - timedelta(milliseconds=1))
    assert shown(patient, issued.code) == booked
    patient.clock.advance(timedelta(milliseconds=1))
    with pytest.raises(BadTicket):
        shown(patient, issued.code)


def test_it_lasts_no_longer_than_it_says_whatever_the_fraction_of_the_second(patient: Patient, booked: UUID) -> None:
    patient.clock.advance(timedelta(milliseconds=999))
    issued = issue(patient, booked)
    assert issued.expires_at.microsecond == 0
    patient.clock.set(issued.expires_at)
    with pytest.raises(BadTicket):
        shown(patient, issued.code)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_change_in_any_character_is_refused(patient: Patient, booked: UUID) -> None:
    code = issue(patient, booked).code
    for place, letter in enumerate(code):
        for other in URL_SAFE + "!=+/ \n":
            if other != letter:
                with pytest.raises((BadTicket, NotFound)):
                    shown(patient, code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("spoil", ["{}=", "{}A", " {}", "{}\n", "!{}", "", "é{}", "{}{}"])
def test_what_is_not_exactly_a_ticket_is_refused(patient: Patient, booked: UUID, spoil: str) -> None:
    code = issue(patient, booked).code
    with pytest.raises(BadTicket):
        shown(patient, spoil.format(code, code))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_ticket_cut_short_is_refused(patient: Patient, booked: UUID) -> None:
    code = issue(patient, booked).code
    for length in range(len(code)):
        with pytest.raises(BadTicket):
            shown(patient, code[:length])


def test_a_ticket_for_something_else_is_refused(patient: Patient, booked: UUID) -> None:
    other = patient.workbench.tickets.issue(f"{PURPOSE}s", booked, expires_at=patient.clock.now() + GOOD_FOR)
    with pytest.raises(BadTicket):
        shown(patient, other)


def test_a_ticket_under_a_key_that_is_not_ours_is_refused(patient: Patient, booked: UUID) -> None:
    forged = Tickets(KeyRing(1, {1: b"x" * 32})).issue(PURPOSE, booked, expires_at=patient.clock.now() + GOOD_FOR)
    with pytest.raises(BadTicket):
        shown(patient, forged)


def test_a_ticket_of_the_key_before_is_read_until_that_key_goes() -> None:
    old, new = b"o" * 32, b"n" * 32
    subject = new_id()
    ticket = Tickets(KeyRing(1, {1: old})).issue(PURPOSE, subject, expires_at=START + GOOD_FOR)
    assert Tickets(KeyRing(2, {1: old, 2: new})).subject(PURPOSE, ticket, now=START) == subject
    with pytest.raises(BadTicket):
        Tickets(KeyRing(2, {2: new})).subject(PURPOSE, ticket, now=START)


def test_only_ones_own_booked_appointment_has_one(patient: Patient) -> None:
    stranger = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    appointment_id = patient.book()
    with pytest.raises(NotPayable):
        issue(patient, appointment_id)
    with pytest.raises(NotFound):
        issue(stranger, appointment_id)
    with pytest.raises(NotFound):
        issue(patient, new_id())
    patient.cancel(appointment_id)
    with pytest.raises(NotFound):
        issue(patient, appointment_id)


def test_a_pass_for_an_appointment_that_is_gone_leads_nowhere(patient: Patient) -> None:
    nowhere = patient.workbench.tickets.issue(PURPOSE, new_id(), expires_at=patient.clock.now() + GOOD_FOR)
    with pytest.raises(NotFound):
        shown(patient, nowhere)
