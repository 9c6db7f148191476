"""Who looked at somebody's data, when and why: noted by whoever shows it, read by whom it is about (L-15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.paging import Page, page_of
from models.audit import AuditEntry
from models.base import new_id
from models.person import Dependent

ONESELF = "self"
"""The actor of what the account's holder did."""
GRANT_HOLDER = "grant_holder"
"""The actor of what another account did under a grant: the entry says which."""


class AccessAction(StrEnum):
    """What was done with the data."""

    VERIFIED_ON_SITE = "identity_check.on_site"
    PASS_CHECKED = "visit_pass.check"  # noqa: S105 - no password
    HISTORY_READ = "appointment.history"
    GUARDIAN_CONFIRMED = "guardian.confirm"
    AGREED_ON_SITE = "agreement.on_site"
    AGREEMENT_REVOKED = "agreement.revoke"
    RECORDS_MERGED = "records.merge"
    EXPORTED = "account.export"
    CLOSED = "account.close"
    GRANT_OFFERED = "grant.offer"
    GRANT_ACCEPTED = "grant.accept"
    GRANT_ENDED = "grant.end"
    ELIGIBILITY_ASKED = "eligibility.ask"
    APPOINTMENT_SEEN = "appointment.see"
    APPOINTMENT_BOOKED = "appointment.book"
    APPOINTMENT_CANCELLED = "appointment.cancel"
    EXTRA_NUMBER_ISSUED = "extra_number.issue"
    KEPT_NUMBER_ISSUED = "kept_number.issue"
    FOLLOW_UP_ALLOWED = "follow_up.allow"
    APPOINTMENT_RESCHEDULED = "appointment.reschedule"
    PASS_SHOWN = "visit_pass.show"  # noqa: S105 - no password
    PAYMENT_OPENED = "payment.open"
    CHECKED_IN = "appointment.check_in"
    PASSED_OVER = "queue.pass"
    SEEN = "appointment.fulfil"
    CANCELLED_AT_DESK = "appointment.cancel_at_desk"
    STRIKE_LIFTED = "strike.lift"
    APPEAL_READ = "strike_appeal.read"
    APPEAL_DECIDED = "strike_appeal.decide"
    NOT_ME_REPORTED = "not_me.report"
    NOT_ME_DECIDED = "not_me.decide"
    RECEIPT_TAKEN_OUT = "receipt.take_out"


UNTOLD = frozenset({AccessAction.AGREEMENT_REVOKED, AccessAction.RECORDS_MERGED})
"""Kept for whoever asks the operator, and not shown to the account. That somebody took their agreement back at the desk
is theirs: to who booked for them it has ended, and whose word ended it is not told (decision 0028). That two records
are one human being's would tell that there is another record."""


class AccessPurpose(StrEnum):
    """Why."""

    IDENTITY = "identity_verification"
    VISIT = "visit"
    SUPPORT = "support"
    OWN_REQUEST = "own_request"
    DELEGATION = "delegation"


def note_access(
    session: Session,
    *,
    actor: str,
    action: AccessAction,
    purpose: AccessPurpose,
    now: datetime,
    account_id: UUID | None = None,
    dependent_id: UUID | None = None,
    result: str = "shown",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write down that `actor` (an operator's name, ONESELF or GRANT_HOLDER) used the data of an account or a dependent.

    In the transaction that shows it: what could not be noted is not shown.
    """
    subject = f"dependent:{dependent_id}" if dependent_id else f"account:{account_id}"
    session.add(
        AuditEntry(
            id=new_id(),
            at=now,
            actor=actor,
            action=action,
            subject=subject,
            purpose=purpose,
            result=result,
            facts=None if facts is None else dict(facts),
            account_id=account_id,
            dependent_id=dependent_id,
        )
    )


def list_accesses(session: Session, *, account_id: UUID, cursor: str | None, limit: int) -> Page[AuditEntry]:
    """What was done with the account's data and that of its dependents, removed ones too; the newest first.

    Raises: ValidationFailed."""
    own = select(Dependent.id).where(Dependent.account_id == account_id)
    about_me = or_(AuditEntry.account_id == account_id, AuditEntry.dependent_id.in_(own))
    query = select(AuditEntry).where(about_me, AuditEntry.action.not_in(UNTOLD))
    return page_of(session, query, AuditEntry.id, cursor=cursor, limit=limit, newest_first=True)
