"""One human being under many accounts in a short time: a sign of resale, for operators alone (rules.md 1.1.8).

It refuses nobody and shows in no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.person import Dependent, Person

MANY_ACCOUNTS = 3
"""More than these within `WITHIN` are told."""
WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class Crowded:
    """How many accounts have added the person lately, removed ones too."""

    person_id: UUID
    accounts: int
    newest_at: datetime


def crowded_persons(session: Session, *, now: datetime) -> list[Crowded]:
    """Those whom more accounts than usual have added, the most crowded first; documents of one human count together."""
    root = func.coalesce(Person.alias_of_id, Person.id)
    accounts = func.count(Dependent.account_id.distinct())
    query = (
        select(root, accounts, func.max(Dependent.created_at))
        .select_from(Dependent)
        .join(Person, Person.id == Dependent.person_id)
        .where(Dependent.created_at > now - WITHIN)
        .group_by(root)
        .having(accounts > MANY_ACCOUNTS)
        .order_by(accounts.desc(), root)
    )
    return [Crowded(*row) for row in session.execute(query)]
