"""What a platform's code of failure means for us."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from core.ports import NumberRefused, ProviderError, ProviderRefused, ProviderUnavailable
from integrations.cloud.codes import about, readable


class Means(Enum):
    UNKNOWN_OUTCOME = "it may have been sent"
    NUMBER = "not sent: no message goes to this number, or none now"
    LATER = "not sent: the whole account is too fast or at its limit"
    OURS = "not sent: our account, signature, template or balance is not in order; somebody has to see to it"


def read_codes(*, unknown: str, number: str, later: str, ours: str) -> Mapping[str, Means]:
    """One table out of blank-separated codes."""
    listed = {Means.UNKNOWN_OUTCOME: unknown, Means.NUMBER: number, Means.LATER: later, Means.OURS: ours}
    return {code: means for means, codes in listed.items() for code in codes.split()}


def failure_of(codes: Mapping[str, Means], code: str, *, request: object) -> ProviderError:
    """The error for a code that is no success; `request` is the platform's number of the call, for its support.

    The platform's own words are never repeated: they may hold the number that we sent to. A code that is not listed
    is a refusal: the platform did answer, and did not say that it sent."""
    known, where = readable(code), about(request)
    means = codes.get(known)
    if means is Means.UNKNOWN_OUTCOME:
        return ProviderUnavailable(f"{known} {where}".strip())
    if means is Means.NUMBER:
        return NumberRefused(known, where)
    unlisted = "(a code that is not listed)" if means is None else ""
    return ProviderRefused(known, f"{unlisted} {where}".strip(), retryable=means is Means.LATER)
