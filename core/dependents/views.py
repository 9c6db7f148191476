"""A dependent as its account is shown it: masked, with the ways to prove identity that are open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.identity.methods import Ways, open_methods, tries_of
from core.identity.own import dependents_of, own_dependent
from core.paging import Page, page_of
from models.identity_check import IdentityMethod
from models.person import Dependent, IdentityStatus


@dataclass(frozen=True)
class IdentityView:
    """How sure we are of the dependent, and what is open to become surer."""

    status: IdentityStatus
    level: int
    methods: list[IdentityMethod]
    checked_at: datetime | None


@dataclass(frozen=True)
class DependentView:
    """`age` in full years today at the hospital."""

    dependent: Dependent
    age: int
    identity: IdentityView


def view_dependent(session: Session, dependent: Dependent, *, ways: Ways, now: datetime) -> DependentView:
    """`ways` are those where the caller is logged in."""
    return _views(session, [dependent], ways, now)[0]


def own_dependent_view(
    session: Session, *, account_id: UUID, dependent_id: UUID, ways: Ways, now: datetime
) -> DependentView:
    """Raises: NotFound."""
    dependent = own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    return view_dependent(session, dependent, ways=ways, now=now)


def list_dependents(
    session: Session,
    *,
    account_id: UUID,
    ways: Ways,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> Page[DependentView]:
    """The account's dependents, the first one added first. Raises: ValidationFailed."""
    page = page_of(session, dependents_of(account_id), Dependent.id, cursor=cursor, limit=limit)
    return Page(_views(session, page.items, ways, now), page.next_cursor)


def _views(session: Session, dependents: Sequence[Dependent], ways: Ways, now: datetime) -> list[DependentView]:
    on = hospital_day(now)
    tries = tries_of(session, dependents, now=now)
    views = []
    for one in dependents:
        methods = open_methods(one, ways=ways, tries=tries, on=on)
        identity = IdentityView(one.identity_status, one.level_on(on), methods, one.identity_checked_at)
        views.append(DependentView(one, one.age(on=on), identity))
    return views
