"""What the value of a policy key may be, and the report when it is something else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.json_objects import KeyTwice, each_once

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)

Check = Callable[[Any], str | None]
"""The code of what is wrong with a value, None where it will do. Its docstring says what it must be."""


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


def whole(low: int, high: int) -> Check:
    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return "bad_type"
        return None if low <= value <= high else "bad_value"

    check.__doc__ = f"a whole number from {low} to {high}"
    return check


def time_of_day(value: Any) -> str | None:
    """a time of day as HH:MM"""
    if not isinstance(value, str):
        return "bad_type"
    return None if _TIME_OF_DAY.fullmatch(value) else "bad_value"


def time_of_day_or_none(value: Any) -> str | None:
    """a time of day as HH:MM, or empty for none"""
    return None if value == "" else time_of_day(value)


def flag(value: Any) -> str | None:
    """true or false"""
    return None if isinstance(value, bool) else "bad_type"


def one_of(allowed: Iterable[str]) -> Check:
    known = sorted(str(word) for word in allowed)

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return "bad_type"
        return None if value in known else "bad_value"

    check.__doc__ = f"one of {', '.join(known)}"
    return check


def words(allowed: Iterable[str], *, at_least: int) -> Check:
    known = sorted(allowed)

    def check(value: Any) -> str | None:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return "bad_type"
        fits = len(value) >= at_least and len(set(value)) == len(value) and set(value) <= set(known)
        return None if fits else "bad_value"

    check.__doc__ = f"a list of different words out of {', '.join(known)}{', not empty' if at_least else ''}"
    return check


def read_policy_json(text: str) -> Any:
    """What an operator wrote, as it stands. Raises: ValueError, also for a key that stands twice in one object: which
    of the two holds would be chance to whoever reads it."""
    try:
        return json.loads(text, object_pairs_hook=each_once)
    except KeyTwice as error:
        raise ValueError(f"stands twice: {', '.join(error.keys)}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def refuse_unless_policy(document: Any, checks: Mapping[str, Check]) -> None:
    """Raises: InvalidPolicy, naming every bad key."""
    if not isinstance(document, dict):
        raise InvalidPolicy([PolicyFault("", "not_an_object", "a policy is an object of keys and values")])
    faults = []
    for key, value in document.items():
        check = checks.get(key)
        if check is None:
            faults.append(PolicyFault(str(key), "unknown", "no such key"))
        elif code := check(value):
            faults.append(PolicyFault(key, code, f"must be {check.__doc__}"))
    if faults:
        raise InvalidPolicy(faults)
