"""A hospital's booking rules for people: each with its value, in Chinese and in English.

What helps nobody but scalpers (when a freed number comes back) and what only operators need is not told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.booking.policy import BookingPolicy
from schemas.deadlines_in_words import cancelling, checking_in, last_booking, until
from schemas.fees_in_words import fee_terms
from schemas.guards_in_words import guards
from schemas.words import Words, count


@dataclass(frozen=True)
class Rule:
    """One rule: the policy keys behind it with their values, and what they mean to a patient."""

    key: str
    value: dict[str, Any]
    words: Words


_LEVELS = (
    Words("就诊人信息须真实。", "The patient's details must be true."),
    Words("就诊人的姓名和证件号码须核验一致。", "The patient's name and document number must have been matched."),
    Words(
        "就诊人须完成人脸核验，或到医院窗口当面核验。",
        "The patient must have been verified by face, or in person at the hospital's desk.",
    ),
)
_FIELDS = {
    "address": Words("住址", "address"),
    "email": Words("电子邮箱", "e-mail address"),
    "insurance_number": Words("医保号", "insurance number"),
    "hospital_card": Words("本院就诊卡号", "number of a card of this hospital"),
}


def rules_of(policy: BookingPolicy) -> list[Rule]:
    """The rules in the order in which a patient meets them. Every key of `policy` has a value."""
    return [Rule(key, {name: getattr(policy, name) for name in names}, say(policy)) for key, names, say in _RULES]


def booking_notice(policy: BookingPolicy, own: str) -> Words:
    """The hospital's own words where it has some; in English, and otherwise, what the rules come to."""
    level, deadline = _LEVELS[policy.min_identity_level or 0], until(policy)
    more = _fields(policy) if policy.required_fields else Words("", "")
    zh = f"预约与就诊均须实名，请携带就诊人本人有效证件到院。{level.zh}{more.zh}"
    zh += f"如需取消，请在{deadline.zh}办理。" if policy.may_cancel else "支付后不可在线取消。"
    to_cancel = f"To cancel, do so {deadline.en}." if policy.may_cancel else "Once paid it cannot be cancelled online."
    en = (
        "Bookings and visits are under the patient's real name: bring the patient's own valid document. "
        f"{level.en} {more.en}{' ' if more.en else ''}{to_cancel}"
    )
    return Words(own or zh, en)


def _release(policy: BookingPolicy) -> Words:
    days, at, minutes = policy.release_days_before, policy.release_time, policy.release_jitter_minutes
    zh, en = "", ""
    if minutes:
        zh = f"各科室在其后{minutes}分钟内错开放号，以排班所示时刻为准。"
        en = f" Departments follow within {count(minutes, 'minute')}, each at the moment that its schedules show."
    if not days:
        return Words(f"就诊当天{at}放号。{zh}", f"Numbers are released on the visit day at {at} (Beijing time).{en}")
    return Words(
        f"提前{days}天放号，放号时间{at}。{zh}",
        f"Numbers are released {count(days, 'day')} ahead at {at} (Beijing time).{en}",
    )


def _closing(policy: BookingPolicy) -> Words:
    minutes = policy.closes_minutes_before
    if not minutes:
        return Words("每个时段开始前均可预约。", "A time segment can be booked until it begins.")
    return Words(
        f"每个时段最迟在开始前{minutes}分钟预约。",
        f"A time segment can be booked until {count(minutes, 'minute')} before it begins.",
    )


def _identity(policy: BookingPolicy) -> Words:
    return _LEVELS[policy.min_identity_level or 0]


def _agreement(policy: BookingPolicy) -> Words:
    ages = policy.agreement_ages
    if ages.last < ages.first:
        return Words("为他人预约无须其另行同意。", "Booking for somebody else needs no agreement of theirs.")
    return Words(
        f"为他人预约：{ages.first}至{ages.last}周岁的就诊人须本人同意。",
        f"When booked for by somebody else, a patient from {ages.first} to {ages.last} years old must have agreed.",
    )


def _fields(policy: BookingPolicy) -> Words:
    wanted = [_FIELDS[name] for name in policy.required_fields or ()]
    if not wanted:
        return Words(
            "就诊人只需填写姓名、证件、手机号和与您的关系。",
            "Of the patient only name, document, phone and relationship are asked for.",
        )
    return Words(
        f"预约前须补充就诊人的{'、'.join(one.zh for one in wanted)}。",
        f"Before booking, the patient's {' and '.join(one.en for one in wanted)} must be filled in.",
    )


def _limits(policy: BookingPolicy) -> Words:
    schedule, department = policy.max_open_per_person_schedule, policy.max_open_per_person_department_day
    doctor, day = policy.max_open_per_person_doctor_day or 0, policy.max_per_person_day or 0
    zh, en = "", ""
    if doctor < day:  # else the day is full before
        zh, en = f"同一医生每天最多{doctor}个号，", f"{count(doctor, 'number')} with one doctor on one day, "
    return Words(
        f"同一就诊人：同一排班最多{schedule}个号，同一科室每天最多{department}个号，{zh}每天合计最多{day}个号。",
        f"For one patient at most {count(schedule, 'number')} of one clinic, {count(department, 'number')} of one "
        f"department on one day, {en}and {count(day, 'number')} on one day in all.",
    )


