"""Which ways to prove identity are open to a dependent, now and from where the caller is logged in.

A face is one way among others and never the only one (rules.md F-02): the desk is always open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.clock import HOSPITAL_ZONE, hospital_day
from core.ports import FaceVerifier
from models.identity_check import FACE_METHODS, IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import Dependent

FACE_TRIES_PER_DAY = 3
"""Of one dependent on one day at the hospital (rules.md F-13)."""
FACE_MIN_AGE = 14
"""Full years. Below it no face is used, not even with consent (rules.md 1.2.9)."""


def open_methods(
    dependent: Dependent, *, verifiers: Sequence[FaceVerifier], tries_today: int, on: date
) -> list[IdentityMethod]:
    """`verifiers` are those of the caller's provider and app; `on` is the hospital's day."""
    faces = [
        IdentityMethod(verifier.method)
        for verifier in verifiers
        if tries_today < FACE_TRIES_PER_DAY and accepts(verifier, dependent, on=on)
    ]
    return [*faces, IdentityMethod.ON_SITE]


def accepts(verifier: FaceVerifier, dependent: Dependent, *, on: date) -> bool:
    """Whether the platform takes this document, and the dependent is old enough."""
    return dependent.id_type in verifier.accepted_id_types and dependent.age(on=on) >= FACE_MIN_AGE


def face_tries_today(session: Session, dependent_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, int]:
    """How often each dependent's face was tried on this day. A try that the platform never opened is not counted."""
    query = (
        select(IdentityCheck.dependent_id, func.count())
        .where(
            IdentityCheck.dependent_id.in_(list(dependent_ids)),
            IdentityCheck.method.in_(FACE_METHODS),
            IdentityCheck.created_at >= _midnight(hospital_day(now)),
            or_(IdentityCheck.reference_sealed.is_not(None), IdentityCheck.status == IdentityCheckStatus.PENDING),
        )
        .group_by(IdentityCheck.dependent_id)
    )
    return dict(session.execute(query).all())


def next_day_begins(*, now: datetime) -> datetime:
    """The coming midnight at the hospital, when the tries begin anew."""
    return _midnight(hospital_day(now) + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, HOSPITAL_ZONE).astimezone(UTC)
