"""What a number costs whom, line by line: registration, consultation, and what is taken off for their age (rules.md
3.2, 3.3)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from exchanging import later, states
from factories import make_doctor
from fakes import FakeAdapters, ManualClock
from families import bundled
from harness import Patient, make_patient, relatives
from hospital_acts import ORDER
from hypothesis import given
from hypothesis import strategies as st
from offering import Clinics, make_clinics
from sqlalchemy import func, select, update

from core.booking.clinic.change_clinic import move_schedule, substitute_doctor
from core.booking.eligibility import explain
from core.booking.policy import BookingPolicy, InvalidPolicy
from core.booking.tariff import price_for
from core.booking.terms import Terms
from core.booking.views import view_appointment
from core.refusals import FeeChanged
from core.workbench import Workbench
from models.appointment import PayMode
from models.charge import ChargeLine, FeeKind
from models.hospital import Department
from models.payment import RefundLine
from models.person import Dependent
from models.schedule import Schedule, Slot

ELDERS: dict[str, Any] = {"age_from": 65, "age_to": 150, "percent": 100, "basis": "老年人免收普通门诊挂号费"}
CHILDREN: dict[str, Any] = {"age_from": 0, "age_to": 5, "percent": 30, "basis": "儿童优惠"}
VISIT = date(2026, 12, 1)


def price(fee_fen: int, born: date, **terms: Any) -> list[tuple[str, int]]:
    schedule = Schedule(fee_fen=fee_fen, visit_date=VISIT, clinic_type="GENERAL")
    made = price_for(Dependent(birth_date=born), schedule, Terms.from_document({"version": "a"} | terms))
    assert made.list_fen == fee_fen
    assert made.due_fen == sum(one.amount_fen for one in made.lines)
    return [(str(one.kind), one.amount_fen) for one in made.lines]


@pytest.mark.parametrize(
    ("fee", "consultation", "lines"),
    [
        (5000, 0, [("registration", 5000)]),
        (5000, 4500, [("registration", 500), ("consultation", 4500)]),
        (5000, 5000, [("consultation", 5000)]),
        (3000, 4500, [("consultation", 3000)]),
        (0, 4500, [("registration", 0)]),
    ],
)
def test_a_fee_is_told_by_its_legal_kinds(fee: int, consultation: int, lines: list[tuple[str, int]]) -> None:
    assert price(fee, date(1990, 1, 1), consultation_fen=consultation) == lines


@pytest.mark.parametrize(
    ("born", "off"),
    [
        (date(1961, 12, 1), 5000),  # 65 on the very day
        (date(1961, 12, 2), 0),
        (date(2020, 12, 2), 1500),  # 5 for the last day
        (date(2020, 12, 1), 0),
        (date(1990, 1, 1), 0),
    ],
)
def test_the_age_is_that_of_the_day_of_the_visit(born: date, off: int) -> None:
    lines = price(5000, born, fee_discounts=[ELDERS, CHILDREN])
    assert lines == [("registration", 5000), *([("discount", -off)] if off else [])]


def test_the_first_that_fits_counts_and_only_in_its_kind_of_clinic() -> None:
    experts = ELDERS | {"clinic_types": ["EXPERT"]}
    half = ELDERS | {"percent": 50}
    assert price(5000, date(1950, 1, 1), fee_discounts=[experts, half, ELDERS])[1:] == [("discount", -2500)]
    assert price(5000, date(1950, 1, 1), fee_discounts=[experts]) == [("registration", 5000)]


@given(fee=st.integers(0, 10_000_000), part=st.integers(0, 10_000_000), percent=st.integers(1, 100))
def test_nobody_is_ever_owed_money_and_no_part_of_a_fen_is_taken(fee: int, part: int, percent: int) -> None:
    lines = price(fee, date(1950, 1, 1), consultation_fen=part, fee_discounts=[ELDERS | {"percent": percent}])
    due = sum(fen for _, fen in lines)
    assert 0 <= due <= fee
    assert due * 100 <= fee * (100 - percent) < (due + 1) * 100


@pytest.mark.parametrize(
    "bad",
    [
        ELDERS | {"percent": 0},
        ELDERS | {"percent": 101},
        ELDERS | {"percent": True},
        ELDERS | {"age_from": 151},
        ELDERS | {"age_from": 70, "age_to": 60},
        ELDERS | {"basis": " "},
        ELDERS | {"basis": "a\nb"},
        ELDERS | {"clinic_types": []},
        ELDERS | {"clinic_types": [""]},
        ELDERS | {"more": 1},
        {"age_from": 65, "age_to": 150, "percent": 100},
    ],
)
def test_a_discount_that_is_none_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy) as raised:
        BookingPolicy.parse({"fee_discounts": [bad]})
    assert [(fault.key, fault.code) for fault in raised.value.faults] == [("fee_discounts", "bad_value")]


# --- from booking to refund


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    """Of 70 years, where elders pay half, and 45 of the 50 yuan are for the consultation."""
    terms = {"consultation_fen": 4500, "fee_discounts": [ELDERS | {"percent": 50}, CHILDREN]}
    made = make_patient(workbench, clock, adapters, terms=terms)
    is_of_age(made, made.dependent_id, 70)
    return made


def is_of_age(patient: Patient, dependent_id: UUID, years: int) -> None:
    born = date(patient.clock.now().year - years, 1, 1)
    patient.write(
        lambda session, _now: session.execute(
            update(Dependent).where(Dependent.id == dependent_id).values(birth_date=born)
        )
    )


def lines_of(patient: Patient, appointment_id: UUID) -> list[tuple[FeeKind, int, str]]:
    query = select(ChargeLine).where(ChargeLine.appointment_id == appointment_id).order_by(ChargeLine.id)
    found = patient.read(lambda session: session.scalars(query).all())
    return [(one.kind, one.amount_fen, one.legal_basis) for one in found]


def pay(patient: Patient, appointment_id: UUID) -> None:
    assert patient.open_payment(appointment_id) is None
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.work()


def test_what_is_due_is_paid_and_given_back(patient: Patient) -> None:
    appointment_id = patient.book()
    assert lines_of(patient, appointment_id) == [
        (FeeKind.REGISTRATION, 500, "hospital price list"),
        (FeeKind.CONSULTATION, 4500, "hospital price list"),
        (FeeKind.DISCOUNT, -2500, ELDERS["basis"]),
    ]
    pay(patient, appointment_id)
    assert [one.amount_fen for one in patient.payments()] == [2500]
    assert states(patient, appointment_id) == ["booked"]
    patient.cancel(appointment_id)
    patient.work()
    assert [one.amount_fen for one in patient.refunds()] == [2500]
    patient.assert_sound()


def test_what_costs_nothing_for_them_is_theirs_at_once(patient: Patient) -> None:
    is_of_age(patient, patient.dependent_id, 30)
    for_all = later(patient, terms={"fee_discounts": [ELDERS | {"age_from": 18}]})
    appointment_id = patient.book(schedule_id=for_all)
    assert states(patient, appointment_id) == ["booked"]
    assert patient.appointment(appointment_id).fee_fen == 0
    patient.assert_sound()


@pytest.mark.parametrize(("expected", "refused"), [(5000, False), (2500, False), (None, False), (2499, True)])
def test_who_saw_the_list_price_may_pay_less_and_never_more(
    patient: Patient, expected: int | None, refused: bool
) -> None:
    if not refused:
        assert patient.appointment(patient.book(expected_fee_fen=expected)).fee_fen == 2500
        return
    with pytest.raises(FeeChanged) as told:
        patient.book(expected_fee_fen=expected)
    assert told.value.facts == {"fee_fen": 2500}
    assert patient.slots()[0].status == "free"


def test_it_is_told_before_it_is_paid(patient: Patient) -> None:
    said = patient.read(
        lambda session: explain(
            session,
            schedule=session.get_one(Schedule, patient.schedule_id),
            dependent=(whom := session.get_one(Dependent, patient.dependent_id)),
            person_id=whom.person_id,
            now=patient.clock.now(),
        )
    )
    assert (said.allowed, said.price.list_fen, said.price.due_fen) == (True, 5000, 2500)


def test_each_of_a_family_pays_their_own_price_and_all_of_it_at_once(patient: Patient) -> None:
    (child,) = relatives(patient, 1)
    is_of_age(patient, child, 30)
    view = bundled(patient, [(patient.dependent_id, patient.schedule_id), (child, patient.schedule_id)])
    assert [one.appointment.fee_fen for one in view.items] == [2500, 5000]
    ids = [one.appointment.id for one in view.items]
    pay(patient, ids[0])
    assert [one.amount_fen for one in patient.payments()] == [7500]
    patient.cancel(ids[0])
    patient.work()
    assert [one.amount_fen for one in patient.refunds()] == [2500]
    patient.assert_sound()


def given_back(patient: Patient) -> list[list[tuple[UUID, int]]]:
    """By refund, of whose lines it gives back how much."""
    query = (
        select(RefundLine.refund_id, ChargeLine.appointment_id, func.sum(RefundLine.amount_fen))
        .join(ChargeLine, ChargeLine.id == RefundLine.charge_line_id)
        .group_by(RefundLine.refund_id, ChargeLine.appointment_id)
    )
    rows = patient.read(lambda session: session.execute(query).all())
    of = {one.id: [(whose, int(fen)) for refund, whose, fen in rows if refund == one.id] for one in patient.refunds()}
    return list(of.values())


@pytest.mark.parametrize("percent", [50, 100])
def test_what_goes_back_to_each_of_a_family_is_their_own(patient: Patient, percent: int) -> None:
    """What an elder did not pay is nothing that could go back, and nobody else's refund is told under their number."""
    there = later(patient, terms={"fee_discounts": [ELDERS | {"percent": percent}]})
    (child,) = relatives(patient, 1)
    is_of_age(patient, child, 30)
    elders, childs = (
        one.appointment.id for one in bundled(patient, [(patient.dependent_id, there), (child, there)]).items
    )
    pay(patient, childs)
    patient.cancel(elders)
    patient.cancel(childs)
    patient.work()
    own = 5000 - 50 * percent
    assert given_back(patient) == [*([[(elders, own)]] if own else []), [(childs, 5000)]]
    shown = [
        patient.read(
            lambda session, one=one: view_appointment(session, appointment_id=one, account_id=patient.account_id)
        )
        for one in (elders, childs)
    ]
    assert [one.refund and one.refund.amount_fen for one in shown] == [own or None, 5000]
    patient.assert_sound()


