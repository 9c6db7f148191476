"""A database with something in every sealed and hashed column, and processes that hold other keys than its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from factories import make_strike
from fakes import FakeAdapters, ManualClock
from harness import REQUEST, make_patient, make_runner
from key_rings import with_newer, without
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from core.dependents.cards import NewCard, add_card
from core.idempotency import KeyedRequest, StoredReply, keep_reply, take_key
from core.keys.known import Keyring
from core.keys.rotate import begin_rotation
from core.keys.stored import STORED
from core.payments.inbox import keep_refused
from core.tickets import Tickets
from core.workbench import Workbench
from models.appointment import Appointment
from models.base import new_id
from models.ciphers import Suite
from models.idempotency import IdempotencyKey
from models.identity_check import IdentityCheck, IdentityMethod
from models.platform import EventState, PlatformEvent, PlatformToken
from models.receipt import Receipt
from models.sealing import Vault
from models.strike import StrikeAppeal
from models.vault_key import KeyRotation

PHONE = "+8613000000001"
CLEAR = b'{"stored": "before bodies were sealed"}'


@dataclass(frozen=True)
class Cabinet:
    """`workbench` is a process with the old keys; `suite` is that of the new ones."""

    workbench: Workbench
    suite: Suite

    def newer(self, *, in_use: bool = True) -> Workbench:
        """A process that holds the new keys as well."""
        vault = self.workbench.vault
        return replace(
            self.workbench,
            vault=Vault(
                sealing=with_newer(vault.sealing, self.suite, sealing=True, in_use=in_use),
                hashing=with_newer(vault.hashing, self.suite, in_use=in_use),
            ),
            tickets=Tickets(with_newer(self.workbench.tickets.keys, self.suite, in_use=in_use)),
        )

    def values(self) -> dict[tuple[str, UUID], Mapping[str, Any]]:
        """Every row of every such table, as it is stored."""

        def look(session: Session, _now: datetime) -> dict[tuple[str, UUID], Mapping[str, Any]]:
            return {
                (one.table.name, row["id"]): dict(row)
                for one in STORED
                for row in session.execute(select(one.table)).mappings()
            }

        return self.workbench.transactions.read(look)

    def fill(self, clock: ManualClock, adapters: FakeAdapters) -> None:
        """At least one value in every column."""
        patient = make_patient(self.workbench, clock, adapters)
        appointment_id = patient.book()
        self.workbench.transactions.write(lambda session, now: self._fill(session, now, appointment_id))

    def _fill(self, session: Session, now: datetime, appointment_id: UUID) -> None:
        vault = self.workbench.vault
        appointment = session.get_one(Appointment, appointment_id)
        check = IdentityCheck(
            id=new_id(), account_id=appointment.account_id, dependent_id=appointment.dependent_id,
            method=IdentityMethod.ALIPAY_FACE, app="patient", level=0, created_at=now, expires_at=now + timedelta(1),
        )  # fmt: skip
        whose = {"account_id": appointment.account_id, "dependent_id": appointment.dependent_id}
        add_card(session, **whose, wanted=NewCard(appointment.hospital_id, "0012345678"), vault=vault, now=now)
        check.start(vault, reference="certify-1", evidence="digest-1", at=now)
        check.begin(session, at=now, cause=REQUEST)
        row = take_key(session, vault, KeyedRequest(appointment.account_id, "k" * 16, "POST /x"), now=now)
        assert isinstance(row, IdempotencyKey)
        keep_reply(row, vault, StoredReply(201, b"{}"), now=now)
        keep_refused(
            session, provider="wechat_pay", merchant="demo", reason="forged", headers={}, body=b"not ours",
            vault=vault, now=now,
        )  # fmt: skip
        _add_event(session, vault, now, body=b"sealed")
        _add_event(session, vault, now, clear=CLEAR)
        _add_event(session, vault, now, clear=b"")
        strike = make_strike(session, appointment, at=now)
        appeal = StrikeAppeal(id=new_id(), hospital_id=strike.hospital_id, strike_id=strike.id, decide_by=now)
        appeal.file(session, vault, "the road was closed", at=now, cause=REQUEST)
        token = PlatformToken(id=new_id(), name="token", expires_at=now)
        token.token_sealed = vault.seal("platform_tokens.token", token.id, "access")
        receipt = Receipt(
            id=new_id(), hospital_id=appointment.hospital_id, charge_id=appointment.charge_id, code="11060126",
            appointment_id=appointment.id, number="0000012345", amount_fen=5000, issued_on=now.date(), kept_at=now,
        )  # fmt: skip
        receipt.seal_what_opens_it(vault, check_code="3f9a1c", url=None)
        session.add_all([check, appeal, token, receipt])
        session.flush()
        _fill_what_is_empty(session, vault)


def _add_event(session: Session, vault: Vault, now: datetime, *, body: bytes = b"", clear: bytes | None = None) -> None:
    event_id = new_id()
    session.execute(
        insert(PlatformEvent).values(
            id=event_id, provider="wechat_pay", merchant="demo", event_id=str(event_id), kind="payment", headers={},
            body=PlatformEvent.sealed_body(vault, event_id, body) if clear is None else clear,
            digest=b"d", received_at=now, state=EventState.APPLIED, copies=1,
        )
    )  # fmt: skip


def _fill_what_is_empty(session: Session, vault: Vault) -> None:
    """Columns that may be empty, of whatever row."""
    for stored in STORED:
        for row in session.execute(select(stored.table)).mappings().all():
            values: dict[str, Any] = {}
            for column in stored.sealed:
                if row[column.column.name] is None:
                    values[column.column.name] = column.stored(vault, row, PHONE.encode(), vault.sealing.active)
            for hashed in stored.hashed:
                if row[hashed.column.name] is None:
                    digest = hashed.digest(vault, row, PHONE, vault.hashing.active)
                    values |= {hashed.column.name: digest.digest, hashed.key_column.name: digest.key_id}
            if values:
                session.execute(update(stored.table).where(stored.table.c.id == row["id"]).values(**values))
    for stored in STORED:
        row = session.execute(select(stored.table).limit(1)).mappings().first()
        assert row is not None, f"{stored.table.name} has no row: this cabinet is to have one in each table"


def plain_of(vault: Vault, rows: Mapping[tuple[str, UUID], Mapping[str, Any]]) -> dict[tuple[str, UUID, str], bytes]:
    """Everything that is sealed, opened."""
    tables = {one.table.name: one for one in STORED}
    return {
        (name, row_id, column.column.name): column.opened(vault, row, sealed)  # type: ignore[arg-type]
        for (name, row_id), row in rows.items()
        for column in tables[name].sealed
        if (sealed := column.sealed(row)) is not None  # type: ignore[arg-type]
    }


def begin(workbench: Workbench) -> KeyRotation:
    """As the operator's command does."""
    keyring = Keyring(workbench.vault, workbench.tickets)
    return workbench.transactions.write(lambda session, now: begin_rotation(session, keyring, now=now))


def work_off(workbench: Workbench, clock: ManualClock, *, rounds: int = 20) -> KeyRotation:
    """Let a worker with these keys run until the rotation is over."""
    runner = make_runner(workbench)
    for _ in range(rounds):
        clock.advance(timedelta(seconds=31))
        runner.run_due()
        rotation = latest(workbench)
        if rotation.finished_at is not None or rotation.stopped_at is not None:
            break
    return rotation


def latest(workbench: Workbench) -> KeyRotation:
    query = select(KeyRotation).order_by(KeyRotation.id.desc()).limit(1)
    return workbench.transactions.read(lambda session, _now: session.scalars(query).one())


def only_newest(workbench: Workbench) -> Workbench:
    """After the old keys were taken out of the file."""
    vault = workbench.vault
    rings = [vault.sealing, vault.hashing, workbench.tickets.keys]
    for old in range(1, vault.sealing.active):
        rings = [without(ring, old) for ring in rings]
    return replace(workbench, vault=Vault(sealing=rings[0], hashing=rings[1]), tickets=Tickets(rings[2]))
