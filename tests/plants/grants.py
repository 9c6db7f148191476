"""What breaks the promises about grants: I-26, what was booked and paid for another, and who holds what."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from models.account import Account, PlatformIdentity
from models.account_join import AccountJoin, JoinStatus
from models.appointment import Appointment
from models.base import new_id
from models.grant import EndedBy, Grant
from models.payment import Payment
from models.person import Dependent, Person
from plants import World, change, plant, quiet, read_row, table

DAY = timedelta(days=1)


def _grant(session: Session, world: World, dependent_id: UUID, at: Any, **values: Any) -> UUID:
    """Of this dependent to the stranger, in force at that instant unless `values` say otherwise."""
    row = {
        "id": new_id(),
        "dependent_id": dependent_id,
        "account_id": world.stranger.account_id,
        "may_see": True,
        "may_book": True,
        "may_pay": True,
        "offered_at": at - DAY,
        "offer_ends_at": at,
        "accepted_at": at - DAY,
        "accepted_by_id": world.stranger.payer.identity_id,
        "to_at": at + DAY,
    } | values
    session.execute(insert(table(Grant)).values(**row))
    return row["id"]


# --- I-26: booked under a grant


def _booked(session: Session, world: World, *, values: dict[str, Any], about: str = "itself") -> None:
    """Wrong, or sound, by `values` of the grant: instants as offsets from the booking."""
    row = read_row(session, Appointment, world.on_site)
    at = row["created_at"]
    values = {name: at + one if isinstance(one, timedelta) else one for name, one in values.items()}
    whom = {"itself": row["dependent_id"], "another": world.stranger.dependent_id}[about]
    change(session, Appointment, world.on_site, grant_id=_grant(session, world, whom, at, **values))


_ENDED_BEFORE = {"ended_at": timedelta(microseconds=-1), "ended_by": EndedBy.GRANTER}
_ENDED_AT = {"ended_at": timedelta(0), "ended_by": EndedBy.GRANTER}
for _values in (
    {"may_book": False},
    {"accepted_at": timedelta(microseconds=1)},
    {"to_at": timedelta(0)},
    _ENDED_BEFORE,
):
    plant("booked_under_its_grant")(partial(_booked, values=_values))
plant("booked_under_its_grant")(partial(_booked, values={}, about="another"))
for _values in ({}, {"accepted_at": timedelta(0)}, {"may_pay": False}, _ENDED_AT):
    quiet("booked_under_its_grant")(partial(_booked, values=_values))


@plant("booked_under_its_grant")
def _booked_under_no_grant_that_is(session: Session, world: World) -> None:
    change(session, Appointment, world.on_site, grant_id=new_id())


@quiet("booked_under_its_grant")
def _booked_for_another_row_of_the_same_person(session: Session, world: World) -> None:
    _booked(session, world, values={}, about="another")
    person_id = read_row(session, Appointment, world.on_site)["person_id"]
    theirs = read_row(session, Dependent, world.stranger.dependent_id)["person_id"]
    change(session, Person, theirs, alias_of_id=person_id)


# --- paid under a grant


def _paid(session: Session, world: World, *, values: dict[str, Any], payer: str = "holder") -> None:
    payment_id = world.of(session, Payment, world.paid)
    row = read_row(session, Payment, payment_id)
    at = row["created_at"]
    values = {name: at + one if isinstance(one, timedelta) else one for name, one in values.items()}
    whom = read_row(session, Appointment, world.paid)["dependent_id"]
    identity = {"holder": world.stranger, "third": world.couple.older}[payer].payer.identity_id
    grant_id = _grant(session, world, whom, at, **values)
    change(session, Payment, payment_id, grant_id=grant_id, payer_identity_id=identity)


for _values in ({"may_pay": False}, {"to_at": timedelta(0)}, _ENDED_BEFORE):
    plant("paid_under_its_grant")(partial(_paid, values=_values))
plant("paid_under_its_grant")(partial(_paid, values={}, payer="third"))
for _values in ({}, {"may_see": False, "may_book": False}, _ENDED_AT):
    quiet("paid_under_its_grant")(partial(_paid, values=_values))
    quiet("payment_is_own")(partial(_paid, values=_values))


@quiet("paid_under_its_grant")
def _paid_from_the_holders_other_wallet_before_it_was_undone(session: Session, world: World) -> None:
    _paid(session, world, values={}, payer="third")
    one, other = world.stranger.account_id, world.couple.older.account_id
    undone = {"status": JoinStatus.UNDONE, "kept_account_id": one, "emptied_account_id": other}
    change(session, AccountJoin, world.joined, **undone)


# --- who holds it


@plant("grant_was_accepted_at_its_own_login")
def _accepted_at_anothers_login(session: Session, world: World) -> None:
    other = world.couple.older.payer.identity_id
    _grant(session, world, world.couple.older.dependent_id, world.now, accepted_by_id=other)


@plant("grant_was_accepted_at_its_own_login")
def _accepted_at_no_login(session: Session, world: World) -> None:
    _grant(session, world, world.couple.older.dependent_id, world.now, accepted_by_id=None)


@quiet("grant_was_accepted_at_its_own_login")
def _only_offered(session: Session, world: World) -> None:
    nobody = {"account_id": None, "accepted_at": None, "accepted_by_id": None}
    _grant(session, world, world.couple.older.dependent_id, world.now, **nobody)


def _closed(session: Session, world: World, *, side: str, ended: bool) -> None:
    """An account that has nothing but a grant."""
    account_id, whom = new_id(), world.couple.older.dependent_id
    session.execute(insert(table(Account)).values(id=account_id, created_at=world.now, closed_at=world.now))
    end = {"ended_at": world.now, "ended_by": EndedBy.REMOVED} if ended else {}
    if side == "holder":
        change(session, PlatformIdentity, world.stranger.payer.identity_id, account_id=account_id)
        _grant(session, world, whom, world.now, account_id=account_id, **end)
    else:
        row = read_row(session, Dependent, whom) | {"id": new_id(), "account_id": account_id}
        session.execute(insert(table(Dependent)).values(**row | {"archived_at": world.now, "is_default": False}))
        _grant(session, world, row["id"], world.now, **end)


for _side in ("granter", "holder"):
    plant("closed_account_is_silent")(partial(_closed, side=_side, ended=False))
    quiet("closed_account_is_silent")(partial(_closed, side=_side, ended=True))
