"""The migration writes for what there was the same journals that would have been written as it happened."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest
from fakes import FakeAdapters, ManualClock
from plants import make_world
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.invariants import check_invariants
from core.workbench import Workbench
from models.base import table_of
from models.database import Database
from models.ledger import Journal, LedgerEntry

migration = importlib.import_module("migrations.versions.0037_ledger")


def books(session: Session) -> set[tuple[object, ...]]:
    query = (
        select(Journal.kind, Journal.subject_id, Journal.payment_id, Journal.refund_id, Journal.hospital_id)
        .add_columns(Journal.merchant, Journal.channel, Journal.currency, LedgerEntry.account, LedgerEntry.amount_fen)
        .join(LedgerEntry, LedgerEntry.journal_id == Journal.id)
    )
    return {tuple(row) for row in session.execute(query)}


def test_it_is_written_anew_as_it_was(
    workbench: Workbench,
    clock: ManualClock,
    adapters: FakeAdapters,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_world(workbench, clock, adapters)
    with database.write() as session:
        before = books(session)
        assert len(before) >= 12, "received twice, due twice, withdrawn, paid"
        for record in (LedgerEntry, Journal):
            session.execute(delete(table_of(record)))
        connection = session.connection()
        stand_in = SimpleNamespace(
            execute=connection.exec_driver_sql, get_context=lambda: SimpleNamespace(dialect=connection.dialect)
        )
        monkeypatch.setattr(migration, "op", stand_in)
        migration._write_what_was()
        assert books(session) == before
        assert check_invariants(session, now=clock.now()) == []
