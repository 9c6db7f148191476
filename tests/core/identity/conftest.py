"""A patient who may have an identity checked."""

from __future__ import annotations

import pytest
from people import Desk, make_desk

from core.transactions import Transactions
from models.sealing import Vault


@pytest.fixture
def desk(transactions: Transactions, vault: Vault) -> Desk:
    return make_desk(transactions, vault)
