"""Somebody who asks for codes and tries them, as the routes do it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from factories import make_account, make_identity, make_login
from fakes import FakeAdapters, FakeSms, ManualClock
from people import CAUSE, agree
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.identity.code_limits import CodeLimits, Rate
from core.identity.phone_codes import Asker, CodeIntent, ask_for_code, prove_by_code, try_code
from core.refusals import PhoneNotProven
from core.workbench import Workbench
from models.account import Account, Purpose
from models.phone_code import PhoneCode

PHONE, OTHER_PHONE, NET = "+8613800000001", "+8613800000002", "192.0.2.0/24"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PLENTY = (Rate(1000, DAY),)
LIMITS = CodeLimits(phone=(Rate(1, MINUTE), Rate(5, HOUR), Rate(10, DAY)), account=PLENTY, net=PLENTY, daily_most=1000)
WIDE = replace(LIMITS, phone=PLENTY)


@dataclass(frozen=True)
class Prover:
    """One login of one account."""

    workbench: Workbench
    clock: ManualClock
    sms: FakeSms
    asker: Asker
    limits: CodeLimits = LIMITS

    def but(self, *, limits: CodeLimits | None = None, **changes: Any) -> Prover:
        """The same one, about something else."""
        return replace(self, asker=replace(self.asker, **changes), limits=limits or self.limits)

    def ask(self) -> CodeIntent:
        return ask_for_code(self.workbench, self.asker, limits=self.limits)

    def code(self) -> str:
        """A code that came by message."""
        self.ask()
        phone, code = self.sms.sent[-1]
        assert phone == self.asker.phone
        return code

    def guess(self, code: str) -> UUID | None:
        return self.workbench.transactions.write(
            lambda session, now: try_code(session, asker=self.asker, guess=code, vault=self.workbench.vault, now=now)
        )

    def use(self, code_id: UUID) -> Account:
        return self.workbench.transactions.write(
            lambda session, now: prove_by_code(
                session, asker=self.asker, code_id=code_id, vault=self.workbench.vault, now=now, cause=CAUSE
            )
        )

    def prove(self, code: str) -> Account:
        code_id = self.guess(code)
        if code_id is None:
            raise PhoneNotProven()
        return self.use(code_id)

    def rows(self) -> list[PhoneCode]:
        query = select(PhoneCode).order_by(PhoneCode.id)
        return self.workbench.transactions.read(lambda session, _now: list(session.scalars(query)))

    def account(self) -> Account:
        return self.workbench.transactions.read(lambda session, _: session.get_one(Account, self.asker.account_id))


def make_prover(
    workbench: Workbench,
    clock: ManualClock,
    adapters: FakeAdapters,
    *,
    limits: CodeLimits = LIMITS,
    agreed: bool = True,
) -> Prover:
    if not adapters.sms:
        adapters.sms.append(FakeSms())
    sms = adapters.sms[0]
    assert isinstance(sms, FakeSms)

    def make(session: Session, now: datetime) -> Asker:
        account = make_account(session, now=now)
        identity = make_identity(session, workbench.vault, account, now=now)
        login = make_login(session, account, identity, now=now)
        if agreed:
            agree(session, account.id, Purpose.SERVICE, now=now)
        return Asker(account.id, identity.id, login.id, PHONE, NET)

    return Prover(workbench, clock, sms, workbench.transactions.write(make), limits)


def another_login(prover: Prover) -> Prover:
    """The same account, logged in once more."""

    def make(session: Session, now: datetime) -> UUID:
        account = session.get_one(Account, prover.asker.account_id)
        identity = make_identity(session, prover.workbench.vault, account, now=now)
        return make_login(session, account, identity, now=now).id

    return prover.but(login_id=prover.workbench.transactions.write(make))


def wrong(code: str) -> str:
    """Another code of six digits."""
    return f"{(int(code) + 1) % 10**6:06d}"
