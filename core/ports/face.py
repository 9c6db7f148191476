"""Proof of who somebody is, by a platform that compares a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True)
class FaceSubject:
    """Whom to verify, and the platform user who holds the phone. `id_number` with an upper-case X."""

    id_type: str
    name: str
    id_number: str
    open_id: str


@dataclass(frozen=True)
class FaceStart:
    """A verification opened at the platform. `evidence` is what must be sent along to read the result."""

    reference: str
    evidence: str
    expires_in: timedelta
    client_params: Mapping[str, Any]


class FaceOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True)
class FaceResult:
    """Only what the platform itself answered. `reason` is a stable word: mismatch, cancelled, not_alive, device …"""

    outcome: FaceOutcome
    reason: str | None = None
    request_id: str | None = None


class FaceVerifier(Protocol):
    method: str
    app: str
    accepted_id_types: frozenset[str]

    def start(self, *, out_seq_no: str, subject: FaceSubject) -> FaceStart:
        """Raises: ProviderUnavailable, ProviderRefused."""

    def read_result(self, *, reference: str, out_seq_no: str, evidence: str, open_id: str) -> FaceResult:
        """Ask the platform. Raises: ProviderUnavailable, ProviderRefused."""
