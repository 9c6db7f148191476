"""A patient with a number to book, on each database."""

from __future__ import annotations

import pytest
from fakes import FakeAdapters, ManualClock
from harness import Patient, make_patient, make_workbench

from core.transactions import Transactions
from core.workbench import Workbench
from models.sealing import Vault


@pytest.fixture
def adapters(clock: ManualClock) -> FakeAdapters:
    return FakeAdapters(clock)


@pytest.fixture
def workbench(transactions: Transactions, vault: Vault, adapters: FakeAdapters) -> Workbench:
    return make_workbench(transactions, vault, adapters)


@pytest.fixture
def patient(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Patient:
    return make_patient(workbench, clock, adapters)
