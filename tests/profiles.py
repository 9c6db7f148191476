"""What real hospitals and platforms set, one policy for each of the profiles that were found, by the profile's id.

Transcribed by hand from their notices (docs/booking-profiles.md says what no policy can express). Behind a stroke
stands a part of a hospital that has it otherwise. A key that is left out is the platform's default, which is then
theirs, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Keys = Mapping[str, Any]

EVER = "999m"
"""The window of a ladder that names none."""


NO_LIMIT = 100
"""Over all hospitals together, where they limit their own alone."""


def step(count: int, within: str, ban: str) -> dict[str, Any]:
    return {"count": count, "within": within, "ban": ban}


def day_before(at: str, *, working: bool = False) -> dict[str, Any]:
    return {"cancel_days_before": 1, "cancel_time": at, "cancel_in_working_days": working}


def sold_until_day_before(at: str, *, working: bool = False) -> dict[str, Any]:
    return {"booking_ends_days_before": 1, "booking_ends_time": at, "booking_ends_in_working_days": working}


def checked_in_by(morning: str, afternoon: str) -> dict[str, Any]:
    return {"check_in_ends_time": morning, "check_in_ends_time_afternoon": afternoon}


WEEK = {"release_days_before": 7}
_NJ = WEEK | sold_until_day_before("12:00") | checked_in_by("09:30", "14:30") | {"release_time": "00:00"}
_NB = {
    "release_days_before": 8,
    "release_time": "12:00",
    "max_per_phone_month": 8,
    "max_per_person_hospital_day": 2,
    "max_per_person_day": NO_LIMIT,
    "rebook_after_cancel_minutes": 1,
    "hold_minutes": 10,
}
_BJ114 = (
    sold_until_day_before("15:00")
    | day_before("15:00")
    | {
        "release_days_before": 90,
        "max_per_person_7_days": 3,
        "max_per_person_3_months": 5,
        "no_show_ladder": [step(3, "91d", "91d")],
    }
)
_JS_28 = {
    "release_days_before": 28,
    "release_time": "06:00",
    "cancel_ladder": [step(3, "month", "rest_of_month")],
    "no_show_ladder": [step(3, "half_year", "183d")],
}

PROFILES: Mapping[str, Keys] = {
    "NJ12320": _NJ,
    "NJ12320/鼓楼医院": _NJ | sold_until_day_before("16:30") | {"release_time": "08:00"},
    "NJ12320/江苏省人民医院": _NJ | {"release_time": "06:30"},
    "NJ12320/儿童医院": _NJ | sold_until_day_before("18:00"),
    "NJ12320/南医大眼科": _NJ | {"may_cancel": False},
    "JSFY": WEEK | {
        "release_time": "06:00",
        "cancel_time": "11:00",
        "cancel_time_afternoon": "16:00",
        "no_show_ladder": [step(3, "6m", "183d")],
    },
    "PUMCH114": WEEK | sold_until_day_before("14:00", working=True) | day_before("14:00", working=True)
        | checked_in_by("09:00", "13:30")
        | {"release_time": "08:30", "no_show_ladder": [step(3, "year", "91d"), step(6, "year", "183d")]},
    "BJ114": _BJ114,
    "BJ114/later": _BJ114 | {"no_show_ladder": [step(3, "91d", "183d")]},
    "BJ_LADDER": WEEK | sold_until_day_before("16:00") | day_before("16:00", working=True)
        | checked_in_by("11:00", "16:00")
        | {
            "release_time": "15:00",
            "no_show_ladder": [step(1, "year", "30d"), step(2, "year", "60d"), step(3, "year", "90d")],
        },
    "BJ_SELF": WEEK | day_before("17:00") | checked_in_by("11:30", "16:30") | {
        "booking_ends_time": "11:00",
        "booking_ends_time_afternoon": "16:00",
        "max_open_per_person_department_day": NO_LIMIT,
        "max_open_per_person_doctor_day": 1,
        "no_show_ladder": [step(4, "month", "rest_of_month")],
    },
    "BCH": {"return_after_seconds": 3600, "return_spread_seconds": 3600},
    "BJ2023": {"share_on_site": 10, "share_elders": 10},
    "BJ2023/named doctor": {"visit_kinds": ["return"]},
    "ZSYY_SH": {"cancel_days_before": 1, "cancel_in_working_days": True},
    "SH_2CAMPUS": {
        "cancel_days_before": 2,
        "cancel_in_working_days": True,
        "max_departments_per_person_day": 2,
        "max_per_person_day": NO_LIMIT,
        "no_show_ladder": [step(1, "year", "183d")],
    },
    "CZ": day_before("15:00", working=True) | {
        "release_time": "00:00",
        "booking_ends_time": "00:00",
        "no_show_ladder": [step(3, EVER, "183d")],
    },
    "JS_28": _JS_28 | {"cancel_minutes_before_segment": 30},
    "JS_28/expert": _JS_28 | {"cancel_minutes_before_segment": 12 * 60},
    "JS_1M": {
        "release_time": "06:30",
        "closed_until": "06:30",
        "age_from": 14,
        "no_show_ladder": [step(3, "year", "30d")],
        "cancel_ladder": [step(3, "month", "30d")],
        "late_cancel_ladder": [step(3, "month", "30d")],
    },
    "SZ_PLAT": day_before("15:00") | {
        "release_time": "13:00",
        "release_jitter_minutes": 10,
        "cancel_ladder": [step(3, "10d", "91d")],
    },
    "ZSPH": {
        "release_time": "18:00",
        "check_in_opens_minutes": 10,
        "no_show_ladder": [step(1, "year", "14d"), step(2, "year", "30d"), step(3, "year", "90d")],
    },
    "GZJKT": {},
    "HZJKT": {},
    "NB": _NB | {"cancel_days_before": 1},
    "NB/own WeChat": _NB,
    "NB/some doctors": _NB | {"may_cancel": False},
    "ZJ_HOSP": WEEK | sold_until_day_before("17:00"),
    "ZJ_HOSP/province": WEEK | sold_until_day_before("15:00"),
    "HUAXI": checked_in_by("11:30", "15:30") | {
        "cancel_days_before": 2,
        "no_show_ladder": [step(3, EVER, "183d")],
    },
    "JLTCM": WEEK | {
        "release_time": "05:00",
        "closed_from": "23:00",
        "closed_until": "05:00",
        "max_departments_per_person_day": 3,
        "max_open_per_person_department_day": NO_LIMIT,
        "max_open_per_person_doctor_day": 1,
        "max_per_person_day": NO_LIMIT,
        "no_show_ladder": [step(4, EVER, "183d")],
    },
    "QDFY_WL": {"waitlist_pay_until": "23:00"},
    "GD_REAL": {},
    "SZ160": {"no_show_ladder": [step(3, EVER, "until_appeal")]},
    "SEED": {"min_identity_level": 2},
}  # fmt: skip
