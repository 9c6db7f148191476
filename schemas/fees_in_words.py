"""What a booking costs and what comes back, in Chinese and in English, and who pays: told before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.booking.policy import BookingPolicy
from core.booking.rules.guards import OLDEST
from models.appointment import PayerKind
from schemas.deadlines_in_words import until
from schemas.words import Words, count

WHOLE = 100
_PAY_MODES = {
    "online": Words("在线支付", "online"),
    "on_site": Words("到院支付", "at the hospital"),
}
PAYERS = {
    PayerKind.SELF_PAY: Words(
        "在线挂号按自费结算，支付后不能改为医保结算；需用医保的，请到医院窗口挂号。",
        "A number booked online is settled as self-pay, and cannot be settled with the medical insurance once it is "
        "paid: to use the insurance, please register at the hospital's desk.",
    ),
    PayerKind.INSURANCE: Words(
        "暂不支持在线医保结算，请持医保码或社保卡到医院窗口挂号。",
        "The medical insurance cannot be used online yet: please register at the hospital's desk with your insurance "
        "code or social-insurance card.",
    ),
}
"""What it means to be either kind of payer."""


def fee_terms(policy: BookingPolicy) -> Words:
    """How the fee is paid."""
    modes = [_PAY_MODES[mode] for mode in policy.pay_modes or ()]
    zh = f"挂号费{'或'.join(mode.zh for mode in modes)}。"
    en = f"The fee is paid {' or '.join(mode.en for mode in modes)}."
    if "online" in (policy.pay_modes or ()):
        zh += f"在线支付须在{policy.hold_minutes}分钟内完成，逾时号源自动释放。"
        en += f" Online payment must be complete within {policy.hold_minutes} minutes, or the number is let go."
    more = [*map(_discount, policy.fee_discounts or ()), PAYERS[PayerKind.SELF_PAY]]
    return Words(zh + "".join(one.zh for one in more), " ".join([en, *(one.en for one in more)]))


def _discount(one: Mapping[str, Any]) -> Words:
    """Its basis is a Chinese law or decree, and stands as it is."""
    first, last, percent = one["age_from"], one["age_to"], one["percent"]
    zh_ages = f"{first}至{last}周岁" if last < OLDEST else f"满{first}周岁"
    en_ages = f"from {first} to {last} years old" if last < OLDEST else f"from {count(first, 'year')} of age"
    kinds = one.get("clinic_types", [])
    zh = f"就诊当日{zh_ages}者{'全免' if percent == WHOLE else f'减免{percent}%'}"
    en = f"Patients {en_ages} on the day of the visit pay {'nothing' if percent == WHOLE else f'{percent}% less'}"
    zh += f"（限{'、'.join(kinds)}）" if kinds else ""
    en += f" ({', '.join(kinds)} only)" if kinds else ""
    return Words(f"{zh}（{one['basis']}）。", f"{en} ({one['basis']}).")


def refund_terms(policy: BookingPolicy) -> Words:
    """What comes back, and until when."""
    if not policy.may_cancel:
        return Words(
            "已支付的号不可在线退号，请到医院窗口办理。医院停诊的，全额退回。",
            "A paid number cannot be given back online: please ask at the hospital's desk. When the hospital calls the "
            "clinic off, the fee is returned in full.",
        )
    deadline = until(policy)
    return Words(
        f"{deadline.zh}取消，已在线支付的费用全额原路退回；此后请到医院窗口办理。医院停诊的，全额退回。",
        f"Cancelled {deadline.en}, a fee paid online is returned in full to where it came from; after that, please ask "
        "at the hospital's desk. When the hospital calls the clinic off, the fee is returned in full.",
    )
