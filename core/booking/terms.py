"""The terms that policies compile to for one half day: four instants, and what the schedule is sold under."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from core.booking.policy import PLATFORM_DEFAULTS, BookingPolicy, frozen, merged, thawed, version_of
from core.clock import HOSPITAL_ZONE, hospital_day
from core.dependents.agreements import Ages
from models.schedule import PoolChannel

_NOON = time(12)
_SATURDAY = 6

DaysBefore = Callable[[date, int], date]
"""The day from which on so many days of some kind, itself included, lie before a day."""


def weekdays_before(day: date, count: int) -> date:
    """Where nobody knows of holidays."""
    for _ in range(count):
        day -= timedelta(days=1)
        while day.isoweekday() >= _SATURDAY:
            day -= timedelta(days=1)
    return day


@dataclass(frozen=True)
class Terms:
    """What a schedule is sold under. An appointment pins its copy, so a later change never moves a sold deadline.

    `version` is a digest of the whole policy behind it, instants included.
    """

    version: str
    hold_minutes: int
    close_cap_minutes: int
    hospital_cap_minutes: int
    max_open_per_person_schedule: int
    max_open_per_person_department_day: int
    max_open_per_person_doctor_day: int
    max_per_person_day: int
    max_per_person_hospital_day: int
    max_departments_per_person_day: int
    max_per_person_7_days: int
    max_per_person_3_months: int
    may_overlap: bool
    travel_gap_minutes: int
    rebook_after_cancel_minutes: int
    rebook_after_refund_minutes: int
    cancel_minutes_before_segment: int
    may_cancel: bool
    closed_from: str
    closed_until: str
    max_open_holds_person: int
    max_open_holds_account: int
    max_in_bundle: int
    min_identity_level: int
    pay_modes: tuple[str, ...]
    return_after_seconds: int
    return_spread_seconds: int
    let_go_rest_minutes: int
    waitlist: bool
    waitlist_opens: str
    waitlist_closes: str
    waitlist_pay_hours: int
    waitlist_pay_until: str
    waitlist_pay_minutes_at_least: int
    max_waitlist_person: int
    max_waitlist_person_doctor_day: int
    segment_closes_minutes_before: int
    agreement_from_age: int
    agreement_to_age: int
    required_fields: tuple[str, ...]
    notice_must_be_read: bool
    max_extra_numbers: int
    check_in_opens_minutes: int
    check_in_closes_minutes: int
    check_in_radius_m: int
    late_after_minutes: int
    late_places: int
    passed_places: int
    max_reschedules: int
    reschedule_scope: str
    no_show_grace_minutes: int
    no_show_ladder: tuple[Mapping[str, Any], ...]
    cancel_ladder: tuple[Mapping[str, Any], ...]
    late_cancel_ladder: tuple[Mapping[str, Any], ...]
    strikes_platform_wide: bool
    offers_most: int
    offers_within_days: int
    offer_minutes: int
    offer_until_time: str
    substitute_refunds_difference: bool
    leave_minutes: int
    sexes: tuple[str, ...]
    age_from: int
    age_to: int
    age_to_days: int
    visit_kinds: tuple[str, ...]
    return_visit_days: int
    return_visit_scope: str
    max_per_phone_month: int
    check_in_ends_time: str
    check_in_ends_time_afternoon: str
    follow_up_days: int
    max_follow_ups: int
    consultation_fen: int
    fee_discounts: tuple[Mapping[str, Any], ...]

    @property
    def agreement_ages(self) -> Ages:
        return Ages.of_grown_ups(self.agreement_from_age, self.agreement_to_age)

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

    @property
    def let_go_rest(self) -> timedelta:
        """How long whoever let a number go does not get that one again."""
        return timedelta(minutes=self.let_go_rest_minutes)

    def segment_closes_at(self, segment_starts_at: datetime) -> datetime:
        """Half-open: at this instant the segment is not sold any more."""
        return segment_starts_at - timedelta(minutes=self.segment_closes_minutes_before)

    def check_in_window(self, segment_starts_at: datetime, ends_at: datetime) -> tuple[datetime, datetime]:
        """Of a segment in a half day that ends at `ends_at`; half-open."""
        opens_at = segment_starts_at - timedelta(minutes=self.check_in_opens_minutes)
        here = segment_starts_at.astimezone(HOSPITAL_ZONE)
        at = (self.check_in_ends_time_afternoon if here.time() >= _NOON else "") or self.check_in_ends_time
        if at:
            return opens_at, _instant(here.date(), 0, at)
        return opens_at, ends_at - timedelta(minutes=self.check_in_closes_minutes)

    def is_late(self, segment_starts_at: datetime, *, now: datetime) -> bool:
        """Half-open: at this instant one is."""
        return now >= segment_starts_at + timedelta(minutes=self.late_after_minutes)

    def cancel_before(self, of_schedule: datetime, segment_starts_at: datetime) -> datetime:
        """The deadline of one number, where `of_schedule` is that of its half day."""
        if not self.may_cancel or not self.cancel_minutes_before_segment:
            return of_schedule
        return segment_starts_at - timedelta(minutes=self.cancel_minutes_before_segment)

    def offer_ends_at(self, visit_date: date, *, now: datetime) -> datetime:
        """Of an offer made at `now` for a suspended visit of that day, half-open."""
        ends = now + timedelta(minutes=self.offer_minutes)
        evening = _instant(visit_date, 1, self.offer_until_time)
        return min(ends, evening) if now < evening else ends

    def to_document(self) -> dict[str, Any]:
        return thawed(asdict(self))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Terms:
        """The inverse of `to_document`. Pinned documents outlive keys: one that was written before a key existed has
        the platform's default for it, and a key that no longer exists is passed over."""
        written = {field.name: document[field.name] for field in fields(cls) if field.name in document}
        return cls(**frozen(_DEFAULT_TERMS | written))


