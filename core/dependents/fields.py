"""Reads the fields of one payload and tells all their faults together, each with its pointer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from core.dependents.typed import InputFault
from models.errors import FieldError, ValidationFailed

Typed = TypeVar("Typed")
T = TypeVar("T")


class Fields:
    def __init__(self) -> None:
        self._faults: list[FieldError] = []

    def read(self, name: str, reader: Callable[[Typed], T], typed: Typed) -> T | None:
        """What `reader` makes of the field `name`, or None where it finds a fault."""
        try:
            return reader(typed)
        except InputFault as fault:
            self.refuse(name, fault.code)
            return None

    def refuse(self, name: str, code: str) -> None:
        self._faults.append(FieldError(f"#/{name}", code))

    def done(self) -> None:
        """Raises: ValidationFailed with every fault found."""
        if self._faults:
            raise ValidationFailed(*self._faults)
