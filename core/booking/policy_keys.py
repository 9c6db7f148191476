"""What each key of a booking policy may hold, and the report when it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.appointment import PayMode
from models.policy import RequiredField

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class PolicyFault:
    """One bad key of a policy document. `code` is a stable word: unknown, not_an_object, bad_type, bad_value."""

    key: str
    code: str
    detail: str


class InvalidPolicy(Exception):
    """The document is no policy. `faults` names every bad key, sorted."""

    def __init__(self, faults: Iterable[PolicyFault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.key))
        super().__init__("; ".join(f"{fault.key}: {fault.detail}" for fault in self.faults))


def _whole(low: int, high: int) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return "bad_type"
        return None if low <= value <= high else "bad_value"

    check.__doc__ = f"a whole number from {low} to {high}"
    return check


def _time_of_day(value: Any) -> str | None:
    """a time of day as HH:MM"""
    if not isinstance(value, str):
        return "bad_type"
    return None if _TIME_OF_DAY.fullmatch(value) else "bad_value"


def _words(allowed: Iterable[str], *, at_least: int) -> Callable[[Any], str | None]:
    known = sorted(allowed)

    def check(value: Any) -> str | None:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return "bad_type"
        fits = len(value) >= at_least and len(set(value)) == len(value) and set(value) <= set(known)
        return None if fits else "bad_value"

    check.__doc__ = f"a list of different words out of {', '.join(known)}{', not empty' if at_least else ''}"
    return check


MOST_DEPENDENTS = 10
"""What nobody may set higher (rules.md 1.1.4)."""

_LIMIT = _whole(1, 100)
_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "release_days_before": _whole(0, 366),
    "release_time": _time_of_day,
    "closes_minutes_before": _whole(0, 31 * _DAY_MINUTES),
    "hold_minutes": _whole(2, _DAY_MINUTES),  # below 90 s nobody may start to pay
    "close_cap_minutes": _whole(1, _DAY_MINUTES),
    "cancel_days_before": _whole(0, 60),
    "cancel_time": _time_of_day,
    "max_open_per_person_schedule": _whole(1, 1),  # the database keeps it, too
    "max_open_per_person_department_day": _LIMIT,
    "max_per_person_day": _LIMIT,
    "max_open_holds_person": _LIMIT,
    "max_open_holds_account": _LIMIT,
    "min_identity_level": _whole(0, 2),
    "pay_modes": _words((str(mode) for mode in PayMode), at_least=1),
    "return_after_seconds": _whole(0, 7 * _DAY_MINUTES * 60),
    "agreement_from_age": _whole(0, 150),
    "agreement_to_age": _whole(0, 150),
    "max_dependents": _whole(1, MOST_DEPENDENTS),
    "phone_change_days": _whole(0, 366),
    "required_fields": _words((str(name) for name in RequiredField), at_least=0),
}


def refuse_unless_policy(document: Any) -> None:
    """Raises: InvalidPolicy, naming every bad key."""
    if not isinstance(document, dict):
        raise InvalidPolicy([PolicyFault("", "not_an_object", "a policy is an object of keys and values")])
    faults = []
    for key, value in document.items():
        check = _CHECKS.get(key)
        if check is None:
            faults.append(PolicyFault(str(key), "unknown", "no such key"))
        elif code := check(value):
            faults.append(PolicyFault(key, code, f"must be {check.__doc__}"))
    if faults:
        raise InvalidPolicy(faults)
