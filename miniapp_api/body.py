"""Reads request bodies: one meaning or none. Sizes are bounded before anything is parsed."""

from __future__ import annotations

import json
import math
from typing import IO, Any, NoReturn, cast

from flask import Request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream

from core.json_objects import each_once
from models.errors import DomainError, FieldError, ValidationFailed
from schemas.base import SAFE_INTEGER

DEEPEST = 16
_MOST_FAULTS = 20


class MalformedJSON(DomainError):
    """The body is not one JSON object with one meaning."""

    code = "malformed_json"


class UnsupportedMediaType(DomainError):
    """The body is not `application/json` in UTF-8, or it is compressed."""

    code = "unsupported_media_type"


class StrictJSON(DefaultJSONProvider):
    """JSON as RFC 8259 wants it to be sent: UTF-8, each key once, finite numbers, no NUL, no half characters."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Raises: ValueError (malformed), ValidationFailed (well formed, but nothing that can be stored)."""
        text = s.decode("utf-8") if isinstance(s, bytes) else s
        try:
            value = json.loads(
                text, object_pairs_hook=each_once, parse_constant=_no_constant, parse_float=_finite, **kwargs
            )
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        _refuse_unfit(value)
        return value


class _WholeOrNothing(LimitedStream):
    """werkzeug hands out the first part of a body that is too long and says nothing; that part is not what was sent."""

    def readall(self) -> bytes:
        """Raises: RequestEntityTooLarge."""
        data = super().readall()
        if self.is_exhausted and self._stream.read(1):
            raise RequestEntityTooLarge()
        return data


class StrictRequest(Request):
    """A request whose JSON is read strictly, wherever it is read."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body. Raises: RequestEntityTooLarge."""
        bounded, largest = super().stream, self.max_content_length
        if largest is None or "wsgi.input_terminated" not in self.environ:
            return bounded
        return cast(IO[bytes], _WholeOrNothing(self.environ["wsgi.input"], largest, is_max=True))

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        if e is None:
            raise UnsupportedMediaType()
        raise MalformedJSON() from e

    def object_sent(self) -> dict[str, Any]:
        """The JSON object in the body.

        Raises: UnsupportedMediaType, MalformedJSON, ValidationFailed, RequestEntityTooLarge."""
        self.refuse_encodings()
        if self.mimetype != "application/json" or self.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
            raise UnsupportedMediaType()
        value = self.get_json()
        if not isinstance(value, dict):
            raise MalformedJSON()
        return value

    def refuse_encodings(self) -> None:
        """Raises: UnsupportedMediaType."""
        if self.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _refuse_unfit(value: Any) -> None:
    """Walk without recursion and refuse what no column can hold. Raises: ValueError, ValidationFailed."""
    faults: list[FieldError] = []
    open_ends: list[tuple[str, int, Any]] = [("#", 0, value)]
    while open_ends and len(faults) < _MOST_FAULTS:
        pointer, depth, item = open_ends.pop()
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        if isinstance(item, dict):
            for key, inner in item.items():
                if not is_storable(key):
                    raise ValueError("a key has a character that is not allowed")
                open_ends.append((f"{pointer}/{escape_pointer(key)}", depth + 1, inner))
        elif isinstance(item, list):
            open_ends.extend((f"{pointer}/{at}", depth + 1, inner) for at, inner in enumerate(item))
        elif isinstance(item, str) and not is_storable(item):
            faults.append(FieldError(pointer, "invalid_character"))
        elif isinstance(item, int) and abs(item) > SAFE_INTEGER:
            faults.append(FieldError(pointer, "too_large"))
    if faults:
        raise ValidationFailed(*faults)


def is_storable(text: str) -> bool:
    """No NUL, which PostgreSQL cannot store, and no lone surrogate, which is not UTF-8."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def escape_pointer(key: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
