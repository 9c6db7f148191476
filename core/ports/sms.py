"""Text messages with a code."""

from __future__ import annotations

from typing import Protocol


class SmsGateway(Protocol):
    """Sends the one template message that this deployment has: a code, and what it is for in general words.

    Neither the number nor the code may stand in the text of an error, nor in any log.
    """

    provider: str

    def send_code(self, *, phone: str, code: str) -> str:
        """Send `code` to `phone` (E.164). Calls the platform, so never inside a transaction.

        Returns the platform's own number of the message, by which its support finds it; empty where it gives none.
        Raises: NumberRefused, ProviderRefused (anything else that is no for sure: our account, our template),
        ProviderUnavailable (with `sent` the message may be on its way, and must not be sent again)."""
