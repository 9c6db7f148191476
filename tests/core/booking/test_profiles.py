"""Each figure of the profiles of real hospitals (`tests/profiles.py`), by what comes of it; until when a number is sold
and given back is in test_deadlines.py."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from outcomes import (
    VISIT,
    Outcome,
    banned,
    check_in,
    found,
    held,
    kept,
    refused,
    released,
    released_over,
    rests,
    somebody_else,
    visit,
    waits,
)
from profiles import PROFILES

from core.booking.policy import PLATFORM_DEFAULTS, BookingPolicy, merged
from core.booking.rules.seen_before import SeenBefore
from core.dependents.agreements import Ages
from models.kinds import IdentityLevel
from schemas.deadlines_in_words import checking_in

DOCS = Path(__file__).parents[3] / "docs" / "booking-profiles.md"

_IN_JUNE = ("2026-05-01 08:00", "2026-06-01 08:00", "2026-06-30 08:00")
_NO_SHOW, _CANCEL, _LATE = "no_show_ladder", "cancel_ladder", "late_cancel_ladder"
_DAY = timedelta(days=1)

ROWS: list[tuple[str, str, Outcome, Any]] = [
    ("NJ12320", "7 days, 00:00", released, "2026-11-24 00:00"),
    ("NJ12320/鼓楼医院", "08:00", released, "2026-11-24 08:00"),
    ("NJ12320/江苏省人民医院", "06:30", released, "2026-11-24 06:30"),
    ("NJ12320", "pick up AM by 09:30", check_in("08:00"), "07:30-09:30"),
    ("NJ12320", "pick up PM by 14:30", check_in("13:30"), "13:00-14:30"),
    ("JSFY", "7 days, 06:00", released, "2026-11-24 06:00"),
    ("JSFY", "pay within 15 minutes", held, 15),
    ("JSFY", "3 in a half-year, consecutive: 183 days",
        banned(_NO_SHOW, "2026-07-01 08:00", "2026-01-02 08:00", "2026-03-01 08:00"), "2026-12-31 08:00"),
    ("JSFY", "3 in more than a half-year",
        banned(_NO_SHOW, "2026-07-01 08:00", "2026-01-01 08:00", "2026-03-01 08:00"), None),
    ("PUMCH114", "7 days, 08:30", released, "2026-11-24 08:30"),
    ("PUMCH114", "3 in a year: 91 days", banned(_NO_SHOW, "2026-06-30 08:00", *_IN_JUNE[:2]), "2026-09-29 08:00"),
    ("PUMCH114", "6 in a year: 183 days", banned(_NO_SHOW, "2026-06-30 08:00", *_IN_JUNE[:2] * 3), "2026-12-30 08:00"),
    ("PUMCH114", "3 in two years", banned(_NO_SHOW, "2026-01-01 00:00", "2025-12-31 23:59", "2025-12-30 08:00"), None),
    ("PUMCH114", "pick up AM by 09:00", check_in("08:00"), "07:30-09:00"),
    ("PUMCH114", "pick up PM by 13:30", check_in("13:00"), "12:30-13:30"),
    ("BJ114", "90 days", released, "2026-09-02 07:00"),
    ("BJ114", "1 a department and day", refused(visit(department=3)), ["already_booked"]),
    ("BJ114", "2 a day", refused(visit(), visit(hospital=UUID(int=8))), ["person_limit"]),
    ("BJ114", "3 in 7 days", refused(*(visit(VISIT + _DAY * day) for day in (1, 3, 6))), ["period_limit"]),
    ("BJ114", "2 in 7 days", refused(*(visit(VISIT + _DAY * day) for day in (1, 3, 7))), []),
    ("BJ114", "5 in 3 months", refused(*(visit(VISIT - _DAY * day) for day in (10, 30, 50, 70, 90))), ["period_limit"]),
    ("BJ114", "3 in 91 days: 91 days",
        banned(_NO_SHOW, "2026-06-30 08:00", "2026-04-01 08:00", "2026-05-01 08:00"), "2026-09-29 08:00"),
    ("BJ114/later", "3 in 91 days: 183 days", banned(_NO_SHOW, _IN_JUNE[2], *_IN_JUNE[:2]), "2026-12-30 08:00"),
    ("BJ_LADDER", "7 days, 15:00", released, "2026-11-24 15:00"),
    ("BJ_LADDER", "1 in a year: 30 days", banned(_NO_SHOW, "2026-06-30 08:00"), "2026-07-30 08:00"),
    ("BJ_LADDER", "2 in a year: 60 days", banned(_NO_SHOW, _IN_JUNE[2], *_IN_JUNE[:1]), "2026-08-29 08:00"),
    ("BJ_LADDER", "3 in a year: 90 days", banned(_NO_SHOW, _IN_JUNE[2], *_IN_JUNE[:2]), "2026-09-28 08:00"),
    ("BJ_LADDER", "pick up AM until 11:00", check_in("08:00"), "07:30-11:00"),
    ("BJ_LADDER", "pick up PM until 16:00", check_in("13:30"), "13:00-16:00"),
    ("BJ_SELF", "7 days, 07:00", released, "2026-11-24 07:00"),
    ("BJ_SELF", "1 a doctor and day", refused(visit(department=3, doctor="the one")), ["already_booked"]),
    ("BJ_SELF", "another doctor of the department", refused(visit(department=3)), []),
    ("BJ_SELF", "the doctor on another day", refused(visit(VISIT + _DAY, department=3, doctor="the one")), []),
    ("BJ_SELF", "check in AM by 11:30", check_in("08:00"), "07:30-11:30"),
    ("BJ_SELF", "check in PM by 16:30", check_in("13:00"), "12:30-16:30"),
    ("BJ_SELF", "4 in a month: the rest of it", banned(_NO_SHOW, "2026-06-10 08:00", *["2026-06-01 00:00"] * 3),
        "2026-07-01 00:00"),
    ("BJ_SELF", "3 in a month", banned(_NO_SHOW, "2026-06-10 08:00", "2026-05-31 23:59", *["2026-06-01 00:00"] * 2),
        None),
    ("BCH", "back at a random moment within 1 to 2 hours", rests, (1, 2)),
    ("BJ2023", "a share on site, one for elders", kept, {"on_site": 10, "elders": 10}),
    ("BJ2023/named doctor", "first visits not by name", refused(seen=SeenBefore(False, False)), ["not_eligible"]),
    ("BJ2023/named doctor", "return visits by name", refused(seen=SeenBefore(True, False)), []),
    ("ZSYY_SH", "3 in 90 days: 90 days",
        banned(_NO_SHOW, "2026-06-30 08:00", "2026-04-01 08:01", "2026-05-01 08:00"), "2026-09-28 08:00"),
    ("SH_2CAMPUS", "2 departments", refused(visit(department=8), visit()), ["person_limit"]),
    ("SH_2CAMPUS", "a second department", refused(visit(), visit()), []),
    ("SH_2CAMPUS", "1 expert a department", refused(visit(department=3)), ["already_booked"]),
    ("SH_2CAMPUS", "1: 183 days", banned(_NO_SHOW, "2026-06-30 08:00"), "2026-12-30 08:00"),
    ("CZ", "14 days, 00:00", released, "2026-11-17 00:00"),
    ("CZ", "check in from 30 minutes before", check_in("08:00"), "07:30-12:00"),
    ("CZ", "3 whenever: 183 days", banned(_NO_SHOW, "2026-06-30 08:00", "2024-01-01 08:00", "2025-01-01 08:00"),
        "2026-12-30 08:00"),
    ("JS_28", "28 days, 06:00", released, "2026-11-03 06:00"),
    ("JS_28", "1 a department and day", refused(visit(department=3)), ["already_booked"]),
    ("JS_28", "check in from 30 minutes before", check_in("08:00"), "07:30-12:00"),
    ("JS_28", "cancelled 3 times in a month: the rest of it",
        banned(_CANCEL, "2026-02-28 08:00", "2026-02-01 00:00", "2026-02-10 08:00"), "2026-03-01 00:00"),
    ("JS_28", "3 in a half-year: 183 days", banned(_NO_SHOW, _IN_JUNE[2], *_IN_JUNE[:2]), "2026-12-30 08:00"),
    ("JS_28", "3 in two half-years", banned(_NO_SHOW, "2026-07-01 08:00", *_IN_JUNE[:2]), None),
    ("JS_1M", "14 days, 06:30", released, "2026-11-17 06:30"),
    ("JS_1M", "closed 00:00-06:30", refused(now="2026-11-30 06:29"), ["closed_hours"]),
    ("JS_1M", "open from 06:30", refused(now="2026-11-30 06:30"), []),
    ("JS_1M", "from 14 years on", refused(birth_date=date(2012, 12, 2)), ["not_eligible"]),
    ("JS_1M", "3 in a year: 30 days", banned(_NO_SHOW, _IN_JUNE[2], *_IN_JUNE[:2]), "2026-07-30 08:00"),
    ("JS_1M", "cancelled 3 times in a month: 30 days", banned(_CANCEL, *["2026-06-30 08:00"] * 3), "2026-07-30 08:00"),
    ("JS_1M", "given back 3 times on the day: 30 days", banned(_LATE, *["2026-06-30 08:00"] * 3), "2026-07-30 08:00"),
    ("SZ_PLAT", "14 days, about 13:00", lambda keys: released(keys)[:13], "2026-11-17 13"),
    ("SZ_PLAT", "about", released_over, 10),
    ("SZ_PLAT", "cancelled 3 times in 10 days: 91 days",
        banned(_CANCEL, "2026-06-30 08:00", "2026-06-20 08:01", "2026-06-25 08:00"), "2026-09-29 08:00"),
    ("SZ_PLAT", "3 in more than 10 days",
        banned(_CANCEL, "2026-06-30 08:00", "2026-06-20 08:00", "2026-06-25 08:00"), None),
    ("ZSPH", "14 days, 18:00", released, "2026-11-17 18:00"),
    ("ZSPH", "check in from 10 minutes before", check_in("08:00"), "07:50-12:00"),
    ("ZSPH", "1 in a year: 14 days", banned(_NO_SHOW, "2026-06-30 08:00"), "2026-07-14 08:00"),
    ("ZSPH", "2 in a year: 30 days", banned(_NO_SHOW, _IN_JUNE[2], *_IN_JUNE[:1]), "2026-07-30 08:00"),
    ("ZSPH", "3 in a year: 90 days", banned(_NO_SHOW, _IN_JUNE[2], *_IN_JUNE[:2]), "2026-09-28 08:00"),
    ("HZJKT", "for those under 18 without their own word", refused(**somebody_else(17)), []),
    ("HZJKT", "from 18 their own word", refused(**somebody_else(18)), ["agreement_required"]),
    ("HZJKT", "to 59 their own word", refused(**somebody_else(59)), ["agreement_required"]),
    ("HZJKT", "from 60 without", refused(**somebody_else(60)), []),
    ("NB", "8 days, 12:00", released, "2026-11-23 12:00"),
    ("NB", "8 a phone and month", refused(by_phone=8), ["person_limit"]),
    ("NB", "7 a phone and month", refused(by_phone=7), []),
    ("NB", "2 a hospital and day", refused(visit(), visit()), ["person_limit"]),
    ("NB", "elsewhere more", refused(visit(), *(visit(hospital=UUID(int=8)) for _ in range(2))), []),
    ("NB", "again 1 minute after cancelling", refused(visit(ended="2026-11-30 09:59"), now="2026-11-30 10:00"), []),
    ("NB", "not before", refused(visit(ended="2026-11-30 09:59:01")), ["rebook_too_soon"]),
    ("NB", "again 2 hours after a refund", refused(visit(ended="2026-11-30 08:01", paid=True)), ["rebook_too_soon"]),
    ("NB", "pay within 10 minutes", held, 10),
    ("ZJ_HOSP", "7 days", released, "2026-11-24 07:00"),
    ("HUAXI", "check in AM by 11:30", check_in("08:00"), "07:30-11:30"),
    ("HUAXI", "check in PM by 15:30", check_in("13:30"), "13:00-15:30"),
    ("HUAXI", "3 whenever: 183 days", banned(_NO_SHOW, "2026-06-30 08:00", "2024-01-01 08:00", "2025-01-01 08:00"),
        "2026-12-30 08:00"),
    ("JLTCM", "7 days, 05:00", released, "2026-11-24 05:00"),
    ("JLTCM", "1 a doctor and day", refused(visit(department=3, doctor="the one")), ["already_booked"]),
    ("JLTCM", "another doctor of the department", refused(visit(department=3)), []),
    ("JLTCM", "the doctor on another day", refused(visit(VISIT + _DAY, department=3, doctor="the one")), []),
    ("JLTCM", "closed from 23:00", refused(now="2026-11-30 23:00"), ["closed_hours"]),
    ("JLTCM", "closed until 05:00", refused(now="2026-11-30 04:59"), ["closed_hours"]),
    ("JLTCM", "open from 05:00", refused(now="2026-11-30 05:00"), []),
    ("JLTCM", "3 departments a day", refused(*(visit(department=one) for one in (7, 8, 9))), ["person_limit"]),
    ("JLTCM", "a third department", refused(*(visit(department=one) for one in (7, 8, 8))), []),
    ("JLTCM", "4 whenever: 183 days", banned(_NO_SHOW, "2026-06-30 08:00", *["2024-01-01 08:00"] * 3),
        "2026-12-30 08:00"),
    ("JLTCM", "3 whenever", banned(_NO_SHOW, "2026-06-30 08:00", *["2026-06-01 08:00"] * 2), None),
    ("QDFY_WL", "06:00-23:00, closes at 23:00 of the day before", waits, "06:00-23:00, until 2026-11-30 23:00"),
    ("QDFY_WL", "24 hours to pay", found("2026-11-28 10:00"), "2026-11-29 10:00"),
    ("QDFY_WL", "but not after 23:00 of the day before", found("2026-11-30 07:59"), "2026-11-30 23:00"),
    ("GD_REAL", "real names", refused(identity_level=IdentityLevel.TYPED), ["identity_required"]),
    ("SZ160", "3: until an appeal", banned(_NO_SHOW, "2026-06-30 08:00", *["2024-01-01 08:00"] * 2), "until appeal"),
    ("SEED", "by face", refused(identity_level=IdentityLevel.MATCHED), ["identity_required"]),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "figure", "outcome", "expected"), ROWS, ids=[": ".join(row[:2]) for row in ROWS])
def test_a_figure_comes_to_what_the_hospital_says(profile: str, figure: str, outcome: Outcome, expected: Any) -> None:
    assert outcome(PROFILES[profile]) == expected, figure


_DEADLINES = re.compile("cancel_(?!ladder)|may_cancel|booking_ends")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_key_of_a_profile_decides_something(profile: str) -> None:
    """Without it some figure would be another, or it says what the platform says anyway."""
    keys, whole = PROFILES[profile], profile.split("/", maxsplit=1)[0]
    rows = [(outcome, expected) for of, _, outcome, expected in ROWS if of.split("/")[0] == whole]
    for key, value in keys.items():
        shared = "/" in profile and PROFILES.get(whole, {}).get(key) == value
        if _DEADLINES.match(key) or shared or PLATFORM_DEFAULTS.to_document()[key] == value:
            continue
        without = {name: one for name, one in keys.items() if name != key}
        own = [(outcome, expected) for outcome, expected in rows if outcome(keys) == expected]
        assert any(outcome(without) != expected for outcome, expected in own), key


def test_no_hospital_asks_a_minor() -> None:
    """Their guardian consents; nothing that they say counts."""
    asked = {"agreement_from_age": 14, "agreement_to_age": 59}
    assert [refused(**somebody_else(age))(asked) for age in (14, 17, 18)] == [[], [], ["agreement_required"]]
    assert merged([BookingPolicy.parse(asked)]).agreement_ages == Ages(18, 59)


def test_until_when_one_checks_in_is_told() -> None:
    said = checking_in(merged([BookingPolicy.parse(dict(PROFILES["HUAXI"]))]))
    assert said.zh.endswith("最迟上午11:30、下午15:30。")
    assert said.en.endswith("Check-in ends at 11:30 for mornings and 15:30 for afternoons.")
    assert "最迟" not in checking_in(PLATFORM_DEFAULTS).zh


def test_every_profile_is_transcribed_and_what_cannot_be_is_listed() -> None:
    told = DOCS.read_text()
    listed = set(re.findall(r"^\| ([A-Z0-9_]+) \|", told, re.MULTILINE))
    transcribed = {profile.split("/")[0] for profile in PROFILES}
    assert listed <= transcribed
    assert len(transcribed) == 25
    nothing_to_set = {profile for profile, keys in PROFILES.items() if not keys} - {row[0] for row in ROWS}
    assert nothing_to_set <= listed
