"""Whether strikes restrict a person at a hospital, for the statement that looks at the person anyway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, ScalarSelect, Uuid, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from models.appointment import Appointment
from models.person import Person
from models.strike import Strike


@dataclass(frozen=True)
class Restriction:
    """Until when, None where nothing is: through what the account booked itself, and through what others did, of which
    it is told no more than that a limit is reached."""

    own_until: datetime | None = None
    others_until: datetime | None = None


UNRESTRICTED = Restriction()


def restricts_until(person: ColumnElement[UUID] | Any, *, own: bool) -> ScalarSelect[datetime | None]:
    """For a statement that binds `now`, `hospital`, `account`, and `platform_wide`, which is whether the terms of the
    number have it so: until when the human being is restricted there. Strikes of another hospital restrict where both
    say so. It is the account's own where every strike that may have led to it is."""
    named, human = aliased(Person), aliased(Person)
    root = func.coalesce(named.alias_of_id, named.id)
    instant, account = Strike.restricts_until.type, bindparam("account", type_=Uuid())
    everywhere = and_(Strike.platform_wide, bindparam("platform_wide", type_=Boolean()))
    here = or_(everywhere, Strike.hospital_id == bindparam("hospital", type_=Uuid()))
    is_own = and_(Appointment.account_id == account, ~counts_others_too(root, account))
    return (
        select(func.max(Strike.restricts_until, type_=instant).filter(here))
        .join_from(named, human, or_(human.id == root, human.alias_of_id == root))
        .join(Strike, Strike.person_id == human.id)
        .join(Appointment, Appointment.id == Strike.appointment_id)
        .where(named.id == person, Strike.restricts_until > bindparam("now", type_=instant))
        .where(is_own if own else ~is_own)
        .scalar_subquery()
    )


def counts_others_too(root: ColumnElement[UUID] | Any, account: ColumnElement[UUID] | Any) -> ColumnElement[bool]:
    """For a statement over strikes of the human being `root`: whether one that another account brought may have been
    counted with it."""
    earlier, human, appointment = aliased(Strike), aliased(Person), aliased(Appointment)
    return exists().where(
        earlier.person_id == human.id,
        or_(human.id == root, human.alias_of_id == root),
        earlier.kind == Strike.kind,
        earlier.at <= Strike.at,
        earlier.lifted_at.is_(None),
        earlier.paused_at.is_(None),
        or_(and_(Strike.platform_wide, earlier.platform_wide), earlier.hospital_id == Strike.hospital_id),
        appointment.id == earlier.appointment_id,
        appointment.account_id != account,
    )


def restriction_of(
    session: Session, *, person_id: UUID, account_id: UUID, hospital_id: UUID, platform_wide: bool, now: datetime
) -> Restriction:
    given = {
        "person": person_id,
        "account": account_id,
        "hospital": hospital_id,
        "platform_wide": platform_wide,
        "now": now,
    }
    return Restriction(*session.execute(_RESTRICTION, given).one())


_PERSON = bindparam("person", type_=Uuid())
_RESTRICTION = select(restricts_until(_PERSON, own=True), restricts_until(_PERSON, own=False))
