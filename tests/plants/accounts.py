"""What breaks the promises about accounts that were joined, and about whose is what."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.invariants import _HANGING
from models import Base
from models.account import Account, Consent, LoginSession, PlatformIdentity, Purpose
from models.account_join import AccountJoin, JoinReason, JoinStatus
from models.base import new_id
from models.idempotency import IdempotencyKey
from models.notice import Notice
from models.payment import Payment
from models.person import Dependent, Relationship
from models.states import StateEvent
from plants import World, any_id, change, clone, drop, plant, quiet, read_row, table

RECORDS = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}


# --- whose is what


@plant("consent_is_own")
def _another_accounts_consent(session: Session, world: World) -> None:
    change(session, Consent, any_id(session, Consent, purpose=Purpose.FACE), account_id=world.stranger.account_id)


@plant("notice_is_own")
def _another_accounts_news(session: Session, world: World) -> None:
    change(session, Notice, any_id(session, Notice, appointment_id=world.paid), account_id=world.stranger.account_id)


@plant("login_is_own")
def _a_login_of_another(session: Session, world: World) -> None:
    change(session, LoginSession, any_id(session, LoginSession), account_id=world.stranger.account_id)


def _dependents(session: Session, world: World, *, others: int) -> None:
    """Of the stranger, who has one that is nobody's self already."""
    for _ in range(others - 1):
        clone(session, Dependent, world.stranger.dependent_id, person_id=new_id())
    clone(session, Dependent, world.stranger.dependent_id, person_id=new_id(), relationship=Relationship.SELF)
    clone(session, Dependent, world.stranger.dependent_id, person_id=new_id(), archived_at=world.now)


plant("account_within_dependent_limit")(partial(_dependents, others=11))
quiet("account_within_dependent_limit")(partial(_dependents, others=10))


# --- the emptied account


def _left_behind(session: Session, world: World, *, record: Any) -> None:
    row = table(record)
    mine = select(row.c.id).where(row.c.account_id == world.couple.older.account_id)
    if record is Consent:
        mine = mine.where(row.c.dependent_id.is_not(None))
    found = session.execute(mine.limit(1)).scalar() or any_id(session, record)
    clone(session, record, found, account_id=world.couple.younger.own_account_id)


for _name in _HANGING:
    plant("joined_account_is_empty")(partial(_left_behind, record=RECORDS[_name]))
quiet("joined_account_is_empty")(partial(_left_behind, record=IdempotencyKey))


def _account_says(session: Session, world: World, *, joined_into: str) -> None:
    into = {"nobody": None, "stranger": world.stranger.account_id}[joined_into]
    change(session, Account, world.couple.younger.own_account_id, joined_into_id=into)


for _into in ("nobody", "stranger"):
    plant("joined_account_has_its_join")(partial(_account_says, joined_into=_into))


@plant("joined_account_has_its_join")
def _joined_without_a_join(session: Session, world: World) -> None:
    change(session, Account, world.stranger.account_id, joined_into_id=world.couple.older.account_id)


@plant("joined_account_has_its_join")
def _undone_by_its_word_only(session: Session, world: World) -> None:
    change(session, AccountJoin, world.joined, status=JoinStatus.UNDONE)


# --- two yeses


@plant("join_by_phone_has_two_yeses")
def _nobody_asked(session: Session, world: World) -> None:
    drop(session, StateEvent, any_id(session, StateEvent, record_id=world.joined, to_status="asked"))


@plant("join_by_phone_has_two_yeses")
def _one_said_yes_twice(session: Session, world: World) -> None:
    asked = read_row(session, StateEvent, any_id(session, StateEvent, record_id=world.joined, to_status="asked"))
    second = any_id(session, StateEvent, record_id=world.joined, to_status="joined")
    change(session, StateEvent, second, actor_id=asked["actor_id"])


@plant("join_by_phone_has_two_yeses")
def _nobody_in_particular_joined(session: Session, world: World) -> None:
    change(session, StateEvent, any_id(session, StateEvent, record_id=world.joined, to_status="joined"), actor_id=None)


@quiet("join_by_phone_has_two_yeses")
def _a_platform_named_them_one(session: Session, world: World) -> None:
    change(session, AccountJoin, world.joined, reason=JoinReason.UNION_ID)
    drop(session, StateEvent, any_id(session, StateEvent, record_id=world.joined, to_status="asked"))


