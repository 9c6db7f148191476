"""Why somebody is restricted, who did it and what helps: each kind is somebody else's, and ends in another way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.words import Words

_COOL_DOWN = Words(
    "近期占号或退号情况异常，平台暂停了预约账号或就诊人所在账号的新预约，到期自动恢复，与医院无关；"
    "医院窗口和急诊不受影响。如有异议，请联系客服。",
    "Numbers were held or given back in an unusual way, and this service, not the hospital, takes nothing new for a "
    "while of the account that books, or of that of the dependent. It ends by itself; the hospital desk and the "
    "emergency room stay open. If this is wrong, please contact us.",
)
_STRIKES = Words(
    "因爽约或退号次数较多，到期自动恢复；原因可在就诊人所在账号的爽约和退号记录中查看并申诉。医院窗口和急诊不受影响。",
    "Visits were missed or numbers given back too often. It ends by itself; the account of the dependent can read the "
    "strikes and appeal against them. The hospital desk and the emergency room stay open.",
)
_UNTIL_APPEAL = Words(
    "因爽约或退号次数较多，不会自动恢复：请在就诊人所在账号的爽约和退号记录中查看并申诉，已申诉过的请到医院窗口办理。急诊不受影响。",
    "Visits were missed or numbers given back too often. It does not end by itself: please read the strikes in the "
    "account of the dependent and appeal, or go to the hospital desk after an appeal. The emergency room stays open.",
)


def why_restricted(facts: Mapping[str, Any], *, until: datetime | None) -> Words | None:
    """None where the facts do not tell the kind."""
    kind = facts.get("kind")
    if kind == "cool_down":
        return _COOL_DOWN
    if kind == "strikes":
        return _UNTIL_APPEAL if until is None else _STRIKES
    return None
