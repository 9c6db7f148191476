"""The fixtures and factories themselves: a fault here would hide in every other test."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest
from factories import (
    make_account,
    make_department,
    make_dependent,
    make_doctor,
    make_grant,
    make_hospital,
    make_identity,
    make_login,
    make_schedule,
)
from fakes import START, ManualClock
from pytest_socket import SocketConnectBlockedError
from sqlalchemy import func, select

from core.transactions import Transactions
from models.account import Account
from models.database import Database
from models.schedule import Slot
from models.sealing import Vault


def test_every_factory_makes_a_row_that_the_tables_accept(database: Database, vault: Vault) -> None:
    with database.write() as session:
        account = make_account(session)
        make_login(session, account, make_identity(session, vault, account))
        dependent = make_dependent(session, vault, account)
        holder = make_account(session)
        identity = make_identity(session, vault, holder)
        make_grant(session, dependent, holder.id, identity_id=identity.id)
        department = make_department(session, make_hospital(session))
        schedule = make_schedule(session, department, doctor=make_doctor(session, department), numbers=12)
    with database.read() as session:
        assert session.scalar(select(func.count()).where(Slot.schedule_id == schedule.id)) == 12
        assert dependent.name(vault) == "测试某"


@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_finds_the_database_empty(transactions: Transactions, turn: int) -> None:
    assert transactions.read(lambda session, _: session.scalar(select(func.count()).select_from(Account))) == 0
    transactions.write(lambda session, now: make_account(session, now=now))


def test_the_clock_moves_only_by_hand(clock: ManualClock) -> None:
    assert clock.now() == clock.now() == START
    assert clock.advance(timedelta(seconds=1)) == clock.now() == START + timedelta(seconds=1)


def test_nothing_outside_this_machine_can_be_reached() -> None:
    with pytest.warns(UserWarning, match="192.0.2.1"), pytest.raises(SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_the_blank_database_has_no_table(blank_url: str) -> None:
    blank = Database(blank_url)
    with blank.read() as session:
        assert session.connection().dialect.get_table_names(session.connection()) == []
    blank.close()
    assert Path(blank_url).name