def test_whoever_pays_nothing_sits_beside_whoever_pays(patient: Patient) -> None:
    """Taken by one and the same look: 2 is another's, so that 1 has no neighbour."""
    there = later(patient, numbers=5, terms={"fee_discounts": [ELDERS]})
    second = patient.read(
        lambda session: session.scalars(select(Slot.id).where(Slot.schedule_id == there, Slot.sequence == 2)).one()
    )
    patient.write(lambda session, _now: session.execute(update(Slot).where(Slot.id == second).values(status="booked")))
    (child,) = relatives(patient, 1)
    is_of_age(patient, child, 30)
    view = bundled(patient, [(patient.dependent_id, there), (child, there)])
    assert [one.slot.sequence for one in view.items] == [3, 4]
    assert [one.appointment.status for one in view.items] == ["booked", "pending"]


def test_what_an_exchange_gives_back_is_of_the_old_number(patient: Patient) -> None:
    """Line by line, of two lines and a discount; with the new number goes what was carried over to it."""
    old = patient.book()
    pay(patient, old)
    same = {"consultation_fen": 2500, "fee_discounts": [ELDERS | {"percent": 30}]}
    new = patient.reschedule(old, later(patient, fee_fen=3000, terms=same))
    patient.work()
    assert given_back(patient) == [[(old, 400)]]
    patient.cancel(new)
    patient.work()
    assert given_back(patient) == [[(old, 400)], [(new, 2100)]]
    patient.assert_sound()


