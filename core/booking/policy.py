"""Booking rules as data: what a hospital may set, and the terms that they compile to for one schedule.

Per key the narrowest level wins: platform, hospital, department group, department, doctor, schedule. A key that nobody
set has the value of `PLATFORM_DEFAULTS` (domain rules, section 2). All days and times of day are the hospital's
(Asia/Shanghai, which knows no summer time); everything compiled is an aware instant in UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.policy_keys import InvalidPolicy, PolicyFault, refuse_unless_policy
from core.clock import HOSPITAL_ZONE, hospital_day
from core.dependents.agreements import Ages
from models.base import canonical_json
from models.hospital import Department, Doctor, Hospital
from models.policy import BookingPolicyRow, PolicyLevel

__all__ = [
    "PLATFORM_DEFAULTS",
    "BookingPolicy",
    "CompiledTerms",
    "InvalidPolicy",
    "PolicyBook",
    "PolicyFault",
    "Terms",
    "compile_terms",
    "merged",
    "policies_for",
    "policy_version",
]


def _frozen(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _thawed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


@dataclass(frozen=True)
class BookingPolicy:
    """What one level sets; a key it leaves alone is None.

    `closes_minutes_before`: no segment is sold later than this before its start, so the schedule closes with its last.
    `return_after_seconds`: how long a freed number rests before it is sold again.
    `agreement_from_age`, `agreement_to_age`: who agrees themselves to be booked for, in full years, both included.
    `max_dependents` besides oneself, `phone_change_days` between two changes of a dependent's phone: the platform's
    word alone counts, for an account belongs to no hospital.
    `required_fields`: what a patient must have filled in, beside what everybody must (rules.md L-09).
    """

    release_days_before: int | None = None
    release_time: str | None = None
    closes_minutes_before: int | None = None
    hold_minutes: int | None = None
    close_cap_minutes: int | None = None
    cancel_days_before: int | None = None
    cancel_time: str | None = None
    max_open_per_person_schedule: int | None = None
    max_open_per_person_department_day: int | None = None
    max_per_person_day: int | None = None
    max_open_holds_person: int | None = None
    max_open_holds_account: int | None = None
    min_identity_level: int | None = None
    pay_modes: tuple[str, ...] | None = None
    return_after_seconds: int | None = None
    agreement_from_age: int | None = None
    agreement_to_age: int | None = None
    max_dependents: int | None = None
    phone_change_days: int | None = None
    required_fields: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Raises: InvalidPolicy."""
        refuse_unless_policy(self.to_document())

    @classmethod
    def parse(cls, document: Any) -> BookingPolicy:
        """Read a policy as an operator wrote it. Raises: InvalidPolicy, naming every bad key."""
        refuse_unless_policy(document)
        return cls(**_frozen(document))

    @property
    def agreement_ages(self) -> Ages:
        """Of a merged policy."""
        return Ages(self.agreement_from_age or 0, self.agreement_to_age or 0)

    def to_document(self) -> dict[str, Any]:
        """The keys that are set, as JSON values."""
        return {key: value for key, value in _thawed(asdict(self)).items() if value is not None}

    def under(self, narrower: BookingPolicy) -> BookingPolicy:
        """Both together: what `narrower` sets wins, key by key."""
        return BookingPolicy.parse(self.to_document() | narrower.to_document())


PLATFORM_DEFAULTS = BookingPolicy(
    release_days_before=14,
    release_time="07:00",
    closes_minutes_before=30,
    hold_minutes=15,
    close_cap_minutes=30,
    cancel_days_before=0,
    cancel_time="00:00",
    max_open_per_person_schedule=1,
    max_open_per_person_department_day=1,
    max_per_person_day=2,
    max_open_holds_person=1,
    max_open_holds_account=2,
    min_identity_level=1,
    pay_modes=("online", "on_site"),
    return_after_seconds=0,
    agreement_from_age=18,
    agreement_to_age=59,
    max_dependents=5,
    phone_change_days=183,
    required_fields=(),
)


def merged(policies: Iterable[BookingPolicy]) -> BookingPolicy:
    """Every key has a value afterwards: the platform's defaults below, then `policies` from wide to narrow."""
    whole = PLATFORM_DEFAULTS
    for policy in policies:
        whole = whole.under(policy)
    return whole


