"""A platform's own codes and numbers, as far as they may stand in an error."""

from __future__ import annotations

import re

UNREADABLE = "unreadable"
_CODE = re.compile(r"-?[0-9A-Za-z][0-9A-Za-z._:-]{0,99}")
_REQUEST = re.compile(r"[0-9A-Za-z-]{1,64}")
_DIGITS = re.compile(r"-?[0-9]{1,6}")


def readable(code: str) -> str:
    """The code, where it has the form of one: a word, or a number too short to be a person's or a phone's."""
    if _CODE.fullmatch(code) is None or (code.lstrip("-")[0].isdigit() and _DIGITS.fullmatch(code) is None):
        return UNREADABLE
    return code


def request_number(told: object) -> str | None:
    """The platform's number of the call, for its support; None where it has not the form of one."""
    return told if isinstance(told, str) and _REQUEST.fullmatch(told) else None


def about(told: object) -> str:
    """What an error says of the call; empty where the platform gave it no number."""
    number = request_number(told)
    return "" if number is None else f"request {number}"
