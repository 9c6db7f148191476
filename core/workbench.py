"""What a use case with a call outside needs at hand: transactions on both sides of the call, keys and adapters."""

from __future__ import annotations

from dataclasses import dataclass

from core.registry import Adapters
from core.tickets import Tickets
from core.transactions import Transactions
from models.sealing import Vault

REFUNDS_PER_SECOND = 100
"""For each merchant account. WeChat Pay takes 150 (wechat.md 4.6), Alipay names no number."""


@dataclass(frozen=True)
class Workbench:
    transactions: Transactions
    vault: Vault
    tickets: Tickets
    adapters: Adapters
    refunds_per_second: int = REFUNDS_PER_SECOND
