"""Many people at once, for an app that runs by the real clock: each logged in, agreed and proven, written as rows."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from factories import (
    make_account,
    make_department,
    make_dependent,
    make_hospital,
    make_identity,
    make_login,
    make_person,
    make_schedule,
    serial,
)
from people import agree, resident_id
from sqlalchemy import select
from sqlalchemy.orm import Session
from wire import Phone, Send

from core.identity.login import token_digest
from core.invariants import Broken, check_invariants
from models.account import Account, PlatformIdentity, Provider, Purpose
from models.appointment import Appointment
from models.database import Database
from models.hospital import Department
from models.person import PersonIdentifier
from models.schedule import Schedule, Slot
from models.sealing import Vault

APP = "patient"


@dataclass(frozen=True)
class Stranger:
    """One account's phone, whom it books for, and who pays."""

    phone: Phone
    account_id: UUID
    dependent_id: UUID
    open_id: str = field(repr=False)
    provider: Provider = Provider.WECHAT_MINIAPP

    def wish(self, schedule_id: UUID, pay: str = "online") -> dict[str, Any]:
        return {"schedule_id": str(schedule_id), "dependent_id": str(self.dependent_id), "pay": pay}


@dataclass(frozen=True)
class Town:
    """The database behind a running app, with the keys to write into it."""

    database: Database
    vault: Vault
    send: Send = field(repr=False)

    def department(self) -> UUID:
        with self.database.write() as session:
            return make_department(session, make_hospital(session, code=f"T{secrets.token_hex(4)}")).id

    def schedule(self, *, department_id: UUID | None = None, **facts: Any) -> UUID:
        """Open for booking; in a department of its own unless told otherwise."""
        department_id = department_id or self.department()
        with self.database.write() as session:
            department = session.get_one(Department, department_id)
            return make_schedule(session, department, **{"now": datetime.now(UTC)} | facts).id

    def stranger(self, provider: Provider = Provider.WECHAT_MINIAPP) -> Stranger:
        return self.strangers(1, provider)[0]

    def strangers(self, count: int, provider: Provider = Provider.WECHAT_MINIAPP) -> list[Stranger]:
        """Each with an account, a login and a person of its own."""
        with self.database.write() as session:
            return [self._settle(session, make_account(session), provider=provider) for _ in range(count)]

    def kin(self, count: int) -> list[Stranger]:
        """Each with an account of its own; all may book for the same person."""
        with self.database.write() as session:
            person = make_person(session, self.vault, id_number=_number())
            return [self._settle(session, make_account(session), person) for _ in range(count)]

    def second_login(self, stranger: Stranger, provider: Provider | None = None) -> Stranger:
        """The same account on another platform identity, of the same platform or of `provider`: another payer."""
        provider = provider or stranger.provider
        with self.database.write() as session:
            account = session.get_one(Account, stranger.account_id)
            open_id, token = self._log_in(session, account, provider)
        return Stranger(Phone(self.send, token), stranger.account_id, stranger.dependent_id, open_id, provider)

    def _settle(
        self,
        session: Session,
        account: Account,
        person: PersonIdentifier | None = None,
        *,
        provider: Provider = Provider.WECHAT_MINIAPP,
    ) -> Stranger:
        now = datetime.now(UTC)
        open_id, token = self._log_in(session, account, provider)
        person = person or make_person(session, self.vault, id_number=_number())
        dependent = make_dependent(session, self.vault, account, identifier=person, now=now)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        agree(session, account.id, Purpose.FACE, dependent_id=dependent.id, now=now)
        return Stranger(Phone(self.send, token), account.id, dependent.id, open_id, provider)

    def _log_in(
        self, session: Session, account: Account, provider: Provider = Provider.WECHAT_MINIAPP
    ) -> tuple[str, str]:
        now = datetime.now(UTC)
        open_id, token = f"o{secrets.token_hex(10)}{serial()}", secrets.token_urlsafe(32)
        identity: PlatformIdentity = make_identity(
            session, self.vault, account, provider=provider, app=APP, subject=open_id, now=now
        )
        make_login(session, account, identity, token_hash=token_digest(token), now=now)
        return open_id, token

    # --- what is there now

    def sold(self, *schedule_ids: UUID) -> list[int]:
        """The numbers that live appointments of these schedules hold."""
        query = (
            select(Slot.sequence)
            .join(Appointment, Appointment.slot_id == Slot.id)
            .where(Appointment.schedule_id.in_(schedule_ids), Appointment.status != "cancelled")
        )
        with self.database.read() as session:
            return sorted(session.scalars(query))

    def slot_statuses(self, schedule_id: UUID) -> Counter[str]:
        with self.database.read() as session:
            return Counter(map(str, session.scalars(select(Slot.status).where(Slot.schedule_id == schedule_id))))

    def price_of(self, schedule_id: UUID) -> int:
        with self.database.read() as session:
            return session.get_one(Schedule, schedule_id).fee_fen

    def broken(self, *, now: datetime | None = None) -> list[Broken]:
        with self.database.read() as session:
            return check_invariants(session, now=now or datetime.now(UTC))


def _number() -> str:
    """A document number that no other row of this process has, in a region that was never handed out."""
    nth = serial()
    return resident_id(birth=date(1950, 1, 1) + timedelta(days=nth // 1000), order=nth % 1000, area="990000")
