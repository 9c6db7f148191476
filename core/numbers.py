"""The numbers people and platforms see. Random, never counted: a number does not tell how many were sold."""

from __future__ import annotations

import secrets
from datetime import datetime

from core.clock import hospital_day

_DIGITS = 9
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LETTERS_AFTER = 17
TRADE_NUMBER = rf"P[0-9]{{8}}[{_LETTERS}]{{{_LETTERS_AFTER}}}"
"""What a `trade_number` looks like."""


def appointment_number(*, now: datetime) -> str:
    """What a patient reads out at the desk: the day it was made and nine digits."""
    return hospital_day(now).strftime("%y%m%d") + f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"


def trade_number(*, now: datetime) -> str:
    """Our number of a payment: 26 of 0-9A-Z, within every platform's alphabet and length."""
    return _platform_number("P", now=now)


def refund_number(*, now: datetime) -> str:
    """Our number of a refund, made and stored before it is sent."""
    return _platform_number("R", now=now)


def _platform_number(kind: str, *, now: datetime) -> str:
    letters = (secrets.choice(_LETTERS) for _ in range(_LETTERS_AFTER))
    return kind + hospital_day(now).strftime("%Y%m%d") + "".join(letters)
