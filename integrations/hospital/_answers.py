"""What a hospital's system answers, read into the core's words. What does not fit is no answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from marshmallow import fields, validate

from core.ports import (
    HospitalAnswer,
    HospitalRefusal,
    HospitalSays,
    ProviderUnavailable,
    PublishedHalfDay,
    VisitEvent,
    VisitKind,
    VisitPage,
)
from integrations.answers import AnswerSchema, load_answer, text

_MOST_ITEMS = 5000
_PERIODS = ("morning", "afternoon", "evening", "all_day")


class _ClaimSchema(AnswerSchema):
    claim = text(64, required=True)
    status = fields.String(required=True, validate=validate.OneOf([str(one) for one in HospitalSays]))
    number = text(64)
    sequence = fields.Integer(strict=True, validate=validate.Range(min=1, max=100_000))
    reason = text(64)


class _PatientSchema(AnswerSchema):
    patient = text(64)


class _RefusalSchema(AnswerSchema):
    """`message` is not named: it may repeat what was asked."""

    reason = text(64)
    code = text(64)


class _HalfDaySchema(AnswerSchema):
    campus = text(64, required=True)
    department = text(64, required=True)
    doctor = text(64)
    visit_date = fields.Date(required=True)
    period = fields.String(required=True, validate=validate.OneOf(_PERIODS))
    starts = fields.Time(required=True)
    ends = fields.Time(required=True)
    clinic_type = text(64, required=True)
    fee_fen = fields.Integer(required=True, strict=True, validate=validate.Range(min=0, max=10_000_000))
    segment_minutes = fields.Integer(required=True, strict=True, validate=validate.Range(min=1, max=24 * 60))
    numbers_per_segment = fields.Integer(required=True, strict=True, validate=validate.Range(min=1, max=1000))


class _HalfDaysSchema(AnswerSchema):
    items = fields.List(fields.Nested(_HalfDaySchema), required=True, validate=validate.Length(max=_MOST_ITEMS))


class _VisitSchema(AnswerSchema):
    id = text(64, required=True)
    claim = text(64, required=True)
    kind = fields.String(required=True, validate=validate.OneOf([str(one) for one in VisitKind]))
    at = fields.AwareDateTime(required=True)


class _VisitsSchema(AnswerSchema):
    items = fields.List(fields.Nested(_VisitSchema), required=True, validate=validate.Length(max=_MOST_ITEMS))
    cursor = text(64, required=True)
    more = fields.Boolean(required=True)


def claim_answer(content: dict[str, Any], *, claim: str) -> HospitalAnswer:
    """Raises: ProviderUnavailable."""
    told = load_answer(_ClaimSchema(), content)
    if told["claim"] != claim:
        raise ProviderUnavailable("answer is about another claim")
    says = HospitalSays(told["status"])
    refusal = refusal_of(told.get("reason")) if says is HospitalSays.REFUSED else None
    return HospitalAnswer(claim, says, told.get("number"), told.get("sequence"), refusal)


def patient_number(content: dict[str, Any]) -> str | None:
    """Raises: ProviderUnavailable."""
    number: str | None = load_answer(_PatientSchema(), content).get("patient")
    return number


def refusal(content: dict[str, Any]) -> tuple[HospitalRefusal, str]:
    """The reason, and the hospital's own word for it. Raises: ProviderUnavailable."""
    told = load_answer(_RefusalSchema(), content)
    return refusal_of(told.get("reason")), told.get("code") or told.get("reason") or "no_reason"


def refusal_of(word: str | None) -> HospitalRefusal:
    """A reason that is not listed is one all the same: the hospital has said no."""
    known = {str(one): one for one in HospitalRefusal if one is not HospitalRefusal.OURS}
    return known.get(word or "", HospitalRefusal.OTHER)


def half_days(content: dict[str, Any]) -> list[PublishedHalfDay]:
    """Raises: ProviderUnavailable."""
    items = load_answer(_HalfDaysSchema(), content)["items"]
    return [PublishedHalfDay(**{"doctor": ""} | one) for one in items]


def visit_page(content: dict[str, Any]) -> VisitPage:
    """Raises: ProviderUnavailable."""
    told = load_answer(_VisitsSchema(), content)
    events = tuple(VisitEvent(one["id"], one["claim"], VisitKind(one["kind"]), one["at"]) for one in told["items"])
    return VisitPage(events, told["cursor"], told["more"])


def written_day(day: date) -> str:
    return day.isoformat()


def written_instant(instant: datetime) -> str:
    """With its offset, to the second."""
    return instant.isoformat(timespec="seconds")
