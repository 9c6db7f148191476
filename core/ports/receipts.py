"""The finance ministry's electronic receipts (医疗收费电子票据), as a hospital has issued them.

It is the hospital that issues a receipt, after the visit or the payment, and the red one (冲红) that ends it, over its
own finance system; nobody here can. So a source tells what there is. The one that is built in reads the file that a
hospital sends (`core/receipts/sent_file.py`); a provider's client would be another one (docs/decisions/0063).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, Protocol

from core.catalog.faults import Fault


class ReceiptName(NamedTuple):
    """票据代码, 票据号码: together there is one receipt in the country."""

    code: str
    number: str


@dataclass(frozen=True)
class IssuedReceipt:
    """One receipt as its face says it. `appointment` is our number of what was paid for, `hospital` the directory's
    code. A red one `reddens` a blue one, whole: its amount is that one's with the sign turned. With `check_code` or
    `url` anybody can read whom it was issued to. `source` and `line`: where it stands in what was told."""

    source: str
    line: int
    hospital: str
    appointment: str
    name: ReceiptName
    check_code: str = field(repr=False)
    url: str | None = field(repr=False)
    amount_fen: int
    issued_on: date
    reddens: ReceiptName | None


@dataclass(frozen=True)
class Issued:
    """What a source has to tell, in any order, and what of it could not be read."""

    receipts: Sequence[IssuedReceipt]
    unread: Sequence[Fault] = ()


class ReceiptSource(Protocol):
    """Tells of each receipt as often as it likes."""

    def issued(self) -> Issued:
        """Raises: ProviderUnavailable, ProviderRefused."""
