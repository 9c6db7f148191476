"""Cutting the signed part out of an answer, byte for byte (alipay.md 1.4).

The signature covers the value of one member as it was received: braces inside of texts count for nothing, and an
encrypted value is signed with its quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

ERROR_NODE = "error_response"

_SPACE = rb"[ \t\r\n]*+"
_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_GAP = re.compile(_SPACE)
_NAME = re.compile(rb"(" + _TEXT + rb")" + _SPACE + rb":" + _SPACE, re.DOTALL)
_STRING = re.compile(_TEXT, re.DOTALL)
_TOKEN = re.compile(_TEXT + rb"|[{}\[\]]", re.DOTALL)
_SCALAR = re.compile(rb"[-+.0-9A-Za-z]{1,40}")


@dataclass(frozen=True)
class SignedAnswer:
    """One answer before it is proven. `failed`: it came in the place where only failures stand."""

    node: bytes = field(repr=False)
    failed: bool
    sign: str | None = field(repr=False)
    cert_sn: str | None

    @property
    def is_sealed(self) -> bool:
        return self.node.startswith(b'"')


def read_answer(body: bytes, node: str) -> SignedAnswer:
    """Find the member called `node`, or the one for failures, and what proves it.

    A name that stands twice is refused, and so are both members at once: two readers could each believe another one.
    Raises: ValueError.
    """
    members = dict[str, bytes]()
    for name, value in _members(body):
        if name in members:
            raise ValueError("a member stands twice")
        members[name] = value
    present = [name for name in (node, ERROR_NODE) if name in members]
    if len(present) != 1:
        raise ValueError("not one answer")
    value = members[present[0]]
    if not value.startswith((b"{", b'"')):
        raise ValueError("neither an object nor a sealed text")
    sign, cert_sn = _text(members.get("sign")), _text(members.get("alipay_cert_sn"))
    return SignedAnswer(value, present[0] == ERROR_NODE, sign, cert_sn)


def _text(raw: bytes | None) -> str | None:
    if raw is None:
        return None
    value = json.loads(raw)
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _members(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The members of the outer object with the raw bytes of their values. Raises: ValueError."""
    at = _after_gap(body, 0)
    if body[at : at + 1] != b"{":
        raise ValueError("not an object")
    at += 1
    while True:
        found = _NAME.match(body, _after_gap(body, at))
        if found is None:
            raise ValueError("not a member")
        name = _text(found[1]) or ""
        end = _end_of_value(body, found.end())
        yield name, body[found.end() : end]
        at = _after_gap(body, end)
        if body[at : at + 1] == b",":
            at += 1
        elif body[at : at + 1] == b"}" and _after_gap(body, at + 1) == len(body):
            return
        else:
            raise ValueError("not the end of a member")


def _end_of_value(body: bytes, start: int) -> int:
    if body[start : start + 1] not in (b"{", b"["):
        whole = _STRING.match(body, start) or _SCALAR.match(body, start)
        if whole is None:
            raise ValueError("not a value")
        return whole.end()
    depth = 0
    for token in _TOKEN.finditer(body, start):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    raise ValueError("a value without end")


def _after_gap(body: bytes, at: int) -> int:
    gap = _GAP.match(body, at)
    return at if gap is None else gap.end()
