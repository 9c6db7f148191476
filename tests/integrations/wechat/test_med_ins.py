"""WeChat's three states of an insurance order (wechat.md 5)."""

from __future__ import annotations

import pytest
from marshmallow import ValidationError

from core.ports import LegState, MixedOrder
from integrations.wechat.med_ins import told_order

WORDS = {
    "CREATED": LegState.OPEN,
    "SUCCESS": LegState.PAID,
    "REFUND": LegState.RETURNED,
    "FAIL": LegState.FAILED,
}


def said(mix: str, self_pay: str, med_ins: str) -> dict[str, str]:
    return {"mix_trade_no": "1", "mix_pay_status": mix, "self_pay_status": self_pay, "med_ins_pay_status": med_ins}


@pytest.mark.parametrize(("word", "state"), WORDS.items())
def test_each_of_the_three_is_read_by_itself(word: str, state: LegState) -> None:
    told = told_order(said(f"MIX_PAY_{word}", "SELF_PAY_SUCCESS", "MED_INS_PAY_FAIL"))
    assert told == MixedOrder(state, LegState.PAID, LegState.FAILED)
    told = told_order(said("MIX_PAY_CREATED", f"SELF_PAY_{word}", "NO_MED_INS_PAY"))
    assert told == MixedOrder(LegState.OPEN, state, None)
    told = told_order(said("MIX_PAY_CREATED", "NO_SELF_PAY", f"MED_INS_PAY_{word}"))
    assert told == MixedOrder(LegState.OPEN, None, state)


@pytest.mark.parametrize(
    "bad",
    [
        said("MIX_PAY_PAID", "SELF_PAY_SUCCESS", "MED_INS_PAY_SUCCESS"),
        said("SELF_PAY_SUCCESS", "SELF_PAY_SUCCESS", "MED_INS_PAY_SUCCESS"),
        said("NO_MIX_PAY", "SELF_PAY_SUCCESS", "MED_INS_PAY_SUCCESS"),
        said("MIX_PAY_SUCCESS", "MED_INS_PAY_SUCCESS", "MED_INS_PAY_SUCCESS"),
        said("MIX_PAY_SUCCESS", "NO_SELF_PAY", "NO_MED_INS_PAY"),
        {"mix_pay_status": "MIX_PAY_SUCCESS", "self_pay_status": "SELF_PAY_SUCCESS"},
    ],
)
def test_what_is_not_documented_is_not_guessed(bad: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        told_order(bad)
