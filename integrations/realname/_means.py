"""What a platform's code means for us, where it tells nothing about the person."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from core.ports import MatchSubject, ProviderError, ProviderRefused, ProviderUnavailable
from integrations.cloud.codes import about, readable

RESIDENT_ID = "resident_id"
ACCEPTED_ID_TYPES = frozenset({RESIDENT_ID})
"""Both platforms speak of resident ID cards of the mainland and of nothing else."""


class Means(Enum):
    DOWN = "the register or the platform gives no answer now"
    LATER = "not asked: too fast or too often; or our account there is not in order, and the person must not pay for it"
    SUBJECT = "not asked: the platform takes the name or the number for none at all"


def read_codes(*, down: str, later: str, subject: str) -> Mapping[str, Means]:
    """One table out of blank-separated codes."""
    listed = {Means.DOWN: down, Means.LATER: later, Means.SUBJECT: subject}
    return {code: means for means, codes in listed.items() for code in codes.split()}


def failure_of(codes: Mapping[str, Means], code: str, *, request: object) -> ProviderError:
    """The error for a code that is no answer about the person.

    The platform's own words are never repeated: they may hold the name or the number. A code that is not listed says
    nothing about the person: an error of ours, to be asked again, and never a mismatch."""
    known, where = readable(code), about(request)
    means = codes.get(known)
    if means is Means.DOWN:
        return ProviderUnavailable(f"{known} {where}".strip())
    unlisted = "(a code that is not listed)" if means is None else ""
    return ProviderRefused(known, f"{unlisted} {where}".strip(), retryable=means is not Means.SUBJECT)


def require_resident_id(subject: MatchSubject) -> None:
    """Raises: ProviderRefused."""
    if subject.id_type not in ACCEPTED_ID_TYPES:
        raise ProviderRefused("id_type_not_accepted")
