"""1.2.8: 周岁 is reached on the birthday itself, and the two birthdays that change who decides are told once."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from factories import (
    make_account,
    make_department,
    make_dependent,
    make_hospital,
    make_identity,
    make_person,
    make_schedule,
)
from fakes import FakeAdapters, ManualClock
from harness import make_workbench
from hypothesis import given
from hypothesis import strategies as st
from people import agree, resident_id
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.eligibility import explain_for
from core.clock import HOSPITAL_ZONE
from core.dependents.birthdays import births_that_turn, tell_birthdays
from core.dependents.minors import needs_minor_consent
from core.jobs.queue import LeasedJob
from core.transactions import Transactions
from miniapp_api.worker import HANDLERS, PERIODIC
from models.account import Purpose
from models.notice import Notice, NoticeKind
from models.person import Dependent, Relationship, age_on
from models.sealing import Vault

TURNED_14, TURNED_18 = NoticeKind.DEPENDENT_TURNED_14, NoticeKind.DEPENDENT_TURNED_18


def at(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), HOSPITAL_ZONE).astimezone(UTC)


@pytest.mark.parametrize(
    ("born", "day_before", "birthday"),
    [
        (date(2008, 11, 25), date(2026, 11, 24), date(2026, 11, 25)),
        (date(2008, 2, 29), date(2026, 2, 28), date(2026, 3, 1)),
        (date(2008, 1, 1), date(2025, 12, 31), date(2026, 1, 1)),
    ],
)
def test_1_2_8_eighteen_is_reached_on_the_birthday_itself(born: date, day_before: date, birthday: date) -> None:
    assert (age_on(born, day_before), age_on(born, birthday)) == (17, 18)
    child = Dependent(birth_date=born)
    assert (needs_minor_consent(child, day_before), needs_minor_consent(child, birthday)) == (True, False)
    assert born in births_that_turn(18, birthday)
    assert born not in births_that_turn(18, day_before)


@given(st.dates(date(1990, 1, 1), date(2020, 12, 31)), st.sampled_from([14, 18]))
def test_1_2_8_everybody_turns_on_one_day(born: date, age: int) -> None:
    near = [date(born.year + age, 1, 1) + timedelta(days=days) for days in range(366)]
    days = [day for day in near if born in births_that_turn(age, day)]
    assert len(days) == 1
    assert (age_on(born, days[0]), age_on(born, days[0] - timedelta(days=1))) == (age, age - 1)


def family(
    transactions: Transactions, vault: Vault, born: date, now: datetime, *, order: int = 997, **more: Any
) -> Dependent:
    def make(session: Session, _now: datetime) -> Dependent:
        account = make_account(session, now=now)
        make_identity(session, vault, account)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        person = make_person(session, vault, id_number=resident_id(birth=born, order=order))
        facts = {"relationship": Relationship.SON, "birth_date": born, "now": now} | more
        return make_dependent(session, vault, account, identifier=person, **facts)

    return transactions.write(make)


def told(transactions: Transactions, vault: Vault, clock: ManualClock) -> list[tuple[NoticeKind, Any]]:
    workbench = make_workbench(transactions, vault, FakeAdapters(clock))
    job: LeasedJob = None  # type: ignore[assignment]
    tell_birthdays(workbench, job)
    query = select(Notice.kind, Notice.dependent_id).order_by(Notice.id)
    return transactions.read(lambda session, _now: [(kind, about) for kind, about in session.execute(query)])


@pytest.mark.parametrize(("age", "kind"), [(14, TURNED_14), (18, TURNED_18)])
def test_1_2_3_the_account_is_told_on_the_day_and_once(
    transactions: Transactions, vault: Vault, clock: ManualClock, age: int, kind: NoticeKind
) -> None:
    day = clock.now().astimezone(HOSPITAL_ZONE).date()
    born = date(day.year - age, day.month, day.day)
    child = family(transactions, vault, born, clock.now() - timedelta(days=100))
    clock.advance(at(day, 0) - timedelta(minutes=1) - clock.now())
    assert told(transactions, vault, clock) == []
    clock.advance(timedelta(minutes=1))
    assert told(transactions, vault, clock) == [(kind, child.id)]
    clock.advance(timedelta(days=1))
    assert told(transactions, vault, clock) == [(kind, child.id)]


def test_1_2_3_a_worker_that_was_away_makes_up_for_a_week(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    day = clock.now().astimezone(HOSPITAL_ZONE).date() - timedelta(days=6)
    child = family(transactions, vault, date(day.year - 18, day.month, day.day), clock.now() - timedelta(days=100))
    family(
        transactions, vault, date(day.year - 18, day.month, day.day), clock.now(), order=995
    )  # added when it was over
    assert told(transactions, vault, clock) == [(TURNED_18, child.id)]


def test_the_worker_does_it_every_day() -> None:
    assert HANDLERS["tell_birthdays"] is tell_birthdays
    assert [one.every for one in PERIODIC if one.kind == "tell_birthdays"] == [timedelta(days=1)]


def test_1_2_1_on_the_18th_birthday_their_own_word_takes_the_place_of_the_guardians(
    transactions: Transactions, vault: Vault, clock: ManualClock
) -> None:
    """As old as they are on the day of the visit, the day before and the day itself."""
    visit = clock.now().astimezone(HOSPITAL_ZONE).date() + timedelta(days=3)
    for born_on, code in ((visit + timedelta(days=1), "fields_required"), (visit, "agreement_required")):
        born = date(born_on.year - 18, born_on.month, born_on.day)
        child = family(transactions, vault, born, clock.now(), agreed=False)

        def look(session: Session, now: datetime, child: Dependent = child) -> list[str]:
            department = make_department(session, make_hospital(session))
            schedule = make_schedule(session, department, visit_date=visit, now=now)
            said = explain_for(
                session, schedule_id=schedule.id, dependent_id=child.id, account_id=child.account_id, now=now
            )
            return [reason.error.code for reason in said.reasons]

        assert transactions.write(look) == [code]
