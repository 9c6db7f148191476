"""A hospital's own system (HIS), where the hospital and not we are the source of its numbers.

A hospital without one has no implementation of this: its numbers are ours, no claim row is written and nobody is called
(docs/decisions/0007). Our number of a claim is the appointment's; every call about it may be repeated under it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Protocol

from core.ports.errors import ProviderRefused


class HospitalSays(StrEnum):
    """Where one of our claims stands there. `none`: the hospital has never heard of it."""

    NONE = "none"
    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    REFUSED = "refused"


class HospitalRefusal(StrEnum):
    """Why a hospital says no. `taken`: it gave the number to somebody else; `used`: the visit has begun there, so
    that the number cannot come back; `ours`: our request was not in order, or came too fast, and nothing was decided.
    """

    TAKEN = "taken"
    SCHEDULE = "schedule"
    PATIENT = "patient"
    LIMIT = "limit"
    USED = "used"
    OTHER = "other"
    OURS = "ours"


class HospitalRefused(ProviderRefused):
    """The hospital said no, for sure, and did nothing. `code` is its own word, kept for operators."""

    def __init__(self, reason: HospitalRefusal, code: str) -> None:
        super().__init__(code, retryable=reason is HospitalRefusal.OURS)
        self.reason = reason


@dataclass(frozen=True)
class HospitalAnswer:
    """What the hospital says of one of our claims. `number` is its own, `sequence` what is called out at the door;
    both may come only with the confirmation."""

    claim: str
    says: HospitalSays
    number: str | None = None
    sequence: int | None = None
    refusal: HospitalRefusal | None = None


@dataclass(frozen=True)
class HospitalPatient:
    """Whom a record is looked for or made of, as the account typed it. `phone` in E.164."""

    name: str = field(repr=False)
    id_type: str
    id_number: str = field(repr=False)
    sex: str
    birth_date: date = field(repr=False)
    phone: str = field(repr=False)


@dataclass(frozen=True)
class HospitalPlace:
    """A half day as both sides know it: the directory's codes and the hospital's times. `doctor` is empty for a clinic
    without one."""

    hospital: str
    department: str
    doctor: str
    visit_date: date
    period: str
    clinic_type: str
    starts_at: datetime


@dataclass(frozen=True)
class HoldOrder:
    """One number to hold for one patient. After `until` the hospital may let it go by itself; None: until it is told.

    `sequence` is the number's place by our table; the hospital may give another one when it confirms.
    """

    claim: str
    place: HospitalPlace
    sequence: int
    starts_at: datetime
    ends_at: datetime
    patient: str = field(repr=False)
    fee_fen: int
    until: datetime | None


@dataclass(frozen=True)
class PublishedHalfDay:
    """A half day that the hospital offers through us, in its own times of day. `campus` and `doctor` are codes."""

    campus: str
    department: str
    doctor: str
    visit_date: date
    period: str
    starts: time
    ends: time
    clinic_type: str
    fee_fen: int
    segment_minutes: int
    numbers_per_segment: int


class VisitKind(StrEnum):
    ARRIVED = "arrived"
    FULFILLED = "fulfilled"
    NOSHOW = "noshow"


@dataclass(frozen=True)
class VisitEvent:
    """What happened to the patient of one of our claims."""

    id: str
    claim: str
    kind: VisitKind
    at: datetime


@dataclass(frozen=True)
class VisitPage:
    """Events in the order in which the hospital wrote them; `cursor` is where to go on, also where there was none."""

    events: tuple[VisitEvent, ...]
    cursor: str
    more: bool


class HospitalSystem(Protocol):
    """One installation, which may serve several hospitals.

    Every call raises ProviderUnavailable: with `sent` its outcome is unknown and is asked about, without it the system
    is down and nothing was done. What it refuses is HospitalRefused.
    """

    system: str

    def find_patient(self, hospital: str, patient: HospitalPatient) -> str | None:
        """The number of their record (就诊卡), or None where there is none."""

    def create_patient(self, hospital: str, patient: HospitalPatient) -> str:
        """Made again for the same document it is the same record. Returns its number."""

    def hold(self, order: HoldOrder) -> HospitalAnswer:
        """Held, or confirmed at once where the hospital holds nothing. Repeated it is the same claim."""

    def confirm(self, claim: str, *, paid_fen: int) -> HospitalAnswer:
        """The number is the patient's. `paid_fen` is what was paid online."""

    def release(self, claim: str) -> HospitalAnswer:
        """Give the number back, whatever became of the claim. A claim that is not known there is remembered as
        released, so that a call which is still on its way cannot hold anything any more."""

    def ask(self, claim: str) -> HospitalAnswer:
        """Where the claim stands. Changes nothing."""

    def half_days(self, hospital: str, *, first: date, last: date) -> list[PublishedHalfDay]:
        """What is offered on these days, both included."""

    def visits(self, hospital: str, *, after: str | None) -> VisitPage:
        """Events behind the cursor, a page at a time; from the beginning where there is none."""
