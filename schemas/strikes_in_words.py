"""What a strike rests on, said to the patient in Chinese and in English."""

from __future__ import annotations

from collections.abc import Mapping

from models.strike import StrikeKind
from schemas.words import Words

_WHY: Mapping[StrikeKind, Words] = {
    StrikeKind.NO_SHOW: Words(
        "就诊结束时没有该就诊人的报到记录；医院当天有其他患者报到，也没有该就诊人持其他号就诊的记录。",
        "Nobody had checked in with this number when the clinic ended. Others were checked in at the hospital on that "
        "day, and the patient was not seen there under another number.",
    ),
    StrikeKind.CANCEL: Words(
        "该号在就诊前被退回；按该医院的规则，退号计次。",
        "The number was given back before the visit. This hospital's rules count how often that happens.",
    ),
    StrikeKind.LATE_CANCEL: Words(
        "该号在退号截止时间之后由医院窗口退回。",
        "The number was given back at the hospital's desk after the deadline for cancelling.",
    ),
}


def evidence_of(kind: StrikeKind) -> Words:
    """How many others there were is nobody's business."""
    return _WHY[kind]
