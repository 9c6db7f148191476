"""What a hospital tells of who came and who did not, against strikes: they follow its word in both directions."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from arriving import at_the_desk
from fakes import FakeAdapters, ManualClock
from fakes_hospital import FakeHospital, connect, settled
from harness import Patient, join, make_patient
from hospital_acts import suspend
from sqlalchemy import select

from core.ports import HospitalSays, VisitEvent, VisitKind
from core.workbench import Workbench
from models.appointment import AppointmentStatus, CancelReason, PayMode
from models.notice import Notice, NoticeKind
from models.schedule import Schedule
from models.strike import Lift, Strike

MINUTE = timedelta(minutes=1)
LADDER = {"no_show_ladder": [{"count": 1, "within": "90d", "ban": "90d"}], "no_show_grace_minutes": 0}


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    return make_patient(workbench, clock, adapters, fee_fen=0, terms=LADDER)


@pytest.fixture
def his(patient: Patient) -> FakeHospital:
    return connect(patient)


@pytest.fixture
def mine(patient: Patient, his: FakeHospital) -> UUID:
    """Confirmed over there, on a day on which somebody else has come."""
    booked = patient.book(PayMode.ON_SITE)
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    theirs = other.book(PayMode.ON_SITE)
    patient.work()
    at_the_desk(other, "check_in_at_desk", theirs, overrule=True)
    return booked


def tell(patient: Patient, his: FakeHospital, appointment_id: UUID, kind: VisitKind) -> AppointmentStatus:
    number = patient.appointment(appointment_id).number
    his.seen.append(VisitEvent(str(len(his.seen)), number, kind, patient.clock.now()))
    patient.work(after=MINUTE)
    patient.work()
    return patient.appointment(appointment_id).status


def strikes(patient: Patient) -> list[Strike]:
    return patient.read(lambda session: list(session.scalars(select(Strike).order_by(Strike.at))))


def over(patient: Patient) -> None:
    """A moment before nobody can come any more."""
    ends_at = patient.read(lambda session: session.get_one(Schedule, patient.schedule_id).ends_at)
    patient.clock.set(ends_at - 3 * MINUTE)


def test_whom_the_hospital_has_seen_after_all_has_no_strike(patient: Patient, his: FakeHospital, mine: UUID) -> None:
    his.away = True
    patient.work(after=timedelta(days=4))
    assert patient.appointment(mine).status is AppointmentStatus.NOSHOW
    assert len(strikes(patient)) == 1
    his.away = False
    assert tell(patient, his, mine, VisitKind.FULFILLED) is AppointmentStatus.FULFILLED
    assert [(one.lifted_why, one.restricts_until) for one in strikes(patient)] == [(Lift.SEEN, None)]


def test_a_no_show_that_the_hospital_tells_counts_and_is_told(patient: Patient, his: FakeHospital, mine: UUID) -> None:
    over(patient)
    assert tell(patient, his, mine, VisitKind.NOSHOW) is AppointmentStatus.NOSHOW
    assert strikes(patient) == [], "others may still come"
    patient.work(after=10 * MINUTE)
    assert [one.appointment_id for one in strikes(patient)] == [mine]
    told = select(Notice.kind).where(Notice.account_id == patient.account_id)
    assert NoticeKind.APPOINTMENT_MISSED in patient.read(lambda session: session.scalars(told).all())


def test_whoever_had_come_is_blamed_for_nothing(patient: Patient, his: FakeHospital, mine: UUID) -> None:
    over(patient)
    assert tell(patient, his, mine, VisitKind.ARRIVED) is AppointmentStatus.ARRIVED
    assert tell(patient, his, mine, VisitKind.NOSHOW) is AppointmentStatus.NOSHOW
    patient.work(after=timedelta(days=1))
    assert strikes(patient) == []


def test_a_clinic_that_is_suspended_after_the_hospital_told_who_missed_it_excuses_them(
    patient: Patient, his: FakeHospital, mine: UUID
) -> None:
    over(patient)
    assert tell(patient, his, mine, VisitKind.NOSHOW) is AppointmentStatus.NOSHOW
    suspend(patient)
    patient.work(after=10 * MINUTE)
    settled(patient)
    assert (patient.appointment(mine).cancel_reason, strikes(patient)) == (CancelReason.SUSPENDED, [])
    assert his.claims[patient.appointment(mine).number] is HospitalSays.RELEASED
    patient.assert_sound()


@pytest.mark.parametrize("why", ["frozen", "suspended"])
def test_who_need_not_come_misses_nothing(patient: Patient, his: FakeHospital, mine: UUID, why: str) -> None:
    over(patient)
    if why == "frozen":
        at_the_desk(patient, "report_at_desk", mine)
    else:
        suspend(patient)
    assert tell(patient, his, mine, VisitKind.NOSHOW) is not AppointmentStatus.NOSHOW
