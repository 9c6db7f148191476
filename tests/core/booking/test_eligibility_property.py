"""Booking succeeds exactly if eligibility said yes at that instant, whatever the situation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from factories import (
    make_account,
    make_department,
    make_dependent,
    make_doctor,
    make_hospital,
    make_person,
    make_schedule,
)
from fakes import START
from harness import REQUEST
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import agree
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.book import Wish, book_appointment
from core.booking.eligibility import explain
from core.booking.endings.cancel import cancel_appointment
from core.identity.consent_texts import current_version
from core.identity.consents import record_consent
from core.invariants import check_invariants
from models.account import Account, Purpose
from models.appointment import OPEN, Appointment, PayMode
from models.base import new_id
from models.database import Database
from models.errors import DomainError
from models.hospital import Department
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus, Slot
from models.sealing import Vault

GENEROUS = {
    "max_open_per_person_department_day": 100,
    "max_per_person_day": 100,
    "max_open_holds_person": 100,
    "max_open_holds_account": 100,
    "min_identity_level": 0,
}
limits = st.integers(1, 3)
some = st.sampled_from


@dataclass(frozen=True)
class Standing:
    """An appointment that is there before: by whom, for whom, where, how."""

    own_account: bool
    same_person: bool
    here: bool
    same_department: bool
    same_day: bool
    same_doctor: bool
    pay: PayMode
    cancelled: bool


standings = st.builds(
    Standing,
    own_account=st.booleans(),
    same_person=st.booleans(),
    here=st.booleans(),
    same_department=st.booleans(),
    same_day=st.booleans(),
    same_doctor=st.booleans(),
    pay=some(PayMode),
    cancelled=some([False, False, False, True]),
)


@dataclass(frozen=True)
class Situation:
    standing: list[Standing]
    terms: dict[str, Any]
    numbers: str
    status: ScheduleStatus
    release: timedelta
    closes: timedelta
    level: int
    age: int
    consents: frozenset[Purpose]
    email: bool
    pay: PayMode
    fee_fen: int


# Mostly sound, so that one rule at a time decides often enough.
near = [timedelta(milliseconds=-1), timedelta(0), timedelta(milliseconds=1)]
both = frozenset({Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY})
situations = st.builds(
    Situation,
    standing=st.lists(standings, max_size=4),
    terms=st.fixed_dictionaries(
        {
            "max_open_per_person_department_day": limits,
            "max_open_per_person_doctor_day": limits,
            "max_per_person_day": limits,
            "max_open_holds_person": limits,
            "max_open_holds_account": limits,
            "min_identity_level": some([0, 1, 1, 2]),
            "notice_must_be_read": some([False, False, True]),
            "required_fields": some([[], [], [], ["email"], ["hospital_card", "email"]]),
            "sexes": some([[], [], [], ["female"], ["male"]]),
            "age_from": some([0, 0, 0, 18]),
            "visit_kinds": some([[], [], [], ["first"], ["return"]]),
        }
    ),
    numbers=some(["free", "free", "free", "one free", "held", "booked"]),
    status=some([ScheduleStatus.OPEN] * 8 + [ScheduleStatus.CLOSED, ScheduleStatus.SUSPENDED]),
    release=some([timedelta(days=-1)] * 6 + near),
    closes=some([timedelta(days=1)] * 6 + near),
    level=some([2, 2, 2, 2, 0, 1]),
    age=some([30, 30, 30, 30, 30, 17]),
    consents=some([both, both, both, both, both, frozenset({Purpose.SERVICE}), frozenset()]),
    email=some([True, True, False]),
    pay=some(PayMode),
    fee_fen=some([0, 5000]),
)


class Scene:
    """A schedule, two accounts and a person, as a situation says."""

    def __init__(self, session: Session, vault: Vault, said: Situation) -> None:
        self.session, self.vault, self.said = session, vault, said
        self.department = make_department(session, make_hospital(session))
        self.doctor = make_doctor(session, self.department)
        self.target = make_schedule(
            session, self.department, numbers=8, fee_fen=said.fee_fen, terms=GENEROUS, doctor=self.doctor
        )
        self.me, self.them = make_account(session), make_account(session)
        for account in (self.me, self.them):
            agree(session, account.id, *both)
        person = make_person(session, vault)
        birth = date(START.year - said.age, 1, 1)
        self.whom = {
            account: make_dependent(session, vault, account, identifier=person, birth_date=date(1990, 1, 1))
            for account in (self.me, self.them)
        }
        for standing in said.standing:
            with suppress(DomainError), session.begin_nested():
                self._let_stand(standing)
        mine = self.whom[self.me]
        mine.identity_level, mine.birth_date = said.level, birth
        if said.email:
            mine.seal_email(vault, "an@example.com")
        self._set_target()
        for purpose in both - said.consents:
            self._withdraw(purpose)
        session.flush()

    def book(self, account: Account, dependent: Dependent, schedule: Schedule, pay: PayMode) -> Any:
        wish = Wish(schedule.id, dependent.id, pay)
        return book_appointment(
            self.session, account_id=account.id, wish=wish, now=START, cause=REQUEST, vault=self.vault
        )

    def _let_stand(self, standing: Standing) -> None:
        account = self.me if standing.own_account else self.them
        dependent = self.whom[account]
        if not standing.same_person:
            dependent = make_dependent(self.session, self.vault, account)
        schedule = self.target if standing.here else self._beside(standing)
        appointment = self.book(account, dependent, schedule, standing.pay)
        if standing.cancelled:
            cancel_appointment(
                self.session, appointment_id=appointment.id, account_id=account.id, now=START, cause=REQUEST
            )

    def _beside(self, standing: Standing) -> Schedule:
        department: Department = self.department
        if not standing.same_department:
            department = make_department(self.session, make_hospital(self.session))
        doctor = self.doctor if standing.same_doctor else None
        day = self.target.visit_date + timedelta(days=0 if standing.same_day else 1)
        return make_schedule(self.session, department, numbers=1, visit_date=day, terms=GENEROUS, doctor=doctor)

    def _set_target(self) -> None:
        target, said = self.target, self.said
        target.terms = {**target.terms, **said.terms}
        target.status, target.release_at, target.closes_at = said.status, START + said.release, START + said.closes
        free = list(self.session.scalars(select(Slot).where(Slot.schedule_id == target.id, Slot.status == "free")))
        gone = {"free": [], "one free": free[1:]}.get(said.numbers, free)
        for slot in gone:
            if said.numbers == "held":
                slot.hold(self.session, at=START, cause=REQUEST)
            else:
                slot.book(self.session, at=START, cause=REQUEST)

    def _withdraw(self, purpose: Purpose) -> None:
        record_consent(
            self.session,
            account_id=self.me.id,
            purpose=purpose,
            version=current_version(purpose),
            granted=False,
            dependent_id=None,
            provider="wechat_miniapp",
            identity_id=new_id(),
            now=START + timedelta(milliseconds=1),
            cause=REQUEST,
        )


@pytest.mark.parametrize(
    ("database", "examples"), [("sqlite", 150), ("postgres", 50)], indirect=["database"], ids=["sqlite", "postgres"]
)
def test_booking_succeeds_exactly_if_eligibility_said_yes(database: Database, vault: Vault, examples: int) -> None:
    seen: dict[str, int] = {}

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(situations)
    def check(said: Situation) -> None:
        with database.read() as session:  # so that it is all rolled back
            scene = Scene(session, vault, said)
            mine = scene.whom[scene.me]
            answer = explain(session, schedule=scene.target, dependent=mine, person_id=mine.person_id, now=START)
            told = outcome(scene, mine, said.pay)
            assert answer.allowed is (told is None)
            if told is not None:
                first = most_telling([one.error for one in answer.reasons], scene, mine)
                assert (told.code, told.facts, told.retry_at) == (first.code, first.facts, first.retry_at)
            seen[told.code if told else "booked"] = seen.get(told.code if told else "booked", 0) + 1

    check()
    # Both answers were met, and many rules among the refusals.
    assert "booked" in seen
    assert len(seen) >= 5


def most_telling(refusals: list[DomainError], scene: Scene, mine: Dependent) -> DomainError:
    """The first; but full comes first for whoever has nothing here, where it is on sale at all."""
    is_full = [one for one in refusals if one.code in ("sold_out", "numbers_in_flight")]
    here = select(Appointment.id).where(
        Appointment.schedule_id == scene.target.id,
        Appointment.account_id == mine.account_id,
        Appointment.person_id == mine.person_id,
        Appointment.status.in_(OPEN),
    )
    if scene.session.scalars(here).all():
        return refusals[0]
    if refusals[0].code in ("schedule_suspended", "schedule_closed", "not_released", "closed_hours"):
        return refusals[0]
    return (is_full or refusals)[0]


def outcome(scene: Scene, mine: Dependent, pay: PayMode) -> DomainError | None:
    try:
        scene.book(scene.me, mine, scene.target, pay)
    except DomainError as refusal:
        return refusal
    limits_kept = {one.invariant for one in check_invariants(scene.session, now=START)}
    assert not {
        name for name in limits_kept if name.startswith(("person_once", "person_within_doctor", "account_within"))
    }
    return None
