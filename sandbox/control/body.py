"""Reading control requests: known fields only, right types, one shape of error."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request

Kind = type | tuple[type, ...]


class ControlError(Exception):
    """A control request that cannot be met."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        """`{"code", "message"}`."""
        response = jsonify({"code": self.code, "message": self.message})
        response.status_code = self.status
        return response


def read(required: Mapping[str, Kind] | None = None, optional: Mapping[str, Kind] | None = None) -> dict[str, Any]:
    """The JSON object of the request; an absent body is an empty object. Raises: ControlError 422."""
    required, optional = required or {}, optional or {}
    body = read_any()
    for name, value in body.items():
        kind = required.get(name) or optional.get(name)
        if kind is None:
            raise ControlError(422, "unknown_field", name)
        if value is None and name in optional:
            continue
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ControlError(422, "wrong_type", name)
    missing = [name for name in required if name not in body]
    if missing:
        raise ControlError(422, "missing_field", ", ".join(missing))
    return {name: value for name, value in body.items() if value is not None}


def read_any() -> dict[str, Any]:
    """The JSON object of the request, whatever it holds. Raises: ControlError 422."""
    raw = request.get_data()
    if not raw:
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise ControlError(422, "malformed_json", "a JSON object is needed")
    try:
        str(body).encode()
    except UnicodeEncodeError:
        raise ControlError(422, "malformed_json", "half a surrogate pair") from None
    return body


def between(name: str, value: float, least: float, most: float) -> None:
    """Refuse a figure out of range. Raises: ControlError 422."""
    if not least <= value <= most:
        raise ControlError(422, "out_of_range", f"{name}: {least} to {most}")
