"""That two hospitals are near in time, in Chinese and in English."""

from __future__ import annotations

from core.booking.rules.travel import TravelGap
from core.clock import HOSPITAL_ZONE
from schemas.words import Words, count


def near(gap: TravelGap) -> Words:
    begins, ends = (at.astimezone(HOSPITAL_ZONE) for at in (gap.starts_at, gap.ends_at))
    when = f"{begins:%H:%M}-{ends:%H:%M}"
    return Words(
        f"就诊人{begins.month}月{begins.day}日{when}在另一家医院已有预约，与本次门诊的间隔可能不足{gap.minutes}分钟，请留足路上的时间。",
        f"The patient has an appointment at another hospital on {begins:%Y-%m-%d}, {when}, which may be less than "
        f"{count(gap.minutes, 'minute')} from this one: please allow for the way.",
    )
