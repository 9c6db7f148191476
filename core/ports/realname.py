"""Whether a name and a number belong together, as a register of the state has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class NameMatch(StrEnum):
    """`no_record`: the register does not know the number."""

    MATCHED = "matched"
    MISMATCH = "mismatch"
    NO_RECORD = "no_record"


@dataclass(frozen=True)
class MatchSubject:
    """Whom to ask about. `id_number` with an upper-case X."""

    id_type: str
    name: str = field(repr=False)
    id_number: str = field(repr=False)


@dataclass(frozen=True)
class MatchAnswer:
    """What the register said, and the platform's own number of the question."""

    outcome: NameMatch
    request_id: str | None = None


class NameMatcher(Protocol):
    provider: str
    accepted_id_types: frozenset[str]

    def match(self, subject: MatchSubject, *, reference: str) -> MatchAnswer:
        """`reference` is our number of the question. Raises: ProviderUnavailable, ProviderRefused."""
