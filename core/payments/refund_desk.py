"""Refunds that no platform makes by itself: two people say what becomes of each (I-30)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.jobs.queue import enqueue
from core.payments.charge_account import lock_charge_account
from core.receipts.red_first import needs_red
from models.base import new_id
from models.errors import NotFound
from models.operators import is_same_name
from models.payment import Payment, Refund, RefundStatus
from models.reconciliation import Difference, DifferenceKind
from models.refund_decision import RefundDecision, RefundWay
from models.states import Actor, Cause, CauseKind, StateEvent

log = structlog.get_logger()

LEFT_TO_PEOPLE = frozenset({RefundStatus.DESK, RefundStatus.ABNORMAL})
BY_HAND = "given_back_by_hand"
CARRY_OUT = "carry_out_refund"
LET_LIE = timedelta(days=3)
"""For so long a proposal stands in the way of another one, and what a card is known by is kept."""
LONG_REFUSED = timedelta(days=1)
"""What a platform has not taken for so long, since the balance is short or the merchant account is gone, people may
give back instead."""
_CALL_IS_OVER = timedelta(minutes=1)


class DeskRefusal(Exception):
    """What one of the two people wants cannot be; `code` is a stable word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Word:
    """What one person says of it. `card_hashes`: whatever a card that was named would be known by
    (`Vault.keyed_hashes`); for `to_card` alone (`give_to_card`)."""

    way: RefundWay
    why: str
    operator: str
    card_hashes: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class AtDesk:
    """One that waits, the payment that it is of, what has been said of it so far, and since when it waits."""

    refund: Refund
    payment: Payment
    decision: RefundDecision | None
    since: datetime


def list_at_desk(session: Session, *, limit: int, now: datetime) -> list[AtDesk]:
    """Those that have waited longest first; with what its platform has refused for now, for long."""
    standing = (RefundDecision.refund_id == Refund.id) & RefundDecision.done_at.is_(None)
    moves = select(func.max(StateEvent.at)).where(StateEvent.record_id == Refund.id)
    since = func.coalesce(moves.correlate(Refund).scalar_subquery(), Refund.created_at)
    is_refused = Refund.last_refusal.is_not(None) & Refund.awaits_red_since.is_(None)
    is_refused &= Refund.created_at <= now - LONG_REFUSED
    query = (
        select(Refund, Payment, RefundDecision, since)
        .join(Payment, Payment.id == Refund.payment_id)
        .outerjoin(RefundDecision, standing)
        .where(Refund.status.in_(LEFT_TO_PEOPLE | {RefundStatus.DUE}))
        .where(or_(Refund.status != RefundStatus.DUE, is_refused))
        .order_by(since, Refund.id)
    )
    return [AtDesk(*row) for row in session.execute(query.limit(limit))]


def say_of_refund(session: Session, refund_id: UUID, word: Word, *, now: datetime) -> bool:
    """One of the two people that it takes; whether it is decided now, and will be carried out (`carry_out`). The same
    person may think again.

    Raises: NotFound, DeskRefusal."""
    charge_id = session.scalar(select(Refund.charge_id).where(Refund.id == refund_id))
    if charge_id is None:
        raise NotFound()
    account = lock_charge_account(session, charge_id)
    refund = account.refund(refund_id)
    standing = _still_standing(session, refund, word, now=now)
    _refuse_what_cannot_be(refund, standing, word, now=now)
    if word.way is RefundWay.AGAIN and needs_red(session, account, refund):
        raise DeskRefusal("red_receipt_first")
    if word.way is RefundWay.BY_HAND and _is_back_in_a_bill(session, account.payment(refund.payment_id)):
        raise DeskRefusal("refunded_in_bill")
    if standing is None or is_same_name(standing.first_by, word.operator):
        _propose(session, refund, standing, word, now=now)
        return False
    standing.agree(word.operator, word.why, at=now)
    if refund.status is RefundStatus.DUE:  # nothing sends it from here on, be it the red receipt or its job
        cause = Cause(Actor.OPERATOR, CauseKind.COMMAND, str(standing.id), actor_id=word.operator)
        refund.become(session, RefundStatus.DESK, at=now, cause=cause, reason=BY_HAND)
    session.flush()
    of = str(refund.id)
    enqueue(session, CARRY_OUT, run_at=now, now=now, dedup=f"{CARRY_OUT}:{of}", refund_id=of)
    log.info("refund_decided", refund=str(refund.id), way=str(word.way))
    return True


