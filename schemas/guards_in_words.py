"""Whom a clinic is for, in Chinese and in English: as a rule of the hospital, and as the reason of a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.booking.policy import BookingPolicy
from core.booking.rules.guards import OLDEST
from models.policy import VisitKind, VisitScope
from schemas.words import Words, count

_SEXES = {"female": Words("女性", "women and girls"), "male": Words("男性", "men and boys")}


def guards(policy: BookingPolicy) -> Words:
    """Every key of `policy` has a value."""
    said = []
    if len(policy.sexes or ()) == 1:
        said.append(_sexes(policy.sexes or ()))
    first, last, days = policy.age_from or 0, policy.age_to or 0, policy.age_to_days or 0
    if first or last != OLDEST or days:
        said.append(_ages(first, last, days))
    if len(policy.visit_kinds or ()) == 1:
        said.append(_visits(policy.visit_kinds or (), policy.return_visit_days or 0, policy.return_visit_scope or ""))
    if not said:
        return Words("不限性别、年龄，初诊复诊均可预约。", "For everybody of any age, first and return visits alike.")
    return Words("".join(one.zh for one in said), " ".join(one.en for one in said))


def why_not_eligible(facts: Mapping[str, Any]) -> Words:
    """From the facts of the refusal."""
    if facts["guard"] == "sex":
        return _sexes(facts["sexes"])
    if facts["guard"] == "age":
        return _ages(facts.get("age_from", 0), facts.get("age_to", OLDEST), facts.get("age_to_days", 0))
    return _visits(facts["visit_kinds"], facts["within_days"], facts["scope"])


def _sexes(allowed: Sequence[str]) -> Words:
    named = [_SEXES[one] for one in allowed]
    return Words(
        f"只接诊{'和'.join(one.zh for one in named)}就诊人。", f"For {' and '.join(one.en for one in named)} only."
    )


def _ages(first: int, last: int, days: int) -> Words:
    """Full years on the day of the visit."""
    said = []
    if first and last != OLDEST:
        said.append(Words(f"只接诊就诊当日{first}至{last}周岁", f"from {first} to {last} years old"))
    elif first:
        said.append(Words(f"只接诊就诊当日满{first}周岁", f"from {count(first, 'year')} of age"))
    elif last != OLDEST:
        said.append(Words(f"只接诊就诊当日{last}周岁及以下", f"up to {count(last, 'year')} of age"))
    if days:
        said.append(Words(f"只接诊出生{days}天以内", f"up to {count(days, 'day')} after birth"))
    zh = "".join(f"{one.zh}的就诊人。" for one in said)
    return Words(zh, f"Only {' and '.join(one.en for one in said)}, on the day of the visit.")


def _visits(kinds: Sequence[str], days: int, scope: str) -> Words:
    here = Words("本院", "this hospital") if scope == VisitScope.HOSPITAL else Words("本科室", "this department")
    if VisitKind.RETURN in kinds:
        return Words(
            f"只接受复诊：就诊前{days}天内须在{here.zh}就诊过。",
            f"For return visits only: who was seen in {here.en} within {count(days, 'day')} before.",
        )
    return Words(
        f"只接受初诊：就诊前{days}天内未在{here.zh}就诊过。",
        f"For first visits only: who was not seen in {here.en} within {count(days, 'day')} before.",
    )
