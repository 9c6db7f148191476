"""Another policy over what was booked: the one in force refuses nobody, a stricter one exactly whom it would have."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from eligible import set_schedule
from factories import TERMS, make_department, make_doctor, make_schedule
from fakes import FakeAdapters, ManualClock
from harness import REQUEST, Patient, beside, join, make_patient, make_workbench, same_person
from hospital_acts import ORDER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from core.booking.clinic.change_clinic import move_schedule, substitute_doctor
from core.booking.clinic.schedule_changes import ChangeRefused
from core.booking.extra import ExtraReason, Order, issue_extra_number
from core.booking.kept import KeptOrder, issue_kept_number
from core.booking.policy import BookingPolicy
from core.booking.replay import simulate as simulating
from core.booking.replay.simulate import Asked, Refused, Totals, UnknownCode, simulate
from core.booking.waitlist.wait import WaitWish, wait_for_number
from core.catalog.recompile import recompile_terms
from core.clock import hospital_day
from core.transactions import Transactions
from models import Base
from models.appointment import Appointment, PayMode
from models.base import new_id
from models.database import Database
from models.errors import DomainError
from models.hospital import Department, Hospital
from models.person import Dependent
from models.policy import BookingPolicyRow, PolicyLevel
from models.schedule import PoolChannel, Schedule, Slot, WithheldReason
from models.sealing import Vault

DAY = timedelta(days=1)
IN_FORCE: dict[str, Any] = {
    **TERMS,
    "max_open_per_person_department_day": 2,
    "max_per_person_day": 4,
    "max_per_person_7_days": 6,
    "max_open_holds_person": 1,
    "rebook_after_cancel_minutes": 2,
    "may_overlap": False,
    "reschedule_scope": "hospital",
    "max_reschedules": 3,
}


class Town:
    """A hospital with five half days on two days, three accounts of which two are for one person, and its policy."""

    def __init__(
        self, bench: Any, clock: ManualClock, adapters: FakeAdapters, *, of: Patient | None = None, **policy: Any
    ) -> None:
        self.first = of or make_patient(bench, clock, adapters, numbers=9)
        self.clock = clock
        self.patients = [self.first, same_person(self.first), join(bench, clock, adapters, self.first.schedule_id)]
        self.code, self.departments, self.halves = self.first.write(self._build)
        self.first.write(lambda session, now: self.set_policy(session, now, IN_FORCE | policy))
        self.renew()

    def _build(self, session: Session, now: Any) -> tuple[str, list[str], list[UUID]]:
        first = session.get_one(Schedule, self.first.schedule_id)
        hospital = session.get_one(Hospital, first.hospital_id)
        here = session.get_one(Department, first.department_id)
        there = make_department(session, hospital)
        half_days = [
            make_schedule(session, there, now=now, fee_fen=0),
            make_schedule(session, here, now=now, starts=first.starts_at.time().replace(hour=13)),
            make_schedule(session, there, now=now, visit_date=first.visit_date + DAY),
            make_schedule(session, there, now=now, visit_date=first.visit_date + DAY),
        ]
        return hospital.code, [here.code, there.code], [first.id, *(one.id for one in half_days)]

    def set_policy(self, session: Session, now: Any, document: dict[str, Any]) -> None:
        session.add(
            BookingPolicyRow(
                id=new_id(),
                level=PolicyLevel.HOSPITAL,
                subject=self.code,
                version=1,
                document=BookingPolicy.parse(document).to_document(),
                updated_at=now,
            )
        )

    def renew(self) -> None:
        recompile_terms(self.first.workbench.transactions)

    def simulate(self, policy: dict[str, Any], **asked: Any) -> tuple[list[Refused], Totals]:
        told: list[Refused] = []
        wanted = Asked(self.code, BookingPolicy.parse(policy), **asked)
        totals = simulate(self.first.workbench.transactions, wanted, told=told.append)
        assert (totals.refused, sum(totals.by_rule.values()) >= totals.refused) == (len(told), True)
        return told, totals

    def booked(self) -> list[Appointment]:
        query = select(Appointment).order_by(Appointment.created_at, Appointment.id)
        return self.first.read(lambda session: list(session.scalars(query)))


@pytest.fixture
def town(patient: Patient) -> Town:
    return Town(patient.workbench, patient.clock, patient.adapters)


def codes(told: list[Refused]) -> list[list[str]]:
    return [[error.code for error in one.errors] for one in told]


def test_2_14_whom_a_clinic_is_not_for_is_told(town: Town) -> None:
    town.first.book(PayMode.ON_SITE)
    told, totals = town.simulate({"sexes": ["male"], "age_to": 18})
    assert (codes(told), totals.refused) == ([["not_eligible"]], 1)
    assert town.simulate({"sexes": ["female"], "age_from": 18})[0] == []


def test_2_14_another_clinic_that_was_moved_since_was_where_it_was(town: Town) -> None:
    town.first.book(PayMode.ON_SITE, schedule_id=town.halves[0])
    move(town, town.halves[1])
    town.first.book(PayMode.ON_SITE, schedule_id=town.halves[1])
    town.clock.advance(timedelta(seconds=1))
    move(town, town.halves[0])
    assert town.simulate({}) == ([], Totals(replayed=2))


# --- any history


who, half, which = st.sampled_from([0, 0, 0, 1, 2]), st.sampled_from([0, 1, 2, 0, 1, 2, 3, 4]), st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.just("book"), who, half, st.sampled_from(PayMode)),
    st.tuples(st.just("book"), who, half, st.just(PayMode.ON_SITE)),
    st.tuples(st.just("book"), who, half, st.just(PayMode.ON_SITE)),
    st.tuples(st.just("pay"), who),
    st.tuples(st.just("cancel"), who, which),
    st.tuples(st.just("change"), who, half, which),
    st.tuples(st.just("wait"), st.sampled_from([1, 3, 20])),
    st.tuples(st.just("move"), half),
)


def play(town: Town, step: tuple[Any, ...]) -> None:
    match step:
        case "book", int(number), int(at), pay:
            town.patients[number].book(pay, schedule_id=town.halves[at])
        case "pay", int(number):
            pay_for(town.patients[number], one_of(town, number, 0))
        case "cancel", int(number), int(back):
            town.patients[number].cancel(one_of(town, number, back))
        case "change", int(number), int(at), int(back):
            town.patients[number].reschedule(one_of(town, number, back), town.halves[at])
        case "wait", int(minutes):
            town.first.work(after=timedelta(minutes=minutes), threads=1)
        case "move", int(at):
            move(town, town.halves[at])


def one_of(town: Town, number: int, back: int) -> UUID:
    """The newest but so many of this account, or one that is not there."""
    query = select(Appointment.id).where(Appointment.account_id == town.patients[number].account_id)
    newest_first = query.order_by(Appointment.id.desc())
    return town.first.read(lambda session: session.scalar(newest_first.offset(back).limit(1))) or new_id()


def pay_for(patient: Patient, appointment_id: UUID) -> None:
    if patient.open_payment(appointment_id) is None:
        patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
        patient.work(threads=1)


def move(town: Town, schedule_id: UUID) -> None:
    """An hour later."""

    def step(session: Session, now: Any) -> None:
        starts_at = session.get_one(Schedule, schedule_id).starts_at + timedelta(hours=1)
        move_schedule(session, schedule_id=schedule_id, starts_at=starts_at, campus_id=None, order=ORDER, now=now)

    town.first.write(step)


def expected(booked: list[Appointment], persons: dict[UUID, UUID], most: int) -> list[str]:
    """Who had as many numbers of the day as are allowed, when they booked one more."""
    had: list[Appointment] = []
    refused = []
    for one in booked:
        beside = {
            other.id
            for other in had
            if persons[other.dependent_id] == persons[one.dependent_id]
            and other.visit_date == one.visit_date
            and (other.ended_at is None or other.ended_at > one.created_at)
            and other.id != one.replaces_id
        }
        if len(beside) >= most:
            refused.append(one.number)
        else:
            had.append(one)
    return refused


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_policy_in_force_refuses_nobody_and_a_stricter_one_whom_it_would_have(
    database: Database, vault: Vault
) -> None:
    seen: Counter[bool] = Counter()

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(steps, min_size=12, max_size=16), st.sampled_from([1, 1, 1, 2]))
    def history(life: list[tuple[Any, ...]], most: int) -> None:
        with database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.delete())
        clock = ManualClock()
        adapters = FakeAdapters(clock)
        town = Town(make_workbench(Transactions(database, clock), vault, adapters), clock, adapters)
        for step in life:
            clock.advance(timedelta(seconds=1))
            with suppress(DomainError, ChangeRefused):
                play(town, step)
        clock.advance(timedelta(seconds=1))
        assert town.simulate({}) == ([], Totals(replayed=len(town.booked())))
        persons = town.first.read(lambda session: {one.id: one.person_id for one in session.scalars(select(Dependent))})
        told, totals = town.simulate({"max_per_person_day": most})
        assert [one.number for one in told] == expected(town.booked(), persons, most)
        assert totals.by_rule == ({"person_limit": len(told)} if told else {})
        seen[bool(told)] += 1

    history()
    assert seen[True] > 2


# --- each rule, and what it is looked at with


@pytest.mark.parametrize(
    ("policy", "rules"),
    [
        ({}, []),
        ({"closed_from": "00:00", "closed_until": "23:59"}, ["closed_hours"]),
        ({"release_days_before": 1}, ["not_released"]),
        ({"closes_minutes_before": 5 * 24 * 60}, ["schedule_closed", "sold_out"]),
        ({"required_fields": ["email"]}, ["fields_required"]),
        ({"required_fields": ["hospital_card"]}, ["fields_required"]),
        ({"min_identity_level": 2}, []),
        ({"max_per_person_7_days": 1}, []),
        ({"pay_modes": ["online"]}, []),
    ],
)
def test_a_booking_alone(town: Town, policy: dict[str, Any], rules: list[str]) -> None:
    town.first.book(PayMode.ON_SITE)
    town.clock.advance(timedelta(days=2))  # it is judged as of then
    assert codes(town.simulate(policy)[0]) == ([rules] if rules else [])


@pytest.mark.parametrize(
    ("policy", "rules"),
    [
        ({}, [[], [], [], []]),
        ({"max_per_person_7_days": 2}, [[], [], ["period_limit"], ["period_limit"]]),
        ({"max_per_person_hospital_day": 1}, [[], ["person_limit"], [], ["person_limit"]]),
        # Whoever is refused never had the number: the second does not stand in the way of the third.
        (
            {"max_per_person_7_days": 2, "max_open_per_person_department_day": 1},
            [[], ["already_booked"], [], ["already_booked", "period_limit"]],
        ),
    ],
)
def test_what_stood_then_counts(town: Town, policy: dict[str, Any], rules: list[list[str]]) -> None:
    for at in (0, 2, 3, 4):
        town.first.book(PayMode.ON_SITE, schedule_id=town.halves[at])
        town.clock.advance(timedelta(minutes=1))
    for one in town.booked():
        town.first.cancel(one.id)  # they stood then
    told = {one.number: codes([one])[0] for one in town.simulate(policy)[0]}
    assert [told.get(one.number, []) for one in town.booked()] == rules


def test_facts_and_a_masked_name_are_told(town: Town) -> None:
    for at in (0, 2):
        town.first.book(PayMode.ON_SITE, schedule_id=town.halves[at])
        town.clock.advance(timedelta(minutes=1))
    (one,), totals = town.simulate({"max_per_person_7_days": 1})
    second = town.booked()[1]
    assert (one.number, one.name_masked, one.booked_at) == (second.number, "测**", second.created_at)
    facts = one.errors[0].facts
    assert (facts["most"], facts["days"]) == (1, 7)
    assert (totals.replayed, totals.by_rule) == (2, {"period_limit": 1})


def test_two_places_at_once_by_the_number_that_was_had(patient: Patient) -> None:
    town = Town(patient.workbench, patient.clock, patient.adapters, may_overlap=True)
    town.first.book(PayMode.ON_SITE)
    town.clock.advance(timedelta(minutes=1))
    town.first.book(PayMode.ON_SITE, schedule_id=town.halves[1])
    assert town.simulate({})[0] == []
    assert codes(town.simulate({"may_overlap": False})[0]) == [["overlaps"]]


def test_what_is_known_today_counts_where_the_policy_makes_the_difference(patient: Patient) -> None:
    def set_whom(session: Session, **values: Any) -> None:
        session.execute(update(Dependent).where(Dependent.id == patient.dependent_id).values(**values))

    set_schedule(patient, terms={**TERMS, "required_fields": ["email"]})
    patient.write(lambda session, _now: set_whom(session, email_sealed=b"sealed"))
    patient.book(PayMode.ON_SITE)
    town = Town(patient.workbench, patient.clock, patient.adapters, required_fields=["email"], of=patient)
    patient.write(lambda session, _now: set_whom(session, email_sealed=None))
    assert town.simulate({})[0] == []  # they were asked, and had one then
    patient.write(lambda session, _now: set_whom(session, email_sealed=b"sealed"))
    assert codes(town.simulate({"required_fields": ["email", "address"]})[0]) == [["fields_required"]]
    patient.write(lambda session, now: set_whom(session, archived_at=now, birth_date=date(1900, 1, 1)))  # erased
    assert town.simulate({"required_fields": ["email", "address"], "age_to": 100})[0] == []


def test_an_extra_number_is_not_asked_when_it_was_given(town: Town) -> None:
    doctor = town.first.write(lambda session, _now: make_doctor(session, here(session, town)).code)
    order = Order(town.halves[0], town.first.dependent_id, doctor, ExtraReason.FOLLOW_UP, "李护士", PayMode.ON_SITE)
    town.first.write(
        lambda session, now: issue_extra_number(
            session, order, now=now, cause=REQUEST, vault=town.first.workbench.vault
        )
    )
    town.clock.advance(timedelta(minutes=1))
    never = {"release_days_before": 1, "closed_from": "00:00", "closed_until": "23:59"}
    assert town.simulate(never)[0] == []
    assert codes(town.simulate({"closes_minutes_before": 5 * 24 * 60})[0]) == [["schedule_closed"]]


def test_2_1_3_a_kept_number_is_not_asked_when_the_desk_gave_it(town: Town) -> None:
    order = KeptOrder(town.halves[0], town.first.dependent_id, PoolChannel.ON_SITE, "李护士")

    def keep_and_give(session: Session, now: Any) -> None:
        session.get_one(Schedule, town.halves[0]).channels_return_at = now + timedelta(hours=2)
        slot = session.scalars(select(Slot).where(Slot.schedule_id == town.halves[0]).limit(1)).one()
        slot.withhold(session, why=WithheldReason.CHANNEL, at=now, cause=REQUEST)
        slot.channel = order.channel
        session.flush()
        issue_kept_number(session, order, now=now, cause=REQUEST, vault=town.first.workbench.vault)

    town.first.write(keep_and_give)
    at_any_hour = {"closed_from": "00:00", "closed_until": "23:59", "closes_minutes_before": 5 * 24 * 60}
    assert town.simulate(at_any_hour)[0] == []
    assert codes(town.simulate({"release_days_before": 1})[0]) == [["not_released"]]


def test_2_2_what_was_found_at_night_for_whoever_waited_is_not_asked_when(town: Town) -> None:
    only = beside(town.first, numbers=1, fee_fen=1000)
    town.renew()
    had = town.patients[2].book(PayMode.ON_SITE, schedule_id=only)
    town.clock.advance(timedelta(minutes=1))

    def wait(session: Session, now: Any) -> None:
        half_day = session.get_one(Schedule, only)
        where = (half_day.department_id, half_day.visit_date, half_day.visit_date, PayMode.ON_SITE)
        wish = WaitWish([town.first.dependent_id], *where, max_fee_fen=1000)
        wait_for_number(session, account_id=town.first.account_id, wish=wish, now=now, cause=REQUEST)

    town.first.write(wait)
    town.patients[2].cancel(had)
    town.first.work()
    first, found = town.booked()
    assert (first.id, found.account_id, found.slot_id) == (had, town.first.account_id, first.slot_id)
    told, totals = town.simulate({"closed_from": "00:00", "closed_until": "23:59"})
    assert ([one.number for one in told], totals.replayed) == ([first.number], 2)
    told, _ = town.simulate({"closes_minutes_before": 5 * 24 * 60})
    assert codes(told) == [["schedule_closed", "sold_out"], ["schedule_closed"]]


def come(town: Town, appointment_id: UUID) -> None:
    def step(session: Session, now: Any) -> None:
        visit = session.get_one(Appointment, appointment_id)
        visit.check_in(session, at=now, cause=REQUEST)
        visit.fulfil(session, at=now, cause=REQUEST)

    town.first.write(step)
    town.clock.advance(timedelta(minutes=1))


def test_what_a_minor_said_counts_under_no_policy(patient: Patient) -> None:
    """Of age on the day of the visit, and not yet when they agreed."""
    town = Town(patient.workbench, patient.clock, patient.adapters, agreement_to_age=0, of=patient)
    town.first.book(PayMode.ON_SITE)
    visit = town.booked()[0].visit_date
    grown_up = {"agreement_to_age": 59}
    assert town.simulate(grown_up)[0] == []
    born = date(visit.year - 18, visit.month, visit.day)
    patient.write(lambda session, _now: session.execute(update(Dependent).values(birth_date=born)))
    assert codes(town.simulate(grown_up)[0]) == [["agreement_required"]]


def test_2_12_first_and_return_visits_are_as_they_were_then(town: Town) -> None:
    booked_before = town.patients[2].book(PayMode.ON_SITE, schedule_id=town.halves[4])
    first = town.first.book(PayMode.ON_SITE)
    town.clock.advance(timedelta(minutes=1))
    come(town, first)
    town.first.book(PayMode.ON_SITE, schedule_id=town.halves[2])  # of the same department
    town.clock.advance(timedelta(minutes=1))
    town.patients[1].book(PayMode.ON_SITE, schedule_id=town.halves[1])  # of another, by another account
    come(town, booked_before)
    town.first.write(lambda session, now: session.execute(update(Dependent).values(archived_at=now)))
    told = {one.number: one.errors for one in town.simulate({"visit_kinds": ["first"]})[0]}
    assert [[(one.code, one.facts.get("guard")) for one in told.get(each.number, [])] for each in town.booked()] == [
        [], [], [("not_eligible", "visit_kind")], [],
    ]  # fmt: skip
    # In the hospital it was no first one, either; through whom is not told.
    anywhere = {"visit_kinds": ["first"], "return_visit_scope": "hospital"}
    assert codes(town.simulate(anywhere)[0]) == [["not_eligible"], ["person_limit"]]
    # Whoever is refused was never there: there is nothing to come again for.
    assert codes(town.simulate({"visit_kinds": ["return"]})[0]) == [["not_eligible"]] * 4
    assert town.simulate({"visit_kinds": ["first"], "return_visit_days": 1})[1].refused == 1
    assert town.simulate({"visit_kinds": ["first", "return"]})[0] == []


def test_2_4_numbers_of_one_phone_in_a_month(town: Town) -> None:
    """Everybody whom the factory makes has the same phone."""
    town.patients[1].cancel(town.patients[1].book(PayMode.ON_SITE, schedule_id=town.halves[1]))
    town.clock.advance(timedelta(minutes=3))
    changed = town.patients[2].book(PayMode.ONLINE, schedule_id=town.halves[1])
    town.clock.advance(timedelta(minutes=1))
    town.patients[2].reschedule(changed, town.halves[2])  # a dearer one, which stands beside it until it is paid
    town.clock.advance(timedelta(minutes=1))
    town.first.book(PayMode.ON_SITE, schedule_id=town.halves[3])
    booked = town.booked()

    def refused(most: int) -> list[int]:
        told = {one.number: codes([one])[0] for one in town.simulate({"max_per_phone_month": most})[0]}
        assert set(map(str, told.values())) <= {"['person_limit']"}
        return [at for at, one in enumerate(booked) if one.number in told]

    assert (refused(1), refused(2)) == ([3], [])
    town.first.write(lambda session, _now: session.execute(update(Dependent).values(phone_hash_key=2)))
    assert refused(1) == [3]
    last = booked[3]
    next_month = last.created_at + timedelta(days=31)
    moved = update(Appointment).where(Appointment.id == last.id).values(created_at=next_month)
    town.clock.set(next_month + DAY)
    town.first.write(lambda session, _now: session.execute(moved))
    (rules,) = codes(town.simulate({"max_per_phone_month": 1})[0])
    assert "person_limit" not in rules


def test_2_4_whoever_has_another_phone_since_is_not_refused_by_the_policy_in_force(patient: Patient) -> None:
    set_schedule(patient, terms={**TERMS, "max_per_phone_month": 1})
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, phone="+8613000000001")
    patient.book(PayMode.ON_SITE)
    patient.clock.advance(timedelta(minutes=1))
    other.book(PayMode.ON_SITE)
    town = Town(patient.workbench, patient.clock, patient.adapters, max_per_phone_month=1, of=patient)

    def same_phone(session: Session, _now: Any) -> None:
        one, another = (session.get_one(Dependent, whom.dependent_id) for whom in (patient, other))
        another.phone_hash, another.phone_hash_key = one.phone_hash, one.phone_hash_key

    town.first.write(same_phone)
    assert town.simulate({}) == ([], Totals(replayed=2))


def here(session: Session, town: Town) -> Department:
    return session.get_one(Department, session.get_one(Schedule, town.halves[0]).department_id)


def test_the_doctor_of_then_has_the_word(town: Town) -> None:
    """A half day that was given to another doctor since is judged by the policy of whom it was booked with."""

    def hire(session: Session, now: Any) -> UUID:
        doctor = make_doctor(session, here(session, town))
        row = {"level": PolicyLevel.DOCTOR, "subject": doctor.code, "document": {"closed_until": "23:59"}}
        session.add(BookingPolicyRow(id=new_id(), version=1, updated_at=now, **row))
        return doctor.id

    doctor_id = town.first.write(hire)
    give = {"schedule_id": town.halves[0], "doctor_id": doctor_id, "fee_fen": None, "order": ORDER}
    town.first.book(PayMode.ON_SITE)
    town.clock.advance(timedelta(minutes=1))
    town.first.write(lambda session, now: substitute_doctor(session, now=now, **give))
    assert town.simulate({})[0] == []
    town.clock.advance(timedelta(minutes=1))
    town.patients[2].book(PayMode.ON_SITE)
    assert codes(town.simulate({})[0]) == [["closed_hours"]]


def test_2_4_with_whom_another_number_was_then_counts(town: Town) -> None:
    """Both half days were one doctor's; one of them has been another's since."""

    def hire(session: Session, _now: Any) -> UUID:
        doctor, another = (make_doctor(session, here(session, town)) for _ in range(2))
        half_days = [session.get_one(Schedule, town.halves[at]) for at in (0, 2)]
        for one in half_days:
            one.doctor_id, one.doctor_code = doctor.id, doctor.code
        return another.id

    another = town.first.write(hire)
    for at in (0, 2):
        town.first.book(PayMode.ON_SITE, schedule_id=town.halves[at])
        town.clock.advance(timedelta(minutes=1))
    give = {"schedule_id": town.halves[0], "doctor_id": another, "fee_fen": None, "order": ORDER}
    town.first.write(lambda session, now: substitute_doctor(session, now=now, **give))
    told, _ = town.simulate({"max_open_per_person_doctor_day": 1})
    assert ([one.number for one in told], codes(told)) == ([town.booked()[1].number], [["already_booked"]])
    assert town.simulate({"max_open_per_person_doctor_day": 2})[0] == []


# --- of which bookings, and how they are read


def test_departments_days_and_codes(town: Town) -> None:
    today = hospital_day(town.clock.now())
    for at in (0, 3):
        town.first.book(PayMode.ON_SITE, schedule_id=town.halves[at])
        town.clock.advance(DAY)
    never = {"closed_from": "00:00", "closed_until": "23:59"}
    (here, there) = ([one.number] for one in town.booked())
    asked: list[tuple[dict[str, Any], list[str]]] = [
        ({}, [*here, *there]),
        ({"departments": [town.departments[1]]}, there),
        ({"departments": town.departments}, [*here, *there]),
        ({"first": today + DAY}, there),
        ({"last": today}, here),
        ({"first": today + 2 * DAY, "last": today + 3 * DAY}, []),
    ]
    for words, numbers in asked:
        assert [one.number for one in town.simulate(never, **words)[0]] == numbers, words
    # What is narrower than the level that is changed still wins.
    row = {"level": PolicyLevel.DEPARTMENT, "subject": town.departments[0], "document": {"closed_until": "00:00"}}
    town.first.write(lambda _s, now: _s.add(BookingPolicyRow(id=new_id(), version=1, updated_at=now, **row)))
    assert [one.number for one in town.simulate(never)[0]] == there
    assert [one.number for one in town.simulate(never, departments=town.departments)[0]] == [*here, *there]
    for words in ({"departments": ["nowhere"]},):
        with pytest.raises(UnknownCode):
            town.simulate(never, **words)
    town.code = "nowhere"
    with pytest.raises(UnknownCode):
        town.simulate(never)


def test_many_are_read_in_pages_and_nothing_is_written(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    for patient in (town.first, town.patients[2]):
        for at in (0, 2, 3):
            patient.book(PayMode.ON_SITE, schedule_id=town.halves[at])  # several in one instant
        town.clock.advance(timedelta(minutes=1))
    whole = town.simulate({"max_per_person_7_days": 1})
    assert (whole[1].replayed, whole[1].refused) == (6, 4)
    monkeypatch.setattr(simulating, "_AT_ONCE", 2)
    monkeypatch.setattr(simulating, "_IN_ORDER", 3)
    said: list[str] = []
    engine = town.first.workbench.transactions.database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    in_pages = town.simulate({"max_per_person_7_days": 1})
    assert [one.number for one in in_pages[0]] == [one.number for one in whole[0]]
    assert in_pages[1] == whole[1]
    assert said
    assert {words.split()[0] for words in said} <= {"SELECT", "BEGIN", "SET"}
    assert not any("FOR UPDATE" in words or "FOR NO KEY" in words for words in said)
