"""What an insurance order must fulfil (protocol section 5); the orders themselves are not played yet."""

import hashlib
from collections.abc import Mapping
from typing import Any

INSURED = ("med_ins_gov_fee", "med_ins_self_fee", "med_ins_other_fee")
ID_WEIGHTS = tuple(2**power % 11 for power in range(17, 0, -1))
ID_LETTERS = "10X98765432"


def adds_up(order: Mapping[str, Any]) -> bool:
    """Both identities in fen; `cash_add` and `cash_reduce` are lists of amounts."""
    insured = sum(order[name] for name in INSURED)
    added, reduced = sum(order["cash_add"]), sum(order["cash_reduce"])
    paid = insured + order["wechat_pay_cash_fee"] + reduced
    settled = insured + order["med_ins_cash_fee"] + added
    return bool(order["total_fee"] == paid == settled)


def id_digest(number: str) -> str:
    """MD5 of the number with a capital X; one of 15 digits is made 18 first."""
    if len(number) == 15:
        number = f"{number[:6]}19{number[6:]}"
        place = sum(int(digit) * weight for digit, weight in zip(number, ID_WEIGHTS, strict=True)) % 11
        number += ID_LETTERS[place]
    return hashlib.md5(number.upper().encode()).hexdigest()
