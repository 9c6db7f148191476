"""Two people with an account each, one of whom lets the other do things for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from fakes import FakeAdapters, ManualClock
from harness import Patient, join, make_patient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.book import Wish
from core.dependents.grants import GrantView, Offer, Wanted, accept_grant, end_grant, list_grants, offer_grant
from core.workbench import Workbench
from models.appointment import PayMode
from models.audit import AuditEntry
from models.grant import Grant, Scope
from models.person import Relationship

R = TypeVar("R")
ALL = (Scope.SEE, Scope.BOOK, Scope.PAY)
MONTH = timedelta(days=30)


@dataclass
class Kin:
    """`granter` is a grown-up who was matched; `holder` the relative who is to act for them."""

    granter: Patient
    holder: Patient

    @property
    def now(self) -> datetime:
        return self.granter.clock.now()

    def write(self, step: Callable[[Session, datetime], R]) -> R:
        return self.granter.write(step)

    # --- the grant

    def offer(self, *scopes: Scope, lasts: timedelta = MONTH, dependent_id: UUID | None = None) -> Offer:
        wanted = Wanted(dependent_id or self.granter.dependent_id, scopes or ALL, self.now + lasts)
        return self.write(
            lambda session, now: offer_grant(
                session,
                account_id=self.granter.account_id,
                wanted=wanted,
                vault=self.granter.workbench.vault,
                now=now,
            )
        )

    def accept(self, code: str, by: Patient | None = None) -> GrantView:
        who = by or self.holder
        return self.write(
            lambda session, now: accept_grant(
                session,
                account_id=who.account_id,
                identity_id=who.payer.identity_id,
                code=code,
                vault=who.workbench.vault,
                now=now,
            )
        )

    def grant(self, *scopes: Scope, by: Patient | None = None, lasts: timedelta = MONTH) -> UUID:
        return self.accept(self.offer(*scopes, lasts=lasts).code, by).grant.id

    def end(self, grant_id: UUID, by: Patient | None = None) -> GrantView:
        who = by or self.granter
        return self.write(
            lambda session, now: end_grant(session, account_id=who.account_id, grant_id=grant_id, now=now)
        )

    def told(self, who: Patient) -> list[GrantView]:
        return who.workbench.transactions.read(
            lambda session, now: list_grants(session, account_id=who.account_id, now=now)
        )

    # --- what the holder does

    def wish(self, pay: PayMode = PayMode.ON_SITE, **wish: Any) -> Wish:
        return self.holder.wish(pay, dependent_id=self.granter.dependent_id, **wish)

    def book(self, pay: PayMode = PayMode.ON_SITE, **wish: Any) -> UUID:
        return self.holder.book(pay, dependent_id=self.granter.dependent_id, **wish)

    # --- what is there now

    def row(self, grant_id: UUID) -> Grant:
        return self.granter.read(lambda session: session.get_one(Grant, grant_id))

    def log(self) -> list[tuple[str, str, str]]:
        """Who did what to the granter, and under which grant; the oldest first."""
        query = select(AuditEntry).where(AuditEntry.purpose == "delegation").order_by(AuditEntry.id)
        entries = self.granter.read(lambda session: session.scalars(query).all())
        return [(one.actor, one.action, str(one.grant_id)) for one in entries]


def make_kin(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters, **schedule: Any) -> Kin:
    schedule_id = make_patient(workbench, clock, adapters, **{"numbers": 9} | schedule).schedule_id
    granter = join(workbench, clock, adapters, schedule_id, relationship=Relationship.SELF, name="测试甲")
    return Kin(granter, one_more(granter, relationship=Relationship.SELF, name="试验乙"))


def one_more(patient: Patient, **dependent: Any) -> Patient:
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id, **dependent)
