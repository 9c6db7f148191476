"""What a policy comes to: the outcomes that the rows about real hospitals look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from profiles import Keys

from core.booking.case import Case
from core.booking.endings import returning
from core.booking.policy import BookingPolicy
from core.booking.rules.answers import Answers
from core.booking.rules.evaluation import refusals
from core.booking.rules.seen_before import SeenBefore
from core.booking.standing import Standing
from core.booking.strikes.ladders import restricted_until
from core.booking.terms import CompiledTerms, compile_terms
from core.booking.waitlist.queue import closes_at, pay_until
from core.clock import HOSPITAL_ZONE
from models.account import Purpose
from models.appointment import AppointmentStatus
from models.base import new_id
from models.kinds import IdentityLevel, Relationship, Sex
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus, Slot
from models.strike import UNTIL_APPEAL

Outcome = Callable[[Keys], Any]
VISIT = date(2026, 12, 1)  # a Tuesday
ACCOUNT, HERE, DEPARTMENT, CLINIC = (UUID(int=number) for number in (1, 2, 3, 4))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=HOSPITAL_ZONE).astimezone(UTC)


def here(instant: datetime) -> str:
    return f"{instant.astimezone(HOSPITAL_ZONE):%Y-%m-%d %H:%M}"


def compiled(keys: Keys, starts: str = "08:00", department: UUID = DEPARTMENT) -> CompiledTerms:
    starts_at = datetime.combine(VISIT, time.fromisoformat(starts), HOSPITAL_ZONE).astimezone(UTC)
    return compile_terms(
        [BookingPolicy.parse(dict(keys))],
        department_id=department,
        visit_date=VISIT,
        starts_at=starts_at,
        last_segment_starts_at=starts_at + timedelta(hours=3),
    )


def released(keys: Keys) -> str:
    return here(compiled(keys).release_at)


def released_over(keys: Keys) -> float:
    """Minutes from the first to the last of many departments."""
    moments = [compiled(keys, department=UUID(int=number << 64)).release_at for number in range(200)]
    return (max(moments) - min(moments)) / timedelta(minutes=1)


def held(keys: Keys) -> float:
    return compiled(keys).terms.hold_for / timedelta(minutes=1)


def kept(keys: Keys) -> dict[str, int]:
    return {channel: share for channel, share in compiled(keys).shares.items() if share}


def check_in(starts: str) -> Outcome:
    def window(keys: Keys) -> str:
        half_day = datetime.combine(VISIT, time.fromisoformat(starts), HOSPITAL_ZONE)
        opens, closes = compiled(keys, starts).terms.check_in_window(half_day, half_day + timedelta(hours=4))
        return f"{here(opens)[-5:]}-{here(closes)[-5:]}"

    return window


def banned(ladder: str, strike: str, *earlier: str) -> Outcome:
    def until(keys: Keys) -> str | None:
        steps = getattr(compiled(keys).terms, ladder)
        ends = restricted_until(steps, [at(one) for one in earlier], at(strike))
        return "until appeal" if ends == UNTIL_APPEAL else None if ends is None else here(ends)

    return until


def visit(
    day: date = VISIT,
    *,
    department: int = 9,
    hospital: UUID = HERE,
    ended: str | None = None,
    paid: bool = False,
    doctor: str = "another",
) -> Standing:
    begins = datetime.combine(day, time(14), HOSPITAL_ZONE)
    status = AppointmentStatus.BOOKED if ended is None else AppointmentStatus.CANCELLED
    clinic = new_id() if ended is None else CLINIC
    return Standing(
        ACCOUNT, True, clinic, UUID(int=department), day, status, False, new_id(), hospital, begins,
        begins + timedelta(hours=1), None if ended is None else at(ended), paid, new_id(), doctor_code=doctor,
    )  # fmt: skip


def refused(
    *standing: Standing, now: str = "2026-11-30 10:00", seen: SeenBefore | None = None, by_phone: int = 0, **who: Any
) -> Outcome:
    """The codes that a patient is told who wants a number of the half day."""
    facts: dict[str, Any] = {
        "id": UUID(int=5), "account_id": ACCOUNT, "birth_date": date(1990, 1, 1), "sex": Sex.FEMALE,
        "identity_level": IdentityLevel.PRESENT, "relationship_": Relationship.SELF,
    }  # fmt: skip
    dependent = Dependent(**facts | who)

    def codes(keys: Keys) -> list[str]:
        made = compiled(keys)
        begins = datetime.combine(VISIT, time(8), HOSPITAL_ZONE)
        schedule = Schedule(
            id=CLINIC, hospital_id=HERE, department_id=DEPARTMENT, visit_date=VISIT, status=ScheduleStatus.OPEN,
            starts_at=begins, ends_at=begins + timedelta(hours=4), release_at=at("2026-11-01 00:00"),
            closes_at=begins, doctor_code="the one",
        )  # fmt: skip
        case = Case(
            schedule, made.terms, dependent, UUID(int=6), list(standing), frozenset(Purpose), False, None, None,
            at(now), Answers(), seen_before=seen if made.terms.visit_kinds else None, booked_by_phone=by_phone,
        )  # fmt: skip
        return [refusal.code for refusal in refusals(case)]

    return codes


def rests(keys: Keys) -> tuple[int, int]:
    """Between how many full hours a number that was given back comes again, over many lots."""
    now, begins = at("2026-11-20 10:00"), at("2026-12-01 08:00")
    slot, schedule = Slot(starts_at=begins), Schedule(closes_at=begins)
    moments = [returning._returns_at(slot, schedule, compiled(keys).terms, now=now) - now for _ in range(300)]
    return int(min(moments) / timedelta(hours=1)), -int(-max(moments) // timedelta(hours=1))


def found(now: str) -> Outcome:
    """Until when a number that the waitlist found is to be paid for."""
    slot = Slot(starts_at=at("2026-12-01 08:00"))
    return lambda keys: here(pay_until(compiled(keys).terms, slot, VISIT, now=at(now)))


def waits(keys: Keys) -> str:
    terms = compiled(keys).terms
    return f"{terms.waitlist_opens}-{terms.waitlist_closes}, until {here(closes_at(terms, VISIT))}"


def somebody_else(age: int) -> dict[str, Any]:
    return {"relationship_": Relationship.PARENT, "birth_date": date(2026 - age, 12, 1)}
