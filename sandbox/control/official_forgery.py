"""Pushes that the platform never sends: other keys, other stamps, changed bytes, hostile XML. For attacks on a server.

Genuine wherever nothing is said.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.control.body import ControlError
from sandbox.control.forgery import flip
from sandbox.wechat_official.envelope import MODES, Bent, Envelope, envelope, wrap
from sandbox.wechat_official.messages import FORMATS
from sandbox.wechat_official.push import Push, Wrap

#: `message` is what gets sealed, `body` what travels; `query` replaces parameters, or leaves out those that are null.
TEXTS = ("token", "appid", "encoding_aes_key", "timestamp", "nonce", "message", "body", "mode", "format")
OBJECTS = ("query", "tamper")
KEY_LENGTH = 43


def forged(message: Push, given: Mapping[str, Any]) -> Wrap:
    """How each send of a forgery is made. Raises: ControlError 422."""
    _check(given)
    mode, form = given.get("mode", message.server.mode), given.get("format", message.server.format)
    bent = Bent(
        **{name: given.get(name) for name in ("token", "appid", "encoding_aes_key", "timestamp", "nonce")},
        message=given["message"].encode() if "message" in given else None,
    )

    def wrapped() -> Envelope:
        query, body = wrap(message.official, message.fields, mode, form, bent)
        for name, position in given.get("tamper", {}).items():
            if name == "body":
                body = flip(body, position)
            else:
                query[name] = flip(query.get(name, "").encode(), position).decode("latin-1")
        for name, value in given.get("query", {}).items():
            query.pop(name, None)
            if value is not None:
                query[name] = str(value)
        return envelope(query, given["body"].encode() if "body" in given else body, form)

    wrapped()  # what cannot be built is refused before anything is sent
    return wrapped


def _check(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in (*TEXTS, *OBJECTS):
            raise ControlError(422, "unknown_field", f"forge: {name}")
        if not isinstance(value, dict if name in OBJECTS else str):
            raise ControlError(422, "wrong_type", f"forge: {name}")
    if given.get("mode", MODES[0]) not in MODES or given.get("format", FORMATS[0]) not in FORMATS:
        raise ControlError(422, "out_of_range", f"mode: {', '.join(MODES)}; format: {', '.join(FORMATS)}")
    key = given.get("encoding_aes_key", "A" * KEY_LENGTH)
    if len(key) != KEY_LENGTH or not (key.isascii() and key.isalnum()):
        raise ControlError(422, "out_of_range", "encoding_aes_key: 43 letters and digits")
