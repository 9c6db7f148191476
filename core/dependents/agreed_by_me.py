"""Who books for me: what a person is shown of the agreements they gave to other accounts, and taking one back.

Whoever asks must have been present themselves: a name and a number that belong together are known to others. Then they
learn what they have said: that there is an account, since when, and who its holder is, masked. An account that has
typed them without their agreement is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.dependents.agreements import end_agreement, holds
from core.identity.own import dependents_of
from core.locks import lock_accounts
from core.transactions import Changed
from models.agreement import Agreement, AgreementEnd, AgreementWay
from models.base import new_id
from models.errors import NotFound
from models.identity_check import IdentityMethod
from models.person import Dependent, IdentityLevel, Person, Relationship

log = structlog.get_logger()


@dataclass(frozen=True)
class GivenAgreement:
    """`holder_masked` is the masked name of whoever books, where their account has themselves in it."""

    id: UUID
    given_at: datetime
    way: AgreementWay
    holder_masked: str | None


def list_given(session: Session, *, account_id: UUID) -> list[GivenAgreement]:
    """Those that hold, the oldest first; none where the account's holder is not proven."""
    standing = session.scalars(_given_by(session, account_id)).all()
    found = [one for one in standing if holds(one, session.get_one(Dependent, one.dependent_id))]
    holders = _holders(session, [one.account_id for one in found])
    return [GivenAgreement(one.id, one.given_at, one.way, holders.get(one.account_id)) for one in found]


def take_back(session: Session, *, account_id: UUID, agreement_id: UUID, now: datetime) -> None:
    """From now on that account books nothing new for oneself. Raises: NotFound, Changed."""
    found = session.scalars(_given_by(session, account_id).where(Agreement.id == agreement_id)).one_or_none()
    if found is None:
        raise NotFound()
    theirs = found.account_id
    lock_accounts(session, {account_id, theirs})
    session.refresh(found)
    if found.account_id != theirs:  # their account was joined into another, or parted from one
        raise Changed()
    end_agreement(session, found.dependent_id, AgreementEnd.REVOKED, now=now)
    log.info("agreement_taken_back", agreement=str(agreement_id))


def proven_self(session: Session, account_id: UUID) -> UUID | None:
    """The alias root of the account's holder, who must have been present themselves."""
    return session.scalars(
        select(func.coalesce(Person.alias_of_id, Person.id))
        .join(Dependent, Dependent.person_id == Person.id)
        .where(
            Dependent.account_id == account_id,
            Dependent.archived_at.is_(None),
            Dependent.relationship_ == Relationship.SELF,
            Dependent.identity_level >= IdentityLevel.PRESENT,
            Dependent.identity_method.is_distinct_from(IdentityMethod.GUARDIAN),
        )
    ).one_or_none()


def _given_by(session: Session, account_id: UUID) -> Select[Agreement]:
    """Agreements of the holder of `account_id` under other accounts, whichever document they were added by."""
    me = proven_self(session, account_id)
    whom, nobody = aliased(Dependent), new_id()
    return (
        select(Agreement)
        .join(whom, whom.id == Agreement.dependent_id)
        .join(Person, Person.id == whom.person_id)
        .where(
            or_(Person.id == (me or nobody), Person.alias_of_id == (me or nobody)),
            Agreement.ended_at.is_(None),
            Agreement.account_id != account_id,
            whom.archived_at.is_(None),
        )
        .order_by(Agreement.given_at, Agreement.id)
    )


def _holders(session: Session, account_ids: Sequence[UUID]) -> dict[UUID, str]:
    masked = {}
    for one in set(account_ids):
        holder = session.scalars(dependents_of(one).where(Dependent.relationship_ == Relationship.SELF)).one_or_none()
        if holder is not None:
            masked[one] = holder.name_masked
    return masked
