"""Reading the forms that Alipay posts (alipay.md 8.1, 11.4): each field once, in one spelling, nothing guessed."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from core.ports import InvalidSignature

MOST_FIELDS = 100

# As java.net.URLEncoder and its like write it. A `%2b` for a `%2B` would be a second spelling of one message.
_FIELD = re.compile(rb"([0-9A-Za-z_]{1,64})=((?:[!$'()*+,./0-9:;?@A-Z_a-z~-]|%[0-9A-F]{2})*+)")
# A value that holds a field of its own: the signed text would be the same with that field outside.
_NESTED = re.compile(rb"&[0-9A-Za-z_]{1,64}=")


def read_form(body: bytes) -> dict[str, bytes]:
    """The fields with their values as they were before URL encoding, bytes of whatever charset the form has.

    Raises: InvalidSignature `unreadable`, `doubled_field`, `ambiguous`.
    """
    fields: dict[str, bytes] = {}
    pieces = body.split(b"&", MOST_FIELDS)
    if len(pieces) > MOST_FIELDS:
        raise InvalidSignature("unreadable")
    for piece in pieces:
        found = _FIELD.fullmatch(piece)
        if found is None:
            raise InvalidSignature("unreadable")
        name = found[1].decode()
        if name in fields:
            raise InvalidSignature("doubled_field")
        fields[name] = unquote_to_bytes(found[2].replace(b"+", b" "))
        if _NESTED.search(fields[name]):
            raise InvalidSignature("ambiguous")
    return fields


def decoded(fields: dict[str, bytes], charset: str) -> dict[str, str]:
    """Raises: InvalidSignature `unreadable`."""
    try:
        return {name: value.decode(charset) for name, value in fields.items()}
    except ValueError:
        # Not chained: the error holds what it could not read.
        raise InvalidSignature("unreadable") from None
