"""The clock on what is left to people: nobody's money waits unseen."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.jobs.queue import LeasedJob
from core.payments.charge_account import lock_charge_account
from core.payments.refund_desk import LET_LIE, AtDesk, list_at_desk, standing_decision
from core.workbench import Workbench
from models.payment import Refund
from models.refund_decision import RefundDecision

log = structlog.get_logger()

LONG = timedelta(days=1)
_MOST = 500


def watch_refunds(workbench: Workbench, _job: LeasedJob) -> None:
    """One alarm for each refund that has waited for people for a day, with each look; and cards that one person named
    long ago are forgotten."""
    for one, now in workbench.transactions.read(_waiting):
        log.warning(
            "refund_waits_for_people",
            refund=str(one.refund.id),
            status=str(one.refund.status),
            days=(now - one.since).days,
            proposed=one.decision is not None,
            alarm=True,
        )
    for refund_id in workbench.transactions.read(_cards_that_lie):
        workbench.transactions.write(partial(_forget_card, refund_id))


def _waiting(session: Session, now: datetime) -> list[tuple[AtDesk, datetime]]:
    found = list_at_desk(session, limit=_MOST, now=now)
    return [(one, now) for one in found if now - one.since >= LONG and not _is_in_course(one)]


def _is_in_course(one: AtDesk) -> bool:
    return one.decision is not None and one.decision.is_in_course


def _cards_that_lie(session: Session, now: datetime) -> list[UUID]:
    query = select(RefundDecision.refund_id).where(
        RefundDecision.done_at.is_(None),
        RefundDecision.card_hash.is_not(None),
        RefundDecision.proposed_at < now - LET_LIE,
    )
    return list(session.scalars(query))


def _lies(decision: RefundDecision, now: datetime) -> bool:
    return decision.card_hash is not None and now - decision.proposed_at > LET_LIE


def _forget_card(refund_id: UUID, session: Session, now: datetime) -> None:
    charge_id = session.scalar(select(Refund.charge_id).where(Refund.id == refund_id))
    if charge_id is None:
        return
    lock_charge_account(session, charge_id)
    decision = standing_decision(session, refund_id)
    if decision is not None and _lies(decision, now):
        session.delete(decision)