def standing_decision(session: Session, refund_id: UUID) -> RefundDecision | None:
    """What is proposed of it, or decided and not done yet. The caller holds its charge."""
    query = select(RefundDecision).where(RefundDecision.refund_id == refund_id, RefundDecision.done_at.is_(None))
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _still_standing(session: Session, refund: Refund, word: Word, *, now: datetime) -> RefundDecision | None:
    """One person's proposal falls where its way is closed by now, or where that person has let it lie."""
    found = standing_decision(session, refund.id)
    if found is None or found.decided_at is not None or is_same_name(found.first_by, word.operator):
        return found
    is_another = found.way is not word.way or word.card_hashes
    if _closed_way(refund, found.way) or (is_another and now - found.proposed_at > LET_LIE):
        session.delete(found)
        session.flush()
        return None
    return found


def _refuse_what_cannot_be(refund: Refund, standing: RefundDecision | None, word: Word, *, now: datetime) -> None:
    """Raises: DeskRefusal."""
    by_hand = word.way is RefundWay.BY_HAND and _may_be_given_instead(refund, now=now)
    if refund.status not in LEFT_TO_PEOPLE and not by_hand:
        raise DeskRefusal("not_at_desk")
    if standing is not None and standing.decided_at is not None:
        raise DeskRefusal("being_carried_out")
    if (code := _closed_way(refund, word.way)) is not None:
        raise DeskRefusal(code)
    if standing is None or is_same_name(standing.first_by, word.operator):
        return
    if standing.way is not word.way:
        raise DeskRefusal("other_way_proposed")
    if standing.card_hash is not None and standing.card_hash not in word.card_hashes:
        raise DeskRefusal("other_card")


def _is_back_in_a_bill(session: Session, payment: Payment) -> bool:
    """Whether a bill has a refund of this payment that nobody here knows of, as after a restore, and nobody has looked
    at yet: what would be given by hand, the patient may have already."""
    unknown = select(Difference.facts).where(
        Difference.ended_at.is_(None),
        Difference.merchant == payment.merchant,
        Difference.kind == DifferenceKind.THEIRS_ONLY,
        Difference.entry == "refund",
    )
    return any(facts.get("out_trade_no") == payment.out_trade_no for facts in session.scalars(unknown))


def _may_be_given_instead(refund: Refund, *, now: datetime) -> bool:
    """What waits for a red receipt the hospital may give back itself, while it issues that one; and what its platform
    has refused for long, while nobody is just sending it."""
    if refund.status is not RefundStatus.DUE:
        return False
    is_refused = refund.last_refusal is not None and now - refund.created_at >= LONG_REFUSED
    is_being_sent = refund.asked_at is not None and now - refund.asked_at < _CALL_IS_OVER
    return refund.awaits_red_since is not None or (is_refused and not is_being_sent)


def _closed_way(refund: Refund, way: RefundWay) -> str | None:
    """Why it cannot go that way, as it stands."""
    is_abnormal = refund.status is RefundStatus.ABNORMAL
    if is_abnormal and way is RefundWay.AGAIN:
        return "number_known_there"  # the platform would only say so
    if not is_abnormal and way is RefundWay.TO_CARD:
        return "not_abnormal"
    return None


def _propose(session: Session, refund: Refund, standing: RefundDecision | None, word: Word, *, now: datetime) -> None:
    if standing is None:
        standing = RefundDecision(id=new_id(), refund_id=refund.id, first_by=word.operator)
        session.add(standing)
    standing.way, standing.why, standing.proposed_at = word.way, word.why, now
    standing.card_hash = word.card_hashes[0] if word.card_hashes else None
    session.flush()