@dataclass(frozen=True)
class Terms:
    """What a schedule is sold under. An appointment pins its copy, so a later change never moves a sold deadline.

    `version` is a digest of the whole policy behind it, instants included.
    """

    version: str
    hold_minutes: int
    close_cap_minutes: int
    max_open_per_person_schedule: int
    max_open_per_person_department_day: int
    max_per_person_day: int
    max_open_holds_person: int
    max_open_holds_account: int
    min_identity_level: int
    pay_modes: tuple[str, ...]
    return_after_seconds: int
    segment_closes_minutes_before: int
    agreement_from_age: int
    agreement_to_age: int
    required_fields: tuple[str, ...]

    @property
    def agreement_ages(self) -> Ages:
        return Ages(self.agreement_from_age, self.agreement_to_age)

    @property
    def one_per_department_day(self) -> bool:
        """Whether the unique index of one open appointment per person, department and day applies."""
        return self.max_open_per_person_department_day == 1

    @property
    def hold_for(self) -> timedelta:
        return timedelta(minutes=self.hold_minutes)

    @property
    def close_cap(self) -> timedelta:
        """How long after its deadline an ended hold waits for the platform's close, at most."""
        return timedelta(minutes=self.close_cap_minutes)

    def segment_closes_at(self, segment_starts_at: datetime) -> datetime:
        """Half-open: at this instant the segment is not sold any more."""
        return segment_starts_at - timedelta(minutes=self.segment_closes_minutes_before)

    def to_document(self) -> dict[str, Any]:
        return _thawed(asdict(self))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Terms:
        """The inverse of `to_document`. Pinned documents outlive keys: one that was written before a key existed has
        the platform's default for it, and a key that no longer exists is passed over."""
        written = {field.name: document[field.name] for field in fields(cls) if field.name in document}
        return cls(**_frozen(_DEFAULT_TERMS | written))


def policy_version(policies: Iterable[BookingPolicy]) -> str:
    """A digest of what `policies`, from wide to narrow, come to: the version that `compile_terms` gives them."""
    return _version(merged(policies))


def _version(policy: BookingPolicy) -> str:
    return hashlib.sha256(canonical_json(policy.to_document())).hexdigest()[:16]


def _terms_keys(policy: BookingPolicy) -> dict[str, Any]:
    """The part of a merged policy that stays with a schedule, under the names of `Terms`."""
    whole = policy.to_document()
    kept = {field.name: whole[field.name] for field in fields(Terms) if field.name in whole}
    return kept | {
        "version": _version(policy),
        "segment_closes_minutes_before": whole["closes_minutes_before"],
    }


_DEFAULT_TERMS = _terms_keys(PLATFORM_DEFAULTS) | {"version": ""}


@dataclass(frozen=True)
class CompiledTerms:
    """A policy worked out for one half day: three instants, each half-open, and the terms."""

    release_at: datetime
    closes_at: datetime
    cancel_before: datetime
    terms: Terms


def compile_terms(
    policies: Iterable[BookingPolicy], *, visit_date: date, starts_at: datetime, last_segment_starts_at: datetime
) -> CompiledTerms:
    """`policies` from wide to narrow. The schedule closes when its last segment does.

    Raises: ValueError where `starts_at` is not on the hospital's `visit_date`, or the last segment before it."""
    if hospital_day(starts_at) != visit_date or last_segment_starts_at < starts_at:
        raise ValueError("a schedule begins on its visit date, with its first segment")
    policy = merged(policies)
    terms, whole = Terms.from_document(_terms_keys(policy)), policy.to_document()
    return CompiledTerms(
        release_at=_instant(visit_date, whole["release_days_before"], whole["release_time"]),
        closes_at=terms.segment_closes_at(last_segment_starts_at).astimezone(UTC),
        cancel_before=_instant(visit_date, whole["cancel_days_before"], whole["cancel_time"]),
        terms=terms,
    )


def _instant(visit_date: date, days_before: int, time_of_day: str) -> datetime:
    day = visit_date - timedelta(days=days_before)
    return datetime.combine(day, time.fromisoformat(time_of_day), tzinfo=HOSPITAL_ZONE).astimezone(UTC)


@dataclass(frozen=True)
class PolicyBook:
    """The documents in force, read once for many subjects."""

    documents: Mapping[tuple[PolicyLevel, str], BookingPolicy]

    @classmethod
    def read(cls, session: Session, codes: Iterable[str]) -> PolicyBook:
        """The platform's document and those of the hospitals, departments and doctors with these codes."""
        rows = session.execute(
            select(BookingPolicyRow.level, BookingPolicyRow.subject, BookingPolicyRow.document).where(
                BookingPolicyRow.subject.in_({"", *codes})
            )
        )
        return cls({(level, subject): BookingPolicy.parse(document) for level, subject, document in rows})

    def levels(self, *, hospital: str, departments: Iterable[str], doctor: str) -> list[BookingPolicy]:
        """From wide to narrow. `departments` are codes, the group's first; an empty code stands for none."""
        wanted = [
            (PolicyLevel.PLATFORM, ""),
            (PolicyLevel.HOSPITAL, hospital),
            *((PolicyLevel.DEPARTMENT, code) for code in departments),
            (PolicyLevel.DOCTOR, doctor),
        ]
        return [self.documents[subject] for subject in wanted if subject in self.documents]


def policies_for(
    session: Session,
    *,
    hospital: Hospital | None = None,
    department: Department | None = None,
    doctor: Doctor | None = None,
) -> BookingPolicy:
    """The merged policy in force for them; without any of them, the platform's. Every key has a value."""
    group = session.get(Department, department.parent_id) if department and department.parent_id else None
    departments = [found.code for found in (group, department) if found is not None]
    hospital_code, doctor_code = hospital.code if hospital else "", doctor.code if doctor else ""
    book = PolicyBook.read(session, [hospital_code, doctor_code, *departments])
    return merged(book.levels(hospital=hospital_code, departments=departments, doctor=doctor_code))
