"""Taking a day's bill: fetched whole, then written whole, once. Taken again it must be the same, but for a file that
was missing and has come since."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from uuid import UUID

import structlog
from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from core.ports import BillEntry, BillSource, FundEntry, FundKind
from models.base import canonical_json, new_id
from models.reconciliation import BillDay, BillLine

log = structlog.get_logger()


class BillChanged(Exception):
    """The platform's bill of a day that was taken before is another one now. Nothing was written."""


class Taken:
    """A day's bill as it was fetched, not written yet."""

    def __init__(self, source: BillSource, day: date) -> None:
        """Raises: BillNotReady, BillUnreadable, ProviderUnavailable, ProviderRefused."""
        self.provider, self.merchant, self.day = source.provider, source.merchant, day
        self.entries: Sequence[BillEntry] = source.trade_bill(day)
        self.funds: Sequence[FundEntry] = source.fund_flow(day)
        self.digest = _digest(self.entries, self.funds)  # here, and not while rows are held

    @property
    def lacks_a_file(self) -> bool:
        """Nothing is told, or only half of it: a day without trades, or a platform that is late."""
        return not self.entries or not self.funds

    def known(self, session: Session) -> BillDay | None:
        """What was taken of that day before."""
        return session.scalars(self._of_day()).one_or_none()

    def lock_known(self, session: Session) -> BillDay:
        query = self._of_day().with_for_update().execution_options(populate_existing=True)
        return session.scalars(query).one()

    def adds_to(self, known: BillDay) -> bool:
        """The same bill, of which one file, or both, told nothing when it was taken."""
        halves: list[tuple[Sequence[BillEntry], Sequence[FundEntry]]] = [((), ()), (self.entries, ()), ((), self.funds)]
        return known.digest in {_digest(*half) for half in halves}

    def _of_day(self) -> Select[BillDay]:
        query = select(BillDay).where(BillDay.provider == self.provider, BillDay.merchant == self.merchant)
        return query.where(BillDay.day == self.day)

    def moved_fen(self, kind: FundKind) -> int:
        """What came to the account by this kind of movement, less what went."""
        return sum(one.amount_fen if one.income else -one.amount_fen for one in self.funds if one.kind is kind)


def write_bill(session: Session, taken: Taken, *, now: datetime) -> BillDay:
    """The day's row, with all its lines; the one that is there where it was taken before. Raises: BillChanged."""
    known = taken.known(session)
    if known is not None and known.digest != taken.digest:
        known = taken.lock_known(session)  # others may add the same at this moment
    if known is None:
        made = BillDay(id=new_id(), provider=taken.provider, merchant=taken.merchant, day=taken.day)
        session.add(made)
        return _fill(session, made, taken, now=now)
    if known.digest == taken.digest:
        return known
    if taken.adds_to(known):
        return _fill(session, known, taken, now=now)
    log.warning("bill_changed", provider=taken.provider, day=str(taken.day), alarm=True)
    raise BillChanged()


def _fill(session: Session, bill: BillDay, taken: Taken, *, now: datetime) -> BillDay:
    bill.digest, bill.taken_at = taken.digest, now
    bill.moved_payments_fen = taken.moved_fen(FundKind.PAYMENT)
    bill.moved_refunds_fen = taken.moved_fen(FundKind.REFUND)
    bill.moved_fees_fen = taken.moved_fen(FundKind.FEE)
    bill.moved_other_fen = taken.moved_fen(FundKind.OTHER)
    session.flush()
    if session.scalar(select(exists().where(BillLine.bill_day_id == bill.id))) is False:
        session.add_all(_line(bill.id, place, one) for place, one in enumerate(taken.entries))
        session.flush()
    return bill


def _digest(entries: Sequence[BillEntry], funds: Sequence[FundEntry]) -> bytes:
    said = [[_plain(asdict(one)) for one in part] for part in (entries, funds)]
    return hashlib.sha256(canonical_json(said)).digest()


def _line(bill_day_id: UUID, place: int, entry: BillEntry) -> BillLine:
    return BillLine(id=new_id(), bill_day_id=bill_day_id, place=place, **asdict(entry))


def _plain(said: dict[str, object]) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in said.items()}


NOTHING = _digest((), ())
"""Of a day of which nothing was told."""
