"""The errors an adapter may raise. Their messages never hold a secret or a patient's data."""

from __future__ import annotations


class ProviderError(Exception):
    """A platform did not do what was asked. The message never holds a secret or a patient's data."""

    too_often = False
    """It wants fewer calls, for now."""


class ProviderUnavailable(ProviderError):
    """No trustworthy answer. With `sent` the request may have been taken: the outcome is unknown, ask later."""

    def __init__(self, message: str, *, sent: bool = True, too_often: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.too_often = too_often


class ProviderRefused(ProviderError):
    """The platform said no, for sure. `code` is its own code, kept for operators.

    `retryable`: the same request with the same numbers may succeed later (balance, frequency).
    """

    def __init__(self, code: str, message: str = "", *, retryable: bool = False, too_often: bool = False) -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code
        self.retryable = retryable
        self.too_often = too_often


class BillNotReady(ProviderError):
    """The platform has not made the bill of that day yet. Nothing is wrong: ask later."""


class BillUnreadable(ProviderError):
    """What came is not the whole bill, also when it was fetched again; nothing of it was taken.

    It may be fetched again later. The message names line and column, and shows no value.
    """


class LoginRefused(ProviderRefused):
    """The login code is wrong, used, expired, or of another app."""


class StandInUser(LoginRefused):
    """The platform showed a stand-in instead of the person (a snapshot page): nothing may be bound to it."""


class PhoneRefused(ProviderRefused):
    """The proof of a phone is wrong, used, expired, or of another app."""


class NumberRefused(ProviderRefused):
    """No message goes to this number, or none now: it is no number, it wants none, or it has had too many."""


class InvalidSignature(ProviderError):
    """A message from outside that nothing proves. `reason` is a short word for the log, never told to the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidMenu(Exception):
    """A menu that the platform would not take. `faults` names every one with its place."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
