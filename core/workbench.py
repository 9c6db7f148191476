"""What a use case with a call outside needs at hand: transactions on both sides of the call, keys and adapters."""

from __future__ import annotations

from dataclasses import dataclass

from core.registry import Adapters
from core.tickets import Tickets
from core.transactions import Transactions
from models.sealing import Vault


@dataclass(frozen=True)
class Workbench:
    transactions: Transactions
    vault: Vault
    tickets: Tickets
    adapters: Adapters
