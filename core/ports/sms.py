"""Text messages with a code."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class TextKind(StrEnum):
    """Which of the deployment's approved texts carries the code: each has a template of its own.

    `code` is for whoever proves that a phone is theirs, and warns against telling it on. `agreement` says that telling
    it to whoever asks means agreeing to be booked for by them (rules.md 1.1.6)."""

    CODE = "code"
    AGREEMENT = "agreement"


class SmsGateway(Protocol):
    """Sends the template messages that this deployment has; each has one variable, the code.

    Neither the number nor the code may stand in the text of an error, nor in any log.
    """

    provider: str

    def send_code(self, *, phone: str, code: str, kind: TextKind) -> str:
        """Send `code` to `phone` (E.164) in the text of this kind, never in another one's. Calls the platform, so
        never inside a transaction.

        Returns the platform's own number of the message, by which its support finds it; empty where it gives none.
        Raises: NumberRefused, ProviderRefused (anything else that is no for sure: our account, our template),
        ProviderUnavailable (with `sent` the message may be on its way, and must not be sent again)."""
