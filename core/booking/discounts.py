"""Discounts by age: what a policy may say of them.

    {"age_from": 65, "age_to": 150, "percent": 100, "basis": "老年人免收普通门诊挂号费", "clinic_types": ["GENERAL"]}

Full years on the day of the visit, both included; percent of the fee; the words of the law or decree that it rests on;
and the types of clinic that it is for, left out for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.booking.policy_checks import whole

_MOST = 10
_LONGEST = 100
_AGE, _PERCENT = whole(0, 150), whole(1, 100)
_NEEDED, _OPTIONAL = {"age_from", "age_to", "percent", "basis"}, {"clinic_types"}


def discounts(value: Any) -> str | None:
    """a list of at most 10 discounts {age_from, age_to, percent, basis, clinic_types?}: 0 to 150, 0 to 150, 1 to 100,
    at most 100 characters, a list of words"""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return "bad_type"
    return None if len(value) <= _MOST and all(_is_discount(one) for one in value) else "bad_value"


def _is_discount(one: Mapping[str, Any]) -> bool:
    if not _NEEDED <= one.keys() <= _NEEDED | _OPTIONAL:
        return False
    checked = (_AGE(one["age_from"]), _AGE(one["age_to"]), _PERCENT(one["percent"]))
    figures = checked == (None, None, None) and one["age_from"] <= one["age_to"]
    kinds = one.get("clinic_types", ["any"])
    named = isinstance(kinds, list) and bool(kinds) and all(_is_text(kind) for kind in kinds)
    return figures and named and _is_text(one["basis"])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= len(value) <= _LONGEST and value.isprintable()
