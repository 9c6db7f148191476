"""Removing a dependent, and choosing who comes first (切换就诊人)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.booking.waitlist.wait import leave_for
from core.clock import hospital_day
from core.dependents.forget import lock_with_documents
from core.dependents.minors import needs_minor_consent
from core.identity.health import forget_health
from core.identity.join_twins import choose_default
from core.identity.outcomes import fail_pending
from core.identity.own import dependents_of, own_dependent
from core.identity.twins import rows_of, with_twins
from core.locks import lock_account, lock_dependent
from core.refusals import DependentInUse
from core.rights.erase import erase_dependents
from models.appointment import OPEN, Appointment
from models.base import table_of
from models.identity_check import IdentityMethod
from models.person import Dependent
from models.states import Cause


def make_default(session: Session, *, account_id: UUID, dependent_id: UUID) -> Dependent:
    """From now on this one is proposed first; the one before is no longer. Raises: NotFound, Overloaded."""
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    dependent = lock_dependent(session, dependent_id)
    if not dependent.is_default:
        own = table_of(Dependent)
        session.execute(update(own).where(own.c.account_id == account_id, own.c.is_default).values(is_default=False))
        dependent.is_default = True
        session.flush()
    return dependent


def remove_dependent(session: Session, *, account_id: UUID, dependent_id: UUID, now: datetime, cause: Cause) -> None:
    """Take the dependent off the account. What no law keeps is erased at once; appointments that have been stay.

    Nobody waits for a number for them any more, and whoever came of age has no guardian.
    Raises: NotFound, Overloaded, DependentInUse while an appointment is open, or a minor has them as a guardian.
    """
    lock_account(session, account_id)
    dependent = own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    lock_with_documents(session, with_twins([dependent_id]))
    wards = session.scalars(
        dependents_of(account_id).where(Dependent.guardian_dependent_id.in_(rows_of(dependent)))
    ).all()
    _refuse_while_in_use(session, dependent, [one for one in wards if needs_minor_consent(one, hospital_day(now))])
    for grown in wards:
        grown.guardian_dependent_id = None
        grown.forget_guardianship()
    fail_pending(session, dependent_id=dependent.id, methods=list(IdentityMethod), now=now, cause=cause)
    forget_health(session, dependent)  # it locks charges, which come before what waits
    leave_for(session, dependent, now=now, cause=cause)
    erase_dependents(session, [dependent], now=now)
    choose_default(session, account_id, first=())


def _refuse_while_in_use(session: Session, dependent: Dependent, wards: Sequence[Dependent]) -> None:
    """Raises: DependentInUse, with how many of each stand in the way."""
    of_account = Appointment.account_id == dependent.account_id  # found by that
    is_open = of_account & Appointment.dependent_id.in_(rows_of(dependent)) & Appointment.status.in_(OPEN)
    facts: dict[str, Any] = {
        "open_appointments": session.scalar(select(func.count()).select_from(Appointment).where(is_open)) or 0,
        "guardian_of": len(wards),
    }
    if any(facts.values()):
        raise DependentInUse(**facts)