@quiet("join_by_phone_has_two_yeses")
def _still_asked(session: Session, world: World) -> None:
    change(session, AccountJoin, world.joined, status=JoinStatus.ASKED, joined_at=None)
    drop(session, StateEvent, any_id(session, StateEvent, record_id=world.joined, to_status="joined"))


# --- twins and identities


def _twin_says(session: Session, world: World, *, values: dict[str, Any]) -> None:
    change(session, Dependent, world.twin, **values)


plant("merged_dependent_has_its_twin")(partial(_twin_says, values={"archived_at": None}))
plant("merged_dependent_has_its_twin")(partial(_twin_says, values={"merged_into_id": new_id()}))
plant("merged_dependent_has_its_twin")(partial(_twin_says, values={"account_id": new_id()}))


@plant("merged_dependent_has_its_twin")
def _merged_into_itself(session: Session, world: World) -> None:
    change(session, Dependent, world.twin, merged_into_id=world.twin)


@plant("merged_dependent_has_its_twin")
def _merged_into_one_that_was_merged(session: Session, world: World) -> None:
    change(session, Dependent, world.couple.older.dependent_id, merged_into_id=world.couple.younger.dependent_id)
    change(session, Dependent, world.couple.older.dependent_id, archived_at=world.now)


@plant("identity_was_found_by_one_that_is")
def _found_by_nothing(session: Session, world: World) -> None:
    change(session, PlatformIdentity, world.stranger.payer.identity_id, found_by_id=new_id())


@plant("identity_was_found_by_one_that_is")
def _found_by_one_of_another(session: Session, world: World) -> None:
    found_by = world.couple.older.payer.identity_id
    change(session, PlatformIdentity, world.stranger.payer.identity_id, found_by_id=found_by)


@quiet("identity_was_found_by_one_that_is")
def _found_by_one_of_its_own(session: Session, world: World) -> None:
    one, other = (side.payer.identity_id for side in world.couple.sides)
    change(session, PlatformIdentity, one, found_by_id=other)


@plant("phone_was_proven_at_its_own_login")
def _proven_by_another(session: Session, world: World) -> None:
    change(session, Account, world.stranger.account_id, phone_proven_by_id=world.couple.older.payer.identity_id)


@quiet("phone_was_proven_at_its_own_login")
def _proven_at_one_of_its_own(session: Session, world: World) -> None:
    change(session, Account, world.stranger.account_id, phone_proven_by_id=world.stranger.payer.identity_id)


@plant("consent_was_given_at_its_own_login")
def _given_by_another(session: Session, world: World) -> None:
    given = any_id(session, Consent, account_id=world.stranger.account_id, dependent_id=None)
    change(session, Consent, given, given_by_id=world.couple.older.payer.identity_id)


# --- paid from the other wallet while both were one


def _paid_from_another_account(session: Session, world: World, *, status: JoinStatus, kept_pays: bool) -> None:
    payment = read_row(session, Payment, world.of(session, Payment, world.paid))
    stranger = world.stranger.account_id
    kept, emptied = (stranger, payment["account_id"]) if kept_pays else (payment["account_id"], stranger)
    change(session, PlatformIdentity, payment["payer_identity_id"], account_id=stranger)
    change(session, AccountJoin, world.joined, status=status, kept_account_id=kept, emptied_account_id=emptied)


for _kept_pays in (True, False):
    quiet("payment_is_own")(partial(_paid_from_another_account, status=JoinStatus.UNDONE, kept_pays=_kept_pays))
    plant("payment_is_own")(partial(_paid_from_another_account, status=JoinStatus.JOINED, kept_pays=_kept_pays))


# --- a closed account


@plant("closed_account_is_silent")
def _still_logged_in(session: Session, world: World) -> None:
    change(session, Account, world.stranger.account_id, closed_at=world.now)


@plant("guardian_is_of_the_same_account")
def _anothers_guardian(session: Session, world: World) -> None:
    guardian = world.couple.older.dependent_id
    change(session, Dependent, world.stranger.dependent_id, guardian_dependent_id=guardian)


@plant("guardian_stands")
def _the_guardian_is_archived(session: Session, world: World) -> None:
    change(session, Dependent, world.couple.older.dependent_id, guardian_dependent_id=world.twin)


@quiet("guardian_stands")
def _so_is_the_ward(session: Session, world: World) -> None:
    change(session, Dependent, world.twin, guardian_dependent_id=world.twin)
