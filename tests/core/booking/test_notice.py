"""The booking notice: which version holds, which was read, and that it must be where the hospital says so."""

from __future__ import annotations

from datetime import time
from typing import Any
from uuid import UUID

import pytest
from eligible import codes, set_schedule
from factories import TERMS
from harness import REQUEST, Patient, beside, relatives
from sqlalchemy import update
from sqlalchemy.orm import Session

from core.booking.bundle import book_bundle
from core.booking.eligibility import explain_for
from core.booking.policy import PLATFORM_DEFAULTS, BookingPolicy, merged
from core.booking.rules import notice
from core.booking.rules.notice import notice_version, renew_notices
from core.catalog.recompile import recompile_terms
from core.refusals import NoticeUnread
from models.appointment import PayMode
from models.base import new_id
from models.hospital import Hospital
from models.policy import BookingPolicyRow, PolicyLevel
from models.schedule import Schedule
from schemas.rules_in_words import booking_notice

HOLDS, OUTDATED = "0123456789abcdef", "fedcba9876543210"
OTHERWISE: dict[str, Any] = {
    "notice_must_be_read": True,
    "min_identity_level": 2,
    "required_fields": ["email"],
    "cancel_days_before": 2,
    "cancel_time": "16:00",
    "cancel_time_afternoon": "17:00",
    "cancel_in_working_days": True,
    "cancel_minutes_before_segment": 90,
    "may_cancel": False,
}
"""Another value for each key that the words of a notice may tell of."""


@pytest.fixture
def strict(patient: Patient) -> Patient:
    """The notice must be read."""
    set_schedule(patient, terms={**TERMS, "notice_must_be_read": True})
    return patient


# --- which version it is


class Watched:
    """A policy that knows what was asked of it."""

    def __init__(self, policy: BookingPolicy) -> None:
        self.policy, self.read = policy, set[str]()

    def __getattr__(self, key: str) -> Any:
        self.read.add(key)
        return getattr(self.policy, key)


def test_no_two_notices_have_one_version() -> None:
    """Whatever key the words tell of."""
    seen: dict[str, set[tuple[str, str]]] = {}
    settings = [{}, *({key: OTHERWISE[key]} for key in OTHERWISE)]
    settings += [{"cancel_days_before": 2, key: OTHERWISE[key]} for key in OTHERWISE]
    for own in ("", "请带齐证件。"):
        for document in settings:
            policy = merged([BookingPolicy.parse(document)])
            words = booking_notice(policy, own)
            seen.setdefault(notice_version(policy, own), set()).add((words.zh, words.en))
    assert {len(words) for words in seen.values()} == {1}
    assert len(seen) > len(OTHERWISE)
    watched: Any = Watched(merged([BookingPolicy.parse({"cancel_time_afternoon": "17:00"})]))
    never: Any = Watched(merged([BookingPolicy.parse({"may_cancel": False})]))
    segments: Any = Watched(merged([BookingPolicy.parse({"cancel_minutes_before_segment": 90})]))
    for one in (watched, never, segments):
        booking_notice(one, "")
    assert watched.read | never.read | segments.read <= {*notice._TOLD}
    limits = PLATFORM_DEFAULTS.under(BookingPolicy.parse({"max_per_person_day": 1}))
    assert notice_version(limits, "") == notice_version(PLATFORM_DEFAULTS, "")


def test_a_hospital_gets_the_version_of_what_it_says_now(patient: Patient) -> None:
    def holds() -> str | None:
        return patient.read(lambda session: session.get_one(Hospital, hospital_of(session, patient)).notice_version)

    patient.write(lambda session, _now: renew_notices(session))
    first = holds()
    assert (first, patient.write(lambda session, _now: renew_notices(session))) == (
        notice_version(PLATFORM_DEFAULTS, ""),
        0,
    )
    patient.write(lambda session, _now: set_hospital(session, patient, booking_notice="请带齐证件。"))
    assert patient.write(lambda session, _now: renew_notices(session)) == 1
    own = holds()

    def later(session: Session, now: Any) -> None:
        row = {"level": PolicyLevel.PLATFORM, "subject": "", "document": {"cancel_time": "16:00"}}
        session.add(BookingPolicyRow(id=new_id(), version=1, updated_at=now, **row))

    patient.write(later)
    recompile_terms(patient.workbench.transactions)
    assert len({first, own, holds()}) == 3


def hospital_of(session: Session, patient: Patient) -> UUID:
    return session.get_one(Schedule, patient.schedule_id).hospital_id


def set_hospital(session: Session, patient: Patient, **values: Any) -> None:
    session.execute(update(Hospital).where(Hospital.id == hospital_of(session, patient)).values(**values))


# --- whether it was read


@pytest.mark.parametrize(("named", "refused"), [(None, True), (OUTDATED, True), (HOLDS, False)])
def test_where_it_must_be_read_the_version_that_holds_is_named(
    strict: Patient, named: str | None, refused: bool
) -> None:
    told = strict.read(
        lambda session: explain_for(
            session,
            schedule_id=strict.schedule_id,
            dependent_id=strict.dependent_id,
            account_id=strict.account_id,
            now=strict.clock.now(),
            notice_version=named,
        )
    )
    assert [(one.error.code, one.alternatives) for one in told.reasons] == (
        [("notice_unread", ["read_notice"])] if refused else []
    )
    if refused:
        with pytest.raises(NoticeUnread) as error:
            strict.book(PayMode.ON_SITE, notice_version=named)
        hospital_id = strict.read(lambda session: hospital_of(session, strict))
        assert error.value.facts == {"notice_version": HOLDS, "hospital_id": str(hospital_id)}
    else:
        assert strict.appointment(strict.book(PayMode.ON_SITE, notice_version=named)).notice_version == HOLDS


@pytest.mark.parametrize("named", [None, OUTDATED, HOLDS])
def test_where_it_need_not_be_read_what_was_said_is_noted(patient: Patient, named: str | None) -> None:
    assert patient.appointment(patient.book(PayMode.ON_SITE, notice_version=named)).notice_version == named


def test_a_hospital_without_a_version_asks_for_none(strict: Patient) -> None:
    strict.write(lambda session, _now: set_hospital(session, strict, notice_version=None))
    assert codes(strict) == []
    strict.book(PayMode.ON_SITE)


def test_a_changed_number_keeps_what_was_read(strict: Patient) -> None:
    """Nobody is asked again: it was read before the number that is changed."""
    old = strict.book(PayMode.ON_SITE, notice_version=HOLDS)
    strict.write(lambda session, _now: set_hospital(session, strict, notice_version=OUTDATED))
    to = beside(strict, terms={"notice_must_be_read": True}, starts=time(14))
    new = strict.reschedule(old, to)
    assert strict.appointment(new).notice_version == HOLDS
    assert "notice_unread" in codes(strict)


def test_each_number_of_a_bundle_needs_it(strict: Patient) -> None:
    (other,) = relatives(strict, 1)

    def book(*named: str | None) -> Any:
        wishes = [
            strict.wish(PayMode.ON_SITE, dependent_id=one, notice_version=version)
            for one, version in zip((strict.dependent_id, other), named, strict=True)
        ]
        return strict.write(
            lambda session, now: book_bundle(
                session,
                account_id=strict.account_id,
                wishes=wishes,
                now=now,
                cause=REQUEST,
                vault=strict.workbench.vault,
            )
        )

    with pytest.raises(NoticeUnread) as error:
        book(HOLDS, None)
    assert error.value.facts["dependent_id"] == str(other)
    assert [one.appointment.notice_version for one in book(HOLDS, HOLDS).items] == [HOLDS, HOLDS]