def _over_time(policy: BookingPolicy) -> Words:
    week, quarter = policy.max_per_person_7_days, policy.max_per_person_3_months
    return Words(
        f"同一就诊人：任意7天内最多{week}个号，任意91天内最多{quarter}个号，以就诊日计。",
        f"For one patient at most {count(week, 'number')} within any 7 days and {count(quarter, 'number')} within "
        "any 91 days, counted by the days of the visits.",
    )


def _overlap(policy: BookingPolicy) -> Words:
    if policy.may_overlap:
        return Words("同一就诊人可预约时间重叠的号。", "One patient may have numbers at the same time.")
    return Words(
        "同一就诊人不可预约时间重叠的号，跨医院亦同。",
        "One patient cannot have numbers at the same time, whichever the hospital.",
    )


def _rebooking(policy: BookingPolicy) -> Words:
    unpaid, paid = policy.rebook_after_cancel_minutes, policy.rebook_after_refund_minutes
    return Words(
        f"取消后{unpaid}分钟内、已支付的退号后{paid}分钟内，不可再约同一班次。",
        f"The same clinic can be booked again {count(unpaid, 'minute')} after cancelling, and "
        f"{count(paid, 'minute')} after a paid number was given back.",
    )


def _hours(policy: BookingPolicy) -> Words:
    begins, ends = policy.closed_from, policy.closed_until
    if begins == ends:
        return Words("全天可预约。", "Booking is open all day.")
    return Words(
        f"每天{begins}至{ends}不提供预约。", f"Nothing is booked from {begins} to {ends} (Beijing time) each day."
    )


def _holds(policy: BookingPolicy) -> Words:
    person, account = policy.max_open_holds_person, policy.max_open_holds_account
    return Words(
        f"待支付的预约：每位就诊人最多{person}个，每个账号最多{account}个。",
        f"Unpaid at any time: at most {count(person, 'number')} for one patient and {account} for one account.",
    )


def _queue(policy: BookingPolicy) -> Words:
    minutes, late, passed = policy.late_after_minutes, policy.late_places, policy.passed_places
    return Words(
        f"时段开始后满{minutes}分钟才到的，排在{late}位候诊者之后；过号的，排在{passed}位候诊者之后。",
        f"Who comes {count(minutes, 'minute')} after their segment began, or later, goes behind {late} of those who "
        f"wait; who does not answer when called, behind {passed}.",
    )


def _strikes(policy: BookingPolicy) -> Words:
    if not policy.no_show_ladder:
        return Words("爽约不影响以后预约。", "Not coming has no consequence for later bookings.")
    least = min(step["count"] for step in policy.no_show_ladder)
    return Words(
        f"累计爽约{least}次起，一段时间内不能在线预约；急诊和窗口不受影响，可向医院申诉。",
        f"After {count(least, 'visit')} missed, nothing can be booked online for a while; emergencies and the desk "
        "stay open, and the hospital hears you.",
    )


_RULES: tuple[tuple[str, tuple[str, ...], Callable[[BookingPolicy], Words]], ...] = (
    ("release", ("release_days_before", "release_time", "release_jitter_minutes"), _release),
    ("closing", ("closes_minutes_before",), _closing),
    (
        "last_booking",
        (
            "booking_ends_days_before",
            "booking_ends_time",
            "booking_ends_time_afternoon",
            "booking_ends_in_working_days",
        ),
        last_booking,
    ),
    ("hours", ("closed_from", "closed_until"), _hours),
    (
        "patients",
        (
            "sexes",
            "age_from",
            "age_to",
            "age_to_days",
            "visit_kinds",
            "return_visit_days",
            "return_visit_scope",
        ),
        guards,
    ),
    ("identity", ("min_identity_level",), _identity),
    ("agreement", ("agreement_from_age", "agreement_to_age"), _agreement),
    ("fields", ("required_fields",), _fields),
    (
        "limits",
        (
            "max_open_per_person_schedule",
            "max_open_per_person_department_day",
            "max_open_per_person_doctor_day",
            "max_per_person_day",
        ),
        _limits,
    ),
    ("over_time", ("max_per_person_7_days", "max_per_person_3_months"), _over_time),
    ("overlap", ("may_overlap",), _overlap),
    ("rebooking", ("rebook_after_cancel_minutes", "rebook_after_refund_minutes"), _rebooking),
    ("holds", ("max_open_holds_person", "max_open_holds_account"), _holds),
    ("payment", ("pay_modes", "hold_minutes", "consultation_fen", "fee_discounts"), fee_terms),
    (
        "cancelling",
        (
            "cancel_days_before",
            "cancel_time",
            "cancel_time_afternoon",
            "cancel_in_working_days",
            "cancel_minutes_before_segment",
            "may_cancel",
        ),
        cancelling,
    ),
    (
        "check_in",
        (
            "check_in_opens_minutes",
            "check_in_closes_minutes",
            "check_in_ends_time",
            "check_in_ends_time_afternoon",
            "check_in_radius_m",
        ),
        checking_in,
    ),
    ("queue", ("late_after_minutes", "late_places", "passed_places"), _queue),
    ("strikes", ("no_show_ladder", "strikes_platform_wide"), _strikes),
)
