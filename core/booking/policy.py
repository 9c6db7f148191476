"""Booking rules as data: what a hospital may set, each key declared once with its check and the platform's default.

Per key the narrowest level wins: platform, hospital, department group, department, doctor, schedule. A key that nobody
set has its default here (domain rules, section 2). All days and times of day are the hospital's (Asia/Shanghai, which
knows no summer time). What stays with a schedule, under the same names, is `core/booking/terms.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from core.booking.discounts import discounts
from core.booking.policy_checks import (
    Check,
    InvalidPolicy,
    PolicyFault,
    flag,
    one_of,
    refuse_unless_policy,
    time_of_day,
    time_of_day_or_none,
    whole,
    words,
)
from core.booking.strikes.ladders import ladder
from core.dependents.agreements import Ages
from models.appointment import PayMode
from models.base import canonical_json
from models.kinds import Sex
from models.policy import RequiredField, RescheduleScope, VisitKind, VisitScope

__all__ = [
    "MOST_DEPENDENTS",
    "PLATFORM_DEFAULTS",
    "BookingPolicy",
    "InvalidPolicy",
    "PolicyFault",
    "merged",
    "policy_version",
]

_DAY_MINUTES = 24 * 60
MOST_DEPENDENTS = 10
"""What nobody may set higher (rules.md 1.1.4)."""
MOST_IN_BUNDLE = 5
_MOST_FEN = 10_000_000
_limit = whole(1, 100)


def frozen(document: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values as the fields of a frozen dataclass."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def thawed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `frozen`."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _key(check: Check, *, default: Any) -> Any:
    return field(default=None, metadata={"check": check, "default": default})


@dataclass(frozen=True)
class BookingPolicy:
    """What one level sets; a key it leaves alone is None.

    `release_jitter_minutes`: departments are released up to so many minutes after `release_time`, each at a minute of
    its own, which its schedules announce.
    `max_extra_numbers`: how many a doctor may give out beside the numbers of one half day (加号).
    `share_…`: percent of a half day's numbers that are kept for one channel, and are everybody's from
    `channels_return_time` on, so many days before the visit.
    `follow_up_days`: how many days a registration covers (续诊), the visit's own included and days on which the
    department is closed left out, 0: no more than the visit; `max_follow_ups`: how many of them one half day takes.
    `rosters_on_holidays`: whether a roster is published where its weekday is a public holiday.
    `closes_minutes_before`: no segment is sold later than this before its start, so the schedule closes with its last.
    `booking_ends_time` of the day `booking_ends_days_before` the visit, empty: only `closes_minutes_before` counts. On
    the visit day at 00:00: never on the day itself. `booking_ends_time_afternoon` for half days from noon on, empty:
    the same. `booking_ends_in_working_days`: those are the days that are counted.
    `cancel_time_afternoon` and `cancel_in_working_days` likewise. `cancel_minutes_before_segment`: instead of a time of
    day so long before the start of one's segment; 0: not so. `may_cancel` false: never, once it is paid.
    `closed_from`, `closed_until`: between these times of day nothing is sold, over midnight where the second is
    earlier; the same twice: never.
    `max_open_per_person_doctor_day`: with one doctor, in whichever department; a clinic without one does not count.
    `max_per_person_7_days`, `max_per_person_3_months`: visits that are booked or have been, in any 7 and any 91 days
    with the wanted one in them. `max_departments_per_person_day`: of one hospital.
    `max_per_phone_month`: numbers booked in a calendar month for patients with one phone, 0: not counted.
    `consultation_fen`: how much of the fee is 诊查费, all of a smaller one; the rest is 挂号费. `fee_discounts`: what
    is taken off it by age (`core/booking/discounts.py`), the first that fits.
    `may_overlap`: whether a segment may meet another appointment of the person, in whichever hospital; nearer than
    `travel_gap_minutes` to one in another hospital, the patient is warned, 0: never.
    `rebook_after_cancel_minutes`, `rebook_after_refund_minutes`: how long whoever gave a number of a half day back,
    unpaid or paid, waits before they have one of it again.
    `max_in_bundle`: how many numbers are booked together for several dependents, below 2: none; they are one open hold.
    `hospital_cap_minutes`: how long a booking waits for a hospital's own system that does not answer, from when it
    could be paid at the latest.
    `red_receipt_before_refund`: money of which a receipt stands waits for the red one (`core/receipts/red_first.py`).
    `max_reschedules`: how often an order is changed, from its first number on; `reschedule_scope`: how far.
    `return_after_seconds`: how long a freed number rests at least before it is sold again, `return_spread_seconds`: up
    to how much longer, by lot. `let_go_rest_minutes`: how long whoever let a number go does not get that one again.
    `waitlist_opens`, `waitlist_closes`: between which hours one may begin to wait, and when on the day before nobody
    waits any more. A number that was found is to be paid for within `waitlist_pay_hours` and until `waitlist_pay_until`
    of the day before, but `waitlist_pay_minutes_at_least` are given, also where less than a day is left.
    `offers_most`: how many other numbers are held for whoever lost theirs by a suspension, one of each kind, or none.
    They are of half days up to `offers_within_days` later, and stand for `offer_minutes`, or until `offer_until_time`
    of the day before the visit where that comes first.
    `substitute_refunds_difference`: whether a cheaper doctor gives the difference back. `leave_minutes`: how long after
    it was given to another doctor an appointment may be cancelled at any rate.
    `agreement_from_age`, `agreement_to_age`: who agrees themselves to be booked for, in full years, both included,
    and nobody below 18.
    `max_dependents` besides oneself, `phone_change_days` between two changes of a dependent's phone, or two of name
    or document: the platform's word alone counts, for an account belongs to no hospital.
    `check_in_opens_minutes` before the start of one's segment, `check_in_closes_minutes` before the end of the half
    day, or at `check_in_ends_time`, for half days from noon on `…_afternoon` where it has another;
    `check_in_radius_m` round the campus one may check in by place, 0: at the desk alone.
    `late_after_minutes` after that start one goes behind `late_places` of those who wait; who was called and did not
    answer, behind `passed_places`. Who has not come `no_show_grace_minutes` after the end of the half day is a no-show.
    `no_show_ladder`, `cancel_ladder` (by the patient, in time), `late_cancel_ladder` (at the desk, too late): what so
    many of a person cost (`core/booking/strikes/ladders.py`), counted by hospital or `strikes_platform_wide`.
    `sexes`, `visit_kinds`: whom a clinic is for, empty: everybody. `age_from`, `age_to` in full years on the day of the
    visit, both included; `age_to_days`: for newborns, so many days after birth at most, 0: not so. A visit is a return
    visit (复诊) where the person was seen in the `return_visit_scope` within `return_visit_days` before it.
    `required_fields`: what a patient must have filled in, beside what everybody must (rules.md L-09).
    `notice_must_be_read`: whether a booking must name the version of the booking notice that holds.
    """

    # --- when numbers are sold
    release_days_before: int | None = _key(whole(0, 366), default=14)
    release_time: str | None = _key(time_of_day, default="07:00")
    release_jitter_minutes: int | None = _key(whole(0, 10), default=0)
    closes_minutes_before: int | None = _key(whole(0, 31 * _DAY_MINUTES), default=30)
    booking_ends_days_before: int | None = _key(whole(0, 60), default=0)
    booking_ends_time: str | None = _key(time_of_day_or_none, default="")
    booking_ends_time_afternoon: str | None = _key(time_of_day_or_none, default="")
    booking_ends_in_working_days: bool | None = _key(flag, default=False)
    closed_from: str | None = _key(time_of_day, default="00:00")
    closed_until: str | None = _key(time_of_day, default="00:00")

    # --- which half days there are
    rosters_on_holidays: bool | None = _key(flag, default=False)
    max_extra_numbers: int | None = _key(whole(0, 100), default=5)
    share_own: int | None = _key(whole(0, 100), default=0)
    share_on_site: int | None = _key(whole(0, 100), default=0)
    share_elders: int | None = _key(whole(0, 100), default=0)
    share_return_visit: int | None = _key(whole(0, 100), default=0)
    channels_return_days_before: int | None = _key(whole(0, 60), default=1)
    channels_return_time: str | None = _key(time_of_day, default="18:00")

    # --- coming again on the same registration
    follow_up_days: int | None = _key(whole(0, 14), default=0)
    max_follow_ups: int | None = _key(whole(0, 100), default=5)

    # --- holding and paying
    hold_minutes: int | None = _key(whole(2, _DAY_MINUTES), default=15)  # below 90 s nobody may start to pay
    close_cap_minutes: int | None = _key(whole(1, _DAY_MINUTES), default=30)
    hospital_cap_minutes: int | None = _key(whole(1, _DAY_MINUTES), default=120)
    pay_modes: tuple[str, ...] | None = _key(
        words((str(mode) for mode in PayMode), at_least=1), default=("online", "on_site")
    )
    consultation_fen: int | None = _key(whole(0, _MOST_FEN), default=0)
    fee_discounts: tuple[Any, ...] | None = _key(discounts, default=())
    red_receipt_before_refund: bool | None = _key(flag, default=False)

    # --- cancelling
    cancel_days_before: int | None = _key(whole(0, 60), default=0)
    cancel_time: str | None = _key(time_of_day, default="00:00")
    cancel_time_afternoon: str | None = _key(time_of_day_or_none, default="")
    cancel_in_working_days: bool | None = _key(flag, default=False)
    cancel_minutes_before_segment: int | None = _key(whole(0, 31 * _DAY_MINUTES), default=0)
    may_cancel: bool | None = _key(flag, default=True)

    # --- rescheduling
    max_reschedules: int | None = _key(whole(0, 10), default=1)
    reschedule_scope: str | None = _key(one_of(RescheduleScope), default="department")

    # --- limits
    max_open_per_person_schedule: int | None = _key(whole(1, 1), default=1)  # the database keeps it, too
    max_open_per_person_department_day: int | None = _key(_limit, default=1)
    max_open_per_person_doctor_day: int | None = _key(_limit, default=100)
    max_per_person_day: int | None = _key(_limit, default=2)
    max_per_person_hospital_day: int | None = _key(_limit, default=100)
    max_departments_per_person_day: int | None = _key(_limit, default=100)
    max_per_person_7_days: int | None = _key(_limit, default=5)
    max_per_person_3_months: int | None = _key(_limit, default=15)
    max_per_phone_month: int | None = _key(whole(0, 100), default=0)
    may_overlap: bool | None = _key(flag, default=False)
    travel_gap_minutes: int | None = _key(whole(0, 600), default=60)
    rebook_after_cancel_minutes: int | None = _key(whole(0, _DAY_MINUTES), default=2)
    rebook_after_refund_minutes: int | None = _key(whole(0, _DAY_MINUTES), default=120)
    max_open_holds_person: int | None = _key(_limit, default=1)
    max_open_holds_account: int | None = _key(_limit, default=2)
    max_in_bundle: int | None = _key(whole(0, MOST_IN_BUNDLE), default=MOST_IN_BUNDLE)

    # --- who may book, and what of them must be known
    sexes: tuple[str, ...] | None = _key(words((str(one) for one in Sex), at_least=0), default=())
    age_from: int | None = _key(whole(0, 150), default=0)
    age_to: int | None = _key(whole(0, 150), default=150)
    age_to_days: int | None = _key(whole(0, 366), default=0)
    visit_kinds: tuple[str, ...] | None = _key(words((str(kind) for kind in VisitKind), at_least=0), default=())
    return_visit_days: int | None = _key(whole(1, 3660), default=91)
    return_visit_scope: str | None = _key(one_of(VisitScope), default="department")
    min_identity_level: int | None = _key(whole(0, 2), default=1)
    agreement_from_age: int | None = _key(whole(0, 150), default=18)
    agreement_to_age: int | None = _key(whole(0, 150), default=59)
    required_fields: tuple[str, ...] | None = _key(words((str(name) for name in RequiredField), at_least=0), default=())
    notice_must_be_read: bool | None = _key(flag, default=False)

    # --- the day
    check_in_opens_minutes: int | None = _key(whole(0, _DAY_MINUTES), default=30)
    check_in_closes_minutes: int | None = _key(whole(0, _DAY_MINUTES), default=0)
    check_in_ends_time: str | None = _key(time_of_day_or_none, default="")
    check_in_ends_time_afternoon: str | None = _key(time_of_day_or_none, default="")
    check_in_radius_m: int | None = _key(whole(0, 50_000), default=1000)
    late_after_minutes: int | None = _key(whole(0, _DAY_MINUTES), default=30)
    late_places: int | None = _key(whole(0, 100), default=3)
    passed_places: int | None = _key(whole(1, 100), default=3)
    no_show_grace_minutes: int | None = _key(whole(0, 7 * _DAY_MINUTES), default=_DAY_MINUTES)

    # --- strikes
    no_show_ladder: tuple[Any, ...] | None = _key(ladder, default=({"count": 3, "within": "90d", "ban": "90d"},))
    cancel_ladder: tuple[Any, ...] | None = _key(ladder, default=())
    late_cancel_ladder: tuple[Any, ...] | None = _key(ladder, default=())
    strikes_platform_wide: bool | None = _key(flag, default=False)

    # --- numbers that come back
    return_after_seconds: int | None = _key(whole(0, 7 * _DAY_MINUTES * 60), default=10 * 60)
    return_spread_seconds: int | None = _key(whole(0, 7 * _DAY_MINUTES * 60), default=110 * 60)
    let_go_rest_minutes: int | None = _key(whole(0, 7 * _DAY_MINUTES), default=120)

    # --- waiting for a number
    waitlist: bool | None = _key(flag, default=True)
    waitlist_opens: str | None = _key(time_of_day, default="06:00")
    waitlist_closes: str | None = _key(time_of_day, default="23:00")
    waitlist_pay_hours: int | None = _key(whole(1, 72), default=24)
    waitlist_pay_until: str | None = _key(time_of_day, default="22:00")
    waitlist_pay_minutes_at_least: int | None = _key(whole(5, _DAY_MINUTES), default=30)
    max_waitlist_person: int | None = _key(_limit, default=3)
    max_waitlist_person_doctor_day: int | None = _key(_limit, default=1)

    # --- where a clinic is suspended
    offers_most: int | None = _key(whole(0, 3), default=3)
    offers_within_days: int | None = _key(whole(0, 60), default=14)
    offer_minutes: int | None = _key(whole(10, 14 * _DAY_MINUTES), default=120)
    offer_until_time: str | None = _key(time_of_day, default="20:00")

    # --- where a clinic is given to another doctor, or moved
    substitute_refunds_difference: bool | None = _key(flag, default=True)
    leave_minutes: int | None = _key(whole(0, 14 * _DAY_MINUTES), default=_DAY_MINUTES)

    # --- of an account
    max_dependents: int | None = _key(whole(1, MOST_DEPENDENTS), default=5)
    phone_change_days: int | None = _key(whole(0, 366), default=183)

    def __post_init__(self) -> None:
        """Raises: InvalidPolicy."""
        refuse_unless_policy(self.to_document(), _CHECKS)

    @classmethod
    def parse(cls, document: Any) -> BookingPolicy:
        """Read a policy as an operator wrote it. Raises: InvalidPolicy, naming every bad key."""
        refuse_unless_policy(document, _CHECKS)
        return cls(**frozen(document))

    @property
    def agreement_ages(self) -> Ages:
        """Of a merged policy."""
        return Ages.of_grown_ups(self.agreement_from_age or 0, self.agreement_to_age or 0)

    def to_document(self) -> dict[str, Any]:
        """The keys that are set, as JSON values."""
        return {key: value for key, value in thawed(asdict(self)).items() if value is not None}

    def under(self, narrower: BookingPolicy) -> BookingPolicy:
        """Both together: what `narrower` sets wins, key by key."""
        return BookingPolicy.parse(self.to_document() | narrower.to_document())


_CHECKS: Mapping[str, Check] = {key.name: key.metadata["check"] for key in fields(BookingPolicy)}
PLATFORM_DEFAULTS = BookingPolicy(**{key.name: key.metadata["default"] for key in fields(BookingPolicy)})


def merged(policies: Iterable[BookingPolicy]) -> BookingPolicy:
    """Every key has a value afterwards: the platform's defaults below, then `policies` from wide to narrow."""
    whole = PLATFORM_DEFAULTS
    for policy in policies:
        whole = whole.under(policy)
    return whole


def policy_version(policies: Iterable[BookingPolicy]) -> str:
    """A digest of what `policies`, from wide to narrow, come to: the version that `compile_terms` gives them."""
    return version_of(merged(policies))


def version_of(policy: BookingPolicy) -> str:
    """Of a merged policy."""
    return hashlib.sha256(canonical_json(policy.to_document())).hexdigest()[:16]
