"""Orders that the medical insurance pays a part of: how a platform tells where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LegState(StrEnum):
    """Where a whole order stands, or one leg of it."""

    OPEN = "open"
    PAID = "paid"
    RETURNED = "returned"
    FAILED = "failed"


@dataclass(frozen=True)
class MixedOrder:
    """An order of two legs, as the platform tells of it; None where it has no such leg."""

    whole: LegState
    self_pay: LegState | None
    insurance: LegState | None

    @property
    def legs(self) -> list[LegState]:
        return [leg for leg in (self.self_pay, self.insurance) if leg is not None]
