"""Two legs of one order: what follows from where they stand, for every word that a platform may say."""

from __future__ import annotations

from itertools import product

import pytest

from core.payments.insurance import OFFERED, MixedStep, what_follows
from core.ports import LegState, MixedOrder
from models.appointment import PayerKind

OPEN, PAID, RETURNED, FAILED = LegState.OPEN, LegState.PAID, LegState.RETURNED, LegState.FAILED
LEGS = (None, *LegState)


@pytest.mark.parametrize(
    ("whole", "self_pay", "insurance", "step"),
    [
        (OPEN, PAID, OPEN, MixedStep.WAIT),
        (OPEN, PAID, PAID, MixedStep.WAIT),
        (PAID, PAID, PAID, MixedStep.KEEP),
        (PAID, None, PAID, MixedStep.KEEP),
        (PAID, PAID, None, MixedStep.KEEP),
        (PAID, PAID, OPEN, MixedStep.ASK_PEOPLE),
        (PAID, RETURNED, PAID, MixedStep.ASK_PEOPLE),
        (FAILED, PAID, FAILED, MixedStep.RETURN_SELF_PAY),
        (FAILED, PAID, None, MixedStep.RETURN_SELF_PAY),
        (FAILED, PAID, OPEN, MixedStep.WAIT),
        (FAILED, OPEN, FAILED, MixedStep.WAIT),
        (FAILED, FAILED, FAILED, MixedStep.END),
        (FAILED, None, FAILED, MixedStep.END),
        (FAILED, RETURNED, FAILED, MixedStep.END),
        (FAILED, FAILED, PAID, MixedStep.ASK_PEOPLE),
        (FAILED, PAID, PAID, MixedStep.ASK_PEOPLE),
        (RETURNED, RETURNED, RETURNED, MixedStep.END),
        (RETURNED, PAID, RETURNED, MixedStep.RETURN_SELF_PAY),
        (PAID, None, None, MixedStep.ASK_PEOPLE),
    ],
)
def test_what_follows(whole: LegState, self_pay: LegState | None, insurance: LegState | None, step: MixedStep) -> None:
    assert what_follows(MixedOrder(whole, self_pay, insurance)) is step


@pytest.mark.parametrize(("whole", "self_pay", "insurance"), list(product(LegState, LEGS, LEGS)))
def test_a_number_is_kept_for_money_alone_and_no_money_for_nothing(
    whole: LegState, self_pay: LegState | None, insurance: LegState | None
) -> None:
    """Every combination, also those that no platform should tell."""
    step = what_follows(MixedOrder(whole, self_pay, insurance))
    legs = [leg for leg in (self_pay, insurance) if leg is not None]
    if step is MixedStep.KEEP:
        assert whole is PAID
        assert legs
        assert all(leg is PAID for leg in legs)
    if step is MixedStep.END:
        assert not {PAID, OPEN} & set(legs)
    if step is MixedStep.RETURN_SELF_PAY:
        assert self_pay is PAID
        assert whole is not PAID


def test_nobody_pays_with_the_insurance_yet() -> None:
    assert frozenset({PayerKind.SELF_PAY}) == OFFERED
