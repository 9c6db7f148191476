"""Refusals of the core: small classes with a stable code and the facts a patient needs. No HTTP, no screen text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar


class DomainError(Exception):
    """An expected refusal.

    `facts` may be shown to the caller's own account; `retry_at` says when asking again may help.
    """

    code: ClassVar[str]

    def __init__(self, *, retry_at: datetime | None = None, **facts: Any) -> None:
        super().__init__(getattr(self, "code", "abstract"))
        self.retry_at = retry_at
        self.facts: Mapping[str, Any] = facts


class NotFound(DomainError):
    """It does not exist, or not for this account: the two are never told apart."""

    code = "not_found"


class Conflict(DomainError):
    """The request is well formed, but the state of things refuses it."""


class Unauthenticated(DomainError):
    code = "unauthenticated"


class TooMany(DomainError):
    code = "rate_limited"


class Unavailable(DomainError):
    """We cannot answer now; nothing was lost."""


@dataclass(frozen=True)
class FieldError:
    """One fault in a payload. `pointer` is a JSON pointer into the body as sent."""

    pointer: str
    code: str
    detail: str = ""


class ValidationFailed(DomainError):
    """The payload is malformed or names something that cannot be."""

    code = "validation_failed"

    def __init__(self, *errors: FieldError) -> None:
        super().__init__()
        self.errors = errors


class IllegalTransition(Exception):
    """A move that the moves table does not have: a bug or a lost race, never a patient's mistake."""

    def __init__(self, machine: str, was: str, wanted: str) -> None:
        super().__init__(f"{machine}: {was} -> {wanted}")
        self.machine, self.was, self.wanted = machine, was, wanted