@pytest.mark.parametrize(("fee", "back", "more"), [(5000, [], []), (3000, [1000], []), (9000, [], [2000])])
def test_in_an_exchange_what_is_due_is_compared_and_not_what_is_listed(
    patient: Patient, fee: int, back: list[int], more: list[int]
) -> None:
    old = patient.book()
    pay(patient, old)
    terms = {"fee_discounts": [ELDERS | {"percent": 50}]}
    new = patient.reschedule(old, later(patient, fee_fen=fee, terms=terms), expected_fee_fen=fee)
    if more:
        pay(patient, new)
    patient.work()
    assert [one.amount_fen for one in patient.payments()] == [2500, *more]
    assert [one.amount_fen for one in patient.refunds()] == back
    assert states(patient, new) == ["booked"]
    patient.assert_sound()


def test_a_cheaper_doctor_gives_back_what_this_patient_pays_less(patient: Patient) -> None:
    appointment_id = patient.book()
    pay(patient, appointment_id)
    doctor_id = patient.write(
        lambda session, _now: (
            make_doctor(
                session,
                session.get_one(Department, session.get_one(Schedule, patient.schedule_id).department_id),
            ).id
        )
    )
    patient.write(
        lambda session, now: substitute_doctor(
            session, schedule_id=patient.schedule_id, doctor_id=doctor_id, fee_fen=3000, order=ORDER, now=now
        )
    )
    patient.work()
    assert [one.amount_fen for one in patient.refunds()] == [1000]
    assert patient.appointment(appointment_id).fee_fen == 1500
    patient.assert_sound()