def _terms_keys(policy: BookingPolicy) -> dict[str, Any]:
    """The part of a merged policy that stays with a schedule, under the names of `Terms`."""
    whole = policy.to_document()
    kept = {field.name: whole[field.name] for field in fields(Terms) if field.name in whole}
    return kept | {
        "version": version_of(policy),
        "segment_closes_minutes_before": whole["closes_minutes_before"],
    }


_DEFAULT_TERMS = _terms_keys(PLATFORM_DEFAULTS) | {"version": ""}


@dataclass(frozen=True)
class CompiledTerms:
    """A policy worked out for one half day: four instants, each half-open, the terms, and the shares of channels in
    percent."""

    release_at: datetime
    closes_at: datetime
    cancel_before: datetime
    terms: Terms
    channels_return_at: datetime
    shares: Mapping[str, int]


def compile_terms(
    policies: Iterable[BookingPolicy],
    *,
    department_id: UUID,
    visit_date: date,
    starts_at: datetime,
    last_segment_starts_at: datetime,
    working_days_before: DaysBefore = weekdays_before,
) -> CompiledTerms:
    """`policies` from wide to narrow. The schedule closes when its last segment does, or earlier where they say so.
    `working_days_before` knows the holidays.

    Raises: ValueError where `starts_at` is not on the hospital's `visit_date`, or the last segment before it."""
    if hospital_day(starts_at) != visit_date or last_segment_starts_at < starts_at:
        raise ValueError("a schedule begins on its visit date, with its first segment")
    policy = merged(policies)
    terms, whole = Terms.from_document(_terms_keys(policy)), policy.to_document()
    release_at = _instant(visit_date, whole["release_days_before"], whole["release_time"]) + _jitter(
        department_id, whole["release_jitter_minutes"]
    )
    half_day = _HalfDay(visit_date, starts_at, working_days_before)
    closes_at = terms.segment_closes_at(last_segment_starts_at).astimezone(UTC)
    ends_at = half_day.instant(whole, "booking_ends")
    cancel_before = half_day.instant(whole, "cancel") or release_at
    return CompiledTerms(
        release_at=release_at,
        closes_at=closes_at if ends_at is None else min(closes_at, ends_at),
        cancel_before=terms.cancel_before(cancel_before, starts_at) if terms.may_cancel else release_at,
        terms=terms,
        channels_return_at=_instant(visit_date, whole["channels_return_days_before"], whole["channels_return_time"]),
        shares={str(channel): whole[f"share_{channel}"] for channel in PoolChannel},
    )


@dataclass(frozen=True)
class _HalfDay:
    visit_date: date
    starts_at: datetime
    working_days_before: DaysBefore

    def instant(self, whole: Mapping[str, Any], what: str) -> datetime | None:
        """The end of something as the keys that begin with `what` have it, None where they set no time of day."""
        is_afternoon = self.starts_at.astimezone(HOSPITAL_ZONE).time() >= _NOON
        at = (whole[f"{what}_time_afternoon"] if is_afternoon else "") or whole[f"{what}_time"]
        if not at:
            return None
        days = whole[f"{what}_days_before"]
        if not whole[f"{what}_in_working_days"]:
            return _instant(self.visit_date, days, at)
        return _instant(self.working_days_before(self.visit_date, days), 0, at)


def _instant(visit_date: date, days_before: int, time_of_day: str) -> datetime:
    day = visit_date - timedelta(days=days_before)
    return datetime.combine(day, time.fromisoformat(time_of_day), tzinfo=HOSPITAL_ZONE).astimezone(UTC)


def _jitter(department_id: UUID, most_minutes: int) -> timedelta:
    """The department's own minute out of those, always the same: it can be told long before."""
    digest = hashlib.sha256(department_id.bytes).digest()
    return timedelta(minutes=int.from_bytes(digest[:8]) % (most_minutes + 1))
