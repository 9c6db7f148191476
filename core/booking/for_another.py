"""Booking and looking under a grant, where the dependent is another account's (docs/decisions/0030).

One's own is always looked for first, so that whoever uses no grant pays nothing for those who do. What is not in force
is not there at all.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session

from core.booking.day.queue import place_of
from core.booking.day.visit_pass import VisitPass, issue_visit_pass
from core.booking.eligibility import Eligibility, explain_for
from core.booking.look import Whom, own_dependent
from core.booking.rules.answers import answers_to
from core.booking.terms import Terms
from core.booking.views import AppointmentView, list_appointments, views_of
from core.dependents.granted import Granted, Use, granted_dependent, granted_to, hold_live
from core.identity.twins import with_twins
from core.locks import lock_accounts, lock_person
from core.paging import Page
from core.receipts.views import receipt_of
from core.rights.access import AccessAction
from core.tickets import Tickets
from core.transactions import Changed
from models.appointment import Appointment, AppointmentStatus
from models.errors import NotFound
from models.grant import Grant, Scope
from models.person import Dependent
from models.sealing import Vault


def lock_for_another(
    session: Session, *, account_id: UUID, dependent_id: UUID, hospital_id: UUID, terms: Terms, now: datetime
) -> tuple[Whom, UUID]:
    """Another account's dependent, with both accounts, the person and the grant locked; and the person's alias root.

    Raises: NotFound, Changed."""
    granted = granted_dependent(session, account_id=account_id, dependent_id=dependent_id, scope=Scope.BOOK, now=now)
    owner_id = granted.dependent.account_id
    locked = lock_accounts(session, {account_id, owner_id})
    if any(one.joined_into_id is not None for one in locked.values()):
        raise Changed()
    person_id = lock_person(session, granted.dependent.person_id).id
    hold_live(session, granted.grant, now=now)
    whom = own_dependent(
        session, account_id=owner_id, dependent_id=dependent_id, hospital_id=hospital_id, terms=terms, now=now
    )
    if whom.dependent.person_id != granted.dependent.person_id:
        raise Changed()
    answers = whom.answers | answers_to(session, account_id, now=now)
    return replace(whom, grant=granted.grant, answers=answers), person_id


def explain_to(
    session: Session,
    *,
    schedule_id: UUID,
    dependent_id: UUID,
    account_id: UUID,
    now: datetime,
    notice_version: str | None = None,
    segment_starts_at: datetime | None = None,
) -> tuple[Eligibility, list[Use]]:
    """Eligibility of a dependent that the account may book for. Raises: as `explain_for`."""
    with suppress(NotFound):
        said = explain_for(
            session,
            schedule_id=schedule_id,
            dependent_id=dependent_id,
            account_id=account_id,
            now=now,
            notice_version=notice_version,
            segment_starts_at=segment_starts_at,
        )
        return said, []
    granted = granted_dependent(session, account_id=account_id, dependent_id=dependent_id, scope=Scope.BOOK, now=now)
    said = explain_for(
        session,
        schedule_id=schedule_id,
        dependent_id=dependent_id,
        account_id=granted.dependent.account_id,
        now=now,
        grant=granted.grant,
        notice_version=notice_version,
        segment_starts_at=segment_starts_at,
    )
    return said, [Use(granted.grant, AccessAction.ELIGIBILITY_ASKED, schedule_id)]


def see_appointment(
    session: Session, *, appointment_id: UUID, account_id: UUID, now: datetime
) -> tuple[AppointmentView, list[Use]]:
    """One's own appointment, or one that a grant lets the account see. Raises: NotFound."""
    own = views_of(session, Appointment.id == appointment_id, Appointment.account_id == account_id, limit=1)
    if own:
        return own[0], []
    grants = granted_to(session, account_id, now=now)
    found = views_of(session, Appointment.id == appointment_id, _shown_by(grants), limit=1) if grants else []
    if not found:
        raise NotFound()
    shown, grant = _under(found[0], grants)
    return shown, [Use(grant, AccessAction.APPOINTMENT_SEEN, appointment_id)]


def show_appointment(
    session: Session, *, appointment_id: UUID, account_id: UUID, vault: Vault, now: datetime
) -> tuple[AppointmentView, list[Use]]:
    """As `see_appointment`, with the receipt; to the patient's own account with what they come for and what opens the
    receipt, which no grant shows.

    Raises: NotFound."""
    shown, uses = see_appointment(session, appointment_id=appointment_id, account_id=account_id, now=now)
    own = shown.shown_under is None
    receipt = receipt_of(session, shown.appointment, vault=vault if own else None)
    shown = replace(shown, arrival=place_of(session, shown.appointment), receipt=receipt)
    return (replace(shown, complaint=shown.appointment.complaint(vault)) if own else shown), uses


def see_appointments(
    session: Session,
    *,
    account_id: UUID,
    status: AppointmentStatus | None,
    dependent_id: UUID | None,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> tuple[Page[AppointmentView], list[Use]]:
    """One's own and those that grants let the account see, newest first. Raises: ValidationFailed."""
    grants = granted_to(session, account_id, now=now)
    page = list_appointments(
        session,
        account_id=account_id,
        status=status,
        dependent_id=dependent_id,
        cursor=cursor,
        limit=limit,
        besides=_shown_by(grants) if grants else None,
    )
    items = [one if one.appointment.account_id == account_id else _under(one, grants)[0] for one in page.items]
    shown = {one.shown_under.id: one.shown_under for one in items if one.shown_under is not None}
    return Page(items, page.next_cursor), [Use(grant, AccessAction.APPOINTMENT_SEEN) for grant in shown.values()]


def show_pass(
    session: Session, tickets: Tickets, *, appointment_id: UUID, account_id: UUID, now: datetime
) -> tuple[VisitPass, list[Use]]:
    """As `issue_visit_pass`, also for whoever a grant lets see the appointment. Raises: NotFound, NotPayable."""
    shown, uses = see_appointment(session, appointment_id=appointment_id, account_id=account_id, now=now)
    owner_id = shown.appointment.account_id
    if shown.shown_under is not None and not shown.shown_under.may_see:
        raise NotFound()
    issued = issue_visit_pass(session, tickets, appointment_id=appointment_id, account_id=owner_id, now=now)
    return issued, [replace(use, action=AccessAction.PASS_SHOWN) for use in uses]


def _shown_by(grants: list[Granted]) -> ColumnElement[bool]:
    """Whoever may only pay sees what waits for it."""
    parts = []
    for one in grants:
        of_whom = Appointment.dependent_id.in_(select(Dependent.id).where(with_twins([one.dependent.id])))
        unpaid = and_(Appointment.status == AppointmentStatus.PENDING, Appointment.awaiting_payment)
        what = true() if one.grant.may_see else unpaid
        parts.append(and_(Appointment.account_id == one.dependent.account_id, of_whom, what))
    return or_(*parts)


def _under(view: AppointmentView, grants: list[Granted]) -> tuple[AppointmentView, Grant]:
    """Marked with the widest of the grants that show it."""
    whom = view.dependent.merged_into_id or view.dependent.id
    widest = max((one.grant for one in grants if one.dependent.id == whom), key=lambda grant: grant.may_see)
    return replace(view, shown_under=widest, visit_card=None), widest
