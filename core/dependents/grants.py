"""Delegation: somebody lets another account see, book or pay for them (docs/decisions/0030).

It is offered in the granter's own account, which gets a code to pass on; whoever types it in their own account holds
the grant from then on. Either side ends it whenever they like.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.dependents.granted import end_grants, in_force, note_grant
from core.identity.consents import require_consent
from core.identity.join_offers import wallet_of
from core.identity.own import own_dependent
from core.identity.twins import rows_of
from core.locks import lock_account, lock_dependent, lock_grants
from core.refusals import GrantLimit, GrantRefused, IdentityRequired
from core.rights.access import GRANT_HOLDER, ONESELF, AccessAction
from models.account import Provider, Purpose
from models.base import new_id
from models.errors import FieldError, NotFound, ValidationFailed
from models.grant import CODE_HASH, EndedBy, Grant, GrantState, Scope
from models.person import FULL_AGE, Dependent, IdentityLevel, Relationship
from models.sealing import Vault

OFFER_LIVES = timedelta(minutes=30)
LONGEST = timedelta(days=366)
GIVEN_MOST = 5
"""Live grants of one person."""
HELD_MOST = 5
"""Live grants of one holder: as many as an account may have dependents beside oneself."""
GRANTS_TOLD = 50
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_LETTERS = 12
"""Nearly 60 bits, good for half an hour: guessing it is hopeless at any rate that is let in."""


@dataclass(frozen=True)
class Wanted:
    """What is to be granted, for whom and until when."""

    dependent_id: UUID
    scopes: Collection[Scope]
    to_at: datetime


@dataclass(frozen=True)
class Offer:
    """The code is told here and never again."""

    id: UUID
    code: str
    expires_at: datetime


@dataclass(frozen=True)
class OtherSide:
    """As much as each side learns of the other: the masked name of who it is, and the wallet."""

    name_masked: str | None
    wallet: Provider


@dataclass(frozen=True)
class GrantView:
    """`dependent` is who it is about, hidden from the holder once it is over; `other` is None until it is accepted."""

    grant: Grant
    given: bool
    state: GrantState
    dependent: Dependent | None
    other: OtherSide | None


def offer_grant(session: Session, *, account_id: UUID, wanted: Wanted, vault: Vault, now: datetime) -> Offer:
    """Write an offer down and return its code. An offer that still waits is replaced.

    Raises: NotFound, Overloaded, ValidationFailed, ConsentRequired, IdentityRequired where the granter is only typed,
    GrantLimit."""
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=wanted.dependent_id)
    dependent = lock_dependent(session, wanted.dependent_id)
    _refuse_unless_grantable(dependent, wanted, now=now)
    require_consent(session, account_id, Purpose.SERVICE)
    theirs = Grant.dependent_id.in_(rows_of(dependent))
    end_grants(session, theirs, Grant.account_id.is_(None), by=EndedBy.REPLACED, now=now)
    if _live(session, theirs, now=now) >= GIVEN_MOST:
        raise GrantLimit(limit=GIVEN_MOST)
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
    grant = Grant(
        id=new_id(),
        dependent_id=dependent.id,
        may_see=Scope.SEE in wanted.scopes or Scope.BOOK in wanted.scopes,
        may_book=Scope.BOOK in wanted.scopes,
        may_pay=Scope.PAY in wanted.scopes,
        offered_at=now,
        offer_ends_at=min(now + OFFER_LIVES, wanted.to_at),
        to_at=wanted.to_at,
    )
    grant.hash_code(vault, code)
    session.add(grant)
    note_grant(session, grant, AccessAction.GRANT_OFFERED, actor=ONESELF, result="offered", now=now)
    session.flush()
    return Offer(grant.id, _grouped(code), grant.offer_ends_at)


def accept_grant(
    session: Session, *, account_id: UUID, identity_id: UUID, code: str, vault: Vault, now: datetime
) -> GrantView:
    """Take what a code offers. An older grant of the same granter to this account is replaced.

    A code that is wrong, used, replaced, too old or one's own is one and the same refusal.
    Raises: NotFound, Overloaded, GrantRefused, ConsentRequired, GrantLimit."""
    lock_account(session, account_id)
    require_consent(session, account_id, Purpose.SERVICE)
    digests = [known.digest for known in vault.keyed_hashes(CODE_HASH, _plain(code))]
    offered = lock_grants(session, Grant.code_hash.in_(digests))
    grant = next((one for one in offered if one.state(now=now) is GrantState.OFFERED), None)
    granter = None if grant is None else session.get_one(Dependent, grant.dependent_id, populate_existing=True)
    if grant is None or granter is None or granter.archived_at is not None or granter.account_id == account_id:
        raise GrantRefused()
    held = Grant.account_id == account_id
    end_grants(session, held, Grant.dependent_id.in_(rows_of(granter)), by=EndedBy.REPLACED, now=now)
    if _live(session, held, now=now) >= HELD_MOST:
        raise GrantLimit(limit=HELD_MOST)
    grant.accept(account_id, identity_id=identity_id, at=now)
    note_grant(session, grant, AccessAction.GRANT_ACCEPTED, actor=GRANT_HOLDER, result="accepted", now=now)
    session.flush()
    return view_grant(session, grant, granter, account_id, now=now)


def end_grant(session: Session, *, account_id: UUID, grant_id: UUID, now: datetime) -> GrantView:
    """By either side, at once. What has ended stays as it is. Raises: NotFound."""
    found = session.execute(_of(account_id).where(Grant.id == grant_id)).one_or_none()
    if found is None:
        raise NotFound()
    grant, dependent = found
    by = EndedBy.GRANTER if dependent.account_id == account_id else EndedBy.HOLDER
    end_grants(session, Grant.id == grant_id, by=by, now=now)
    return view_grant(session, grant, dependent, account_id, now=now)


def list_grants(session: Session, *, account_id: UUID, now: datetime) -> list[GrantView]:
    """Given and held, the newest first, those that have ended too."""
    rows = session.execute(_of(account_id).order_by(Grant.id.desc()).limit(GRANTS_TOLD)).all()
    return [view_grant(session, grant, dependent, account_id, now=now) for grant, dependent in rows]


def view_grant(session: Session, grant: Grant, dependent: Dependent, account_id: UUID, *, now: datetime) -> GrantView:
    """From the side of the account. `dependent` is the one that the grant names."""
    given, state = dependent.account_id == account_id, grant.state(now=now)
    other = None
    if grant.account_id is not None and (given or state is GrantState.LIVE):
        other_id = grant.account_id if given else dependent.account_id
        other = OtherSide(_own_name(session, other_id), wallet_of(session, other_id))
    shown = dependent if given else _standing_for(session, dependent) if state is GrantState.LIVE else None
    return GrantView(grant, given, state, shown, other)


def _refuse_unless_grantable(dependent: Dependent, wanted: Wanted, *, now: datetime) -> None:
    """Raises: ValidationFailed, IdentityRequired."""
    faults = []
    if dependent.relationship_ is not Relationship.SELF:
        faults.append(FieldError("#/dependent_id", "not_self"))
    elif dependent.age(on=hospital_day(now)) < FULL_AGE:
        faults.append(FieldError("#/dependent_id", "not_adult"))
    if wanted.to_at <= now:
        faults.append(FieldError("#/to_at", "too_soon"))
    elif wanted.to_at > now + LONGEST:
        faults.append(FieldError("#/to_at", "too_late"))
    if faults:
        raise ValidationFailed(*faults)
    level = dependent.level_on(hospital_day(now))
    if level < IdentityLevel.MATCHED:
        raise IdentityRequired(required_level=IdentityLevel.MATCHED, level=level)


def _live(session: Session, which: ColumnElement[bool], *, now: datetime) -> int:
    """Counted with the account locked that may not have more."""
    session.flush()
    return session.scalar(select(func.count()).select_from(Grant).where(which, in_force(now))) or 0


def _of(account_id: UUID) -> Select[Grant, Dependent]:
    return (
        select(Grant, Dependent)
        .join(Dependent, Dependent.id == Grant.dependent_id)
        .where(or_(Dependent.account_id == account_id, Grant.account_id == account_id))
        .execution_options(populate_existing=True)
    )


def _standing_for(session: Session, dependent: Dependent) -> Dependent:
    """Whom its account has in the dependent's place since a join, else itself."""
    if dependent.merged_into_id is None:
        return dependent
    return session.get_one(Dependent, dependent.merged_into_id, populate_existing=True)


def _own_name(session: Session, account_id: UUID) -> str | None:
    """The masked name of whoever is oneself there, where somebody is."""
    oneself = (Dependent.account_id == account_id) & (Dependent.relationship_ == Relationship.SELF)
    return session.scalar(select(Dependent.name_masked).where(oneself, Dependent.archived_at.is_(None)))


def _grouped(code: str) -> str:
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def _plain(code: str) -> str:
    return "".join(one for one in code.upper() if one.isalnum())
