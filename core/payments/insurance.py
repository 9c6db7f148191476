"""The leg of a charge that the medical insurance pays, and what the two legs of one order come to together.

Switched off: nobody may pay so until an insurer's account exists (`OFFERED`), and no adapter opens such an order.
"""

from __future__ import annotations

from enum import StrEnum

from core.ports import LegState, MixedOrder
from models.appointment import PayerKind

OFFERED = frozenset({PayerKind.SELF_PAY})
"""As whom a patient may pay."""


class MixedStep(StrEnum):
    """What follows from where an order stands."""

    WAIT = "wait"
    KEEP = "keep"
    """Every leg is paid: the number is the patient's."""
    RETURN_SELF_PAY = "return_self_pay"
    """The order failed and the patient's own money had come: it goes back, by a refund of the cash payment."""
    END = "end"
    """Nobody's money is kept."""
    ASK_PEOPLE = "ask_people"
    """The legs contradict the whole, or the insurer's money is kept for nothing, which only the hospital can return at
    the bureau."""


def what_follows(order: MixedOrder) -> MixedStep:
    """Only what the whole says confirms anything; only what the legs say tells whose money is where."""
    legs = order.legs
    if not legs:
        return MixedStep.ASK_PEOPLE
    if order.whole is LegState.OPEN:
        return MixedStep.WAIT
    if order.whole is LegState.PAID:
        return MixedStep.KEEP if all(leg is LegState.PAID for leg in legs) else MixedStep.ASK_PEOPLE
    if LegState.OPEN in legs:
        return MixedStep.WAIT  # a leg may still bring money that must go back
    if order.insurance is LegState.PAID:
        return MixedStep.ASK_PEOPLE
    return MixedStep.RETURN_SELF_PAY if order.self_pay is LegState.PAID else MixedStep.END
