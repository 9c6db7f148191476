"""The booking notice of a hospital (预约须知): which version of it holds, and whether it was read before a booking.

What patients read are the hospital's own words, and what its rules come to (`schemas/rules_in_words.py`). The version
is a digest of both, kept with the hospital: booking compares a word, and works nothing out.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.booking.policy import BookingPolicy, merged
from core.booking.policy_book import PolicyBook
from core.booking.terms import Terms
from models.base import canonical_json
from models.hospital import Hospital

_TOLD = (
    "min_identity_level",
    "required_fields",
    "may_cancel",
    "cancel_days_before",
    "cancel_time",
    "cancel_time_afternoon",
    "cancel_in_working_days",
    "cancel_minutes_before_segment",
)
"""The keys of a policy that the notice tells of."""
_WORDING = 1
"""Of our own sentences: with other ones the notice is another."""


def notice_version(policy: BookingPolicy, own: str) -> str:
    """Of a merged policy, and of what the hospital wrote itself."""
    whole = policy.to_document()
    told = {"own": own, "wording": _WORDING, "rules": {key: whole[key] for key in _TOLD}}
    return hashlib.sha256(canonical_json(told)).hexdigest()[:16]


def stale_notices(session: Session) -> dict[UUID, str]:
    """The version that each hospital's notice should have, where it has another."""
    rows = session.execute(select(Hospital.id, Hospital.code, Hospital.booking_notice, Hospital.notice_version)).all()
    book, found = PolicyBook.read(session, [code for _, code, *_ in rows]), {}
    for hospital_id, code, own, version in rows:
        holds = notice_version(merged(book.levels(hospital=code, departments=(), doctor="")), own)
        if holds != version:
            found[hospital_id] = holds
    return found


def renew_notices(session: Session) -> int:
    """After a directory or a policy changed; how many notices are other ones now."""
    stale = stale_notices(session)
    if stale:
        session.execute(update(Hospital), [{"id": one, "notice_version": version} for one, version in stale.items()])
    return len(stale)


def unread_notice(terms: Terms, holds: str | None, *, read: str | None) -> str | None:
    """The version that must be read first; None where none must, or it was. `holds` is the hospital's."""
    return holds if terms.notice_must_be_read and read != holds else None


def unread_of(session: Session, terms: Terms, hospital_id: UUID, *, read: str | None) -> str | None:
    """The same where the hospital has not been looked at."""
    if not terms.notice_must_be_read:
        return None
    return unread_notice(
        terms, session.scalar(select(Hospital.notice_version).where(Hospital.id == hospital_id)), read=read
    )