def test_a_clinic_that_is_moved_costs_what_it_cost(patient: Patient) -> None:
    """Whatever would come out of it by now: only another doctor makes another price."""
    is_of_age(patient, patient.dependent_id, 30)
    appointment_id = patient.book()
    pay(patient, appointment_id)
    is_of_age(patient, patient.dependent_id, 70)
    starts_at = patient.slots()[0].starts_at + timedelta(minutes=30)
    move = {"schedule_id": patient.schedule_id, "starts_at": starts_at, "campus_id": None, "order": ORDER}
    patient.write(lambda session, now: move_schedule(session, now=now, **move))
    patient.work()
    assert patient.appointment(appointment_id).fee_fen == 5000
    assert patient.refunds() == []
    patient.assert_sound()


def test_what_is_offered_for_a_lost_number_is_at_their_price(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    """And never dearer than what they had: the discount of the law and that of the hospital stand side by side."""
    clinics: Clinics = make_clinics(workbench, clock, adapters)
    patient = clinics.patient
    half = {"fee_discounts": [ELDERS | {"percent": 50}]}
    patient.write(
        lambda session, _now: [
            setattr(one, "terms", {**one.terms, **half}) for one in session.scalars(select(Schedule)).all()
        ]
    )
    is_of_age(patient, patient.dependent_id, 70)
    patient.paid()
    offers = clinics.suspended()
    assert [one.fee_fen for one in offers] == [1500, 2500, 2500]
    new = clinics.accept(offers[1])
    patient.work()
    assert lines_of(patient, new) == [
        (FeeKind.REGISTRATION, 8000, "hospital price list"),
        (FeeKind.DISCOUNT, -4000, ELDERS["basis"]),
        (FeeKind.DISCOUNT, -1500, "clinic suspended by the hospital, no surcharge"),
    ]
    assert patient.appointment(new).fee_fen == 2500
    assert patient.refunds() == []
    patient.assert_sound()


def test_on_site_the_desk_takes_what_is_due(patient: Patient) -> None:
    appointment_id = patient.book(PayMode.ON_SITE)
    assert states(patient, appointment_id) == ["booked"]
    assert patient.appointment(appointment_id).fee_fen == 2500
    patient.assert_sound()
