"""What breaks the promise about strikes and the appeals against them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from models.strike import AppealStatus, Lift, Strike, StrikeAppeal
from plants import World, any_id, change, plant, quiet


def _say(session: Session, world: World, status: AppealStatus, **strike: Any) -> None:
    """The world's appeal was rejected, and its strike counts."""
    strike_id = any_id(session, Strike, appointment_id=world.paid)
    change(session, StrikeAppeal, any_id(session, StrikeAppeal, strike_id=strike_id), status=status)
    change(session, Strike, strike_id, **{"at": world.now} | strike)


@plant("strike_agrees_with_appeal")
def _granted_and_counting(session: Session, world: World) -> None:
    _say(session, world, AppealStatus.GRANTED)


@plant("strike_agrees_with_appeal")
def _lifted_and_still_to_be_decided(session: Session, world: World) -> None:
    _say(session, world, AppealStatus.OPEN, lifted_at=world.now, lifted_why=Lift.SEEN)


@plant("strike_agrees_with_appeal")
def _lifted_and_restricting(session: Session, world: World) -> None:
    _say(session, world, AppealStatus.GRANTED, lifted_at=world.now, restricts_until=world.now)


@plant("strike_agrees_with_appeal")
def _resting_after_it_was_rejected(session: Session, world: World) -> None:
    _say(session, world, AppealStatus.REJECTED, paused_at=world.now)


@plant("strike_agrees_with_appeal")
def _resting_and_restricting(session: Session, world: World) -> None:
    _say(session, world, AppealStatus.OPEN, paused_at=world.now, restricts_until=world.now)


@quiet("strike_agrees_with_appeal")
def _resting_while_it_is_open(session: Session, world: World) -> None:
    _say(session, world, AppealStatus.OPEN, paused_at=world.now)


@quiet("strike_agrees_with_appeal")
def _lifted_although_it_was_rejected(session: Session, world: World) -> None:
    _say(session, world, AppealStatus.REJECTED, lifted_at=world.now, lifted_why=Lift.SEEN)
