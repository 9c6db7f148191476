"""Until when a number is sold, until when it can be given back, and when one checks in, for people."""

from __future__ import annotations

from core.booking.policy import BookingPolicy
from schemas.words import Words, count


def until(policy: BookingPolicy) -> Words:
    """Until when a number can be given back."""
    minutes = policy.cancel_minutes_before_segment
    if minutes:
        return Words(
            f"就诊时段开始前{minutes}分钟之前", f"until {count(minutes, 'minute')} before one's time segment begins"
        )
    late = policy.cancel_time_afternoon
    zh = f"{policy.cancel_time}（下午号为{late}）" if late else f"{policy.cancel_time}"
    en = f"{policy.cancel_time} ({late} for an afternoon)" if late else f"{policy.cancel_time}"
    return _at(policy.cancel_days_before, zh, en, working=policy.cancel_in_working_days)


def _at(days: int | None, zh: str, en: str, *, working: bool | None) -> Words:
    if not days:
        return Words(f"就诊日{zh}之前", f"before {en} (Beijing time) of the visit day")
    kind, what = ("个工作日", "working day") if working else ("天", "day")
    return Words(
        f"就诊日前{days}{kind}的{zh}之前", f"before {en} (Beijing time), {count(days, what)} before the visit day"
    )


def last_booking(policy: BookingPolicy) -> Words:
    at, late = policy.booking_ends_time, policy.booking_ends_time_afternoon
    if not at:
        return Words("就诊当天也可预约。", "Numbers can be booked on the visit day, too.")
    zh, en = (f"{at}（下午号为{late}）", f"{at} ({late} for an afternoon)") if late else (at, at)
    words = _at(policy.booking_ends_days_before, zh, en, working=policy.booking_ends_in_working_days)
    return Words(f"{words.zh}可预约。", f"Can be booked {words.en}.")


def cancelling(policy: BookingPolicy) -> Words:
    if not policy.may_cancel:
        return Words("支付后不可在线取消。", "Cannot be cancelled online once it is paid.")
    deadline = until(policy)
    return Words(f"{deadline.zh}可在线取消。", f"Can be cancelled online {deadline.en}.")


def checking_in(policy: BookingPolicy) -> Words:
    """From when and until when one is at the hospital, and where."""
    opens, radius = policy.check_in_opens_minutes, policy.check_in_radius_m
    near = Words(
        f"可在医院{radius}米内自助签到，也可到窗口签到。", f" within {radius} m of the hospital or at the desk."
    )
    desk = Words("请到窗口签到。", " at the desk.")
    how = near if radius else desk
    at, later = policy.check_in_ends_time, policy.check_in_ends_time_afternoon
    ends = Words("", "")
    if at or later:
        known = [Words(f"上午{at}", f"{at} for mornings")] if at else []
        known.append(Words(f"下午{later or at}", f"{later or at} for afternoons"))
        ends = Words(
            f"最迟{'、'.join(one.zh for one in known)}。", f" Check-in ends at {' and '.join(one.en for one in known)}."
        )
    return Words(
        f"就诊时段开始前{opens}分钟起{how.zh}{ends.zh}",
        f"Check in from {count(opens, 'minute')} before your time segment begins,{how.en}{ends.en}",
    )
