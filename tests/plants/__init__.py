"""Broken rows for the invariants: a world that is sound, shadowed by bare copies of its tables, and what spoils it.

The copies are temporary tables under the same names: no constraint holds in them, and all of it is rolled back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from factories import make_appeal, make_grant, make_strike, make_waitlist_entry
from fakes import FakeAdapters, ManualClock
from harness import REQUEST, Patient, join, make_patient
from hospital_acts import make_offer
from people import agree
from sqlalchemy import Table, insert, select, update
from sqlalchemy.orm import Session
from wallets import Couple, make_couple

from core.idempotency import KeyedRequest, StoredReply, keep_reply, take_key
from core.ports import RefundState
from core.workbench import Workbench
from models import Base
from models.account import Purpose
from models.appointment import Appointment, PayMode
from models.base import new_id
from models.database import Database
from models.hospital import Department
from models.hospital_claim import HospitalClaim, HospitalClaimStatus
from models.identity_check import IdentityCheck, IdentityMethod
from models.person import Dependent
from models.schedule import Schedule, Slot


@dataclass(frozen=True)
class World:
    """Ids of a sound world: one appointment of each kind that the queries tell apart, and what hangs on them."""

    now: datetime
    paid: UUID
    cancelled: UUID
    held: UUID
    on_site: UUID
    stranger: Patient
    claim: UUID
    check: UUID
    key: UUID
    couple: Couple
    joined: UUID
    twin: UUID
    offer: UUID

    def of(self, session: Session, record: type[Base], appointment_id: UUID) -> UUID:
        """The row of `record` that belongs to an appointment, the newest where there are several."""
        appointments, found = Appointment.__table__, record.__table__
        if record in (Slot, Schedule):
            column = appointments.c.slot_id if record is Slot else appointments.c.schedule_id
            query = select(column).where(appointments.c.id == appointment_id)
        else:
            charge = select(appointments.c.charge_id).where(appointments.c.id == appointment_id).scalar_subquery()
            column = found.c.id if record.__tablename__ == "charges" else found.c.charge_id
            query = select(found.c.id).where(column == charge).order_by(found.c.id.desc()).limit(1)
        return session.execute(query).scalar_one()


def make_world(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> World:
    """Five patients of one schedule, each at another point of the way."""
    first = make_patient(workbench, clock, adapters, numbers=10)
    others = [join(workbench, clock, adapters, first.schedule_id) for _ in range(4)]
    paid, cancelled = first.paid(), others[0].paid()
    others[0].cancel(cancelled)
    first.work()
    for state in (RefundState.CLOSED, RefundState.SUCCEEDED):  # the first is closed, its successor arrives
        first.hear(first.gateway.settle_refund(first.refunds()[-1].out_refund_no, state))
        first.work()
        first.work(after=timedelta(seconds=2))  # a number in the place of a closed one waits a moment
    on_site = others[1].book(PayMode.ON_SITE)
    held = others[2].book()
    assert others[2].open_payment(held) is None
    claim, check, key = first.write(lambda session, now: _make_others(session, others[3], paid, now))
    first.write(lambda session, now: _hold_a_grant(session, others[2], others[3], now))
    offer = first.write(lambda session, now: _make_offers(session, on_site, now))
    couple, joined, twin = _join_couple(workbench, clock, adapters)
    return World(clock.now(), paid, cancelled, held, on_site, others[3], claim, check, key, couple, joined, twin, offer)


def _make_offers(session: Session, appointment_id: UUID, now: datetime) -> UUID:
    """One that is open, and one that was withdrawn."""
    appointment = session.get_one(Appointment, appointment_id)
    gone = make_offer(session, appointment, appointment.schedule_id, now=now)
    gone.withdraw(session, at=now, cause=REQUEST, reason="suspended")
    session.get_one(Slot, gone.slot_id).free(session, at=now, cause=REQUEST)
    session.flush()
    return make_offer(session, appointment, appointment.schedule_id, now=now).id


def _join_couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> tuple[Couple, UUID, UUID]:
    """Two accounts that became one: both had one person, and one of them had agreed to something about another."""
    couple = make_couple(workbench, clock, adapters)
    twin = couple.younger.add(couple.older.document())
    couple.younger.book(PayMode.ON_SITE)
    couple.younger.write(
        lambda session, now: agree(
            session, couple.younger.account_id, Purpose.FACE, dependent_id=couple.younger.dependent_id, now=now
        )
    )
    return couple, couple.join().id, twin


def _hold_a_grant(session: Session, granter: Patient, holder: Patient, now: datetime) -> None:
    whom = session.get_one(Dependent, granter.dependent_id)
    make_grant(session, whom, holder.account_id, identity_id=holder.payer.identity_id, now=now)


def _make_others(session: Session, patient: Patient, appointment_id: UUID, now: datetime) -> tuple[UUID, UUID, UUID]:
    hospital_id = session.get_one(Appointment, appointment_id).hospital_id
    claim = HospitalClaim(id=new_id(), hospital_id=hospital_id, appointment_id=appointment_id, created_at=now)
    claim.enter(session, HospitalClaimStatus.NONE, at=now, cause=REQUEST)
    claim.enter(session, HospitalClaimStatus.HELD, at=now, cause=REQUEST)
    check = IdentityCheck(
        id=new_id(),
        account_id=patient.account_id,
        dependent_id=patient.dependent_id,
        method=IdentityMethod.WECHAT_FACE,
        out_seq_no="seq",
        level=0,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    check.begin(session, at=now, cause=REQUEST)
    check.succeed(session, level=2, matched=["name"], at=now, cause=REQUEST)
    _wait_and_leave(session, patient, appointment_id, now)
    vault = patient.workbench.vault
    appeal = make_appeal(session, vault, make_strike(session, session.get_one(Appointment, appointment_id)), now=now)
    appeal.reject(session, at=now, cause=REQUEST)
    key = take_key(session, vault, KeyedRequest(patient.account_id, "k" * 16, "POST /x\n{}"), now=now)
    assert not isinstance(key, StoredReply)
    keep_reply(key, vault, StoredReply(200, b"{}"), now=now)
    return claim.id, check.id, key.id


def _wait_and_leave(session: Session, patient: Patient, appointment_id: UUID, now: datetime) -> None:
    appointment = session.get_one(Appointment, appointment_id)
    department = session.get_one(Department, appointment.department_id)
    entry = make_waitlist_entry(session, department, patient.account_id, now=now)
    entry.leave(session, reason="patient", at=now, cause=REQUEST)


@contextmanager
def shadowed(database: Database) -> Iterator[Session]:
    """A session on bare copies of all tables, gone afterwards."""
    where = "main" if database.is_sqlite else "public"
    with database.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {table.name} AS SELECT * FROM {where}.{table.name}")
        with Session(bind=connection) as session:
            yield session
        connection.rollback()


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """What happens inside did not happen."""
    savepoint = session.begin_nested()
    yield
    savepoint.rollback()


# --- how rows are spoiled


def table(record: type[Base]) -> Table:
    found = record.__table__
    assert isinstance(found, Table)
    return found


def change(session: Session, record: type[Base], row_id: UUID, **values: Any) -> None:
    """Write into one row past every verb and constraint."""
    done = session.execute(update(table(record)).where(table(record).c.id == row_id).values(**values))
    assert done.rowcount == 1  # type: ignore[attr-defined]


def read_row(session: Session, record: type[Base], row_id: UUID) -> Mapping[str, Any]:
    return dict(session.execute(select(table(record)).where(table(record).c.id == row_id)).mappings().one())


def clone(session: Session, record: type[Base], row_id: UUID, **values: Any) -> UUID:
    """A second row like the first, but for its id and `values`."""
    row = {**read_row(session, record, row_id), "id": new_id(), **values}
    session.execute(insert(table(record)).values(**row))
    return row["id"]


def drop(session: Session, record: type[Base], row_id: UUID) -> None:
    session.execute(table(record).delete().where(table(record).c.id == row_id))


def any_id(session: Session, record: type[Base], **where: Any) -> UUID:
    conditions = [table(record).c[name] == value for name, value in where.items()]
    return session.execute(select(table(record).c.id).where(*conditions).limit(1)).scalar_one()


Plant = Callable[[Session, World], None]
PLANTS: dict[str, list[Plant]] = defaultdict(list)
"""What each invariant must cry out at: several ways where its query has several clauses."""
QUIET: dict[str, list[Plant]] = defaultdict(list)
"""What it must not cry out at, although it is close."""


def plant(name: str) -> Callable[[Plant], Plant]:
    """Register a way to break the invariant called `name`."""
    return _into(PLANTS[name])


def quiet(name: str) -> Callable[[Plant], Plant]:
    """Register a sound change close to what the invariant called `name` looks for."""
    return _into(QUIET[name])


def _into(ways: list[Plant]) -> Callable[[Plant], Plant]:
    def keep(act: Plant) -> Plant:
        ways.append(act)
        return act

    return keep
