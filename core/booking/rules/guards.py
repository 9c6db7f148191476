"""Whom a clinic is for: sex, age on the day of the visit, first or return visit (rules.md 2.14, 2.12).

A dependent has a sex and a birth date always: no document is taken without (`core/dependents/documents/kinds.py`).
A doctor may see somebody all the same: an extra number passes over what refuses here (`core/booking/extra.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from core.booking.case import Case
from core.booking.terms import Terms
from core.refusals import NotEligible, PersonLimit
from models.errors import DomainError
from models.person import Dependent
from models.policy import VisitKind

OLDEST = 150
"""What `age_to` is where there is no bound: nobody is older."""


def guarded(case: Case) -> Iterator[DomainError]:
    """The facts say which guard it is and what it asks for, and nothing of the dependent."""
    terms = case.terms
    if not _is_of_sex(terms, case.dependent):
        yield NotEligible(guard="sex", sexes=list(terms.sexes))
    if not _is_of_age(terms, case.dependent, case.schedule.visit_date):
        yield NotEligible(guard="age", **_ages(case))
    yield from _visit_kind(case)


def is_for(terms: Terms, dependent: Dependent, day: date) -> bool:
    """Whether a clinic of that day is for somebody of their sex and age."""
    return _is_of_sex(terms, dependent) and _is_of_age(terms, dependent, day)


def is_for_nobody(terms: Terms) -> bool:
    """Its ages, which may be set at different levels, exclude one another."""
    return terms.age_from > terms.age_to or bool(terms.age_to_days and terms.age_from > terms.age_to_days // 365)


def _is_of_sex(terms: Terms, dependent: Dependent) -> bool:
    return not terms.sexes or dependent.sex in terms.sexes


def _is_of_age(terms: Terms, dependent: Dependent, day: date) -> bool:
    if terms.age_to_days and (day - dependent.birth_date).days > terms.age_to_days:
        return False
    return terms.age_from <= dependent.age(on=day) <= terms.age_to


def _ages(case: Case) -> dict[str, Any]:
    """The bounds that there are."""
    terms = case.terms
    bounds = (("age_from", terms.age_from, 0), ("age_to", terms.age_to, OLDEST), ("age_to_days", terms.age_to_days, 0))
    return {name: value for name, value, unbound in bounds if value != unbound}


def _visit_kind(case: Case) -> Iterator[DomainError]:
    """Only a visit that whoever books may know of makes the next one a return visit, and one that they may not know of
    is no first visit, either: that is the generic limit."""
    seen, terms = case.seen_before, case.terms
    if seen is None:
        return
    kind = VisitKind.RETURN if seen.by_own else VisitKind.FIRST
    if kind not in terms.visit_kinds:
        yield NotEligible(
            guard="visit_kind",
            visit_kinds=list(terms.visit_kinds),
            within_days=terms.return_visit_days,
            scope=terms.return_visit_scope,
        )
    elif kind is VisitKind.FIRST and seen.by_others:
        yield PersonLimit()
