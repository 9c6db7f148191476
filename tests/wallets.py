"""One human being, or two, with an account in each of two wallets and one phone: what the tests of joining share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from factories import make_account, make_dependent, make_identity, make_login
from fakes import FakeAdapters, ManualClock
from harness import Patient, make_patient
from people import agree
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.dependents.phones import masked_phone
from core.identity.join import say_yes, undo_join
from core.identity.join_offers import JoinView, Viewer, list_joins
from core.identity.own import require_own_login
from core.identity.phone import keep_phone
from core.payments.open import Payer
from core.workbench import Workbench
from models import Base
from models.account import Account, LoginSession, PlatformIdentity, Provider, Purpose
from models.account_join import AccountJoin
from models.person import Dependent, PersonIdentifier
from models.sealing import Vault
from models.states import Actor, Cause, CauseKind, StateEvent

PHONE = "+8613800000000"
WECHAT, ALIPAY = Provider.WECHAT_MINIAPP, Provider.ALIPAY_MINIAPP


@dataclass
class Side(Patient):
    """An account as it is seen from one wallet; `account_id` is the one that the login leads to now."""

    login_id: UUID
    own_account_id: UUID

    @property
    def viewer(self) -> Viewer:
        login = self.read(lambda session: session.get_one(LoginSession, self.login_id))
        return Viewer(login.account_id, login.platform_identity_id, login.id)

    @property
    def cause(self) -> Cause:
        return Cause(Actor.ACCOUNT, CauseKind.REQUEST, "test-request", actor_id=str(self.account_id))

    def look_up(self) -> None:
        """As the next request does: the login says whose it is."""
        self.account_id = self.viewer.account_id
        self.payer = Payer(self.account_id, self.payer.identity_id, self.payer.provider, self.payer.app)

    def prove(self, phone: str = PHONE) -> None:
        self.look_up()
        self.write(lambda session, now: self.prove_in(session, phone, now))

    def prove_in(self, session: Session, phone: str, now: datetime) -> None:
        vault = self.workbench.vault
        keep_phone(
            session,
            account_id=self.account_id,
            identity_id=self.payer.identity_id,
            phone=phone,
            vault=vault,
            now=now,
            cause=self.cause,
        )
        require_own_login(session, login_id=self.login_id, account_id=self.account_id)  # as every command asks last

    def joins(self) -> list[JoinView]:
        viewer, vault = self.viewer, self.workbench.vault
        return self.workbench.transactions.read(
            lambda session, now: list_joins(session, viewer=viewer, vault=vault, now=now)
        )

    def yes_in(self, session: Session, join_id: UUID, now: datetime, viewer: Viewer) -> JoinView:
        vault = self.workbench.vault
        return say_yes(session, viewer=viewer, join_id=join_id, vault=vault, now=now, cause=self.cause)

    def yes(self, join_id: UUID | None = None) -> JoinView:
        """To what is named, or to the one thing that can be said yes to."""
        viewer = self.viewer
        wanted = join_id or next(one.id for one in self.joins() if one.waits_for == "you")
        return self.write(lambda session, now: self.yes_in(session, wanted, now, viewer))

    def undo(self, join_id: UUID | None = None) -> JoinView:
        viewer, vault = self.viewer, self.workbench.vault
        wanted = join_id or next(one.id for one in self.joins() if one.state in ("asked", "joined"))
        return self.write(
            lambda session, now: undo_join(
                session, viewer=viewer, join_id=wanted, vault=vault, now=now, cause=self.cause
            )
        )

    def add(self, person: PersonIdentifier | None = None, **more: Any) -> UUID:
        """One more dependent."""

        def step(session: Session, now: datetime) -> UUID:
            account = session.get_one(Account, self.account_id)
            return make_dependent(session, self.workbench.vault, account, identifier=person, now=now, **more).id

        return self.write(step)

    def dependents(self) -> list[Dependent]:
        """Those of the account that live."""
        query = select(Dependent).where(Dependent.account_id == self.account_id, Dependent.archived_at.is_(None))
        return self.read(lambda session: list(session.scalars(query.order_by(Dependent.id))))

    def document(self) -> PersonIdentifier:
        """Of the side's own dependent."""
        return self.read(
            lambda session: session.get_one(
                PersonIdentifier, session.get_one(Dependent, self.dependent_id).identifier_id
            )
        )


@dataclass
class Couple:
    """Two sides. The older one has the account that is kept."""

    older: Side
    younger: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.older, self.younger

    def prove(self) -> None:
        for side in self.sides:
            side.prove()

    def join(self) -> JoinView:
        """Both prove, both say yes, and every request to come finds its account."""
        self.prove()
        self.older.yes()
        joined = self.younger.yes()
        self.look_up()
        return joined

    def look_up(self) -> None:
        for side in self.sides:
            side.look_up()


def make_couple(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters, *, numbers: int = 5, **how: Any
) -> Couple:
    """A WeChat account of yesterday and an Alipay account of today, each with a dependent of its own."""
    schedule_id = make_patient(workbench, clock, adapters, numbers=numbers).schedule_id
    older = make_side(workbench, clock, adapters, schedule_id, WECHAT, age=timedelta(days=1), **how)
    younger = make_side(workbench, clock, adapters, schedule_id, ALIPAY, **how)
    return Couple(older, younger)


def make_side(
    workbench: Workbench,
    clock: ManualClock,
    adapters: FakeAdapters,
    schedule_id: UUID,
    provider: Provider,
    *,
    age: timedelta = timedelta(0),
    app: str = "patient",
    person: PersonIdentifier | None = None,
    **dependent: Any,
) -> Side:
    """An account of that wallet, logged in and agreed, with a dependent that is its default."""

    def step(session: Session, now: datetime) -> Side:
        account = make_account(session, now=now - age)
        identity = make_identity(session, workbench.vault, account, provider=provider, app=app)
        login = make_login(session, account, identity, now=now)
        given = {"level": 2, "is_default": True, "now": now} | dependent
        whom = make_dependent(session, workbench.vault, account, identifier=person, **given)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        payer = Payer(account.id, identity.id, provider, app)
        return Side(workbench, clock, adapters, account.id, payer, whom.id, schedule_id, login.id, account.id)

    return workbench.transactions.write(step)


def rows(patient: Patient, *, but: Sequence[type[Base]] = (AccountJoin, StateEvent)) -> dict[str, list[str]]:
    """Everything that is written, as text; without what tells of the join itself."""
    left_out = {record.__tablename__ for record in but}
    return patient.read(
        lambda session: {
            table.name: sorted(repr(row) for row in session.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name not in left_out
        }
    )


def make_neighbour(
    session: Session, vault: Vault, *, phone: str = PHONE, provider: Provider = ALIPAY, app: str = "main", now: datetime
) -> tuple[Account, PlatformIdentity]:
    """An account of another wallet that has just proven this phone, written as rows."""
    account = make_account(session, now=now)
    identity = make_identity(session, vault, account, provider=provider, app=app, now=now)
    account.seal_phone(vault, phone, masked=masked_phone(phone), proven_at=now, proven_by=identity.id)
    session.flush()
    return account, identity
