"""The desk: equal to a face check, with an audit entry for every pass."""

from __future__ import annotations

from uuid import UUID

import pytest
from fakes import START
from people import Desk
from sqlalchemy import select

from core.identity.on_site import verify_on_site
from models.audit import AuditEntry
from models.base import new_id
from models.errors import NotFound
from models.identity_check import IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import Dependent, IdentityLevel, IdentityStatus
from models.states import Actor, Cause, CauseKind

OPERATOR = Cause(actor=Actor.OPERATOR, kind=CauseKind.COMMAND, id="command-1", actor_id="王窗口")


def verify(desk: Desk, dependent_id: UUID | None = None) -> IdentityCheck:
    return desk.transactions.write(
        lambda session, now: verify_on_site(
            session, dependent_id=dependent_id or desk.dependent_id, operator="王窗口", now=now, cause=OPERATOR
        )
    )


def test_the_desk_completes_the_check_that_the_patient_asked_for(desk: Desk) -> None:
    asked = desk.start(IdentityMethod.ON_SITE).check
    assert verify(desk).id == asked.id
    state = desk.complete(asked.id)
    assert (state.status, state.level) == (IdentityCheckStatus.PASSED, IdentityLevel.PRESENT)


def test_it_works_without_being_asked_for(desk: Desk) -> None:
    check = verify(desk)
    assert (check.status, check.level, check.checked_by) == (IdentityCheckStatus.PASSED, 2, "王窗口")
    assert check.matched == ["name", "id_number", "document_seen", "holder_seen"]
    dependent = desk.dependent()
    assert (dependent.identity_status, dependent.identity_level) == (IdentityStatus.VERIFIED, IdentityLevel.PRESENT)
    assert (dependent.identity_method, dependent.identity_checked_at) == ("on_site", START)


def test_who_vouched_is_written_down(desk: Desk) -> None:
    check = verify(desk)
    (entry,) = desk.transactions.read(lambda session, _: session.scalars(select(AuditEntry)).all())
    assert (entry.actor, entry.action, entry.result) == ("王窗口", "identity_check.on_site", "passed")
    assert entry.subject == f"dependent:{desk.dependent_id}"
    assert entry.facts["check_id"] == str(check.id)
    assert "测试甲" not in str(entry.facts)


def test_a_second_visit_is_a_second_check(desk: Desk) -> None:
    assert verify(desk).id != verify(desk).id
    entries = desk.transactions.read(lambda session, _: session.scalars(select(AuditEntry)).all())
    assert len(entries) == 2


def test_an_open_face_check_is_left_alone(desk: Desk) -> None:
    face = desk.start().check
    verify(desk)
    assert desk.check(face.id).is_pending
    assert desk.dependent().identity_status is IdentityStatus.VERIFIED


def test_who_is_not_there_cannot_be_vouched_for(desk: Desk) -> None:
    with pytest.raises(NotFound):
        verify(desk, new_id())
    desk.transactions.write(
        lambda session, now: setattr(session.get_one(Dependent, desk.dependent_id), "archived_at", now)
    )
    with pytest.raises(NotFound):
        verify(desk)
