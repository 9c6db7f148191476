"""Which ways to prove identity are open to a dependent, now and from where the caller is logged in.

A face is one way among others and never the only one (rules.md F-02): the desk is always open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.clock import day_begins, hospital_day
from core.identity.phone_check import Codes
from core.identity.removed import may_be
from core.ports import FaceVerifier, NameMatcher
from models.identity_check import FACE_METHODS, IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import FULL_AGE, Dependent, IdentityLevel, IdType

FACE_TRIES_PER_DAY = 3
"""Of one dependent on one day at the hospital (rules.md F-13)."""
FACE_MIN_AGE = 14
"""Full years. Below it no face is used, not even with consent (rules.md 1.2.9)."""
MATCHES_PER_DAY = 5
"""How often an account may ask on one day whether a name and a number belong together (reliability.md A-39)."""


@dataclass(frozen=True)
class Ways:
    """What can ask where the caller is logged in: `faces` of the provider and app, who compares names with numbers,
    and the codes by text message, where some are sent."""

    faces: Sequence[FaceVerifier] = ()
    matcher: NameMatcher | None = None
    codes: Codes | None = None

    def face_for(self, method: IdentityMethod, dependent: Dependent, *, on: date) -> FaceVerifier | None:
        """Who verifies this face, where the platform takes the document and the dependent is old enough."""
        found = next((one for one in self.faces if one.method == method), None)
        return found if found is not None and accepts(found, dependent, on=on) else None

    def matcher_for(self, dependent: Dependent) -> NameMatcher | None:
        """Who tells whether name and number belong together, where there is such a number."""
        takes = self.matcher is not None and dependent.id_type in self.matcher.accepted_id_types
        return self.matcher if takes else None


@dataclass(frozen=True)
class Tries:
    """What was tried today, and who stands for whom: by dependent the faces and the guardian, matches in all."""

    faces: Mapping[UUID, int] = field(default_factory=dict)
    guardians: Mapping[UUID, Dependent] = field(default_factory=dict)
    matches: int = 0


def tries_of(session: Session, dependents: Sequence[Dependent], *, now: datetime) -> Tries:
    """Of dependents that all belong to one account."""
    if not dependents:
        return Tries()
    return Tries(
        face_tries_today(session, dependents, now=now),
        _guardians(session, dependents),
        matches_today(session, dependents[0].account_id, now=now),
    )


def open_methods(dependent: Dependent, *, ways: Ways, tries: Tries, on: date) -> list[IdentityMethod]:
    """What can lead further for this dependent. `on` is the hospital's day."""
    methods = []
    if tries.faces.get(dependent.id, 0) < FACE_TRIES_PER_DAY:
        methods += [IdentityMethod(one.method) for one in ways.faces if accepts(one, dependent, on=on)]
    if stands_for(tries.guardians.get(dependent.id), dependent, on=on):
        methods.append(IdentityMethod.GUARDIAN)
    is_matched = dependent.level_on(on) >= IdentityLevel.MATCHED
    if not is_matched and tries.matches < MATCHES_PER_DAY and ways.matcher_for(dependent) is not None:
        methods.append(IdentityMethod.NAME_MATCH)
    if ways.codes is not None and takes_code(dependent):
        methods.append(IdentityMethod.PHONE_OTP)
    return [*methods, IdentityMethod.ON_SITE]


def accepts(verifier: FaceVerifier, dependent: Dependent, *, on: date) -> bool:
    """Whether the platform takes this document, and the dependent is old enough."""
    return dependent.id_type in verifier.accepted_id_types and dependent.age(on=on) >= FACE_MIN_AGE


def takes_code(dependent: Dependent) -> bool:
    """Codes go to phones of the mainland; somebody without a number of their own has no phone of their own either."""
    return dependent.id_type is not IdType.GUARDIAN_BOUND and not dependent.phone_masked.startswith("+")


def stands_for(guardian: Dependent | None, ward: Dependent, *, on: date) -> bool:
    """Whether this guardian's own proof can stand for a minor (rules.md 1.2.9)."""
    if guardian is None or guardian.id != ward.guardian_dependent_id or guardian.archived_at is not None:
        return False
    return ward.age(on=on) < FULL_AGE <= guardian.age(on=on) and guardian.level_on(on) >= IdentityLevel.MATCHED


def _guardians(session: Session, wards: Sequence[Dependent]) -> dict[UUID, Dependent]:
    """By ward, among the same account's dependents."""
    wanted = {one.guardian_dependent_id for one in wards if one.guardian_dependent_id is not None}
    if not wanted:
        return {}
    query = select(Dependent).where(Dependent.id.in_(wanted), Dependent.account_id == wards[0].account_id)
    found = {one.id: one for one in session.scalars(query)}
    return {
        one.id: found[one.guardian_dependent_id]
        for one in wards
        if one.guardian_dependent_id is not None and one.guardian_dependent_id in found
    }


def matches_today(session: Session, account_id: UUID, *, now: datetime) -> int:
    """How often the account asked for a match on this day, for whomever, removed dependents too."""
    query = select(func.count()).where(
        IdentityCheck.account_id == account_id,
        IdentityCheck.method == IdentityMethod.NAME_MATCH,
        IdentityCheck.created_at >= day_begins(hospital_day(now)),
    )
    return session.scalar(query) or 0


def face_tries_today(session: Session, dependents: Sequence[Dependent], *, now: datetime) -> dict[UUID, int]:
    """How often each dependent's face was tried on this day, on rows too that the account removed before it was added,
    or that a join archived in its favour.
    Not counted is what the platform never opened: it refused, or did not answer (`note_unanswered`)."""
    opening = (IdentityCheck.status == IdentityCheckStatus.PENDING) & IdentityCheck.asked_at.is_(None)
    query = (
        select(Dependent, func.count(IdentityCheck.id))
        .join(IdentityCheck, IdentityCheck.dependent_id == Dependent.id)
        .where(
            Dependent.account_id == dependents[0].account_id,
            or_(Dependent.id.in_([one.id for one in dependents]), Dependent.archived_at.is_not(None)),
            IdentityCheck.method.in_(FACE_METHODS),
            IdentityCheck.created_at >= day_begins(hospital_day(now)),
            or_(IdentityCheck.started_at.is_not(None), opening),
        )
        .group_by(Dependent.id)
    )
    tried = session.execute(query).all()
    return {one.id: sum(count for row, count in tried if _counts_for(row, one)) for one in dependents}


def _counts_for(row: Dependent, dependent: Dependent) -> bool:
    if dependent.id in (row.id, row.merged_into_id):
        return True
    gone = row.archived_at is not None and row.archived_at <= dependent.created_at
    return gone and may_be(row, dependent.person_id, dependent.sex)
