"""What stands against an account because of signs of resale (`watch/clusters.py`), as booking looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Uuid, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session

from models.base import spelled
from models.booking_signal import BookingSignal, SignalAnswer


@dataclass(frozen=True)
class Answers:
    """`cool_down_until`: nothing new before that instant. `step_up`: whoever is booked for must have been present."""

    cool_down_until: datetime | None = None
    step_up: bool = False

    def __or__(self, other: Answers) -> Answers:
        """Both accounts', where one books for the other."""
        instants = [one for one in (self.cool_down_until, other.cool_down_until) if one is not None]
        return Answers(max(instants, default=None), self.step_up or other.step_up)


def cool_down_until(account: ColumnElement[UUID] | Any) -> ScalarSelect[datetime | None]:
    """For a statement that binds `now`: until when the account's cool-down lasts, None where there is none."""
    last = func.max(BookingSignal.until, type_=BookingSignal.until.type)
    return select(last).where(_in_force(account), BookingSignal.answer == SignalAnswer.COOL_DOWN).scalar_subquery()


def is_stepped_up(account: ColumnElement[UUID] | Any) -> ColumnElement[bool]:
    """For a statement that binds `now`: whether the account is asked for more proof."""
    heavy = BookingSignal.answer.in_([spelled(SignalAnswer.STEP_UP), spelled(SignalAnswer.REVIEW)])
    return exists().where(_in_force(account), heavy)


def answers_to(session: Session, account_id: UUID, *, now: datetime) -> Answers:
    return Answers(*session.execute(_ANSWERS, {"account": account_id, "now": now}).one())


def _in_force(account: ColumnElement[UUID] | Any) -> ColumnElement[bool]:
    lasts = or_(BookingSignal.until.is_(None), BookingSignal.until > bindparam("now", type_=BookingSignal.until.type))
    return and_(BookingSignal.account_id == account, BookingSignal.cleared_at.is_(None), lasts)


_ANSWERS = select(
    cool_down_until(bindparam("account", type_=Uuid())), is_stepped_up(bindparam("account", type_=Uuid()))
)
