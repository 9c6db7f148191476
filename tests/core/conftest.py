"""A patient with a number to book, on each database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from fakes import FakeAdapters, ManualClock
from harness import Patient, make_patient, make_workbench

from core.keys.known import Keyring, make_known
from core.transactions import Transactions
from core.workbench import Workbench
from models.sealing import Vault


@pytest.fixture
def transactions(transactions: Transactions, vault: Vault) -> Transactions:
    """As in a process that looked at its keys before it served."""
    transactions.write(lambda session, now: make_known(session, Keyring(vault), now=now))
    return transactions


@pytest.fixture
def adapters(clock: ManualClock) -> FakeAdapters:
    return FakeAdapters(clock)


@pytest.fixture
def workbench(transactions: Transactions, vault: Vault, adapters: FakeAdapters) -> Workbench:
    return make_workbench(transactions, vault, adapters)


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    return make_patient(workbench, clock, adapters)


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Shanghai"])
def server_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The zone that the machine is set to."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()
