"""What a number costs one patient, line by line: the fee of its half day by legal kind, and what the hospital takes off
it for their age (rules.md 3.2, 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.booking.terms import Terms
from models.charge import FeeKind
from models.person import Dependent
from models.schedule import Schedule

PRICE_LIST = "hospital price list"
"""The legal basis of what a registration costs."""
FOLLOW_UP = "follow-up of an earlier visit (续诊)"


@dataclass(frozen=True)
class PriceLine:
    """In fen; only what is taken off is below zero. `basis` is the legal one."""

    kind: FeeKind
    amount_fen: int
    basis: str


@dataclass(frozen=True)
class Price:
    lines: tuple[PriceLine, ...]

    @property
    def list_fen(self) -> int:
        """What everybody's half day costs, as it is shown with the schedule."""
        return sum(one.amount_fen for one in self.lines if one.kind is not FeeKind.DISCOUNT)

    @property
    def due_fen(self) -> int:
        """What this patient pays, never below zero."""
        return sum(one.amount_fen for one in self.lines)

    def at_most(self, fen: int, *, basis: str) -> Price:
        """No dearer than that, for another reason."""
        more = self.due_fen - fen
        return self if more <= 0 else Price((*self.lines, PriceLine(FeeKind.DISCOUNT, -more, basis)))


FREE_FOLLOW_UP = Price((PriceLine(FeeKind.REGISTRATION, 0, FOLLOW_UP),))


def price_for(dependent: Dependent, schedule: Schedule, terms: Terms) -> Price:
    """By their age on the day of the visit; the first discount that fits counts. What is not a whole fen is the
    hospital's loss."""
    lines = _listed(schedule.fee_fen, terms)
    age = dependent.age(on=schedule.visit_date)
    fits = next((one for one in terms.fee_discounts if _fits(one, age, schedule.clinic_type)), None)
    if fits is None or not schedule.fee_fen:
        return Price(lines)
    off = -(-schedule.fee_fen * fits["percent"] // 100)
    return Price((*lines, PriceLine(FeeKind.DISCOUNT, -off, fits["basis"])))


def least_fen(schedule: Schedule, terms: Terms) -> int:
    """Nobody, whatever their age, pays less."""
    kind = schedule.clinic_type
    off = max((one["percent"] for one in terms.fee_discounts if _is_for(one, kind)), default=0)
    return schedule.fee_fen * (100 - off) // 100


def _listed(fee_fen: int, terms: Terms) -> tuple[PriceLine, ...]:
    """挂号费 and 诊查费, or but one of them; what is free is a registration for nothing."""
    consultation = min(fee_fen, terms.consultation_fen)
    parts = ((FeeKind.REGISTRATION, fee_fen - consultation), (FeeKind.CONSULTATION, consultation))
    lines = tuple(PriceLine(kind, fen, PRICE_LIST) for kind, fen in parts if fen)
    return lines or (PriceLine(FeeKind.REGISTRATION, 0, PRICE_LIST),)


def _fits(discount: Mapping[str, Any], age: int, clinic_type: str) -> bool:
    return discount["age_from"] <= age <= discount["age_to"] and _is_for(discount, clinic_type)


def _is_for(discount: Mapping[str, Any], clinic_type: str) -> bool:
    kinds = discount.get("clinic_types", ())
    return not kinds or clinic_type in kinds
