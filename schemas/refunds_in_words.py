"""Where somebody's money is on its way back, said in Chinese and in English, with dates (rules.md 3.4)."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Mapping
from datetime import datetime

from core.clock import HOSPITAL_ZONE
from models.payment import Refund, RefundReason, RefundStatus
from schemas.words import Words

_WHY: Mapping[RefundReason, Words] = {
    RefundReason.CANCELLED: Words("预约已取消", "The appointment was cancelled"),
    RefundReason.LATE_PAYMENT: Words("付款到账时号源已释放", "The number had been let go before the payment was known"),
    RefundReason.SURPLUS: Words("重复支付", "The fee was paid more than once"),
    RefundReason.AMOUNT_DIFFERS: Words("实付金额与应付金额不符", "Another sum was paid than was due"),
    RefundReason.SUSPENDED: Words("医院停诊", "The hospital has suspended the clinic"),
    RefundReason.RESCHEDULED: Words("改约后费用降低", "The new appointment costs less"),
    RefundReason.PRICE_LOWERED: Words("替诊后费用降低", "The visit costs less with another doctor"),
}
_TAKEN_ON = Words(
    "自{since}起办理，支付平台已受理，原路退回：零钱或余额通常 20 分钟内到账，银行卡通常 1 至 3 个工作日。",
    "it has been due since {since}, and the payment platform has taken it on. It goes back the way it was paid: to a "
    "wallet mostly within 20 minutes, to a bank card mostly within 1 to 3 working days.",
)
_WHERE: Mapping[RefundStatus, Words] = {
    RefundStatus.DUE: Words(
        "自{since}起办理，将原路退回。", "it has been due since {since} and will go back the way it was paid."
    ),
    RefundStatus.UNKNOWN: Words(
        "自{since}起办理，正在向支付平台核实是否已受理，不会重复退款，也无需重新申请。",
        "it has been due since {since}. The payment platform is being asked whether it has taken it on; nothing needs "
        "to be asked for again.",
    ),
    RefundStatus.PROCESSING: _TAKEN_ON,
    RefundStatus.SUCCEEDED: Words(
        "已于{done}原路退回；退到银行卡的，入账可能还需 1 至 3 个工作日。",
        "it went back on {done} the way it was paid; a bank card may show it 1 to 3 working days later.",
    ),
    RefundStatus.ABNORMAL: Words(
        "自{since}起办理，未能退到原支付账户（例如银行卡已注销），医院正在处理，无需重新申请。",
        "it has been due since {since} and could not arrive where it was paid from (the card may be closed, for "
        "example). The hospital is seeing to it; nothing needs to be asked for again.",
    ),
    RefundStatus.DESK: Words(
        "自{since}起办理，现由医院人工处理，无需重新申请；如需了解进度，请联系医院窗口。",
        "it has been due since {since} and is seen to by the hospital's staff; nothing needs to be asked for again, "
        "and the hospital's desk can say how far it is.",
    ),
    RefundStatus.CLOSED: Words(
        "自{since}起办理，被支付平台关闭，将以新的退款单号重新退回。",
        "it has been due since {since} and was closed by the payment platform; it goes back under another number.",
    ),
}
_AWAITS_RED = Words(
    "自{since}起办理。按医院财务规定，退款前须先冲红已开具的财政电子票据；医院正在开具红字票据，开具后立即原路退回，无需重新申请。",
    "it has been due since {since}. The hospital has issued an electronic receipt of it, and ends that one with a red "
    "receipt first; once that is there it goes back at once, the way it was paid. Nothing needs to be asked for again.",
)
_ELSEWHERE: Mapping[RefundStatus, Words] = {
    RefundStatus.PROCESSING: Words(
        "自{since}起办理，未能退到原支付账户，支付平台正在退到付款人的另一账户，银行卡通常 1 至 3 个工作日到账。",
        "it has been due since {since} and could not arrive where it was paid from. The payment platform is sending it "
        "to another account of whoever paid; a bank card mostly shows it within 1 to 3 working days.",
    ),
    RefundStatus.SUCCEEDED: Words(
        "未能退到原支付账户，已于{done}退到付款人的另一账户；退到银行卡的，入账可能还需 1 至 3 个工作日。",
        "it could not arrive where it was paid from, and went to another account of whoever paid on {done}; a bank "
        "card may show it 1 to 3 working days later.",
    ),
}
"""Of one that was `abnormal` before."""
_BY_HAND = Words("已于{done}由医院退还。", "it was given back by the hospital on {done}.")


def where_it_is(refund: Refund) -> Words:
    """Why money goes back, how much, and where it is. Nothing of the account that it goes to: others may read along."""
    why, where = _WHY[refund.reason], _where(refund)
    yuan = f"{refund.amount_fen // 100}.{refund.amount_fen % 100:02d}"
    times = {"since": refund.created_at, "done": refund.succeeded_at}
    known = {name: at.astimezone(HOSPITAL_ZONE) for name, at in times.items() if at is not None}
    zh = where.zh.format(**{name: _zh(at) for name, at in known.items()})
    en = where.en.format(**{name: _en(at) for name, at in known.items()})
    return Words(f"{why.zh}，退款 {yuan} 元：{zh}", f"{why.en}. Of {yuan} yuan: {en}")


def _where(refund: Refund) -> Words:
    if refund.awaits_red_since is not None:
        return _AWAITS_RED
    if refund.by_hand and refund.status is RefundStatus.SUCCEEDED:
        return _BY_HAND
    elsewhere = _ELSEWHERE.get(refund.status) if refund.was_abnormal else None
    return elsewhere or _WHERE[refund.status]


def _zh(at: datetime) -> str:
    return f"{at.year}年{at.month}月{at.day}日 {at:%H:%M}"


def _en(at: datetime) -> str:
    return f"{at.day} {month_name[at.month]} {at.year}, {at:%H:%M} (Beijing time)"
