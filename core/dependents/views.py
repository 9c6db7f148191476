"""A dependent as its account is shown it: masked, with the ways to prove identity that are open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.policy_book import policies_for
from core.clock import hospital_day
from core.dependents.agreements import AgreementView, view_agreements
from core.dependents.cards import CardView, cards_of
from core.identity.methods import Ways, open_methods, tries_of
from core.identity.own import dependents_of, own_dependent
from core.paging import Page, page_of
from models.identity_check import IdentityMethod
from models.person import Dependent, IdentityStatus, IdType, PersonIdentifier
from models.sealing import Vault

NUMBER_ASKED_WITHIN = timedelta(days=60)


@dataclass(frozen=True)
class IdentityView:
    """How sure we are of the dependent, and what is open to become surer."""

    status: IdentityStatus
    level: int
    methods: list[IdentityMethod]
    checked_at: datetime | None


@dataclass(frozen=True)
class DependentView:
    """`document` is what the dependent's number stands with. `age` in full years today at the hospital. `complete_by`:
    the day until which a number is asked for. What was
    told of health is in clear, and only where one is asked for by name: no list shows it, and no reply that is kept."""

    dependent: Dependent
    document: PersonIdentifier = field(repr=False)
    age: int
    identity: IdentityView
    agreement: AgreementView
    complete_by: date | None
    hospital_cards: list[CardView]
    allergies_and_history: str | None = field(default=None, repr=False)

    def number(self, vault: Vault) -> str:
        """As printed. Raises: SealBroken."""
        return self.dependent.number(vault, self.document)

    @property
    def guardianship(self) -> Dependent | None:
        """Where it was told what the guardian is to them."""
        return self.dependent if self.dependent.guardian_relation is not None else None


def view_dependent(session: Session, dependent: Dependent, *, ways: Ways, now: datetime) -> DependentView:
    """`ways` are those where the caller is logged in."""
    return _views(session, [dependent], ways, now)[0]


def own_dependent_view(
    session: Session, *, account_id: UUID, dependent_id: UUID, ways: Ways, vault: Vault, now: datetime
) -> DependentView:
    """With what was told of their health. Raises: NotFound."""
    dependent = own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    view = view_dependent(session, dependent, ways=ways, now=now)
    return replace(view, allergies_and_history=dependent.history(vault))


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
    agreements = view_agreements(session, dependents, policies_for(session).agreement_ages, on=on)
    cards = cards_of(session, [one.id for one in dependents])
    documents = _documents(session, dependents)
    views = []
    for one in dependents:
        methods = open_methods(one, ways=ways, tries=tries, on=on)
        identity = IdentityView(_status_on(one, on), one.level_on(on), methods, one.identity_checked_at)
        told = identity, agreements[one.id], _complete_by(one), cards[one.id]
        views.append(DependentView(one, documents[one.identifier_id], one.age(on=on), *told))
    return views


def _status_on(dependent: Dependent, day: date) -> IdentityStatus:
    """As its level: a guardian's proof is over on the day on which its child is of age."""
    is_over = dependent.level_on(day) < dependent.identity_level
    return IdentityStatus.EXPIRED if is_over else dependent.identity_status


def _documents(session: Session, dependents: Sequence[Dependent]) -> dict[UUID, PersonIdentifier]:
    """By their ids. Asked for each time: whether one is here already tells that the number was new."""
    query = select(PersonIdentifier).where(PersonIdentifier.id.in_([one.identifier_id for one in dependents]))
    return {one.id: one for one in session.scalars(query)}


def _complete_by(dependent: Dependent) -> date | None:
    """A newborn's number is asked for, and never demanded: nothing ends on that day (rules.md 1.2.6). It does not begin
    anew with the record."""
    if dependent.id_type is not IdType.GUARDIAN_BOUND:
        return None
    return dependent.birth_date + NUMBER_ASKED_WITHIN
