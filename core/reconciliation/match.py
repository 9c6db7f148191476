"""A day's bill against our own records, both ways: whatever does not agree becomes one row, once.

Nothing is changed here but those rows and what platforms took for themselves, which only their bills tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Exists, and_, func, select
from sqlalchemy.orm import Session, aliased

from core.clock import day_begins, hospital_day
from core.ledger.post import Fee, post_fees
from core.reconciliation.ours import Merchant, Ours, ours_of_day
from core.registry import Adapters
from models.base import new_id
from models.payment import Payment, PaymentStatus, Refund, RefundStatus
from models.reconciliation import BillDay, BillLine, Difference, DifferenceEnd, DifferenceKind

_AT_ONCE = 1000
_NEVER_ARRIVED = ("abnormal", "not_refunded")
PAYMENT, REFUND, MOVEMENTS = "payment", "refund", "movements"
_AT_PLATFORM = frozenset({RefundStatus.PROCESSING, RefundStatus.SUCCEEDED, RefundStatus.ABNORMAL, RefundStatus.CLOSED})
"""How we have a refund that the platform has accepted."""


@dataclass(frozen=True)
class Found:
    """Something that does not agree. `facts` are in plain words and figures."""

    kind: DifferenceKind
    entry: str
    number: str
    facts: dict[str, Any] = field(default_factory=dict)


def match_day(session: Session, adapters: Adapters, bill: BillDay, *, now: datetime) -> list[Difference]:
    """Look at the whole day, write what is new, and end what has been found since. Those that are open."""
    whose = Merchant(bill.provider, bill.merchant, adapters)
    lines = list(session.scalars(select(BillLine).where(BillLine.bill_day_id == bill.id).order_by(BillLine.place)))
    ours = ours_of_day(session, whose, bill.id)
    post_fees(session, _fees(ours, lines), now=now)
    before = _told_before(session, whose, bill)
    found = [*_of_lines(ours, bill.day, lines, before), *_ours_only(session, whose, bill.day)]
    moved = list(_of_movements(bill, lines))
    _note(session, bill, [*found, *moved], now=now)
    _end_found(session, whose, bill.day, {one.number for one in moved}, now=now)
    return open_differences(session, bill.provider, bill.merchant)


def open_differences(session: Session, provider: str, merchant: str) -> list[Difference]:
    query = select(Difference).where(
        Difference.provider == provider, Difference.merchant == merchant, Difference.ended_at.is_(None)
    )
    return list(session.scalars(query.order_by(Difference.day, Difference.id)))


def compare(ours: Ours, day: date, line: BillLine) -> Found | None:
    """One line of the bill of that day with ours of its number: the first thing that does not agree."""
    return _compare_payment(ours, day, line) if line.kind == PAYMENT else _compare_refund(ours, day, line)


def _fees(ours: Ours, lines: list[BillLine]) -> Iterator[Fee]:
    """Of payments that are ours, which do not stand in the books yet."""
    for line in lines:
        payment = ours.payments.get(line.out_trade_no)
        if payment is not None and line.id not in ours.posted:
            yield Fee(payment, line.fee_fen, line.id, line.at)


def _told_before(session: Session, whose: Merchant, bill: BillDay) -> Counter[tuple[str, str]]:
    """How often bills of other days name what this one names, by kind and number of ours."""
    here, there = aliased(BillLine), aliased(BillLine)
    same = and_(
        there.kind == here.kind,
        there.out_trade_no == here.out_trade_no,
        func.coalesce(there.out_refund_no, "") == func.coalesce(here.out_refund_no, ""),
    )
    query = (
        select(there)
        .join(here, same)
        .join(BillDay, BillDay.id == there.bill_day_id)
        .where(here.bill_day_id == bill.id, there.bill_day_id != bill.id, *_of_merchant(whose))
    )
    return Counter((line.kind, line.number) for line in session.scalars(query).unique())


def _of_lines(ours: Ours, day: date, lines: list[BillLine], before: Counter[tuple[str, str]]) -> Iterator[Found]:
    times = Counter((line.kind, line.number) for line in lines) + before
    for line in lines:
        found = compare(ours, day, line)
        if found is not None:
            yield found
        if line.number and times[line.kind, line.number] > 1:
            yield Found(DifferenceKind.DUPLICATE, line.kind, line.number, {"times": times[line.kind, line.number]})


def _compare_payment(ours: Ours, day: date, line: BillLine) -> Found | None:
    payment = ours.payments.get(line.out_trade_no)
    if payment is None:
        return Found(DifferenceKind.THEIRS_ONLY, PAYMENT, line.told_as, _theirs(line))
    both = {"ours": str(payment.status), "theirs": line.state}
    if (payment.status is PaymentStatus.SUCCEEDED) is not (line.state == "paid"):
        return Found(DifferenceKind.STATE_DIFFERS, PAYMENT, line.out_trade_no, both)
    return _compare_paid(ours, day, line, payment) if line.state == "paid" else None


def _compare_paid(ours: Ours, day: date, line: BillLine, payment: Payment) -> Found | None:
    if payment.platform_trade_no not in (None, line.platform_trade_no):
        which = {**_theirs(line), "ours": payment.platform_trade_no}
        return Found(DifferenceKind.THEIRS_ONLY, PAYMENT, line.out_trade_no, which)
    if (payment.received_fen, payment.received_currency) != (line.amount_fen, line.currency):
        return Found(DifferenceKind.AMOUNT_DIFFERS, PAYMENT, line.out_trade_no, _amounts(payment.received_fen, line))
    if payment.charge_id in ours.keeps_too_much:
        return Found(DifferenceKind.ORPHAN, PAYMENT, line.out_trade_no, {"charge": str(payment.charge_id)})
    if payment.paid_at is not None and hospital_day(payment.paid_at) != day:
        days = {"ours": str(hospital_day(payment.paid_at)), "theirs": str(day)}
        return Found(DifferenceKind.LATE, PAYMENT, line.out_trade_no, days)
    return None


def _compare_refund(ours: Ours, day: date, line: BillLine) -> Found | None:
    refund, payment = ours.refunds.get(line.out_refund_no or ""), ours.payments.get(line.out_trade_no)
    if refund is None or payment is None or refund.payment_id != payment.id:
        is_sent_back = ours.sent_back.get(line.out_refund_no or "") == (line.out_trade_no, line.amount_fen)
        return None if is_sent_back else Found(DifferenceKind.THEIRS_ONLY, REFUND, line.told_as, _theirs(line))
    if (refund.amount_fen, payment.received_currency or payment.currency) != (line.amount_fen, line.currency):
        return Found(DifferenceKind.AMOUNT_DIFFERS, REFUND, line.number, _amounts(refund.amount_fen, line))
    if refund.by_hand and line.state in _NEVER_ARRIVED:
        return None
    if refund.by_hand and (line.state == "refunded" or refund.succeeded_at is None or line.at > refund.succeeded_at):
        return Found(DifferenceKind.DUPLICATE, REFUND, line.number, {"ours": "by_hand", "theirs": line.state})
    never_by_then = refund.succeeded_at is None or hospital_day(refund.succeeded_at) > day
    agrees = {
        "refunded": refund.status is RefundStatus.SUCCEEDED,
        # A bill is never mended: one that was abnormal in it may have arrived on a later day.
        "refunding": refund.status in _AT_PLATFORM or refund.by_hand,
        **dict.fromkeys(_NEVER_ARRIVED, never_by_then),
    }[line.state]
    if not agrees:
        both = {"ours": str(refund.status), "theirs": line.state}
        return Found(DifferenceKind.STATE_DIFFERS, REFUND, line.number, both)
    return None


def _ours_only(session: Session, whose: Merchant, day: date) -> Iterator[Found]:
    """What we have of that day and no bill names. A refund stands in the bill of the day when the platform took it up,
    which may be any from when it was due until it had arrived: as long as one of those is missing, nothing is said of
    it, and whichever of them comes last says it."""
    begins, ends = day_begins(day), day_begins(day + timedelta(days=1))
    paid = select(Payment).where(
        Payment.merchant == whose.merchant, Payment.paid_at >= begins, Payment.paid_at < ends, Payment.received_fen > 0
    )
    for payment in session.scalars(paid.where(~_told(whose, BillLine.out_trade_no == Payment.out_trade_no, PAYMENT))):
        if whose.has(payment):
            yield Found(DifferenceKind.OURS_ONLY, PAYMENT, payment.out_trade_no, {"ours_fen": payment.received_fen})
    back = (
        select(Refund, Payment)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Payment.merchant == whose.merchant, Refund.succeeded_at >= begins, Refund.created_at < ends)
        .where(~Refund.by_hand)
        .where(~_told(whose, BillLine.out_refund_no == Refund.out_refund_no, REFUND))
    )
    taken = set(session.scalars(select(BillDay.day).where(*_of_merchant(whose))))
    for refund, payment in session.execute(back):
        assert refund.succeeded_at is not None  # noqa: S101 - the query asks for it
        due = hospital_day(refund.created_at)
        arrived = hospital_day(refund.succeeded_at)
        wanted = {due + timedelta(days=one) for one in range((arrived - due).days + 1)}
        if whose.has(payment) and wanted <= taken:
            yield Found(DifferenceKind.OURS_ONLY, REFUND, refund.out_refund_no, {"ours_fen": refund.amount_fen})


def has_moved(session: Session, whose: Merchant, day: date) -> bool:
    """Whether we know of money that moved there on that day."""
    begins, ends = day_begins(day), day_begins(day + timedelta(days=1))
    own = select(Payment.channel, Payment.app).where(Payment.merchant == whose.merchant)
    paid = own.where(Payment.paid_at >= begins, Payment.paid_at < ends, Payment.received_fen > 0)
    back = own.join(Refund, Refund.payment_id == Payment.id).where(
        Refund.succeeded_at >= begins, Refund.succeeded_at < ends, ~Refund.by_hand
    )
    return any(whose.takes(channel, app) for channel, app in session.execute(paid.union(back)))


def _told(whose: Merchant, is_it: ColumnElement[bool], kind: str) -> Exists:
    """That any bill of the merchant names it."""
    query = select(BillLine.id).join(BillDay, BillDay.id == BillLine.bill_day_id)
    return query.where(is_it, BillLine.kind == kind, *_of_merchant(whose)).exists()


def _of_merchant(whose: Merchant) -> tuple[ColumnElement[bool], ...]:
    return BillDay.provider == whose.provider, BillDay.merchant == whose.merchant


def _of_movements(bill: BillDay, lines: list[BillLine]) -> Iterator[Found]:
    """The sums of the bill against what moved in the account."""
    told = {
        "payments": sum(one.moved_fen for one in lines if one.kind == PAYMENT),
        "refunds": sum(one.moved_fen for one in lines if one.kind == REFUND),
        "fees": -sum(one.fee_fen for one in lines),
    }
    for name, told_fen in told.items():
        moved_fen = getattr(bill, f"moved_{name}_fen")
        if moved_fen != told_fen:
            facts = {"bill_fen": told_fen, "moved_fen": moved_fen}
            yield Found(DifferenceKind.AMOUNT_DIFFERS, MOVEMENTS, f"{bill.day}/{name}", facts)


def _note(session: Session, bill: BillDay, found: Sequence[Found], *, now: datetime) -> None:
    """Each is written once. What is only late has no harm in it, and ends with being told."""
    known = _known(session, bill, found)
    for one in found:
        if (one.kind, one.entry, one.number) in known:
            continue
        known.add((one.kind, one.entry, one.number))
        made = Difference(
            id=new_id(),
            provider=bill.provider,
            merchant=bill.merchant,
            day=bill.day,
            kind=one.kind,
            entry=one.entry,
            number=one.number,
            facts=one.facts,
            opened_at=now,
        )
        if one.kind is DifferenceKind.LATE:
            made.end(DifferenceEnd.FOUND, at=now)
        session.add(made)
    session.flush()


def _known(session: Session, bill: BillDay, found: Sequence[Found]) -> set[tuple[DifferenceKind, str, str]]:
    """Asked for many at once: whoever else sells on the merchant number has thousands, and others wait meanwhile."""
    known: set[tuple[DifferenceKind, str, str]] = set()
    for kind, entry in {(one.kind, one.entry) for one in found}:
        numbers = [one.number for one in found if (one.kind, one.entry) == (kind, entry)]
        query = select(Difference.number).where(
            Difference.provider == bill.provider,
            Difference.merchant == bill.merchant,
            Difference.kind == kind,
            Difference.entry == entry,
        )
        for at in range(0, len(numbers), _AT_ONCE):
            some = session.scalars(query.where(Difference.number.in_(numbers[at : at + _AT_ONCE])))
            known |= {(kind, entry, number) for number in some}
    return known


def _end_found(session: Session, whose: Merchant, day: date, moved: Set[str], *, now: datetime) -> None:
    """What was missing in the bill of its own day is in another one, whichever was matched first; and the day's sums
    agree but for those `moved`, since the file that was missing has come."""
    numbers = {PAYMENT: BillLine.out_trade_no, REFUND: BillLine.out_refund_no}
    for one in open_differences(session, whose.provider, whose.merchant):
        if one.entry == MOVEMENTS:
            is_found = one.day == day and one.number not in moved
        else:
            named = _told(whose, numbers[one.entry] == one.number, one.entry)
            is_found = one.kind is DifferenceKind.OURS_ONLY and bool(session.scalar(select(named)))
        if is_found:
            session.refresh(one, with_for_update=True)  # two people may have ended it meanwhile
            one.end(DifferenceEnd.FOUND, at=now)
    session.flush()


def _theirs(line: BillLine) -> dict[str, Any]:
    named = {"out_trade_no": line.out_trade_no, "platform_trade_no": line.platform_trade_no}
    return {"theirs_fen": line.amount_fen, "theirs": line.state, **named}


def _amounts(ours_fen: int | None, line: BillLine) -> dict[str, Any]:
    return {"ours_fen": ours_fen, "theirs_fen": line.amount_fen, "currency": line.currency}
