"""Insurance payments over WeChat Pay (移动医保支付 2.0, wechat.md 5): what an order must fulfil before it is sent, and
what WeChat says of it afterwards.

For the gateway that will open such orders. Sources: PAY /doc/v3/merchant/4016781466, /doc/v3/partner/4018300080.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from marshmallow import ValidationError

from core.ports import LegState, MixedOrder
from integrations.answers import load
from integrations.wechat._fields import encrypt_field
from integrations.wechat._schemas import MixedOrderSchema

_ID_NUMBER = re.compile(r"[0-9]{15}|[0-9]{17}[0-9X]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_LETTERS = "10X98765432"
_STATES = {
    "CREATED": LegState.OPEN,
    "SUCCESS": LegState.PAID,
    "REFUND": LegState.RETURNED,
    "FAIL": LegState.FAILED,
}


@dataclass(frozen=True)
class MedInsAmounts:
    """The parts of an order in fen, named as on the wire. Raises: ValueError where they do not add up."""

    total_fee: int
    med_ins_gov_fee: int
    med_ins_self_fee: int
    med_ins_other_fee: int
    med_ins_cash_fee: int
    wechat_pay_cash_fee: int
    cash_add: tuple[int, ...] = ()
    cash_reduce: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        insured = self.med_ins_gov_fee + self.med_ins_self_fee + self.med_ins_other_fee
        parts = (self.total_fee, insured, self.med_ins_cash_fee, self.wechat_pay_cash_fee)
        if min(*parts, self.med_ins_gov_fee, self.med_ins_self_fee, self.med_ins_other_fee) < 0:
            raise ValueError("no part of an order is negative")
        if min((*self.cash_add, *self.cash_reduce), default=1) <= 0:
            raise ValueError("what is added or taken off is more than nothing")
        added, reduced = sum(self.cash_add), sum(self.cash_reduce)
        if self.total_fee != insured + self.wechat_pay_cash_fee + reduced:
            raise ValueError("the parts paid do not add up to total_fee")
        if self.total_fee != insured + self.med_ins_cash_fee + added:
            raise ValueError("the parts settled do not add up to total_fee")


def id_digest(number: str) -> str:
    """Lower-case hex MD5 of a resident's number, its X in upper case, an old one of 15 digits made 18.

    Raises: ValueError.
    """
    number = number.upper()
    if _ID_NUMBER.fullmatch(number) is None:
        raise ValueError("not a resident's number")
    if len(number) == 15:
        number = _lengthened(number)
    return hashlib.md5(number.encode(), usedforsecurity=False).hexdigest()


def sealed_id_digest(number: str, key: RSAPublicKey) -> str:
    """What `payer.id_digest` carries. Raises: ValueError."""
    return encrypt_field(key, id_digest(number))


def _lengthened(number: str) -> str:
    """The year gets its century, and the number its check digit (GB 11643)."""
    body = f"{number[:6]}19{number[6:]}"
    return body + _CHECK_LETTERS[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def told_order(content: Mapping[str, Any]) -> MixedOrder:
    """The three states of an order, from an answer or a message. Raises: ValidationError for a word that WeChat has
    not documented, or an order without any leg."""
    told = load(MixedOrderSchema(), content)
    self_pay = _leg(told["self_pay_status"], "SELF_PAY")
    insurance = _leg(told["med_ins_pay_status"], "MED_INS_PAY")
    if self_pay is insurance is None:
        raise ValidationError("an order without any leg")
    return MixedOrder(_STATES[told["mix_pay_status"].removeprefix("MIX_PAY_")], self_pay, insurance)


def _leg(status: str, kind: str) -> LegState | None:
    return None if status == f"NO_{kind}" else _STATES[status.removeprefix(f"{kind}_")]
