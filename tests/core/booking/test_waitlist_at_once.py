"""What became of an offered number is known at once, and the order of the queue holds before any job has noted it."""

from __future__ import annotations

from datetime import time
from uuid import UUID

import pytest
from arriving import at_the_desk
from fakes_hospital import connect
from harness import Patient, beside
from hospital_acts import suspend
from sqlalchemy import event
from waiting import SLOW, another, found, fresh, notices, pay, status, wait

from core.booking.endings import let_go
from core.ports import HospitalRefusal
from models.account import Provider
from models.appointment import PayMode
from models.notice import NoticeKind


class TwoClinics:
    """Two full half days of one day; the first of two who wait for either is offered the number of one of them."""

    def __init__(self, patient: Patient) -> None:
        self.patient = fresh(patient, numbers=1, terms=SLOW)
        had = self.patient.book(PayMode.ON_SITE)
        other = beside(self.patient, numbers=1, starts=time(13), terms=SLOW)
        self.holder = another(self.patient)
        self.other = self.holder.book(PayMode.ON_SITE, schedule_id=other)
        self.first, self.second = another(self.patient), another(self.patient)
        self.entries = [wait(self.first), wait(self.second)]
        self.patient.cancel(had)
        self.patient.work()

    def states(self) -> list[str]:
        return [str(status(one, entry)) for one, entry in zip((self.first, self.second), self.entries, strict=True)]

    def offered(self) -> UUID:
        appointment = found(self.first, self.entries[0])
        assert appointment is not None
        return appointment.id


@pytest.fixture
def clinics(patient: Patient) -> TwoClinics:
    return TwoClinics(patient)


def test_whose_offer_the_hospital_called_off_has_the_next_number_before_the_second(clinics: TwoClinics) -> None:
    suspend(clinics.patient)
    clinics.patient.work()
    assert clinics.states() == ["waiting", "waiting"]
    clinics.holder.cancel(clinics.other)
    clinics.patient.work()
    assert clinics.states() == ["offered", "waiting"]
    clinics.patient.assert_sound()


def test_the_order_holds_before_the_job_has_noted_the_loss(
    clinics: TwoClinics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(let_go, "follow_soon", lambda *_args, **_how: None)
    lost = clinics.offered()
    suspend(clinics.patient)
    clinics.patient.work()
    assert clinics.first.appointment(lost).status == "cancelled"
    clinics.holder.cancel(clinics.other)
    clinics.patient.work()
    assert clinics.states() == ["offered", "waiting"]
    assert clinics.first.appointment(clinics.offered()).status == "pending"
    clinics.patient.assert_sound()


def test_whoever_cancels_the_offered_number_reads_so_at_once(clinics: TwoClinics) -> None:
    clinics.first.cancel(clinics.offered())
    clinics.patient.work()
    assert clinics.states() == ["passed", "offered"]
    assert notices(clinics.first)[-1] == NoticeKind.WAITLIST_ENDED


def test_whoever_lets_the_offered_number_lapse_reads_so_at_once(clinics: TwoClinics) -> None:
    until = clinics.first.appointment(clinics.offered()).hold_expires_at
    assert until is not None
    clinics.patient.clock.set(until)
    clinics.patient.work()
    assert clinics.states() == ["passed", "offered"]


def test_whoever_pays_for_the_offered_number_reads_so_at_once(clinics: TwoClinics) -> None:
    pay(clinics.first, clinics.offered())
    assert clinics.states() == ["booked", "waiting"]


def test_of_what_a_login_booked_it_is_known_without_a_question(patient: Patient) -> None:
    own = patient.book(PayMode.ON_SITE, booked_through=Provider.WECHAT_MINIAPP)
    asked: list[str] = []
    engine = patient.workbench.transactions.database.engine
    listen = lambda *said: asked.append(said[2])  # noqa: E731 - the same one is taken away again
    event.listen(engine, "before_cursor_execute", listen)
    patient.cancel(own)
    event.remove(engine, "before_cursor_execute", listen)
    assert asked
    assert not [one for one in asked if "waitlist" in one]


def test_whom_the_hospital_refuses_a_number_is_not_offered_it_again(patient: Patient) -> None:
    """Else nobody behind them would ever have it."""
    one = fresh(patient, numbers=1, terms=SLOW)
    had = one.book(PayMode.ON_SITE)
    first, second = another(one), another(one)
    entries = [wait(first), wait(second)]
    his = connect(one)
    his.faults = [("hold", HospitalRefusal.PATIENT)]
    one.cancel(had)
    for _ in range(4):
        one.work()
    assert [str(status(who, entry)) for who, entry in zip((first, second), entries, strict=True)] == [
        "waiting",
        "offered",
    ]
    assert found(first, entries[0]) is None
    assert notices(first).count(NoticeKind.WAITLIST_OFFERED) == 1


def test_what_the_desk_takes_back_goes_to_the_next(clinics: TwoClinics) -> None:
    at_the_desk(clinics.first, "cancel_at_desk", clinics.offered())
    clinics.patient.work()
    assert clinics.states() == ["waiting", "offered"]
