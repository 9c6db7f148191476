"""What breaks the promises about a person's visits over time and at one time."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.orm import Session

from models.appointment import Appointment
from models.base import new_id
from models.schedule import Slot
from plants import World, change, clone, plant, quiet, read_row


def _visits(session: Session, world: World, count: int, *, apart: int, **limits: int) -> None:
    """So many more, `apart` days from one to the next, the last ones over the end of a year."""
    first = date(2027, 12, 30) if apart == 1 else date(2028, 2, 1)
    terms = read_row(session, Appointment, world.paid)["terms"] | limits
    change(session, Appointment, world.paid, visit_date=first, terms=terms)
    for number in range(1, count):
        day = first + timedelta(days=apart * number)
        clone(
            session, Appointment, world.paid,
            schedule_id=new_id(), department_id=new_id(), slot_id=new_id(), visit_date=day, terms=terms,
        )  # fmt: skip


@plant("person_within_week_limit")
def _three_in_a_week(session: Session, world: World) -> None:
    _visits(session, world, 3, apart=3, max_per_person_7_days=2)


@quiet("person_within_week_limit")
def _three_in_eight_days(session: Session, world: World) -> None:
    _visits(session, world, 2, apart=7, max_per_person_7_days=1)


@plant("person_within_week_limit")
def _six_over_the_end_of_a_year(session: Session, world: World) -> None:
    _visits(session, world, 6, apart=1, max_per_person_7_days=5)


@plant("person_within_quarter_limit")
def _on_the_first_and_the_last_of_three_months(session: Session, world: World) -> None:
    _visits(session, world, 2, apart=90, max_per_person_3_months=1)


@quiet("person_within_quarter_limit")
def _a_day_later(session: Session, world: World) -> None:
    _visits(session, world, 2, apart=91, max_per_person_3_months=1)


def _once_more_at_that_time(session: Session, world: World, *, may_overlap: bool, later: timedelta) -> None:
    """In another hospital."""
    paid = read_row(session, Appointment, world.paid)
    first = read_row(session, Slot, paid["slot_id"])
    terms = paid["terms"] | {"may_overlap": may_overlap}
    change(session, Appointment, world.paid, terms=terms)
    at = {"starts_at": first["starts_at"] + later, "ends_at": first["ends_at"] + later}
    other = clone(session, Slot, first["id"], schedule_id=new_id(), **at)
    clone(
        session, Appointment, world.paid,
        schedule_id=new_id(), department_id=new_id(), slot_id=other, terms=terms,
    )  # fmt: skip


@plant("person_is_in_one_place")
def _in_two_places(session: Session, world: World) -> None:
    _once_more_at_that_time(session, world, may_overlap=False, later=timedelta(minutes=29))


@quiet("person_is_in_one_place")
def _right_after_one_another(session: Session, world: World) -> None:
    _once_more_at_that_time(session, world, may_overlap=False, later=timedelta(minutes=30))


@quiet("person_is_in_one_place")
def _where_the_terms_let_them(session: Session, world: World) -> None:
    _once_more_at_that_time(session, world, may_overlap=True, later=timedelta(0))
