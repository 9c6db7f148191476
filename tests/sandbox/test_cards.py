"""What is paid by a card is told so wherever WeChat Pay tells of it; from the purse it is OTHERS."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("bank", "told", "account"),
    [
        ("ICBC_DEBIT", "ICBC_DEBIT", "工商银行借记卡0403"),
        ("CMB_CREDIT", "CMB_CREDIT", "招商银行信用卡0403"),
        (None, "OTHERS", "支付用户零钱"),
    ],
)
def test_the_bank_of_a_card(box: Any, bank: str | None, told: str, account: str) -> None:
    number = box.placed()
    box.control.post(f"/payments/{number}/pay", **({} if bank is None else {"bank": bank}))
    assert box.demo.query(number).json()["bank_type"] == told
    box.notice(number)
    event = box.told(box.receiver.received[-1])
    assert event is not None
    assert event["bank_type"] == told
    assert box.demo.refund(number, "R1", 500).json()["user_received_account"] == account


@pytest.mark.parametrize("bank", ["", "icbc_debit", "ICBC", "ICBC_DEBIT\n"])
def test_what_is_no_card_is_refused(box: Any, bank: str) -> None:
    answer = box.control.call("POST", f"/payments/{box.placed()}/pay", {"bank": bank})
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_format")
