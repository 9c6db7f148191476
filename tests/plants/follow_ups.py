"""What breaks the promises about one more visit on the same registration."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from models.appointment import Appointment, AppointmentStatus
from models.schedule import Slot, Surplus
from plants import World, change, clone, plant, quiet, read_row


def _came_again(
    session: Session, world: World, *, allowed: bool = True, in_line: bool = True, **values: object
) -> None:
    """On the day of the visit, for nothing, beside the numbers that are sold; `values` are what is wrong with it."""
    visit = read_row(session, Appointment, world.paid)
    change(session, Appointment, world.paid, follow_up_until=visit["visit_date"] if allowed else None)
    surplus = Surplus.EXTRA if in_line else None
    slot_id = clone(session, Slot, visit["slot_id"], sequence=99, surplus=surplus)
    rightful = {"slot_id": slot_id, "follow_up_of_id": world.paid, "follow_up_until": None, "fee_fen": 0}
    clone(session, Appointment, world.paid, **(rightful | values))


quiet("follow_up_is_rightful")(_came_again)
plant("follow_up_is_rightful")(partial(_came_again, allowed=False))
plant("follow_up_is_rightful")(partial(_came_again, in_line=False))
plant("follow_up_is_rightful")(partial(_came_again, fee_fen=1))


@plant("follow_up_is_rightful")
def _came_again_as_another(session: Session, world: World) -> None:
    _came_again(session, world, person_id=read_row(session, Appointment, world.on_site)["person_id"])


@plant("follow_up_is_rightful")
def _came_again_too_late(session: Session, world: World) -> None:
    _came_again(session, world, visit_date=read_row(session, Appointment, world.paid)["visit_date"] + timedelta(days=1))


@plant("follow_up_is_rightful")
def _came_again_twice(session: Session, world: World) -> None:
    _came_again(session, world)
    _came_again(session, world)


@quiet("follow_up_is_rightful")
def _the_first_was_given_back(session: Session, world: World) -> None:
    _came_again(session, world, status=AppointmentStatus.CANCELLED)
    _came_again(session, world)
